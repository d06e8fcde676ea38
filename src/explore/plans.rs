//! What a job runs of one subject: its plans, and how many runs at once.

use super::{Job, OwnSearch, PARALLEL, Plan, Reduction, Schedules, Subject};
use crate::engine::Engine;

impl Job {
    /// One plan for each number of instances.
    pub(super) fn plans(&self, subject: &Subject) -> Vec<Plan> {
        let instances = match (self.instances, &self.plan.schedules) {
            (Some(instances), _) => vec![instances],
            // It is a schedule of one instance, or of several.
            (None, Schedules::One(_)) => vec![1],
            (None, _) => subject.about.instances(self.plan.clients),
        };
        let clients = subject.about.clients(self.plan.clients);
        let own = subject.about.scenario.as_ref().and_then(|it| it.search);
        let own = own.filter(|_| !self.is_reduction_asked && !self.are_all_asked);
        let is_unbound = matches!(
            &self.plan.schedules,
            Schedules::All { preemptions: None } | Schedules::Reduced(_)
        );
        let schedules = match own.filter(|_| is_unbound) {
            Some(OwnSearch::Within(most)) => Schedules::All {
                preemptions: Some(most),
            },
            Some(OwnSearch::CounterexampleFirst(most)) => Schedules::Bounded {
                preemptions: most,
                reduction: Reduction::default(),
            },
            Some(OwnSearch::All) => Schedules::all_of(clients),
            None if is_unbound && !self.is_reduction_asked && clients != self.plan.clients => {
                Schedules::all_of(clients)
            }
            None => self.plan.schedules.clone(),
        };
        let plan = |instances| Plan {
            instances,
            clients,
            schedules: schedules.clone(),
            counterexample_first: is_unbound
                && matches!(own, Some(OwnSearch::CounterexampleFirst(_))),
            ..self.plan.clone()
        };
        instances.into_iter().map(plan).collect()
    }

    /// The largest number of runs of this subject at once.
    pub(super) fn parallel(&self, subject: &Subject, engine: &Engine) -> usize {
        let scenario = subject.about.scenario.as_ref();
        if scenario.is_some_and(|it| it.alone_on.contains(&engine.flavour)) {
            return 1;
        }
        let own = scenario.and_then(|it| it.at_once);
        self.parallel.or(own).unwrap_or(PARALLEL)
    }
}
