//! A report as one JSON object. Fields may be added to it; those that are there keep their names.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::RangeInclusive;

use serde::Serialize;

use super::microseconds;
use crate::audit::{Anomaly, Shipped};
use crate::evidence::{Books, Evidence, OrderBook};
use crate::report::{Latency, Problems, Report, TransportErrors};
use crate::target::Target;

/// Writes the report as indented JSON. What is not known is `null`.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::of(report))?;
    writeln!(out)
}

/// The object, in the order of its fields. Times are in the unit that their names end in.
#[derive(Debug, Serialize)]
struct Document {
    target: String,
    base_url: String,
    #[serde(flatten)]
    aim: Aim,
    wait_seconds: f64,
    requests: usize,
    acknowledged: usize,
    refused: usize,
    /// The refused ones, by fault and code.
    refusals: Vec<Problems>,
    partial: Vec<Problems>,
    unknown: Vec<Problems>,
    transport_errors: Vec<TransportErrors>,
    sent_again: u64,
    #[serde(flatten)]
    audited: Audited,
    spread_us: Option<u64>,
    latency_us: Option<LatencyMicros>,
    wall_ms: f64,
    verdict: String,
    explanation: String,
    remarks: Vec<String>,
}

/// What the requests were for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Aim {
    Deposits { account: i64, amount: i64 },
    Orders { book: u32 },
    Exports { account: i64 },
}

/// What the audits say, by what was raced for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Audited {
    Deposits(AuditedAccount),
    Orders(AuditedBook),
    Exports(AuditedFiles),
}

#[derive(Debug, Serialize)]
struct AuditedAccount {
    /// Transactions that no request is left for, where some were sent again.
    doubled: Option<u64>,
    opening_balance: i64,
    balance_before: i128,
    /// Together with the next one a range: they differ where outcomes are in doubt.
    expected_balance: Option<i128>,
    expected_balance_at_most: Option<i128>,
    balance: Option<i128>,
    transactions: Option<u64>,
    transactions_sum: Option<i128>,
    lost: Option<i128>,
}

#[derive(Debug, Serialize)]
struct AuditedBook {
    orders: Option<u64>,
    lines: Option<u64>,
    /// By the consumer while requests were in flight, and after all had ended.
    shipped_in_between: Option<usize>,
    shipped_afterwards: Option<usize>,
    anomalies: Vec<Anomaly>,
}

#[derive(Debug, Serialize)]
struct AuditedFiles {
    files: Vec<String>,
    /// How often a file was downloaded and audited; anomalies are counted by looks.
    looks: usize,
    anomalies: Vec<Anomaly>,
}

#[derive(Debug, Serialize)]
struct LatencyMicros {
    min: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

impl Document {
    fn of(report: &Report) -> Self {
        let plan = &report.plan;
        let verdict = report.verdict();
        let refusals = report.refused();
        Self {
            target: plan.target.to_string(),
            base_url: plan.base_url.to_string(),
            aim: Aim::of(&plan.target),
            wait_seconds: plan.pace.wait().as_secs_f64(),
            requests: report.answers.len(),
            acknowledged: report.acknowledged(),
            refused: refusals.iter().map(|problems| problems.requests).sum(),
            refusals,
            partial: report.partial(),
            unknown: report.unknown(),
            transport_errors: report.transport_errors(),
            sent_again: report.sent_again(),
            audited: Audited::of(report),
            spread_us: report.spread().map(microseconds),
            latency_us: report.latency().map(LatencyMicros::from),
            wall_ms: report.wall().as_secs_f64() * 1000.0,
            verdict: verdict.name().to_owned(),
            explanation: verdict.to_string(),
            remarks: report.remarks(),
        }
    }
}

impl Aim {
    fn of(target: &Target) -> Self {
        match target {
            Target::Deposits(deposits) => Self::Deposits {
                account: deposits.account,
                amount: deposits.amount.get(),
            },
            Target::Orders(orders) => Self::Orders {
                book: orders.book.get(),
            },
            Target::Exports(exports) => Self::Exports {
                account: exports.account,
            },
        }
    }
}

impl Audited {
    fn of(report: &Report) -> Self {
        match &report.evidence {
            Evidence::Deposits(books) => Self::Deposits(AuditedAccount::of(report, books)),
            Evidence::Orders(book) => Self::Orders(AuditedBook::of(report, book)),
            Evidence::Exports(_) => Self::Exports(AuditedFiles::of(report)),
        }
    }
}

impl AuditedAccount {
    fn of(report: &Report, books: &Books) -> Self {
        let after = books.after.as_ref().ok();
        let expected = report.expected_balance().map(RangeInclusive::into_inner);
        Self {
            doubled: report.doubled(),
            opening_balance: books.before.opening_balance,
            balance_before: books.before.balance,
            expected_balance: expected.map(|(least, _)| least),
            expected_balance_at_most: expected.map(|(_, most)| most),
            balance: after.map(|account| account.balance),
            transactions: after.map(|account| account.transactions),
            transactions_sum: after.map(|account| account.transactions_sum),
            lost: books.lost(),
        }
    }
}

impl AuditedBook {
    fn of(report: &Report, book: &OrderBook) -> Self {
        let after = book.after.as_ref().ok();
        let consumption = book.consumption.as_ref();
        let shipped = |run: &Result<Shipped, _>| Some(run.as_ref().ok()?.shipped.len());
        Self {
            orders: after.map(|audit| audit.orders),
            lines: after.map(|audit| audit.lines),
            shipped_in_between: consumption.and_then(|it| shipped(&it.in_between)),
            shipped_afterwards: consumption.and_then(|it| shipped(&it.after)),
            anomalies: report.anomalies(),
        }
    }
}

impl AuditedFiles {
    fn of(report: &Report) -> Self {
        let files: BTreeSet<_> = report.inspections().map(|look| &look.file).collect();
        Self {
            files: files.into_iter().cloned().collect(),
            looks: report.inspections().count(),
            anomalies: report.anomalies(),
        }
    }
}

impl From<Latency> for LatencyMicros {
    fn from(latency: Latency) -> Self {
        Self {
            min: microseconds(latency.min),
            p50: microseconds(latency.p50),
            p90: microseconds(latency.p90),
            p99: microseconds(latency.p99),
            max: microseconds(latency.max),
        }
    }
}
