//! What is tried before any schedule: the set-up, and one client after the other. What goes wrong
//! there is no race.

use std::sync::Arc;

use super::anomalies::FAILED;
use super::file::When;
use super::prepared::Prepared;
use crate::engine::{Database, FaultKind};
use crate::explore::{
    Client, Divergence, Fixture, ParkedClient, Pending, Policy, Rehearsal, Run, Subject,
    run_schedule,
};
use crate::step::Ending;
use crate::verdict::Verdict;

/// Runs a scenario without a race.
#[derive(Debug)]
pub(super) struct SerialRuns {
    pub(super) prepared: Arc<Prepared>,
}

/// The largest number of orders that are tried. Those of five clients that differ are 120.
const MOST_ORDERS: usize = 24;

impl Rehearsal for SerialRuns {
    fn rehearse<'a>(
        &'a self,
        subject: &'a Subject,
        database: &'a Database,
    ) -> Pending<'a, Result<(), String>> {
        Box::pin(async move {
            self.prepared.must_stay_inside(database).await?;
            self.after_the_set_up(database).await?;
            let scenario = &self.prepared.scenario;
            let clients: Vec<_> = Client::first(scenario.clients.len()).collect();
            let orders = if scenario.clients_are_alike {
                vec![clients]
            } else {
                orders(&clients)
            };
            for order in orders.into_iter().take(MOST_ORDERS) {
                self.run_in(order, subject, database).await?;
            }
            Ok(())
        })
    }
}

impl SerialRuns {
    async fn after_the_set_up(&self, database: &Database) -> Result<(), String> {
        let restored = self.prepared.restore(database).await;
        restored.map_err(|error| error.to_string())?;
        // What must hold at the end need not hold before the clients have done anything.
        let invariants = self.prepared.scenario.invariants.iter();
        let always = invariants.filter(|it| it.when == When::EveryCommit);
        for invariant in always.filter(|it| !it.is_about_clients()) {
            let holds = invariant.holds(database, &[]).await;
            if !holds.map_err(|fault| fault.message)? {
                return Err(format!(
                    "false without any race: {:?} does not hold after the set-up",
                    invariant.name
                ));
            }
        }
        Ok(())
    }

    async fn run_in(
        &self,
        order: Vec<Client>,
        subject: &Subject,
        database: &Database,
    ) -> Result<(), String> {
        let restored = self.prepared.restore(database).await;
        restored.map_err(|error| error.to_string())?;
        let names: Vec<_> = order.iter().map(Client::to_string).collect();
        let names = names.join(", then ");
        let clients = (subject.clients)(1);
        let mut policy = OneAfterTheOther { order };
        let fixture = Fixture::WholeDatabase;
        let count = policy.order.len();
        let run = run_schedule(database, &clients, fixture, count, &mut policy).await;
        let run = run.map_err(|error| format!("without any race ({names}): {error}"))?;
        let Some(run) = run else {
            return Ok(());
        };
        must_be_sql(&run, &names)?;
        let verdict = subject.judge.judge(database, fixture, &run.results).await;
        match verdict.map_err(|fault| format!("without any race ({names}): {}", fault.message))? {
            Verdict::Anomaly(anomaly) => Err(format!(
                "false without any race ({names}): {}{}",
                anomaly.title,
                what_failed(&run, |kind, _| kind == FAILED.name)
            )),
            Verdict::Refused(_) | Verdict::Declined | Verdict::Safe => Ok(()),
        }
    }
}

/// A statement that the engine does not understand is a mistake in the script, and no refusal.
fn must_be_sql(run: &Run, names: &str) -> Result<(), String> {
    let faults = run.results.iter().filter_map(|it| it.fault.as_ref());
    let mistakes = [
        FaultKind::Other,
        FaultKind::SchemaMissing,
        FaultKind::NotAllowed,
    ];
    match faults.into_iter().find(|it| mistakes.contains(&it.kind)) {
        Some(fault) => Err(format!(
            "refused without any race ({names}): {fault}{}",
            what_failed(run, |_, refusal| refusal == fault.to_string())
        )),
        None => Ok(()),
    }
}

/// The first step that failed in this way, by the kind and the words of its refusal.
fn what_failed(run: &Run, is_it: impl Fn(&str, &str) -> bool) -> String {
    let failed = run.trace.rows.iter().find_map(|row| match row.ending() {
        Some(Ending::Failed { kind, refusal, .. }) if is_it(kind, refusal) => Some((row, refusal)),
        _ => None,
    });
    match failed {
        Some((row, refusal)) => {
            format!("; client {}, {}: {refusal}", row.client, row.step.label)
        }
        None => String::new(),
    }
}

/// One client after the other, in this order. A client that waits makes way for the next.
#[derive(Debug, Clone)]
struct OneAfterTheOther {
    order: Vec<Client>,
}

impl Policy for OneAfterTheOther {
    fn choose(&mut self, parked: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let is_parked = |client: &&Client| parked.iter().any(|it| it.client == **client);
        Ok(self.order.iter().find(is_parked).copied())
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        Vec::new()
    }

    fn share(&self) -> f64 {
        1.0
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

/// All orders of these clients.
fn orders(clients: &[Client]) -> Vec<Vec<Client>> {
    if clients.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |at: usize| {
        let mut others = clients.to_vec();
        let first = others.remove(at);
        let rest = orders(&others);
        rest.into_iter().map(move |mut order| {
            order.insert(0, first);
            order
        })
    };
    (0..clients.len()).flat_map(with_first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_once() {
        let clients: Vec<_> = Client::first(3).collect();
        let mut orders = orders(&clients);
        assert_eq!(orders.len(), 6);
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 6);
    }
}
