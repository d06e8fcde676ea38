//! A report as one JSON object. Later versions may add fields, but they rename none.

use std::io::{self, Write};

use serde::Serialize;

use crate::answers::{ProblemCount, TransportErrorCount};
use crate::fields::Fields;
use crate::latency::{Latency, microseconds};
use crate::report::Report;

/// The version of the object. It grows if a field changes its meaning.
const VERSION: u32 = 1;

/// Writes the report as indented JSON. A value that is not known is `null`.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::of(report))?;
    writeln!(out)
}

/// The object, in the order of its fields. Times have their unit at the end of their name.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    target: String,
    base_url: String,
    /// What the requests did.
    #[serde(flatten)]
    race: Fields,
    wait_seconds: f64,
    requests: usize,
    acknowledged: usize,
    refused: usize,
    /// The refused requests, by fault and code.
    refusals: Vec<ProblemCount>,
    partial: Vec<ProblemCount>,
    unknown: Vec<ProblemCount>,
    transport_errors: Vec<TransportErrorCount>,
    sent_again: u64,
    /// What the audits said.
    #[serde(flatten)]
    evidence: Fields,
    spread_us: Option<u64>,
    latency_us: Option<LatencyMicros>,
    wall_ms: f64,
    verdict: String,
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
        let Report { plan, answers, .. } = report;
        let verdict = report.verdict();
        let refusals = answers.refused();
        Self {
            version: VERSION,
            target: plan.target.to_string(),
            base_url: plan.base_url.to_string(),
            race: plan.target.race().fields(),
            wait_seconds: plan.pace.wait().as_secs_f64(),
            requests: answers.len(),
            acknowledged: answers.acknowledged(),
            refused: refusals.iter().map(|kind| kind.requests).sum(),
            refusals,
            partial: answers.partial(),
            unknown: answers.unknown(),
            transport_errors: answers.transport_errors(),
            sent_again: answers.sent_again(),
            evidence: report.evidence.fields(answers),
            spread_us: report.spread().map(microseconds),
            latency_us: answers.latency().map(LatencyMicros::from),
            wall_ms: answers.wall().as_secs_f64() * 1000.0,
            verdict: verdict.name().to_owned(),
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
