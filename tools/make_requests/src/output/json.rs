//! A report as one JSON object. Fields may be added to it; those that are there keep their names.

use std::io::{self, Write};

use serde::Serialize;

use super::microseconds;
use crate::report::{Latency, Problems, Report, TransportErrors};

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
    account: i64,
    amount: i64,
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
    /// Transactions that no request is left for, where some were sent again.
    doubled: Option<u64>,
    opening_balance: i64,
    balance_before: i64,
    /// Together with the next one a range: they differ where outcomes are in doubt.
    expected_balance: i128,
    expected_balance_at_most: i128,
    balance: Option<i64>,
    transactions: Option<u64>,
    transactions_sum: Option<i128>,
    lost: Option<i128>,
    spread_us: Option<u64>,
    latency_us: Option<LatencyMicros>,
    wall_ms: f64,
    verdict: &'static str,
    explanation: String,
    remarks: Vec<String>,
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
        let after = report.after.as_ref().ok();
        let (least, most) = report.expected_balance().into_inner();
        let verdict = report.verdict();
        let refusals = report.refused();
        Self {
            target: plan.target.to_string(),
            base_url: plan.base_url.to_string(),
            account: plan.account,
            amount: plan.amount.get(),
            wait_seconds: plan.pace.wait().as_secs_f64(),
            requests: report.answers.len(),
            acknowledged: report.acknowledged(),
            refused: refusals.iter().map(|problems| problems.requests).sum(),
            refusals,
            partial: report.partial(),
            unknown: report.unknown(),
            transport_errors: report.transport_errors(),
            sent_again: report.sent_again(),
            doubled: report.doubled(),
            opening_balance: report.before.opening_balance,
            balance_before: report.before.balance,
            expected_balance: least,
            expected_balance_at_most: most,
            balance: after.map(|account| account.balance),
            transactions: after.map(|account| account.transactions),
            transactions_sum: after.map(|account| account.transactions_sum),
            lost: report.lost(),
            spread_us: report.spread().map(microseconds),
            latency_us: report.latency().map(LatencyMicros::from),
            wall_ms: report.wall().as_secs_f64() * 1000.0,
            verdict: verdict.name(),
            explanation: verdict.to_string(),
            remarks: report.remarks(),
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
