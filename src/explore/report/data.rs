//! What was found, as data: what programs get, and what every other form is drawn from.
//!
//! A report owns its data, so that it can be stored and sent without the code that was explored.
//! [`VERSION`] changes when a field is renamed, removed or given another meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::super::{
    About, Client, Example, Exploration, Finding, Fixture, Row, SHOWN_ID, SHOWN_SECOND, Schedule,
    Schedules, Tally, What,
};
use super::answer::{AnswerData, ClientData};
use super::statement::with_values;
use super::words;
use crate::engine::{Engine, FaultKind};
use crate::step::{Action, Argument, Ending, Step};
use crate::verdict::Verdict;

/// The version of the report's form.
pub const VERSION: u32 = 1;

/// What an exploration has found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// One for each subject, engine, level and number of instances.
    pub findings: Vec<FindingData>,
    /// The engines that are not here, and the scenarios that were left out, and why.
    pub missing: Vec<String>,
    /// The scenarios that could not be explored to their end, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
}

/// What was found about one subject on one engine at one level.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingData {
    /// The strategy's name, and that of the client beside it, if there is one; or the file's.
    pub strategy: String,
    /// The title of a scenario. Absent for a strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The engine: `engine`, `engine_version`, `isolation` and its mode.
    #[serde(flatten)]
    pub engine: Engine,
    /// The number of clients that ran at once.
    pub clients: usize,
    /// The number of instances of the service that served them.
    pub instances: usize,
    /// How the schedules were chosen: `exhaustive`, `random` or `replay`.
    pub policy: &'static str,
    /// The seed of a random policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether every schedule there is was run, or is represented by one that was run.
    pub exhaustive: bool,
    /// Whether one run stood for all schedules that are bound to end alike.
    pub reduced: bool,
    /// The number of beginnings of schedules that the engine would not repeat. What follows them is
    /// not known.
    pub diverged: u64,
    /// The number of runs that ended in a lock timeout of a client that was not seen to wait. How
    /// they ended says nothing, so they are in none of the counts.
    pub waits_not_seen: u64,
    /// The number of schedules that were run.
    pub schedules: u64,
    /// The number of schedules in which every client was served, without an anomaly.
    pub safe: u64,
    /// The number of schedules with each anomaly that the subject can show, by its name.
    pub anomalies: BTreeMap<&'static str, u64>,
    /// The schedules without an anomaly in which a client was refused. If refusals differ within a
    /// schedule, one of them stands for it.
    pub refused: Vec<RefusedData>,
    /// The number of schedules in which a client waited for a lock.
    pub waited: u64,
    /// The time it took, in milliseconds, without the opening of the engine.
    pub took_ms: u64,
    /// The verdict in words.
    pub verdict: String,
    /// Whether the subject's card promises that no schedule has an anomaly.
    pub promises_safety: bool,
    /// The simplest run with an anomaly.
    pub counterexample: Option<ExampleData>,
    /// The simplest run without an anomaly in which a client was refused or declined.
    pub refused_example: Option<ExampleData>,
    /// The run of the schedule that was asked for, with the policy `replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<ExampleData>,
    /// The words for the anomalies that the subject can show, the worst first.
    pub legend: Vec<AnomalyData>,
    /// The word in a cell without an anomaly: `0 of 36 lost`.
    pub nothing: &'static str,
    /// What was found that should not have been, in words: a broken promise, or an expectation of
    /// the file that is not met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unexpected: Vec<String>,
    /// What the verdict takes for granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The clients of a scenario, in their order. Absent for a strategy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scenario_clients: Vec<ClientData>,
    /// SQL that a person runs to set up the row of an example, or the whole database of a scenario.
    pub setup_sql: Cow<'static, str>,
    /// SQL that shows a person what became of the row.
    pub inspect_sql: Cow<'static, str>,
}

/// An anomaly in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnomalyData {
    /// Its key in `anomalies`.
    pub name: &'static str,
    /// What a run with it is called.
    pub title: &'static str,
    /// What code with it does.
    pub does: &'static str,
    /// The word for it in a cell.
    pub word: &'static str,
    /// What that word means.
    pub meaning: &'static str,
}

/// Refusals of one kind.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RefusedData {
    /// The kind of refusal. Null if it was the strategy that refused.
    pub fault: Option<FaultKind>,
    /// The engine's own code.
    pub code: Option<String>,
    /// The number of schedules.
    pub schedules: u64,
}

/// One schedule, and what happened under it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExampleData {
    /// The verdict of the run.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The clients in their order, e.g. `A A B`: what `--schedule` replays.
    #[schema(value_type = String)]
    pub schedule: Schedule,
    /// What happened, in its order.
    pub steps: Vec<StepData>,
    /// The step in which it went wrong.
    pub highlight: Option<HighlightData>,
    /// SQL that shows a person what became of it, if it is another one than that of the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspect_sql: Option<String>,
}

/// Where a run went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HighlightData {
    /// The index in `steps`, from 0.
    pub index: usize,
    /// What happened there, in words.
    pub words: String,
}

/// One thing that happened in a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepData {
    /// The step's place in the schedule. Null for a think, for the rollback after a refusal, and
    /// for the end of a wait.
    pub step: Option<usize>,
    /// The client.
    #[schema(value_type = String)]
    pub client: Client,
    /// What kind of action it was.
    pub action: Action,
    /// A few words for people.
    #[schema(value_type = String)]
    pub label: Cow<'static, str>,
    /// The values of a step without a statement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Argument>,
    /// The statement, with its values in it. Null if the step has none.
    pub sql: Option<String>,
    /// The value that was read or written, if the clients race for it.
    pub value: Option<i64>,
    /// What the engine answered to a statement of a user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerData>,
    /// Whether it was a statement that changes rows and found none to change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub matched_no_row: bool,
    /// Whether it had to wait for a lock. Its result is in the entry that `resumes` it, and here as
    /// well.
    pub wait: bool,
    /// The step after which its wait was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_until: Option<usize>,
    /// This entry is the end of a wait: that of the step with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumes: Option<usize>,
    /// The engine's refusal in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl Report {
    /// The report of an exploration.
    pub fn of(exploration: &Exploration) -> Self {
        Self {
            broken: exploration.broken.clone(),
            ..Self::of_findings(&exploration.findings, exploration.missing.clone())
        }
    }

    /// The report of these findings.
    pub fn of_findings(findings: &[Finding], missing: Vec<String>) -> Self {
        Self {
            version: VERSION,
            findings: findings.iter().map(FindingData::of).collect(),
            missing,
            broken: Vec::new(),
        }
    }
}

impl FindingData {
    /// A finding as data.
    pub fn of(finding: &Finding) -> Self {
        let (tally, about) = (&finding.tally, finding.about.clone());
        let (policy, seed) = match finding.plan.schedules {
            Schedules::All { .. } => ("exhaustive", None),
            Schedules::Sample { seed, .. } => ("random", Some(seed)),
            Schedules::One(_) => ("replay", None),
        };
        let scenario = finding.about.scenario.as_ref();
        Self {
            engine: finding.engine.clone(),
            clients: finding.plan.clients,
            instances: finding.plan.instances,
            policy,
            seed,
            exhaustive: finding.is_exhaustive(),
            reduced: finding.plan.schedules == Schedules::All { reduced: true },
            diverged: finding.diverged,
            waits_not_seen: finding.waits_not_seen,
            schedules: tally.schedules,
            safe: tally.count(Verdict::Safe),
            anomalies: anomalies(&about, tally),
            refused: refused(tally),
            waited: tally.waited,
            took_ms: u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            verdict: words::verdict(finding),
            promises_safety: finding.promises_safety,
            counterexample: finding.simplest(Verdict::is_anomaly).map(ExampleData::of),
            refused_example: finding.simplest(is_refusal).map(ExampleData::of),
            replayed: finding.replayed().map(ExampleData::of),
            legend: legend(&about),
            strategy: about.name.clone().into_owned(),
            nothing: about.nothing,
            title: scenario.map(|it| it.title.clone()),
            unexpected: finding.unexpected.clone(),
            assumptions: scenario
                .map(|it| it.assumptions_on(finding.engine.flavour))
                .unwrap_or_default(),
            scenario_clients: scenario
                .map(|it| it.clients.iter().map(ClientData::of).collect())
                .unwrap_or_default(),
            setup_sql: about.setup_sql.on(finding.engine.flavour),
            inspect_sql: about.inspect_sql.on(finding.engine.flavour),
        }
    }

    /// The anomalies that were found, the worst first, and the number of schedules with each.
    pub(super) fn found(&self) -> impl Iterator<Item = (&AnomalyData, u64)> {
        let anomalies = self.legend.iter();
        let counted = anomalies.map(|it| (it, self.anomalies.get(it.name).copied().unwrap_or(0)));
        counted.filter(|(_, count)| *count > 0)
    }

    /// The number of instances in words, to be put behind the subject's name. Empty if it is one.
    pub(super) fn several_instances(&self) -> String {
        match self.instances {
            1 => String::new(),
            several => format!(", {several} instances"),
        }
    }

    /// The run that is worth showing, and what it is an example of.
    pub(super) fn shown(&self) -> Option<(String, &ExampleData)> {
        if let Some(replayed) = &self.replayed {
            return Some(("The schedule".to_owned(), replayed));
        }
        let shortest = if self.exhaustive {
            "The shortest schedule"
        } else {
            "The shortest of the schedules run"
        };
        if let Some(counterexample) = &self.counterexample
            && let Verdict::Anomaly(anomaly) = counterexample.verdict
        {
            return Some((format!("{shortest} that {}", anomaly.does), counterexample));
        }
        let refused = self.refused_example.as_ref()?;
        Some((format!("{shortest} in which a client is refused"), refused))
    }
}

fn is_refusal(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Refused(_) | Verdict::Declined)
}

fn anomalies(about: &About, tally: &Tally) -> BTreeMap<&'static str, u64> {
    let count = |anomaly| tally.count(Verdict::Anomaly(anomaly));
    let anomalies = about.anomalies.iter();
    anomalies.map(|it| (it.name, count(it))).collect()
}

fn legend(about: &About) -> Vec<AnomalyData> {
    let anomalies = about.anomalies.iter();
    anomalies
        .map(|it| AnomalyData {
            name: it.name,
            title: it.title,
            does: it.does,
            word: it.word,
            meaning: it.meaning,
        })
        .collect()
}

fn refused(tally: &Tally) -> Vec<RefusedData> {
    let by_the_engine = tally
        .refused
        .iter()
        .map(|((fault, code), schedules)| RefusedData {
            fault: Some(*fault),
            code: code.clone(),
            schedules: *schedules,
        });
    let by_the_strategy = RefusedData {
        fault: None,
        code: None,
        schedules: tally.count(Verdict::Declined),
    };
    by_the_engine
        .chain([by_the_strategy])
        .filter(|refused| refused.schedules > 0)
        .collect()
}

impl ExampleData {
    fn of((verdict, example): (Verdict, &Example)) -> Self {
        let rows = example.trace.rows.iter();
        Self {
            verdict,
            schedule: example.schedule.clone(),
            inspect_sql: example.inspect_sql.clone(),
            steps: rows.map(|row| StepData::of(row, example)).collect(),
            highlight: example.highlight.as_ref().map(|it| HighlightData {
                index: it.row,
                words: it.words.clone(),
            }),
        }
    }
}

impl StepData {
    fn of(row: &Row, example: &Example) -> Self {
        let wait = row.what == What::Waits;
        let ended = if wait {
            example.trace.resumed(row)
        } else {
            Some(row)
        };
        let ending = ended.and_then(Row::ending);
        let sql = statement(&row.step, example);
        Self {
            step: row.number(),
            client: row.client,
            action: row.step.action,
            label: row.step.label.clone(),
            values: match sql {
                Some(_) => Vec::new(),
                None => row.step.args.clone(),
            },
            sql,
            value: ended.and_then(Row::value),
            answer: match ending {
                Some(Ending::Answered(answer)) => Some(AnswerData::of(answer)),
                Some(Ending::Done(_) | Ending::MatchedNoRow | Ending::Failed { .. }) | None => None,
            },
            matched_no_row: ending == Some(&Ending::MatchedNoRow),
            wait,
            waited_until: ended.filter(|_| wait).map(|ended| ended.after),
            resumes: match row.what {
                What::Resumed(number, _) => Some(number),
                What::Happened(_) | What::Waits | What::Besides(_) => None,
            },
            refusal: match ending {
                Some(Ending::Failed { refusal, .. }) => Some(refusal.clone()),
                Some(Ending::Done(_) | Ending::MatchedNoRow | Ending::Answered(_)) | None => None,
            },
        }
    }

    /// The statement or, without one, what the step does in words.
    pub(super) fn text(&self) -> String {
        let values = self.values.iter().map(|value| format!(" {value}"));
        self.sql
            .clone()
            .unwrap_or_else(|| format!("{}{}", self.label, values.collect::<String>()))
    }

    /// What came of the step, to be written behind it. Empty if it waits.
    pub(super) fn result(&self) -> String {
        if self.wait {
            return String::new();
        }
        match (&self.refusal, self.value) {
            (Some(refusal), _) => format!(" ✗ {refusal}"),
            (None, _) if self.matched_no_row => " → no row".to_owned(),
            (None, _) if self.answer.is_some() => self
                .answer
                .as_ref()
                .map_or_else(String::new, |it| it.in_words(self.action)),
            (None, Some(value)) if self.action == Action::Read => format!(" → {value}"),
            (None, _) => String::new(),
        }
    }
}

/// A step's statement with its values in it, as it can be typed. None for a step without one.
fn statement(step: &Step, example: &Example) -> Option<String> {
    let values: Vec<_> = step.args.iter().map(|it| shown(it, example)).collect();
    Some(with_values(step.sql.as_deref()?, &values))
}

/// A value as reports show it, so that every run reads the same. The id of the run's row is
/// [`SHOWN_ID`], also as the time of a UUID; the clock shows [`SHOWN_SECOND`].
fn shown(value: &Argument, example: &Example) -> Argument {
    let id = match example.fixture {
        Fixture::Row(id) => Some(id),
        Fixture::WholeDatabase => None,
    };
    match (value, id) {
        (Argument::Integer(it), _) if Some(*it) == id => SHOWN_ID.into(),
        (Argument::Integer(it), _) if Some(*it) == example.second => SHOWN_SECOND.into(),
        (Argument::Text(text), Some(id)) => {
            Argument::Text(text.replace(&time_of_a_uuid(id), &time_of_a_uuid(SHOWN_ID)))
        }
        (Argument::Integer(_) | Argument::Text(_), _) => value.clone(),
    }
}

/// The beginning of a UUID of version 7 that has this number as its time.
fn time_of_a_uuid(number: i64) -> String {
    let hexadecimal = format!("{:012x}", number & 0xffff_ffff_ffff);
    let (high, low) = hexadecimal.split_at(8);
    format!("{high}-{low}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_begins_with_its_time() {
        assert_eq!(time_of_a_uuid(0x0199_0000_0001), "01990000-0001");
    }
}
