//! What was found, as data: what programs get, and what every other form is drawn from.
//!
//! A report owns its data, so that it can be stored and sent without the code that was explored.
//! [`VERSION`] changes when a field is renamed, removed or given another meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{Client, Schedule};
use super::answer::{AnswerData, ClientData};
use super::reduction::ReductionData;
use crate::engine::{Engine, FaultKind};
use crate::step::{Action, Argument};
use crate::verdict::VerdictData;

/// The version of the report's form.
pub const VERSION: u32 = 1;

/// A text that is a literal of this program, or was read from a file.
pub(super) type Text = Cow<'static, str>;

/// What an exploration has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// One for each subject, engine, level and number of instances.
    pub findings: Vec<FindingData>,
    /// The engines that are not here, and the scenarios that were left out, and why.
    pub missing: Vec<String>,
    /// The scenarios that could not be explored to their end, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
}

/// What was found about one subject on one engine at one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingData {
    /// The strategy's name, and that of the client beside it, if there is one; or the file's.
    pub strategy: String,
    /// The title of a scenario. Absent for a strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The file with the strategy's code. Absent for a scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_file: Option<String>,
    /// The text of a scenario's file. Absent for a strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_text: Option<String>,
    /// The engine: `engine`, `engine_version`, `isolation` and its mode.
    #[serde(flatten)]
    pub engine: Engine,
    /// The number of clients that ran at once.
    pub clients: usize,
    /// The number of instances of the service that served them.
    pub instances: usize,
    /// How the schedules were chosen: `exhaustive`, `random` or `replay`.
    #[schema(value_type = String)]
    pub policy: Text,
    /// The seed of a random policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether every schedule there is was run, or is represented by one that was run.
    pub exhaustive: bool,
    /// Whether one run stood for all schedules that must end alike.
    pub reduced: bool,
    /// The largest number of preemptions that was asked for. Absent if no bound was. In a
    /// preemption a client has to stop although it could go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemptions: Option<usize>,
    /// The largest number of preemptions up to which every schedule was run. Absent if the search
    /// is exhaustive, reduced, random or a replay, or if no such number is complete. Absent also if
    /// InnoDB may refuse another of three clients in a deadlock when a schedule is run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_up_to: Option<usize>,
    /// The number of schedules with each number of preemptions, from 0. Absent if the search is
    /// exhaustive, reduced, random or a replay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_preemptions: Vec<u64>,
    /// The number of runs of a reduced search that were broken off because another run shows the
    /// same. They are in none of the counts. Absent if there were none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub covered: u64,
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
    #[schema(value_type = BTreeMap<String, u64>)]
    pub anomalies: BTreeMap<Text, u64>,
    /// The schedules without an anomaly in which a client was refused. If refusals differ within a
    /// schedule, one of them stands for it.
    pub refused: Vec<RefusedData>,
    /// The number of schedules in which a client waited for a lock.
    pub waited: u64,
    /// The time it took, in milliseconds, without the opening of the engine.
    pub took_ms: u64,
    /// The largest number of runs at once: of an application, its instances. Absent where it is not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<usize>,
    /// Whether the search ended with `preemptions` because a schedule with as many goes wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_early: bool,
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
    #[schema(value_type = String)]
    pub nothing: Text,
    /// What was found that should not have been, in words: a broken promise, or an expectation of
    /// the file that is not met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexpected: Vec<String>,
    /// The simplest run with each verdict that should not have been found, the worst first. Empty
    /// if something is missing instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexpected_examples: Vec<ExampleData>,
    /// The line of the scenario's file, from 1, that expects something else: an entry of `expect`
    /// or, without one, the first client. Absent if all is as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<usize>,
    /// What the verdict takes for granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// Whether no other schedule of a scenario's clients was possible than one after the other,
    /// although one has several steps. Then nothing was tested. Absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_interleaved: bool,
    /// Whether something was left out where the ends of runs were compared. Then `assumptions` says
    /// what. Absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared_in_part: bool,
    /// What a reduced search takes for independent, with `--explain-reduction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduction: Option<ReductionData>,
    /// The clients of a scenario, in their order. Absent for a strategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenario_clients: Vec<ClientData>,
    /// SQL that a person runs to set up the row of an example, or the whole database of a scenario.
    #[schema(value_type = String)]
    pub setup_sql: Text,
    /// SQL that shows a person what became of the row.
    #[schema(value_type = String)]
    pub inspect_sql: Text,
}

/// An anomaly in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnomalyData {
    /// Its key in `anomalies`.
    #[schema(value_type = String)]
    pub name: Text,
    /// What a run with it is called.
    #[schema(value_type = String)]
    pub title: Text,
    /// What code with it does.
    #[schema(value_type = String)]
    pub does: Text,
    /// The word for it in a cell.
    #[schema(value_type = String)]
    pub word: Text,
    /// What that word means.
    #[schema(value_type = String)]
    pub meaning: Text,
}

/// Refusals of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RefusedData {
    /// The kind of refusal. Null if it was the strategy that refused.
    pub fault: Option<FaultKind>,
    /// The engine's own code.
    pub code: Option<String>,
    /// The number of schedules.
    pub schedules: u64,
}

/// One schedule, and what happened under it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExampleData {
    /// The verdict of the run.
    #[serde(flatten)]
    pub verdict: VerdictData,
    /// The clients in their order, e.g. `A A B`: what `--schedule` replays.
    #[schema(value_type = String)]
    pub schedule: Schedule,
    /// How often a client had to stop although it could have gone on. Absent in reports of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemptions: Option<usize>,
    /// What happened, in its order.
    pub steps: Vec<StepData>,
    /// The step in which it went wrong.
    pub highlight: Option<HighlightData>,
    /// SQL that shows a person what became of it, if it is another one than that of the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspect_sql: Option<String>,
    /// What was stored before the first step. Empty if it was not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub row: Vec<ValueData>,
    /// Why the steps have no `row` although it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_looked_at: Option<String>,
}

/// A named value that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueData {
    /// Its name, e.g. `balance`.
    #[schema(value_type = String)]
    pub name: Text,
    /// The value, as the engine's own client shows it.
    pub value: String,
}

/// Where a run went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HighlightData {
    /// The index in `steps`, from 0.
    pub index: usize,
    /// What happened there, in words.
    pub words: String,
}

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    pub label: Text,
    /// The values of a step without a statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Argument>,
    /// The statement, with its values in it. Null if the step has none.
    pub sql: Option<String>,
    /// The value that was read or written, if the clients race for it.
    pub value: Option<i64>,
    /// What the engine answered to a statement of a user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerData>,
    /// Whether it was a statement that changes rows and found none to change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
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
    /// The line of the finding's `source_file` that runs it. Absent if another file runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What is stored after it, as another client reads it. Empty if it was not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub row: Vec<ValueData>,
}

impl FindingData {
    /// The anomalies that were found, the worst first, and the number of schedules with each.
    pub fn found(&self) -> impl Iterator<Item = (&AnomalyData, u64)> {
        let anomalies = self.legend.iter();
        let counted = anomalies.map(|it| (it, self.anomalies.get(&it.name).copied().unwrap_or(0)));
        counted.filter(|(_, count)| *count > 0)
    }

    /// The number of instances in words, to be put behind the subject's name. Empty if it is one.
    pub fn several_instances(&self) -> String {
        match self.instances {
            1 => String::new(),
            several => format!(", {several} instances"),
        }
    }

    /// The anomaly of a verdict. None if the verdict is no anomaly.
    pub fn anomaly(&self, verdict: &VerdictData) -> Option<&AnomalyData> {
        self.legend.iter().find(|it| it.name == verdict.verdict)
    }

    /// The run that is worth showing, and what it is an example of.
    pub fn shown(&self) -> Option<(String, &ExampleData)> {
        if let Some(replayed) = &self.replayed {
            return Some(("The schedule".to_owned(), replayed));
        }
        let shown = self.counterexample.as_ref();
        let shown = shown.or(self.refused_example.as_ref())?;
        Some((self.example_of(shown), shown))
    }

    /// The runs that a report of several shows, and what they are examples of: one with each
    /// verdict that should not have been found or, if there is none, [`shown`](Self::shown).
    pub fn all_shown(&self) -> Vec<(String, &ExampleData)> {
        if self.replayed.is_some() || self.unexpected_examples.is_empty() {
            return self.shown().into_iter().collect();
        }
        let examples = self.unexpected_examples.iter();
        examples.map(|it| (self.example_of(it), it)).collect()
    }

    /// The runs that show why a finding is not as expected. Empty if something is missing that
    /// should have been found.
    pub fn shown_in_a_build(&self) -> Vec<(String, &ExampleData)> {
        if self.replayed.is_none() && self.unexpected_examples.is_empty() {
            return Vec::new();
        }
        self.all_shown()
    }

    /// Why the verdict proves nothing. None if it does.
    pub fn warning(&self) -> Option<&'static str> {
        self.never_interleaved.then_some(
            "the clients' steps were never interleaved, so nothing was tested. There is one schedule: \
             either each client waits for the end of the other (one worker, a pool of one, a lock around \
             everything), or they have nothing in common",
        )
    }

    /// What an example is an example of, in words.
    pub fn example_of(&self, example: &ExampleData) -> String {
        let is_known = |up_to| example.preemptions.is_some_and(|it| it <= up_to);
        let has_run_all = self.exhaustive && !self.reduced;
        let simplest = if has_run_all || self.complete_up_to.is_some_and(is_known) {
            "The simplest schedule"
        } else {
            "The simplest of the schedules run"
        };
        match (&*example.verdict.verdict, example.verdict.fault) {
            ("refused", Some(fault)) if !self.unexpected_examples.is_empty() => {
                return format!("{simplest} in which a client is refused: {fault}");
            }
            ("refused", _) => return format!("{simplest} in which a client is refused"),
            ("declined", _) if self.title.is_some() => {
                return format!("{simplest} in which a client declines");
            }
            ("declined", _) => return format!("{simplest} in which a client is refused"),
            ("safe", _) => return format!("{simplest} in which every client is served"),
            _ => {}
        }
        let anomaly = self.anomaly(&example.verdict);
        let does = anomaly.map_or("goes wrong", |it| &*it.does);
        format!("{simplest} that {does}")
    }
}

impl ExampleData {
    /// The number of preemptions in words, to be put behind the schedule. Empty if it is not known.
    pub fn preemptions_in_words(&self) -> String {
        match self.preemptions {
            None => String::new(),
            Some(0) => " (no preemption)".to_owned(),
            Some(1) => " (1 preemption)".to_owned(),
            Some(several) => format!(" ({several} preemptions)"),
        }
    }
}

/// The text with a space in the place of each line break, and of the spaces around it.
pub(super) fn on_one_line(text: &str) -> String {
    let line = |it: &str| it.trim_end().to_owned();
    let mut lines = text.lines();
    let first = lines.next().map(line).unwrap_or_default();
    lines
        .map(|it| line(it.trim_start()))
        .filter(|it| !it.is_empty())
        .fold(first, |text, it| text + " " + &it)
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl StepData {
    /// The statement or, without one, what the step does in words.
    pub fn text(&self) -> String {
        let values = self.values.iter().map(|value| format!(" {value}"));
        self.sql
            .clone()
            .unwrap_or_else(|| format!("{}{}", self.label, values.collect::<String>()))
    }

    /// What came of the step, to be written behind it. Empty if it waits.
    pub fn result(&self) -> String {
        if self.wait {
            return String::new();
        }
        // A line break would end the SQL comment and the timeline's column that it is shown in.
        on_one_line(&self.result_as_it_is())
    }

    fn result_as_it_is(&self) -> String {
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
