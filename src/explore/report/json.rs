//! Findings for programs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::super::{Client, Example, Finding, Row, Schedule, Schedules, Tally, What};
use crate::engine::Engine;
use crate::step::{Action, Ending};
use crate::verdict::Verdict;

/// A finding as it is written in JSON.
#[derive(Debug, Serialize)]
pub struct FindingJson<'f> {
    /// The strategy.
    pub strategy: &'static str,
    /// What it ran on: `engine`, `engine_version`, `isolation` and its mode.
    #[serde(flatten)]
    pub engine: &'f Engine,
    /// How many clients ran at once.
    pub clients: usize,
    /// By how many instances of the service they were served.
    pub instances: usize,
    /// How the schedules were chosen: `exhaustive`, `random` or `replay`.
    pub policy: &'static str,
    /// The seed of a random policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether every schedule there is was run, or stands for one that was.
    pub exhaustive: bool,
    /// Whether schedules that are bound to end alike were run once for all of them.
    pub reduced: bool,
    /// How many beginnings of schedules the engine would not repeat; what follows them is not known.
    pub diverged: u64,
    /// How many runs ended in a lock timeout of a client that was not seen to wait. How they ended
    /// says nothing, so that they are in none of the counts.
    pub waits_not_seen: u64,
    /// How many schedules were run.
    pub schedules: u64,
    /// In how many of them every client was served and nothing was lost.
    pub safe: u64,
    /// The number of schedules with each anomaly that the exhibit can show, by its name.
    pub anomalies: BTreeMap<&'static str, u64>,
    /// In how many nothing was lost and somebody was refused. Where refusals differ within a schedule,
    /// one of them stands for it.
    pub refused: Vec<RefusedJson<'f>>,
    /// In how many a client waited for a lock.
    pub waited: u64,
    /// How long it took, in milliseconds, without the opening of the engine.
    pub took_ms: u64,
    /// The verdict in words, as far as it may be said.
    pub verdict: String,
    /// The simplest run with an anomaly.
    pub counterexample: Option<ExampleJson<'f>>,
    /// The schedule that was asked for, with the policy `replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<ExampleJson<'f>>,
}

/// Refusals of one kind.
#[derive(Debug, Serialize)]
pub struct RefusedJson<'f> {
    /// What the refusal meant; null where it was the strategy that refused.
    pub fault: Option<&'static str>,
    /// The engine's own code.
    pub code: Option<&'f str>,
    /// In how many schedules.
    pub schedules: u64,
}

/// One schedule, and what happened under it.
#[derive(Debug, Serialize)]
pub struct ExampleJson<'f> {
    /// The clients in their order, e.g. `A A B`: what `--schedule` replays.
    pub schedule: &'f Schedule,
    /// What happened.
    pub steps: Vec<StepJson<'f>>,
    /// The moment at which something was lost, in words.
    pub lost: Option<&'f str>,
}

/// One step of a schedule.
#[derive(Debug, Serialize)]
pub struct StepJson<'f> {
    /// Its place in the schedule; none for a think and for the rollback after a refusal.
    pub step: Option<usize>,
    /// Whose it was.
    pub client: Client,
    /// What kind of action it was.
    pub action: Action,
    /// A few words for people.
    pub label: Cow<'static, str>,
    /// The statement, with its values in it; none for a think.
    pub sql: Option<String>,
    /// The value that was read or written, where the clients race for it.
    pub value: Option<i64>,
    /// Whether it was a statement that changes rows and found none to change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub matched_no_row: bool,
    /// Whether it had to wait for a lock.
    pub wait: bool,
    /// The step after which its wait was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_until: Option<usize>,
    /// The engine's refusal in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'f str>,
}

impl<'f> FindingJson<'f> {
    /// The finding as it is written in JSON.
    pub fn of(finding: &'f Finding) -> Self {
        let tally = &finding.tally;
        let (policy, seed) = match finding.plan.schedules {
            Schedules::All { .. } => ("exhaustive", None),
            Schedules::Sample { seed, .. } => ("random", Some(seed)),
            Schedules::One(_) => ("replay", None),
        };
        Self {
            strategy: finding.strategy(),
            engine: &finding.engine,
            clients: finding.plan.clients,
            instances: finding.instances(),
            policy,
            seed,
            exhaustive: finding.is_exhaustive(),
            reduced: finding.plan.schedules == Schedules::All { reduced: true },
            diverged: finding.diverged,
            waits_not_seen: finding.not_seen,
            schedules: tally.schedules,
            safe: tally.count(Verdict::Safe),
            anomalies: anomalies(finding),
            refused: refused(tally),
            waited: tally.waited,
            took_ms: u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            verdict: super::verdict(finding),
            counterexample: finding.counterexample().map(|(_, it)| ExampleJson::of(it)),
            replayed: finding.replayed().map(ExampleJson::of),
        }
    }
}

fn anomalies(finding: &Finding) -> BTreeMap<&'static str, u64> {
    let count = |anomaly| finding.tally.count(Verdict::Anomaly(anomaly));
    let anomalies = finding.subject.anomalies().iter();
    anomalies.map(|it| (it.name, count(it))).collect()
}

fn refused(tally: &Tally) -> Vec<RefusedJson<'_>> {
    let by_the_engine = tally
        .refused
        .iter()
        .map(|((fault, code), schedules)| RefusedJson {
            fault: Some(fault.name()),
            code: code.as_deref(),
            schedules: *schedules,
        });
    let by_the_strategy = RefusedJson {
        fault: None,
        code: None,
        schedules: tally.count(Verdict::Declined),
    };
    by_the_engine
        .chain([by_the_strategy])
        .filter(|refused| refused.schedules > 0)
        .collect()
}

impl<'f> ExampleJson<'f> {
    fn of(example: &'f Example) -> Self {
        let rows = example.trace.rows.iter();
        Self {
            schedule: &example.schedule,
            steps: rows.filter_map(|row| StepJson::of(row, example)).collect(),
            lost: example.moment.as_ref().map(|moment| moment.words.as_str()),
        }
    }
}

impl<'f> StepJson<'f> {
    /// None for a row that tells how an earlier one ended.
    fn of(row: &'f Row, example: &'f Example) -> Option<Self> {
        let ended = match row.what {
            What::Resumed(..) => return None,
            What::Waits => example.trace.resumed(row),
            What::Happened(_) | What::Besides(_) => Some(row),
        };
        let wait = row.what == What::Waits;
        Some(Self {
            step: row.number(),
            client: row.client,
            action: row.step.action,
            label: row.step.label.clone(),
            sql: example.statement(&row.step),
            value: ended.and_then(Row::value),
            matched_no_row: ended.and_then(Row::ending) == Some(&Ending::MatchedNoRow),
            wait,
            waited_until: ended.filter(|_| wait).map(|ended| ended.after),
            refusal: match ended.and_then(Row::ending) {
                Some(Ending::Failed { refusal, .. }) => Some(refusal),
                _ => None,
            },
        })
    }
}
