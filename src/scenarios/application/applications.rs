//! The applications of all lanes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::lane::LaneApplication;
use super::plan::{ApplicationPlan, Probe};
use super::proxied::ProxiedClient;
use super::tables::tidy_up;
use crate::engine::{Database, StatementReader};
use crate::explore::Client;
use crate::proxy::{Known, TurnSettings};

/// The applications of all lanes, each with a proxy and a beginning of its own. They share what
/// warm-up runs have taught.
#[derive(Debug, Default)]
pub(in crate::scenarios) struct Applications {
    lanes: Mutex<HashMap<String, Arc<LaneApplication>>>,
    /// The lanes whose application is being opened. One stays here if that is broken off.
    opening: Mutex<HashSet<String>>,
    known: Arc<Known>,
    /// How long it took to open the first of them.
    opening_took: OnceLock<Duration>,
}

impl Applications {
    /// The application of this lane. None if it was not opened yet.
    pub(super) async fn of(&self, database: &Database) -> Option<Arc<LaneApplication>> {
        self.lanes.lock().await.get(&database.place_key()).cloned()
    }

    /// Whether the application of this lane was opened.
    pub(in crate::scenarios) async fn has(&self, database: &Database) -> bool {
        self.of(database).await.is_some()
    }

    /// Brings back and drops what a run of Racy that was killed has left in this database.
    pub(in crate::scenarios) async fn tidy_up(&self, database: &Database) -> Result<(), String> {
        tidy_up(database).await
    }

    /// Opens the application of this lane, whose database the set-up has just made.
    pub(in crate::scenarios) async fn open(
        &self,
        plan: &ApplicationPlan,
        clients: &[Option<ProxiedClient>],
        database: &Database,
        settings: TurnSettings,
    ) -> Result<(), String> {
        let known = Arc::clone(&self.known);
        let is_first = self.lanes.lock().await.is_empty();
        let began = Instant::now();
        let key = database.place_key();
        self.opening.lock().await.insert(key.clone());
        let lane = LaneApplication::open(plan, clients, database, settings, known, is_first);
        let lane = lane.await;
        self.opening.lock().await.remove(&key);
        let lane = lane?;
        // That of the first one alone is not shared with runs.
        let _ = self.opening_took.set(began.elapsed());
        self.lanes.lock().await.insert(key, Arc::new(lane));
        Ok(())
    }

    /// How long it takes to open the application of this lane. None if it was opened.
    pub(in crate::scenarios) async fn opening_takes(
        &self,
        database: &Database,
    ) -> Option<Duration> {
        let is_open = self.has(database).await;
        let took = self.opening_took.get().copied().unwrap_or_default();
        (!is_open).then_some(took)
    }

    /// What the statements of this lane's application touch is read by this reader.
    pub(in crate::scenarios) async fn read_with(
        &self,
        database: &Database,
        reader: Option<Arc<StatementReader>>,
    ) {
        if let Some(lane) = self.of(database).await {
            lane.proxy.turns().read_with(reader);
        }
    }

    /// Brings the application of this lane, and its tables, back to their beginning.
    pub(in crate::scenarios) async fn restore(
        &self,
        plan: &ApplicationPlan,
        database: &Database,
    ) -> Result<(), String> {
        match self.of(database).await {
            Some(lane) => lane.restore(plan, database).await,
            None => Err("the application was not started".to_owned()),
        }
    }

    /// What warm-up runs have taught.
    pub(in crate::scenarios) fn known(&self) -> &Known {
        &self.known
    }

    /// Why no statement comes through the proxy of this lane. None if some do. `has_failed` says
    /// that a request was answered 5xx, or not at all.
    pub(in crate::scenarios) async fn why_nothing_comes(
        &self,
        database: &Database,
        has_failed: bool,
    ) -> Option<String> {
        self.of(database).await?.why_nothing_comes(has_failed)
    }

    /// Why a command sends nothing, but for what was `said` already. Empty if it is not known.
    pub(in crate::scenarios) async fn why_a_command_is_silent(
        &self,
        database: &Database,
        client: Client,
        said: &str,
    ) -> String {
        let lane = self.of(database).await;
        lane.map(|it| it.why_a_command_is_silent(client, said))
            .unwrap_or_default()
    }

    /// Whether the application of this lane answers this.
    pub(in crate::scenarios) async fn holds(
        &self,
        probe: &Probe,
        database: &Database,
    ) -> Result<bool, String> {
        match self.of(database).await {
            Some(lane) => lane.holds(probe).await,
            None => Err("the application was not started".to_owned()),
        }
    }

    /// What there is to say of the connections of all lanes.
    pub(in crate::scenarios) fn remarks(&self) -> Vec<String> {
        // After the search the lock is free.
        let Ok(lanes) = self.lanes.try_lock() else {
            return Vec::new();
        };
        let mut remarks: Vec<_> = lanes.values().flat_map(|it| it.proxy.remarks()).collect();
        remarks.sort();
        remarks.dedup();
        remarks
    }

    /// Ends the application of this lane, with its proxy, and drops the copies of its tables.
    pub(in crate::scenarios) async fn close(&self, database: &Database) -> Result<(), String> {
        let key = database.place_key();
        let lane = self.lanes.lock().await.remove(&key);
        let is_half_open = self.opening.lock().await.remove(&key);
        match lane {
            Some(lane) => lane.close(database).await,
            None if is_half_open => self.tidy_up(database).await,
            None => Ok(()),
        }
    }
}
