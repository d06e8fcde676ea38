//! The clients of one run: those that run scripts, and those that send requests.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::application::RequestRun;
use super::client::ScriptClients;
use super::prepared::Prepared;
use super::scenario::Does;
use crate::engine::{Database, Fault};
use crate::explore::{Client, ClientResult, Clients, Fixture, Gate, Pending};
use crate::proxy::RequestOrder;

/// The clients of one run.
#[derive(Debug)]
pub(super) struct ScenarioClients {
    prepared: Arc<Prepared>,
    scripts: ScriptClients,
    /// Those that take part. The others end at once.
    present: Vec<Client>,
    /// Whether a request is sent when those before it have come to their end.
    one_after_the_other: bool,
    /// Begun by the first client that sends a request.
    requests: OnceCell<Option<RequestRun>>,
}

impl ScenarioClients {
    /// All clients of the scenario.
    pub(super) fn all(prepared: &Arc<Prepared>) -> Self {
        let all = Client::first(prepared.scenario.clients.len()).collect();
        Self {
            one_after_the_other: false,
            ..Self::in_order(prepared, all)
        }
    }

    /// Only these of its clients, one after the other. If two requests were under way at once, one
    /// could hold what the other waits for: a lock of the application's, or its pool's connection.
    pub(super) fn in_order(prepared: &Arc<Prepared>, present: Vec<Client>) -> Self {
        Self {
            prepared: Arc::clone(prepared),
            scripts: ScriptClients {
                prepared: Arc::clone(prepared),
            },
            present,
            one_after_the_other: true,
            requests: OnceCell::new(),
        }
    }

    /// The requests of this run. None if the application was not started.
    async fn requests(&self, database: &Database) -> Option<&RequestRun> {
        let begin = || async {
            let sends = |client: &&Client| {
                let client = &self.prepared.scenario.clients[client.index()];
                matches!(client.does, Does::Request(_))
            };
            let clients: Vec<_> = self.present.iter().filter(sends).copied().collect();
            let applications = &self.prepared.applications;
            let order = if self.one_after_the_other {
                RequestOrder::OneAfterTheOther(clients.clone())
            } else {
                RequestOrder::AtOnce
            };
            applications.begin_run(database, &clients, order).await
        };
        self.requests.get_or_init(begin).await.as_ref()
    }
}

impl Clients for ScenarioClients {
    fn start<'a>(
        &'a self,
        client: Client,
        gate: Gate,
        database: &'a Database,
        fixture: Fixture,
    ) -> Pending<'a, ()> {
        if !self.present.contains(&client) {
            return Box::pin(async move { gate.ended(ClientResult::refused(None)) });
        }
        match &self.prepared.scenario.clients[client.index()].does {
            Does::Script(_) => self.scripts.start(client, gate, database, fixture),
            Does::Request(plan) => Box::pin(async move {
                match self.requests(database).await {
                    Some(run) => run.race(client, gate, plan).await,
                    None => gate.broke_off(Fault::other("the application was not started")),
                }
            }),
        }
    }
}
