//! The verdict of a run, by the scenario's invariants.

use std::sync::Arc;

use super::anomalies::FAILED;
use super::file::When;
use super::prepared::Prepared;
use super::scenario::Scenario;
use crate::engine::{Database, Engine, Fault};
use crate::explore::{
    ClientResult, Finding, Fixture, Highlight, Judge, Pending, Trace, verdict_of,
};
use crate::verdict::{Anomaly, Verdict};

/// Judges by invariants.
#[derive(Debug)]
pub(super) struct InvariantJudge {
    pub(super) prepared: Arc<Prepared>,
}

impl Judge for InvariantJudge {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        _fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(async move {
            let seen = results.iter().filter_map(|it| it.saw).min();
            if seen == Some(&FAILED) {
                return Ok(Verdict::Anomaly(&FAILED));
            }
            let scenario = &self.prepared.scenario;
            let broken = scenario.broken_at_the_end(database, results).await?;
            Ok(verdict_of(seen.or(broken), results))
        })
    }

    /// The last row: what must hold at the end is asked after it. A script that has failed says so
    /// in a row of its own.
    fn highlight(
        &self,
        trace: &Trace,
        results: &[ClientResult],
        anomaly: &'static Anomaly,
    ) -> Option<Highlight> {
        let is_seen_before = results.iter().any(|it| it.saw == Some(anomaly));
        let row = trace.rows.len().checked_sub(1)?;
        match (anomaly == &FAILED, is_seen_before) {
            (true, _) => None,
            (false, true) => Some(Highlight {
                row,
                words: format!("after a commit, this is false: {}", anomaly.name),
            }),
            (false, false) => Some(Highlight {
                row,
                words: format!("this is false: {}", anomaly.name),
            }),
        }
    }

    fn inspect_sql(&self, engine: &Engine, results: &[ClientResult]) -> Option<String> {
        let invariants = self.prepared.scenario.invariants.iter();
        let lines = invariants.filter_map(|it| {
            let sql = it.filled(engine.flavour, results).ok()?;
            Some(format!("{sql}; -- {}", it.name))
        });
        Some(lines.collect::<Vec<_>>().join("\n"))
    }

    fn unexpected(&self, finding: &Finding) -> Vec<String> {
        self.prepared.scenario.expectations.unmet(finding)
    }
}

impl Scenario {
    pub(super) fn has_invariants_for_every_commit(&self) -> bool {
        self.invariants
            .iter()
            .any(|it| it.when == When::EveryCommit)
    }

    /// The first invariant that is false after a commit, while the clients are on their way.
    pub(super) async fn broken_after_a_commit(
        &self,
        database: &Database,
    ) -> Result<Option<&'static Anomaly>, Fault> {
        self.broken(database, &[], |when| when == When::EveryCommit)
            .await
    }

    /// The first invariant that is false after all clients have come to their end.
    pub(super) async fn broken_at_the_end(
        &self,
        database: &Database,
        results: &[ClientResult],
    ) -> Result<Option<&'static Anomaly>, Fault> {
        self.broken(database, results, |_| true).await
    }

    async fn broken(
        &self,
        database: &Database,
        results: &[ClientResult],
        is_due: impl Fn(When) -> bool,
    ) -> Result<Option<&'static Anomaly>, Fault> {
        for invariant in self.invariants.iter().filter(|it| is_due(it.when)) {
            if !invariant.holds(database, results).await? {
                return Ok(Some(invariant.anomaly));
            }
        }
        Ok(None)
    }
}
