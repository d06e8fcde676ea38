//! The clients of one run: those that run scripts, and those whose statements pass a proxy.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::application::ProxiedRun;
use super::client::ScriptClients;
use super::prepared::Prepared;
use super::scenario::Does;
use crate::engine::{Database, Fault};
use crate::explore::{Client, ClientResult, Clients, Fixture, Gate, Pending};
use crate::proxy::{BeginOrder, Participant};

/// The clients of one run.
#[derive(Debug)]
pub(super) struct ScenarioClients {
    prepared: Arc<Prepared>,
    scripts: ScriptClients,
    /// Those that take part. The others end at once.
    present: Vec<Client>,
    /// Whether a client begins when those before it have come to their end.
    one_after_the_other: bool,
    /// Begun by the first client that is no script.
    proxied: OnceCell<Option<ProxiedRun>>,
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
            proxied: OnceCell::new(),
        }
    }

    /// The run of those that are no scripts. None if the application was not started.
    async fn proxied(&self, database: &Database) -> Result<&ProxiedRun, Fault> {
        let begin = || async {
            let participants = self.present.iter().filter_map(|client| {
                let has_own_connections = match self.prepared.scenario.clients[client.index()].does
                {
                    Does::Script(_) => return None,
                    Does::Request(_) => false,
                    Does::Command(_) => true,
                };
                Some(Participant {
                    client: *client,
                    has_own_connections,
                })
            });
            let participants: Vec<_> = participants.collect();
            let applications = &self.prepared.applications;
            let order = if self.one_after_the_other {
                BeginOrder::OneAfterTheOther(participants.iter().map(|it| it.client).collect())
            } else {
                BeginOrder::AtOnce
            };
            applications.begin_run(database, &participants, order).await
        };
        let run = self.proxied.get_or_init(begin).await.as_ref();
        run.ok_or_else(|| Fault::other("the application was not started"))
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
                match self.proxied(database).await {
                    Ok(run) => run.race(client, gate, plan).await,
                    Err(fault) => gate.broke_off(fault),
                }
            }),
            Does::Command(plan) => Box::pin(async move {
                match self.proxied(database).await {
                    Ok(run) => run.run_command(client, gate, plan).await,
                    Err(fault) => gate.broke_off(fault),
                }
            }),
        }
    }
}
