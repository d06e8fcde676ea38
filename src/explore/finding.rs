//! What the runs of a search add up to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::schedule::Simplicity;
use super::search::{Plan, Schedules, Stop, run_alone, search};
use super::simpler::simpler;
use super::worker::JudgedRun;
use super::{
    About, Fixture, Highlight, Looks, RunError, Schedule, SeenSteps, Subject, Trace, refusal,
};
use crate::engine::{Engine, FaultKind, Lane};
use crate::verdict::{Anomaly, Verdict};

/// What a search has found out about one subject on one engine at one level.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was explored.
    pub about: About,
    /// Whether the subject promises that no run has an anomaly.
    pub promises_safety: bool,
    /// What it ran on.
    pub engine: Engine,
    /// What was asked for.
    pub plan: Plan,
    /// Whether every schedule that was asked for was run.
    pub complete: bool,
    /// The number of beginnings of schedules that the engine would not repeat. What follows them is
    /// not known.
    pub diverged: u64,
    /// The number of runs that ended in a lock timeout of a client that was not seen to wait. They
    /// are in none of the counts: how they ended says nothing.
    pub waits_not_seen: u64,
    /// The number of runs of a reduced search that were broken off because another run shows the
    /// same. They are in none of the counts, and cost time.
    pub covered: u64,
    /// Whether there are schedules with more preemptions than the plan allows.
    pub is_bounded: bool,
    /// The smallest number of preemptions of which not every schedule was run. None if there is
    /// none within the plan's bound.
    pub open_from: Option<usize>,
    /// Whether it ended with the plan's number of preemptions because a schedule with as many goes
    /// wrong.
    pub ended_early: bool,
    /// The largest number of runs at once.
    pub at_once: usize,
    /// The time it took, without the opening of the engine.
    pub took: Duration,
    /// The counts.
    pub tally: Tally,
    /// The steps that the runs have shown.
    pub seen: SeenSteps,
    /// What was left out where the ends of runs were compared, in words.
    pub not_compared: Vec<String>,
    /// What was found that should not have been, in words.
    pub unexpected: Vec<String>,
    /// The verdicts of the runs that should not have been, the worst first. Empty if something is
    /// missing instead.
    pub unexpected_verdicts: Vec<Verdict>,
    /// The line of a user's file that expects something else, from 1. None if all is as expected,
    /// or if there is no file.
    pub expected_at: Option<usize>,
}

/// The number of runs with each end.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The number of runs.
    pub schedules: u64,
    /// The number of runs with each number of preemptions.
    pub by_preemptions: BTreeMap<usize, u64>,
    /// The number of runs with each verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Those with the verdict "refused", by fault and the engine's own code.
    pub refused: BTreeMap<(FaultKind, Option<String>), u64>,
    /// The number of runs in which a client waited for a lock.
    pub waited: u64,
    /// The simplest run with each verdict.
    pub examples: BTreeMap<Verdict, Example>,
}

/// One schedule and what happened under it.
#[derive(Debug, Clone)]
pub struct Example {
    /// Which client moved when.
    pub schedule: Schedule,
    /// How often a client had to stop although it could have gone on.
    pub preemptions: usize,
    /// What happened.
    pub trace: Trace,
    /// What the clients worked on.
    pub fixture: Fixture,
    /// The row in which it went wrong.
    pub highlight: Option<Highlight>,
    /// The second in which it ran. None if no client reads the clock.
    pub second: Option<i64>,
    /// SQL that shows a person what became of it. None if it is the same for all runs.
    pub inspect_sql: Option<String>,
    /// What was stored after each step.
    pub looks: Looks,
}

impl Finding {
    /// Whether every schedule that was asked for was run and can end in no other way.
    pub fn is_whole(&self) -> bool {
        self.complete && self.diverged == 0 && !self.has_other_victims()
    }

    /// Whether every schedule there is was run, or is represented by one that was run.
    pub fn is_exhaustive(&self) -> bool {
        self.is_whole()
            && !self.is_bounded
            && match self.plan.schedules {
                Schedules::All { .. } | Schedules::Reduced(_) | Schedules::Bounded { .. } => true,
                Schedules::Sample { .. } | Schedules::One(_) => false,
            }
    }

    /// The largest number of preemptions up to which every schedule was run. None if a search was
    /// reduced or not of all schedules, or if not even those without a preemption were all run.
    /// None also if [other victims](Self::has_other_victims) may lead to other schedules.
    pub fn complete_up_to(&self) -> Option<usize> {
        if self.has_other_victims() {
            return None;
        }
        match (&self.plan.schedules, self.open_from) {
            (Schedules::All { .. } | Schedules::Bounded { .. }, Some(open)) => open.checked_sub(1),
            (schedules @ (Schedules::All { .. } | Schedules::Bounded { .. }), None) => {
                let most = self.tally.by_preemptions.keys().next_back().copied();
                schedules.bound().filter(|_| self.is_bounded).or(most)
            }
            (Schedules::Reduced(_) | Schedules::Sample { .. } | Schedules::One(_), _) => None,
        }
    }

    /// Whether the same schedules may end in another way: of three clients in a deadlock, InnoDB
    /// does not always choose the same victim.
    pub fn has_other_victims(&self) -> bool {
        let is_innodb = self.engine.flavour.is_innodb();
        let is_deadlock = |kind| matches!(kind, FaultKind::Deadlock | FaultKind::LockTimeout);
        is_innodb
            && self.plan.clients > 2
            && self
                .tally
                .refused
                .keys()
                .any(|(kind, _)| is_deadlock(*kind))
    }

    /// The anomalies that were found, the worst first, and the number of runs with each.
    pub fn anomalies(&self) -> impl Iterator<Item = (&'static Anomaly, u64)> {
        let verdicts = self.tally.verdicts.iter();
        verdicts.filter_map(|(verdict, count)| Some((verdict.anomaly()?, *count)))
    }

    /// The simplest run with one of these verdicts. None if there was none.
    pub fn simplest(&self, wanted: impl Fn(Verdict) -> bool) -> Option<(Verdict, &Example)> {
        let examples = self.tally.examples.iter();
        examples
            .filter(|(verdict, _)| wanted(**verdict))
            .map(|(verdict, example)| (*verdict, example))
            .min_by_key(|(_, example)| example.simplicity())
    }

    /// The simplest run with each verdict that should not have been, the worst first.
    pub fn unexpected_examples(&self) -> impl Iterator<Item = (Verdict, &Example)> {
        let examples = &self.tally.examples;
        let verdicts = self.unexpected_verdicts.iter();
        verdicts.filter_map(|verdict| Some((*verdict, examples.get(verdict)?)))
    }

    /// The run of the one schedule that was asked for. None if more than one was.
    pub fn replayed(&self) -> Option<(Verdict, &Example)> {
        match self.plan.schedules {
            Schedules::One(_) => self.simplest(|_| true),
            Schedules::All { .. }
            | Schedules::Reduced(_)
            | Schedules::Bounded { .. }
            | Schedules::Sample { .. } => None,
        }
    }
}

impl Tally {
    /// The number of runs with this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// The number of runs with an anomaly.
    pub fn anomalies(&self) -> u64 {
        let anomalies = self
            .verdicts
            .iter()
            .filter(|(verdict, _)| verdict.is_anomaly());
        anomalies.map(|(_, count)| count).sum()
    }

    /// The number of runs without an anomaly in which a client was refused or declined.
    pub fn turned_away(&self) -> u64 {
        self.refused.values().sum::<u64>() + self.count(Verdict::Declined)
    }

    fn add(&mut self, judged: JudgedRun, subject: &Subject, engine: &Engine) {
        let verdict = judged.verdict;
        self.schedules += 1;
        let preemptions = judged.run.preemptions;
        *self.by_preemptions.entry(preemptions).or_default() += 1;
        *self.verdicts.entry(verdict).or_default() += 1;
        self.waited += u64::from(judged.run.trace.has_waits());
        if let (Verdict::Refused(kind), Some(fault)) = (verdict, refusal(&judged.run.results)) {
            *self.refused.entry((kind, fault.code.clone())).or_default() += 1;
        }
        let is_simpler = self
            .examples
            .get(&verdict)
            .is_none_or(|known| judged.run.simplicity() < known.simplicity());
        if is_simpler {
            let example = Example::of(judged, subject, engine);
            self.examples.insert(verdict, example);
        }
    }
}

impl Example {
    /// What makes one example simpler than another: see [`Schedule::simplicity`].
    fn simplicity(&self) -> Simplicity<'_> {
        self.schedule.simplicity(self.preemptions)
    }

    fn of(judged: JudgedRun, subject: &Subject, engine: &Engine) -> Self {
        let mut run = judged.run;
        subject.judge.make_repeatable(&mut run.trace);
        let anomaly = judged.verdict.anomaly();
        let highlight =
            anomaly.and_then(|it| subject.judge.highlight(&run.trace, &run.results, it));
        Self {
            highlight: highlight.map(|it| Highlight {
                words: judged.because.unwrap_or(it.words),
                ..it
            }),
            inspect_sql: subject.judge.inspect_sql(engine, &run.results),
            fixture: run.fixture,
            second: judged.second,
            looks: Looks::None,
            preemptions: run.preemptions,
            schedule: run.schedule,
            trace: run.trace,
        }
    }
}

/// Explores a subject on these lanes, one run on each at a time. There has to be at least one lane.
/// `stop` ends it early, and `progress` sees the counts after each run, and the
/// share of the search that is done.
///
/// Returns what was found and, if a run did not come to its end, why.
pub async fn explore(
    lanes: &[Lane],
    subject: &Arc<Subject>,
    plan: &Plan,
    stop: &Stop,
    progress: &(dyn Fn(&Tally, f64) + Sync),
) -> (Finding, Result<(), RunError>) {
    let started = Instant::now();
    let engine = lanes[0].database.engine().clone();
    let mut tally = Tally::default();
    let mut seen = SeenSteps::default();
    let searched = search(lanes, subject, plan, stop, |judged, done| {
        seen.add(&judged.run.trace);
        tally.add(judged, subject, &engine);
        progress(&tally, done);
    });
    let (left_out, ended) = searched.await;
    let mut plan = plan.clone();
    if let Some(preemptions) = left_out.ended_with {
        plan.schedules = plan.schedules.within(preemptions);
    }
    let mut finding = Finding {
        about: subject.about.clone(),
        promises_safety: subject.judge.promises_safety(&engine, plan.instances),
        engine,
        plan,
        complete: !left_out.has_more,
        diverged: left_out.diverged,
        waits_not_seen: left_out.waits_not_seen,
        covered: left_out.covered,
        is_bounded: left_out.is_bounded,
        open_from: left_out.open_from,
        ended_early: left_out.ended_with.is_some(),
        at_once: left_out.at_once,
        took: started.elapsed(),
        tally,
        seen,
        not_compared: Vec::new(),
        unexpected: Vec::new(),
        unexpected_verdicts: Vec::new(),
        expected_at: None,
    };
    finding.unexpected = subject.judge.unexpected(&finding);
    finding.unexpected_verdicts = subject.judge.unexpected_verdicts(&finding);
    if ended.is_ok() && !stop.is_stopped() {
        simplify_examples(&mut finding, &lanes[0], subject).await;
        look_at_examples(&mut finding, &lanes[0], subject).await;
    }
    finding.not_compared = subject.judge.took_for_granted(&finding.engine);
    if !finding.unexpected.is_empty() {
        finding.expected_at = subject.judge.expected_at(&finding);
    }
    (finding, ended)
}

/// Puts the steps of each example of a reduced search in a simpler order, if a run in that order
/// ends alike.
async fn simplify_examples(finding: &mut Finding, lane: &Lane, subject: &Arc<Subject>) {
    let Schedules::Reduced(reduction) = finding.plan.schedules else {
        return;
    };
    for (verdict, example) in &mut finding.tally.examples {
        let schedule = simpler(&example.trace, reduction);
        if schedule == example.schedule {
            continue;
        }
        let ran = run_alone(lane, subject, &finding.plan, &schedule, false).await;
        let is_better =
            |it: &JudgedRun| it.verdict == *verdict && it.run.simplicity() < example.simplicity();
        if let Some(ran) = ran.filter(is_better) {
            *example = Example::of(ran, subject, &finding.engine);
        }
    }
}

/// Runs each example that a report shows once more, and looks at what is stored after each step.
async fn look_at_examples(finding: &mut Finding, lane: &Lane, subject: &Arc<Subject>) {
    let fixture = Fixture::Row(0);
    if subject.judge.look(&lane.database, fixture).is_none() {
        return;
    }
    let is_refusal = |it: Verdict| matches!(it, Verdict::Refused(_) | Verdict::Declined);
    let shown = [
        finding.simplest(Verdict::is_anomaly),
        finding.simplest(is_refusal),
        finding.replayed(),
    ];
    let shown = shown.into_iter().flatten().map(|(it, _)| it);
    let mut shown: Vec<_> = shown
        .chain(finding.unexpected_verdicts.iter().copied())
        .collect();
    shown.sort();
    shown.dedup();
    for verdict in shown {
        let plan = finding.plan.clone();
        let Some(example) = finding.tally.examples.get_mut(&verdict) else {
            continue;
        };
        let again = run_alone(lane, subject, &plan, &example.schedule, true).await;
        example.looks = match again {
            Some(again) if example.is_the_same(&again, verdict) => again.run.looks,
            Some(_) | None => Looks::OtherCourse,
        };
    }
}

impl Example {
    /// Whether another run of the schedule took the same course.
    fn is_the_same(&self, again: &JudgedRun, verdict: Verdict) -> bool {
        again.verdict == verdict && again.run.trace.shape() == self.trace.shape()
    }
}
