//! What the runs of a search add up to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::search::{Judged, Plan, Schedules, Stop, search};
use super::{Moment, RunError, Schedule, Subject, Trace, refusal};
use crate::engine::{Engine, FaultKind, Flavour, Lane};
use crate::verdict::{Anomaly, Verdict};

/// What a search has found out about one strategy on one engine at one level.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was explored.
    pub subject: &'static dyn Subject,
    /// What it ran on.
    pub engine: Engine,
    /// What was asked for.
    pub plan: Plan,
    /// Whether every schedule was run that was asked for.
    pub complete: bool,
    /// How many beginnings of schedules the engine would not repeat: nobody knows what follows them.
    pub diverged: u64,
    /// How many runs ended in a lock timeout of a client that was not seen to wait. They are in
    /// none of the counts: how they ended says nothing.
    pub not_seen: u64,
    /// How long it took, without the opening of the engine.
    pub took: Duration,
    /// The counts.
    pub tally: Tally,
}

/// How many runs ended how.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many runs.
    pub schedules: u64,
    /// By verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Those with the verdict "refused", by fault and the engine's own code.
    pub refused: BTreeMap<(FaultKind, Option<String>), u64>,
    /// In how many a client waited for a lock.
    pub waited: u64,
    /// The simplest schedule of each verdict.
    pub examples: BTreeMap<Verdict, Example>,
}

/// One schedule and what happened under it.
#[derive(Debug, Clone)]
pub struct Example {
    /// Who moved when.
    pub schedule: Schedule,
    /// What happened.
    pub trace: Trace,
    /// What the clients raced for, as it stands in the statements.
    pub stake: i64,
    /// The second in which it ran, as it stands in the statements. None if the strategy reads no
    /// clock.
    pub second: Option<i64>,
    /// The moment at which something was lost.
    pub moment: Option<Moment>,
}

impl Finding {
    /// The strategy's name.
    pub fn strategy(&self) -> &'static str {
        self.subject.name()
    }

    /// By how many instances of the service its clients were served.
    pub fn instances(&self) -> usize {
        self.plan.instances
    }

    /// The instances in words, to be put behind the strategy's name; nothing where there was one.
    pub fn several_instances(&self) -> String {
        match self.plan.instances {
            1 => String::new(),
            several => format!(", {several} instances"),
        }
    }

    /// Whether every schedule there is was run, or stands for one that was.
    pub fn is_exhaustive(&self) -> bool {
        self.complete
            && self.diverged == 0
            && !self.has_other_victims()
            && matches!(self.plan.schedules, Schedules::All { .. })
    }

    /// Whether the same schedules may end in another way: which of three clients InnoDB gives up in a
    /// deadlock differs from run to run.
    pub fn has_other_victims(&self) -> bool {
        let is_innodb = matches!(self.engine.flavour, Flavour::MySql | Flavour::MariaDb);
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

    /// The simplest run with an anomaly. None if there was none.
    pub fn counterexample(&self) -> Option<(&'static Anomaly, &Example)> {
        let examples = self.tally.examples.iter();
        let anomalous = examples.filter_map(|(verdict, it)| Some((verdict.anomaly()?, it)));
        anomalous.min_by_key(|(_, example)| example.schedule.simplicity())
    }

    /// The simplest run without an anomaly in which a client was refused or declined.
    pub fn shortest_refused(&self) -> Option<&Example> {
        let examples = self.tally.examples.iter();
        examples
            .filter(|(verdict, _)| matches!(verdict, Verdict::Refused(_) | Verdict::Declined))
            .map(|(_, example)| example)
            .min_by_key(|example| example.schedule.simplicity())
    }

    /// The one schedule that was asked for, where it was one.
    pub fn replayed(&self) -> Option<&Example> {
        match self.plan.schedules {
            Schedules::One(_) => self.tally.examples.values().next(),
            _ => None,
        }
    }
}

impl Tally {
    /// How many runs had this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// How many runs had an anomaly.
    pub fn anomalies(&self) -> u64 {
        let anomalies = self
            .verdicts
            .iter()
            .filter(|(verdict, _)| verdict.is_anomaly());
        anomalies.map(|(_, count)| count).sum()
    }

    /// How many runs ended with somebody turned away and nothing lost.
    pub fn turned_away(&self) -> u64 {
        self.refused.values().sum::<u64>() + self.count(Verdict::Declined)
    }

    pub(super) fn add(&mut self, judged: Judged, subject: &dyn Subject) {
        let verdict = judged.verdict;
        self.schedules += 1;
        *self.verdicts.entry(verdict).or_default() += 1;
        self.waited += u64::from(judged.run.trace.has_waits());
        if let (Verdict::Refused(kind), Some(fault)) = (verdict, refusal(&judged.run.ended)) {
            *self.refused.entry((kind, fault.code.clone())).or_default() += 1;
        }
        let simpler = self
            .examples
            .get(&verdict)
            .is_none_or(|known| judged.run.schedule.simplicity() < known.schedule.simplicity());
        if simpler {
            self.examples.insert(verdict, Example::of(judged, subject));
        }
    }
}

impl Example {
    fn of(judged: Judged, subject: &dyn Subject) -> Self {
        let run = judged.run;
        Self {
            moment: subject
                .moment(&run.trace, &run.ended)
                .filter(|_| judged.verdict.is_anomaly()),
            stake: run.stake,
            second: judged.second,
            schedule: run.schedule,
            trace: run.trace,
        }
    }
}

/// Searches on these lanes, one run on each at a time; there has to be one. `stop` ends it early, and
/// `progress` sees how far it is.
///
/// # Errors
/// What was found until then, and why it ended there.
pub async fn explore(
    lanes: &[Lane],
    subject: &'static dyn Subject,
    plan: &Plan,
    stop: &Stop,
    progress: &(dyn Fn(&Tally) + Sync),
) -> (Finding, Result<(), RunError>) {
    let started = Instant::now();
    let mut tally = Tally::default();
    let searched = search(lanes, subject, plan, stop, |judged| {
        tally.add(judged, subject);
        progress(&tally);
    });
    let (rest, ended) = searched.await;
    let finding = Finding {
        subject,
        engine: lanes[0].database.engine().clone(),
        plan: plan.clone(),
        complete: !rest.not_run,
        diverged: rest.diverged,
        not_seen: rest.not_seen,
        took: started.elapsed(),
        tally,
    };
    (finding, ended)
}
