//! The serial orders as the judge: what the clients do at once must be what they do one after the
//! other, in some order.
//!
//! A run's end is the tables, the clients' outcomes and what they have captured ([`end`]). It is
//! compared with the ends of the serial [`orders`], which are run when they are needed, and once
//! each. If none is exactly the same, each order is run again, in a later second and with the
//! counters for numbered columns moved ahead. What differs between two passes is [`volatile`] and
//! is left out; numbers that the engine has drawn are compared up to a [`renaming`]. Before an end
//! is first called `not serial`, the orders are run some more times: so a clock that counts minutes
//! and a coin that is tossed are found out. [`difference`] says where such an end differs.
//!
//! A false alarm is worse than a miss: where the passes leave a doubt, less is compared.

mod difference;
mod end;
mod orders;
mod renaming;
mod view;
mod volatile;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::anomalies::FAILED;
use super::clients::ScenarioClients;
use super::prepared::Prepared;
use super::rehearsal::OneAfterTheOther;
use crate::engine::{Database, Engine, Fault, Layout};
use crate::explore::{Client, ClientResult, Clients, Fixture, RunError, run_schedule};
use crate::verdict::Outcome;
use end::End;
pub(super) use orders::{MOST_CLIENTS, permutations};
pub(super) use view::RowFacts;
use view::View;

/// Judges by serial orders, for each engine and level apart.
#[derive(Debug, Default)]
pub(super) struct SerialJudge {
    known: Mutex<HashMap<String, SerialOrders>>,
    /// The names of the tables that were compared last. Reports ask for them while runs are judged.
    tables: std::sync::Mutex<Vec<String>>,
}

impl SerialJudge {
    /// Forgets what an earlier exploration of this engine and level has led to.
    pub(super) async fn begin(&self, engine: &Engine) {
        self.known.lock().await.remove(&key(engine));
    }

    /// How the run that has just ended in this lane differs from every serial order, in words. None
    /// if it ends like one of them. The runs of all lanes are judged one after the other, because
    /// they share the ends of the orders.
    pub(super) async fn difference(
        &self,
        prepared: &Arc<Prepared>,
        database: &Database,
        results: &[ClientResult],
    ) -> Result<Option<String>, Fault> {
        let mut known = self.known.lock().await;
        let orders = known.entry(key(database.engine())).or_default();
        let difference = orders.difference(prepared, database, results).await;
        let layout = orders.layout.iter().flat_map(|it| &it.tables);
        *self.last_tables() = layout.map(|it| it.name.clone()).collect();
        difference
    }

    /// What was left out of the comparison, because two runs of one order differ in it.
    pub(super) fn left_out(&self, engine: &Engine) -> Vec<String> {
        let left_out = self.after_the_search(engine, |it| it.view.left_out());
        left_out.unwrap_or_default()
    }

    /// The number of runs that end like no serial order and were not called so, because a client
    /// that left nothing behind may have held a lock that another one passed over.
    pub(super) fn doubted(&self, engine: &Engine) -> u64 {
        self.after_the_search(engine, |it| it.doubted).unwrap_or(0)
    }

    /// Asks for what is known of an engine. None if no run was judged there. The search is over, so
    /// the lock is free.
    fn after_the_search<T>(&self, engine: &Engine, ask: impl Fn(&SerialOrders) -> T) -> Option<T> {
        let known = self.known.try_lock().ok()?;
        known.get(&key(engine)).map(ask)
    }

    /// The names of the tables that were compared last, to be looked at by hand.
    pub(super) fn tables(&self) -> Vec<String> {
        self.last_tables().clone()
    }

    fn last_tables(&self) -> MutexGuard<'_, Vec<String>> {
        // Nothing panics while it holds the lock.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(engine: &Engine) -> String {
    format!("{engine:?}")
}

/// The second pass of an order runs this long after the first one, so that every clock of the
/// engine's that counts seconds has gone on.
const LATER: Duration = Duration::from_millis(1_050);

/// How often each order is run before the first run is called not serial.
const PASSES: u32 = 4;

/// The same if a client draws by chance: two runs that happen to agree say little then.
const PASSES_OF_CHANCE: u32 = 40;

/// The number of tries for an order that another lane disturbs.
const TRIES: u32 = 5;

/// What is known of the serial orders on one engine at one level.
#[derive(Debug, Default)]
struct SerialOrders {
    /// The tables after the set-up. None until the first run is judged.
    layout: Option<Layout>,
    /// How each lane's database begins.
    beginnings: BTreeMap<String, End>,
    /// How each order ends that was run, by its [`OrderKey`].
    ends: BTreeMap<OrderKey, OrderEnd>,
    /// Whether the lanes begin alike. A time or a random value of the set-up differs between them,
    /// and so may all that is made of it. Then each lane has orders of its own.
    lanes_differ: bool,
    /// What is compared, and how.
    view: View,
    /// The ends that were called not serial, with their lanes if the lanes differ.
    not_serial: Vec<(Option<String>, End)>,
    /// The number of runs that end like no order, perhaps because of a lock of a client that left
    /// nothing behind.
    doubted: u64,
}

/// The order that is run, and the lane if that matters. Of clients that are alike, one order stands
/// for all of the same length.
type OrderKey = (Vec<Client>, Option<String>);

/// How one order ends.
#[derive(Debug)]
struct OrderEnd {
    first: End,
    /// When the first pass ended.
    at: Instant,
    /// How often the order was run.
    passes: u32,
}

impl SerialOrders {
    /// How the run differs from every order, in words. None if it ends like one of them. The lane's
    /// database holds something else afterwards.
    async fn difference(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
        results: &[ClientResult],
    ) -> Result<Option<String>, Fault> {
        let layout = self.layout(prepared, database).await?;
        let run = End::of(database.contents(&layout).await?, results);
        self.read_beginning(prepared, database).await?;
        let are_alike = prepared.scenario.clients_are_alike;
        let judged = Judged {
            orders: orders::of(results, are_alike),
            run,
            are_alike,
        };
        for order in &judged.orders {
            let end = self.end(prepared, database, order).await?;
            if judged.arranged(order, &self.view) == judged.arrange(end, &self.view) {
                return Ok(None);
            }
        }
        self.run_again(prepared, database, &judged, 2).await?;
        if self.ends_like_one(prepared, database, &judged).await? {
            return Ok(None);
        }
        if may_have_passed_over_a_lock(results) {
            self.doubted += 1;
            return Ok(None);
        }
        let lane = self.lanes_differ.then(|| database.place_key());
        let is_known = |(place, end): &(Option<String>, End)| {
            *place == lane && renaming::are_equal(&judged.run, end, &self.view)
        };
        if !self.not_serial.iter().any(is_known) {
            // A clock may have gone on since the orders were run, and a random value that is one of
            // two is often the same twice.
            let passes = self.passes(prepared, database, &judged);
            let wanted = match prepared.draws_by_chance(database.engine().flavour) {
                true => PASSES_OF_CHANCE,
                false => PASSES,
            };
            let more = wanted.max(passes + 1);
            self.run_again(prepared, database, &judged, more).await?;
            if self.ends_like_one(prepared, database, &judged).await? {
                return Ok(None);
            }
            self.not_serial.push((lane, judged.run.clone()));
        }
        let mut differences = Vec::new();
        for order in &judged.orders {
            let end = self.end(prepared, database, order).await?;
            let found = difference::between(&judged.run.with_clients(order), &end, &self.view);
            differences.push((judged.in_words(order), found));
        }
        Ok(Some(difference::in_words(&differences)))
    }

    /// Whether the run ends like one of its orders, as far as they are compared.
    async fn ends_like_one(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
        judged: &Judged,
    ) -> Result<bool, Fault> {
        for order in &judged.orders {
            let end = self.end(prepared, database, order).await?;
            let end = judged.arrange(end, &self.view);
            if renaming::are_equal(&judged.arranged(order, &self.view), &end, &self.view) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tables as they are now. They are those of the set-up, unless a client can change the
    /// schema.
    async fn layout(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
    ) -> Result<Layout, Fault> {
        match &self.layout {
            Some(layout) if !prepared.changes_schema(database.engine().flavour) => {
                Ok(layout.clone())
            }
            Some(_) | None => database.layout().await,
        }
    }

    /// Reads how this lane's database begins.
    async fn read_beginning(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
    ) -> Result<(), Fault> {
        let lane = database.place_key();
        if self.beginnings.contains_key(&lane) {
            return Ok(());
        }
        prepared.restore(database).await?;
        let layout = database.layout().await?;
        let beginning = End::of(database.contents(&layout).await?, &[]);
        let flavour = database.engine().flavour;
        match self.beginnings.values().next() {
            None => self.view = View::new(&layout, prepared.row_facts(flavour)),
            Some(other) => self.lanes_differ |= *other != beginning,
        }
        self.view.note_beginning(&beginning);
        self.layout.get_or_insert(layout);
        self.beginnings.insert(lane, beginning);
        Ok(())
    }

    /// How this order ends.
    async fn end(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
        order: &[Client],
    ) -> Result<End, Fault> {
        let key = self.key(prepared, database, order);
        if !self.ends.contains_key(&key) {
            let first = self.run(prepared, database, &key.0, false).await?;
            let end = OrderEnd {
                first,
                at: Instant::now(),
                passes: 1,
            };
            self.ends.insert(key.clone(), end);
        }
        Ok(self.ends[&key].first.renamed(&key.0, order))
    }

    fn key(&self, prepared: &Prepared, database: &Database, order: &[Client]) -> OrderKey {
        let lane = self.lanes_differ.then(|| database.place_key());
        (as_run(prepared, order), lane)
    }

    /// How often each of the orders was run at least.
    fn passes(&self, prepared: &Prepared, database: &Database, judged: &Judged) -> u32 {
        let orders = judged.orders.iter();
        let passes = orders.map(|order| {
            let key = self.key(prepared, database, order);
            self.ends.get(&key).map_or(0, |it| it.passes)
        });
        passes.min().unwrap_or(0)
    }

    /// Runs each of the orders until it has had this number of passes, and learns from each.
    async fn run_again(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
        judged: &Judged,
        passes: u32,
    ) -> Result<(), Fault> {
        for order in &judged.orders {
            let key = self.key(prepared, database, order);
            while let Some(end) = self.ends.get(&key).filter(|it| it.passes < passes) {
                sleep_until(end.at + LATER).await;
                let again = self.run(prepared, database, &key.0, true).await?;
                if let Some(end) = self.ends.get_mut(&key) {
                    volatile::note(&mut self.view, &end.first, &again);
                    end.passes += 1;
                }
            }
            if prepared.scenario.clients_are_alike {
                self.view.share_among(&key.0);
            }
        }
        Ok(())
    }

    /// Runs one order, with the counters moved ahead if it was run before.
    async fn run(
        &mut self,
        prepared: &Arc<Prepared>,
        database: &Database,
        order: &[Client],
        is_again: bool,
    ) -> Result<End, Fault> {
        let count = prepared.scenario.clients.len();
        let mut tries = 0;
        let run = loop {
            prepared.restore(database).await?;
            if let Some(layout) = self.layout.as_ref().filter(|_| is_again)
                && !prepared.options.in_place
            {
                database.shift_counters(layout).await?;
            }
            let mut policy = OneAfterTheOther {
                order: order.to_vec(),
            };
            tries += 1;
            let fixture = Fixture::WholeDatabase;
            let clients = ScenarioClients::in_order(prepared, order.to_vec());
            let clients: Arc<dyn Clients> = Arc::new(clients);
            match run_schedule(database, &clients, fixture, count, &mut policy).await {
                Err(RunError::Disturbed | RunError::Hasty) if tries < TRIES => {}
                ran => break ran.map_err(|error| in_order(order, &error))?,
            }
        };
        let results = run.map(|it| it.results).unwrap_or_default();
        if results.iter().any(|it| it.saw == Some(&FAILED)) {
            // It has not failed when all orders were tried before any race.
            let order = orders::in_words(order);
            return Err(Fault::other(format!(
                "the serial order {order}: a client fails now, so there is nothing to compare with"
            )));
        }
        let layout = self.layout(prepared, database).await?;
        let end = End::of(database.contents(&layout).await?, &results);
        Ok(end.with_clients(order))
    }
}

/// Whether another client may have passed over a lock of a client that left nothing behind. No
/// serial order has such a lock.
fn may_have_passed_over_a_lock(results: &[ClientResult]) -> bool {
    let is_gone = |it: &ClientResult| it.outcome == Outcome::Refused;
    let mut gone = results.iter().enumerate().filter(|(_, it)| is_gone(it));
    gone.any(|(at, _)| {
        let mut others = results.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(_, it)| it.tries_locks)
    })
}

/// A run that is being judged.
struct Judged {
    run: End,
    orders: Vec<Vec<Client>>,
    /// Whether the clients' names make no difference.
    are_alike: bool,
}

impl Judged {
    /// The run's end with these clients alone, arranged.
    fn arranged(&self, order: &[Client], view: &View) -> End {
        self.arrange(self.run.with_clients(order), view)
    }

    /// Puts clients that are alike in the order of what is compared of them.
    fn arrange(&self, end: End, view: &View) -> End {
        if self.are_alike {
            view.arranged(&end)
        } else {
            end
        }
    }

    fn in_words(&self, order: &[Client]) -> String {
        let words = orders::in_words(order);
        if self.are_alike && order.len() > orders::MOST_ALIKE {
            format!("{words} in any order")
        } else {
            words
        }
    }
}

/// The order that is run in the place of this one.
fn as_run(prepared: &Prepared, order: &[Client]) -> Vec<Client> {
    if prepared.scenario.clients_are_alike {
        Client::first(order.len()).collect()
    } else {
        order.to_vec()
    }
}

fn in_order(order: &[Client], error: &RunError) -> Fault {
    let order = orders::in_words(order);
    Fault::other(format!("the serial order {order}: {error}"))
}
