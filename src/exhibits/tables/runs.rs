//! The clients of one run of the explorer.

use tokio::sync::watch;

use super::disk::{Record, Table, Tables, Unreadable};
use super::expiry::Sweep;
use super::fixtures::{Ground, name_of};
use super::parts::step;
use super::{Append, Appended, BROKEN_TABLE, Reader, Refusal, Strategy, TORN_READ, Wanted};
use crate::engine::{Database, Fault, Session};
use crate::exhibits::Retry;
use crate::explore::{Client, ClientResult, Clients, Fixture, Gate, Pending};
use crate::step::{Action, Effect};
use crate::verdict::Outcome;

/// Who takes part in a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cast {
    /// Each appends to a partition of its own.
    Writers(Strategy),
    /// All append to the same partition.
    Rivals(Strategy),
    /// Client A reads.
    ReaderAndWriters(Reader, Strategy),
    /// Client A appends. The others append, and then remove what is old.
    WriterAndExpiries(Strategy),
    /// Client A reads. The others append, and then remove what is old.
    ReaderAndExpiries(Reader, Strategy),
    /// Client A appends, and client B kills it before it appends itself.
    KilledAndKillers(Strategy),
}

impl Cast {
    /// Whether all clients do the same.
    pub(super) fn is_alike(self) -> bool {
        matches!(self, Self::Writers(_) | Self::Rivals(_))
    }

    /// How many commits the table has seen before. Nine, if a reader meets the expiry: the next
    /// commit merges their manifests, so that those of the old snapshots can be removed.
    pub(super) fn commits_before(self) -> u32 {
        match self {
            Self::ReaderAndExpiries(..) => 9,
            Self::Writers(_)
            | Self::Rivals(_)
            | Self::ReaderAndWriters(..)
            | Self::WriterAndExpiries(_)
            | Self::KilledAndKillers(_) => 1,
        }
    }
}

/// The clients of one run.
#[derive(Debug)]
pub(super) struct TableClients {
    cast: Cast,
    /// What each instance has in its memory.
    instances: Result<Vec<Tables>, Fault>,
    death: Death,
}

/// How client A dies.
#[derive(Debug)]
struct Death {
    is_wanted: watch::Sender<bool>,
    has_come: watch::Sender<bool>,
}

impl TableClients {
    pub(super) fn of(cast: Cast, ground: &Ground, instances: usize) -> Self {
        // A process that is killed shares its memory with no other one.
        let instances = match cast {
            Cast::KilledAndKillers(_) => 2,
            _ => instances,
        };
        Self {
            cast,
            instances: (0..instances).map(|_| ground.tables()).collect(),
            death: Death {
                is_wanted: watch::Sender::new(false),
                has_come: watch::Sender::new(false),
            },
        }
    }

    fn table(&self, client: Client, fixture: Fixture) -> Result<Table, Fault> {
        let instances = self.instances.as_ref().map_err(Clone::clone)?;
        let own = &instances[client.index() % instances.len()];
        Ok(own.table(&name_of(fixture.id())?))
    }

    async fn perform(&self, client: Client, session: Session<'_>, table: &Table) -> ClientResult {
        let session = session.pausing(Retry::pauses_in_no_time());
        match self.cast {
            Cast::ReaderAndWriters(reader, _) | Cast::ReaderAndExpiries(reader, _)
                if client.index() == 0 =>
            {
                read(&reader, session, table).await
            }
            Cast::WriterAndExpiries(strategy) | Cast::ReaderAndExpiries(_, strategy)
                if client.index() > 0 =>
            {
                write_and_expire(&strategy, session, table, client).await
            }
            Cast::Rivals(strategy) => write(&strategy, session, table, client, "one").await,
            Cast::KilledAndKillers(strategy) if client.index() > 0 => {
                let mut session = session;
                if let Err(fault) = self.kill(&mut session).await {
                    return ClientResult::refused(Some(fault));
                }
                write(&strategy, session, table, client, &partition_of(client)).await
            }
            Cast::Writers(strategy)
            | Cast::ReaderAndWriters(_, strategy)
            | Cast::WriterAndExpiries(strategy)
            | Cast::ReaderAndExpiries(_, strategy)
            | Cast::KilledAndKillers(strategy) => {
                write(&strategy, session, table, client, &partition_of(client)).await
            }
        }
    }

    /// Kills client A, and waits until it is gone.
    async fn kill(&self, s: &mut Session<'_>) -> Result<(), Fault> {
        let death = async {
            self.death.is_wanted.send_replace(true);
            let mut has_come = self.death.has_come.subscribe();
            let waited = has_come.wait_for(|it| *it).await;
            waited
                .map(|_| ())
                .map_err(|_| Fault::other("client A is gone"))
        };
        s.outside((Action::Write, "kill A", Effect::Conflicts), &[], death)
            .await
    }
}

impl Clients for TableClients {
    fn start<'a>(
        &'a self,
        client: Client,
        gate: Gate,
        database: &'a Database,
        fixture: Fixture,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let opened = async {
                let table = self.table(client, fixture)?;
                let mut session = database.session(&gate).await?;
                gate.connected(session.connection_id().await?);
                Ok((session, table))
            };
            let (session, table) = match opened.await {
                Ok(opened) => opened,
                Err(fault) => return gate.broke_off(fault),
            };
            let mut is_wanted = self.death.is_wanted.subscribe();
            let killed = async {
                match self.cast {
                    Cast::KilledAndKillers(_) if client.index() == 0 => {
                        let _ = is_wanted.wait_for(|it| *it).await;
                    }
                    _ => std::future::pending().await,
                }
            };
            let result = tokio::select! {
                biased;
                // Its future is dropped where it stands, and with it its locks.
                () = killed => ClientResult::failed(Outcome::Unknown, None),
                result = self.perform(client, session, &table) => result,
            };
            match result.fault.as_ref().filter(|it| it.is_no_outcome()) {
                Some(fault) => gate.broke_off(fault.clone()),
                None => gate.ended(result),
            }
            if client.index() == 0 {
                self.death.has_come.send_replace(true);
            }
        })
    }
}

fn partition_of(client: Client) -> String {
    client.to_string().to_lowercase()
}

async fn write(
    strategy: &Strategy,
    session: Session<'_>,
    table: &Table,
    client: Client,
    partition: &str,
) -> ClientResult {
    let wanted = append_of(client, partition);
    told(strategy.perform_in(session, table, &wanted).await)
}

/// Appends, and then removes all snapshots but the newest.
async fn write_and_expire(
    strategy: &Strategy,
    mut session: Session<'_>,
    table: &Table,
    client: Client,
) -> ClientResult {
    let wanted = append_of(client, &partition_of(client));
    let appended = strategy.append_in(&mut session, table, &wanted).await;
    let expired = expire_in(&mut session, table).await;
    session.end().await;
    match expired {
        Err(Unreadable::Fault(fault)) => ClientResult::refused(Some(fault)),
        // A damaged table is left as it is.
        Ok(()) | Err(_) => told(appended),
    }
}

/// What the [expiry](super::expiry) does, step by step.
async fn expire_in(s: &mut Session<'_>, table: &Table) -> Result<(), Unreadable> {
    let find = (Action::Read, "find unused files", Effect::Conflicts);
    let table = table.clone();
    let Some(mut sweep) = step(s, find, move || Sweep::begin(&table)).await? else {
        return Ok(());
    };
    let remove = (Action::Write, "remove snapshots", Effect::Conflicts);
    let removed = step(s, remove, move || sweep.remove_snapshots(1).map(|()| sweep));
    let mut sweep = removed.await?;
    let remove = (Action::Write, "remove files", Effect::Conflicts);
    step(s, remove, move || sweep.remove_files()).await
}

fn append_of(client: Client, partition: &str) -> Append {
    Append {
        records: vec![Record {
            key: client.to_string(),
            value: 1,
        }],
        partition: partition.parse().ok(),
    }
}

fn told(appended: Result<Appended, Refusal>) -> ClientResult {
    match appended {
        Ok(_) => ClientResult::APPLIED,
        Err(refusal) => not_done(refusal),
    }
}

async fn read(reader: &Reader, session: Session<'_>, table: &Table) -> ClientResult {
    match reader.perform_in(session, table, Wanted::ALL).await {
        Ok(read) => ClientResult {
            saw: (!read.is_one_snapshot).then_some(&TORN_READ),
            ..ClientResult::APPLIED
        },
        Err(refusal) => not_done(refusal),
    }
}

fn not_done(refusal: Refusal) -> ClientResult {
    match refusal {
        Refusal::Fault(fault) => ClientResult::refused(Some(fault)),
        Refusal::Unknown(fault) => ClientResult::failed(Outcome::Unknown, Some(fault)),
        Refusal::Damaged(_) | Refusal::Unreadable(_) => ClientResult {
            saw: Some(&BROKEN_TABLE),
            ..ClientResult::refused(None)
        },
        Refusal::Conflict { .. } | Refusal::GaveUp { .. } | Refusal::KeptBy(_) => {
            ClientResult::refused(None)
        }
    }
}
