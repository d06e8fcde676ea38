//! Which permutations of a `.spec` file are run.

use std::collections::HashSet;

use super::{BrokenOff, NotHere, Permutation, PermutationReport, Spec, TestError, Tester};
use crate::engine::Database;
use crate::explore::Stop;

/// What became of a file on one engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpecReport {
    /// The permutations that were run, in their order. Interleavings that are not possible are not
    /// among them, if the file names no permutation.
    pub permutations: Vec<PermutationReport>,
    /// The number of interleavings that are not possible, if the file names no permutation.
    pub impossible: usize,
    /// The steps that the engine does not understand.
    pub not_here: Vec<NotHere>,
    /// The number of permutations that were not run because they have such a step.
    pub left_out: usize,
}

impl Spec {
    /// Runs the permutations that the file names or, if it names none, every interleaving that is
    /// possible. The database must be empty. Each report is told as soon as it is there.
    ///
    /// # Errors
    /// [`TestError`] if the permutations could not begin, or if the engine failed.
    pub async fn run(
        &self,
        database: &Database,
        stop: &Stop,
        told: &mut (dyn FnMut(&PermutationReport) + Send),
    ) -> Result<SpecReport, TestError> {
        let mut tester = Tester::open(self, database).await?;
        let mut run = SpecRun::default();
        let result = if self.permutations.is_empty() {
            let all = self.all_permutations();
            run.every_possible(&mut tester, all, stop, told).await
        } else {
            run.named(&mut tester, &self.permutations, stop, told).await
        };
        tester.close().await;
        result.map(|()| run.report)
    }
}

#[derive(Default)]
struct SpecRun {
    report: SpecReport,
    /// The steps that the engine does not understand.
    not_here: HashSet<(usize, usize)>,
}

impl SpecRun {
    async fn named(
        &mut self,
        tester: &mut Tester<'_>,
        permutations: &[Permutation],
        stop: &Stop,
        told: &mut (dyn FnMut(&PermutationReport) + Send),
    ) -> Result<(), TestError> {
        for permutation in permutations {
            let mut steps = permutation.steps.iter();
            if steps.any(|it| self.not_here.contains(&(it.session, it.step))) {
                self.report.left_out += 1;
            } else if !stop.is_stopped() {
                let report = tester.run(permutation).await?;
                self.take_in(report, told);
            }
        }
        Ok(())
    }

    async fn every_possible(
        &mut self,
        tester: &mut Tester<'_>,
        interleavings: impl Iterator<Item = Permutation>,
        stop: &Stop,
        told: &mut (dyn FnMut(&PermutationReport) + Send),
    ) -> Result<(), TestError> {
        // The beginning of the last one that was not possible. They come in their order, so those
        // that begin alike follow each other.
        let mut impossible: Option<Permutation> = None;
        for permutation in interleavings {
            let begins = |it: &Permutation| permutation.steps.starts_with(&it.steps);
            if impossible.as_ref().is_some_and(begins) {
                self.report.impossible += 1;
                continue;
            }
            if stop.is_stopped() || !self.not_here.is_empty() {
                break;
            }
            let report = tester.run(&permutation).await?;
            if let Some(BrokenOff::SessionWaits { .. } | BrokenOff::StillWaiting { .. }) =
                report.broken_off
            {
                let steps = permutation.steps.into_iter();
                self.report.impossible += 1;
                impossible = Some(Permutation {
                    steps: steps.take(report.sent + 1).collect(),
                    line: None,
                });
            } else {
                self.take_in(report, told);
            }
        }
        Ok(())
    }

    fn take_in(
        &mut self,
        report: PermutationReport,
        told: &mut (dyn FnMut(&PermutationReport) + Send),
    ) {
        if let Some(BrokenOff::NotHere(not_here)) = report.broken_off {
            self.not_here.extend(not_here.step);
            self.report.not_here.push(not_here);
            self.report.left_out += 1;
            return;
        }
        told(&report);
        self.report.permutations.push(report);
    }
}
