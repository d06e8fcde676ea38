//! The verdict of a run, by the scenario's invariants and by the serial orders.

use std::sync::Arc;

use super::anomalies::{FAILED, NOT_SERIAL};
use super::file::When;
use super::invariant::Invariant;
use super::prepared::Prepared;
use crate::engine::{Database, Engine, Fault};
use crate::explore::{
    ClientResult, Finding, Fixture, Highlight, Judge, Judgement, Pending, Trace, verdict_of,
};
use crate::verdict::{Anomaly, Verdict};

/// How reports speak of the clients whose statements pass a proxy.
struct ProxiedWords {
    whose: &'static str,
    their: &'static str,
    late: &'static str,
    why_late: &'static str,
}

const OF_AN_APPLICATION: ProxiedWords = ProxiedWords {
    whose: "the application's",
    their: "its",
    late: "a request came to its first statement only after another one was answered",
    why_late: "the application serves one request at a time, or a lock of its own is around all that it \
               does, or it needs longer than --settle before its first statement. More workers or \
               threads, or a longer --settle, show the difference",
};

const OF_COMMANDS: ProxiedWords = ProxiedWords {
    whose: "the commands'",
    their: "their",
    late: "a command came to its first statement only after another one had ended",
    why_late: "a lock outside the database is around all that it does, such as that of a file",
};

/// Judges by invariants, by the serial orders, or by both.
#[derive(Debug)]
pub(super) struct ScenarioJudge {
    pub(super) prepared: Arc<Prepared>,
}

impl Judge for ScenarioJudge {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        _fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            self.prepared.matched.note(database.engine(), results);
            let verdict = self.prepared.by_invariants(database, results).await?;
            if verdict.is_anomaly() || !self.prepared.scenario.serial {
                return Ok(verdict.into());
            }
            let serial = &self.prepared.serial;
            let difference = serial.difference(&self.prepared, database, results);
            let hides = self.prepared.options.hides_values;
            let hidden = "what differs is not shown (--hide-values)";
            let difference = difference.await?.map(|words| match hides {
                true => hidden.to_owned(),
                false => words,
            });
            Ok(match difference {
                None => verdict.into(),
                because => Judgement {
                    verdict: Verdict::Anomaly(&NOT_SERIAL),
                    because,
                },
            })
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
        let scenario = &self.prepared.scenario;
        let invariants = scenario.invariants.iter().filter_map(|it| {
            let sql = match self.prepared.options.hides_values {
                true => it.shape_on(engine.flavour)?,
                false => it.filled(engine.flavour, results).ok()?,
            };
            Some(format!("{sql}; -- {}", it.name))
        });
        let tables = self.prepared.serial.tables();
        let tables = tables.iter().filter(|_| scenario.serial).map(|table| {
            let name = engine.flavour.quoted_name(table);
            format!("SELECT * FROM {name};")
        });
        let lines: Vec<_> = invariants.chain(tables).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn took_for_granted(&self, engine: &Engine) -> Vec<String> {
        let serial = &self.prepared.serial;
        let left_out = serial.left_out(engine);
        let left_out = (!left_out.is_empty()).then(|| {
            format!(
                "not compared, because it differs between two runs of one serial order: {}",
                left_out.join(", ")
            )
        });
        let doubted = serial.doubted(engine);
        let doubted = (doubted > 0).then(|| {
            format!(
                "not called not serial: {doubted} runs in which a client passed over what a refused \
                 one may have locked"
            )
        });
        let never = self.prepared.matched.never(engine, &self.prepared.scenario);
        let seen = self.prepared.what_the_proxy_has_seen();
        let said = left_out.into_iter().chain(doubted);
        said.chain(never).chain(seen).collect()
    }

    fn unexpected(&self, finding: &Finding) -> Vec<String> {
        self.prepared.scenario.expectations.unmet(finding)
    }

    fn unexpected_verdicts(&self, finding: &Finding) -> Vec<Verdict> {
        self.prepared.scenario.expectations.unmet_verdicts(finding)
    }

    fn expected_at(&self, finding: &Finding) -> Option<usize> {
        let scenario = &self.prepared.scenario;
        let entry = scenario.expectations.unmet_at(finding);
        Some(entry.unwrap_or(scenario.first_client_line))
    }
}

impl Prepared {
    /// The verdict of a run by what its clients have met and by the invariants.
    pub(super) async fn by_invariants(
        &self,
        database: &Database,
        results: &[ClientResult],
    ) -> Result<Verdict, Fault> {
        let seen = results.iter().filter_map(|it| it.saw).min();
        if seen == Some(&FAILED) {
            return Ok(Verdict::Anomaly(&FAILED));
        }
        let broken = self.broken_at_the_end(database, results).await?;
        Ok(verdict_of(seen.or(broken), results))
    }
}

impl Prepared {
    /// The first invariant that is false after a commit, while the clients are on their way.
    pub(super) async fn broken_after_a_commit(
        &self,
        database: &Database,
    ) -> Result<Option<&'static Anomaly>, Fault> {
        self.broken(database, &[], |when| when == When::EveryCommit)
            .await
    }

    /// The first invariant that is false after all clients have come to their end.
    async fn broken_at_the_end(
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
        for invariant in self.scenario.invariants.iter().filter(|it| is_due(it.when)) {
            if !self.holds(invariant, database, results).await? {
                return Ok(Some(invariant.anomaly));
            }
        }
        Ok(None)
    }

    /// What there is to say of the application's statements. Empty if there is no application.
    fn what_the_proxy_has_seen(&self) -> Vec<String> {
        const MOST: usize = 5;
        let words = match &self.scenario.application {
            None => return Vec::new(),
            Some(application) if application.is_there() => &OF_AN_APPLICATION,
            Some(_) => &OF_COMMANDS,
        };
        let known = self.applications.known();
        let mut seen = Vec::new();
        let levels = known.levels();
        if !levels.is_empty() {
            let levels: Vec<_> = levels.iter().map(ToString::to_string).collect();
            seen.push(format!(
                "{} transactions ran at {}, as {} own statements and the server's default say",
                words.whose,
                levels.join(" and "),
                words.their
            ));
        }
        let strangers = known.strangers();
        if !strangers.is_empty() {
            let listed: Vec<_> = strangers
                .iter()
                .take(MOST)
                .map(|(shape, count)| format!("{shape} ({count}×)"))
                .collect();
            let more = strangers.len().saturating_sub(MOST);
            let more = match more {
                0 => String::new(),
                more => format!(", and {more} others"),
            };
            seen.push(format!(
                "passed without being held, because they belong to no {}: {}{more}",
                self.scenario.what_is_proxied(),
                listed.join(", ")
            ));
        }
        let several = known.several();
        if several > 0 {
            seen.push(format!(
                "several statements in one query are taken as one step (seen {several}×): what happens \
                 between them is not explored"
            ));
        }
        if let Some(shape) = known.beyond() {
            seen.push(format!(
                "one instance is at work at a time, because a statement reaches beyond its database: \
                 {shape}"
            ));
        }
        let late = known.one_at_a_time();
        if late > 0 {
            seen.push(format!("{} (seen {late}×): {}", words.late, words.why_late));
        }
        let unclear = known.unclear();
        if unclear > 0 {
            seen.push(format!(
                "in some runs it could not be told whose a statement was (seen {unclear}×), and they were \
                 made again: a request that waits for something outside the database, such as a pool's \
                 only connection, may send the same as the one that goes on. More connections in the pool \
                 would show the difference"
            ));
        }
        seen.extend(self.applications.remarks());
        seen
    }

    /// Asks whether an invariant holds: the database, or the application.
    async fn holds(
        &self,
        invariant: &Invariant,
        database: &Database,
        results: &[ClientResult],
    ) -> Result<bool, Fault> {
        match invariant.probe() {
            None => invariant.holds(database, results).await,
            Some(probe) => {
                let asked = self.applications.holds(probe, database).await;
                asked.map_err(|why| {
                    Fault::other(format!("the invariant {:?}: {why}", invariant.name))
                })
            }
        }
    }
}
