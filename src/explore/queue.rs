//! The runs of a search that wait for their turn.

use std::collections::BTreeMap;

use super::Policy;

/// The runs that wait. A run begins when all with fewer preemptions have ended.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By their number of preemptions.
    waiting: BTreeMap<usize, Vec<Box<dyn Policy>>>,
    /// The number of runs under way with each number of preemptions.
    under_way: BTreeMap<usize, usize>,
}

impl Queue {
    pub(super) fn with(first: Box<dyn Policy>) -> Self {
        let mut queue = Self::default();
        queue.add([first]);
        queue
    }

    pub(super) fn add(&mut self, runs: impl IntoIterator<Item = Box<dyn Policy>>) {
        for run in runs {
            self.waiting.entry(run.preemptions()).or_default().push(run);
        }
    }

    /// The next run. None if there is none, or if a run under way may lead to others that come
    /// first.
    ///
    /// Of those with the same number of preemptions, the run that was found last comes first, so
    /// that few wait in memory.
    pub(super) fn begin_next(&mut self) -> Option<Box<dyn Policy>> {
        let preemptions = self.next()?;
        let mut runs = self.waiting.remove(&preemptions)?;
        let next = runs.pop();
        if !runs.is_empty() {
            self.waiting.insert(preemptions, runs);
        }
        *self.under_way.entry(preemptions).or_default() += 1;
        next
    }

    /// The number of preemptions of the next run. None if none may begin.
    pub(super) fn next(&self) -> Option<usize> {
        let preemptions = self.first_waiting()?;
        let is_first = self.under_way.keys().all(|it| *it >= preemptions);
        is_first.then_some(preemptions)
    }

    /// A run with this number of preemptions is over.
    pub(super) fn end(&mut self, preemptions: usize) {
        let Some(count) = self.under_way.get_mut(&preemptions) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.under_way.remove(&preemptions);
        }
    }

    /// The smallest number of preemptions of a run that waits. None if no run waits.
    pub(super) fn first_waiting(&self) -> Option<usize> {
        self.waiting.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Client, Divergence, Standing};

    /// A run with this number of preemptions.
    #[derive(Debug)]
    struct WithPreemptions(usize);

    impl Policy for WithPreemptions {
        fn choose(&mut self, _standing: &Standing<'_>) -> Result<Option<Client>, Divergence> {
            Ok(None)
        }

        fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
            Vec::new()
        }

        fn preemptions(&self) -> usize {
            self.0
        }

        fn share(&self) -> f64 {
            1.0
        }

        fn again(&self) -> Box<dyn Policy> {
            Box::new(Self(self.0))
        }
    }

    fn run(preemptions: usize) -> Box<dyn Policy> {
        Box::new(WithPreemptions(preemptions))
    }

    #[test]
    fn a_run_begins_when_all_with_fewer_preemptions_have_ended() {
        let begin = |queue: &mut Queue| queue.begin_next().map(|it| it.preemptions());
        let mut queue = Queue::with(run(0));
        queue.add([run(1), run(0)]);
        assert_eq!(begin(&mut queue), Some(0));
        assert_eq!(begin(&mut queue), Some(0));
        assert_eq!(
            begin(&mut queue),
            None,
            "two runs without a preemption are under way"
        );
        queue.end(0);
        // The other one has led to a run with as many preemptions, and to one with one more.
        queue.add([run(0), run(1)]);
        assert_eq!(begin(&mut queue), Some(0));
        queue.end(0);
        queue.end(0);
        assert_eq!(begin(&mut queue), Some(1));
        assert_eq!(begin(&mut queue), Some(1));
        queue.end(1);
        queue.end(1);
        assert_eq!(begin(&mut queue), None);
        assert_eq!(queue.first_waiting(), None);
    }
}
