//! How a report is made of findings.

use super::super::{
    About, Example, Exploration, Finding, Fixture, Looks, Row, SHOWN_ID, SHOWN_SECOND, Schedules,
    StoredValue, Tally, What,
};
use super::answer::{AnswerData, ClientData};
use super::data::{
    AnomalyData, ExampleData, FindingData, HighlightData, RefusedData, Report, StepData, Text,
    VERSION, ValueData, on_one_line,
};
use super::reduction::ReductionData;
use super::statement::with_values;
use super::words;
use crate::step::{Argument, Ending, Step};
use crate::verdict::Verdict;
use std::collections::BTreeMap;

impl Report {
    /// The report of an exploration.
    pub fn of(exploration: &Exploration) -> Self {
        Self {
            broken: exploration.broken.clone(),
            ..Self::of_findings(&exploration.findings, exploration.missing.clone())
        }
    }

    /// Adds to each finding what a reduced search takes for independent. The findings have to be
    /// those that the report was made of.
    pub fn explain_reduction(&mut self, findings: &[Finding]) {
        for (data, finding) in self.findings.iter_mut().zip(findings) {
            data.reduction = Some(ReductionData::of(finding));
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
            Schedules::All { .. } | Schedules::Reduced(_) | Schedules::Bounded { .. } => {
                ("exhaustive", None)
            }
            Schedules::Sample { seed, .. } => ("random", Some(seed)),
            Schedules::One(_) => ("replay", None),
        };
        let scenario = finding.about.scenario.as_ref();
        let is_exhaustive = finding.is_exhaustive();
        let example = |found| ExampleData::of(found, about.source_file);
        Self {
            engine: finding.engine.clone(),
            clients: finding.plan.clients,
            instances: finding.plan.instances,
            policy: policy.into(),
            seed,
            exhaustive: is_exhaustive,
            reduced: finding.plan.schedules.is_reduced(),
            preemptions: finding.plan.schedules.bound(),
            complete_up_to: finding.complete_up_to().filter(|_| !is_exhaustive),
            by_preemptions: by_preemptions(finding),
            covered: finding.covered,
            diverged: finding.diverged,
            waits_not_seen: finding.waits_not_seen,
            schedules: tally.schedules,
            safe: tally.count(Verdict::Safe),
            anomalies: anomalies(&about, tally),
            refused: refused(tally),
            waited: tally.waited,
            took_ms: u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            at_once: scenario_at_once(finding),
            ended_early: finding.ended_early,
            verdict: words::verdict(finding),
            promises_safety: finding.promises_safety,
            counterexample: finding.simplest(Verdict::is_anomaly).map(example),
            refused_example: finding.simplest(is_refusal).map(example),
            replayed: finding.replayed().map(example),
            legend: legend(&about),
            strategy: about.name.clone().into_owned(),
            nothing: about.nothing.into(),
            source_file: about.source_file.map(str::to_owned),
            source_text: scenario.map(|it| it.text.clone()),
            title: scenario.map(|it| it.title.clone()),
            unexpected: finding.unexpected.clone(),
            unexpected_examples: finding.unexpected_examples().map(example).collect(),
            expected_at: finding.expected_at,
            assumptions: assumptions(finding),
            never_interleaved: never_interleaved(finding),
            compared_in_part: !finding.not_compared.is_empty(),
            reduction: None,
            scenario_clients: scenario
                .map(|it| it.clients.iter().map(ClientData::of).collect())
                .unwrap_or_default(),
            setup_sql: about.setup_sql.on(finding.engine.flavour),
            inspect_sql: about.inspect_sql.on(finding.engine.flavour),
        }
    }
}

/// The number of schedules with each number of preemptions, if it tells how far the search came.
fn by_preemptions(finding: &Finding) -> Vec<u64> {
    let is_told = matches!(
        finding.plan.schedules,
        Schedules::All { .. } | Schedules::Bounded { .. }
    ) && !finding.is_exhaustive();
    let counts = &finding.tally.by_preemptions;
    let most = counts.keys().next_back().filter(|_| is_told);
    let count = |it: usize| counts.get(&it).copied().unwrap_or_default();
    most.map_or_else(Vec::new, |most| (0..=*most).map(count).collect())
}

/// Whether all that there is of a scenario is one schedule, and clients with several steps have run
/// one after the other in it. Of clients with one step each nothing else could be seen.
fn never_interleaved(finding: &Finding) -> bool {
    let mut examples = finding.tally.examples.values();
    let has_several_steps = |example: &Example| {
        let clients = &example.schedule.0;
        let mut pairs = clients.windows(2);
        pairs.any(|pair| pair[0] == pair[1])
    };
    finding.about.scenario.is_some()
        && finding.plan.clients > 1
        && finding.tally.schedules == 1
        && finding.is_exhaustive()
        && examples.all(|it| it.preemptions == 0 && has_several_steps(it))
}

/// What a reduced search takes for granted, where footprints decide.
const INDEPENDENCE: &str = "two statements are independent if neither writes or locks a table \
     that the other touches (--explain-reduction shows it)";

/// What the verdict takes for granted.
fn assumptions(finding: &Finding) -> Vec<String> {
    let scenario = finding.about.scenario.as_ref();
    let of_scenario = scenario.map(|it| it.assumptions_on(finding.engine.flavour));
    let has_footprints = finding.seen.steps().any(|it| it.step.footprint.is_some());
    let of_reduction = finding.plan.schedules.is_reduced() && has_footprints;
    let of_reduction = of_reduction.then(|| INDEPENDENCE.to_owned());
    of_scenario
        .into_iter()
        .flatten()
        .chain(finding.not_compared.iter().cloned())
        .chain(of_reduction)
        .collect()
}

fn is_refusal(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Refused(_) | Verdict::Declined)
}

fn anomalies(about: &About, tally: &Tally) -> BTreeMap<Text, u64> {
    let count = |anomaly| tally.count(Verdict::Anomaly(anomaly));
    let anomalies = about.anomalies.iter();
    anomalies.map(|it| (it.name.into(), count(it))).collect()
}

fn legend(about: &About) -> Vec<AnomalyData> {
    let anomalies = about.anomalies.iter();
    anomalies
        .map(|it| AnomalyData {
            name: it.name.into(),
            title: it.title.into(),
            does: it.does.into(),
            word: it.word.into(),
            meaning: it.meaning.into(),
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

/// Why what was stored is left out.
const OTHER_COURSE: &str = "the engine did not repeat this run when it was run again to look at \
     what is stored after each step";

fn values(stored: &[StoredValue]) -> Vec<ValueData> {
    let stored = stored.iter();
    stored
        .map(|it| ValueData {
            name: it.name.clone(),
            value: it.value.clone(),
        })
        .collect()
}

impl ExampleData {
    fn of((verdict, example): (Verdict, &Example), source_file: Option<&str>) -> Self {
        let rows = example.trace.rows.iter();
        let after = |index: usize| match &example.looks {
            Looks::Seen(_, after) => after.get(index).map(|it| values(it)).unwrap_or_default(),
            Looks::None | Looks::OtherCourse => Vec::new(),
        };
        Self {
            verdict: verdict.into(),
            row: match &example.looks {
                Looks::Seen(before, _) => values(before),
                Looks::None | Looks::OtherCourse => Vec::new(),
            },
            not_looked_at: match &example.looks {
                Looks::OtherCourse => Some(OTHER_COURSE.to_owned()),
                Looks::None | Looks::Seen(..) => None,
            },
            schedule: example.schedule.clone(),
            preemptions: Some(example.preemptions),
            inspect_sql: example.inspect_sql.clone(),
            steps: rows
                .enumerate()
                .map(|(index, row)| StepData {
                    row: after(index),
                    ..StepData::of(row, example, source_file)
                })
                .collect(),
            highlight: example.highlight.as_ref().map(|it| HighlightData {
                index: it.row,
                // What differs may be a text of several lines.
                words: on_one_line(&it.words),
            }),
        }
    }
}

impl StepData {
    fn of(row: &Row, example: &Example, source_file: Option<&str>) -> Self {
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
            line: row
                .step
                .at
                .filter(|it| Some(it.file()) == source_file)
                .map(|it| it.line()),
            row: Vec::new(),
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
/// How many instances of an application were at work. None without one.
fn scenario_at_once(finding: &Finding) -> Option<usize> {
    let scenario = finding.about.scenario.as_ref()?;
    scenario.at_once.map(|_| finding.at_once)
}

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
