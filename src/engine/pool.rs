//! A pool of connections. It hands out those that were given back to it; one that is merely dropped
//! is closed.
//!
//! sqlx has a pool, and this one is here for two reasons. sqlx's pings the server each time a
//! connection is returned, which costs every deposit a round trip, although the session knows better
//! than any ping whether its connection is clean. And where nobody listens, sqlx's goes on trying
//! until the time is up, and then says no more than that it was; this one says at once what is wrong.

use std::fmt;
use std::ops::Add;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Database};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::Fault;
use super::greeting::{Greeting, Greets};
use super::pooler::{self, BehindAPooler};

/// Closes a connection that has done its work. How the goodbye goes is of no interest any more: a server
/// that speaks TLS may hang up first.
pub(super) async fn hang_up(connection: impl Connection) {
    let _ = connection.close().await;
}

/// What becomes of a pool's connections at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// So many connections are with a client, or on their way to one.
    pub in_use: usize,
    /// So many are open and with nobody.
    pub idle: usize,
    /// There may be so many in all.
    pub limit: usize,
    /// So many clients queue for one.
    pub waiting: usize,
}

impl Add for PoolUse {
    type Output = Self;

    /// Of two pools together.
    fn add(self, other: Self) -> Self {
        Self {
            in_use: self.in_use + other.in_use,
            idle: self.idle + other.idle,
            limit: self.limit + other.limit,
            waiting: self.waiting + other.waiting,
        }
    }
}

/// At most so many connections to one database.
#[derive(Debug)]
pub(super) struct Pool<DB: Database> {
    home: Arc<Home<DB>>,
}

/// What the pool and the connections that are out share.
struct Home<DB: Database> {
    options: <DB::Connection as Connection>::Options,
    /// What every new connection is told and asked first.
    greeting: Arc<Greeting>,
    most: u32,
    acquire_timeout: Duration,
    permits: Arc<Semaphore>,
    /// How many wait for a permit.
    waiting: AtomicUsize,
    /// The one that was used last is taken first, so that the others grow old and are closed.
    idle: Mutex<Vec<Idle<DB>>>,
    /// Closes those that lie idle for too long, as long as the pool is there.
    reaper: Mutex<Option<AbortHandle>>,
}

struct Idle<DB: Database> {
    connection: DB::Connection,
    number: Option<i64>,
    since: Instant,
}

/// A connection that has lain idle this long is asked whether it still lives before it is used:
/// often enough to survive a restart of the database, seldom enough to cost a busy lab nothing.
const IDLE_BEFORE_PING: Duration = Duration::from_secs(1);

/// Beyond this, a connection only keeps others from having it.
const IDLE_BEFORE_CLOSE: Duration = Duration::from_secs(60);

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            home: Arc::clone(&self.home),
        }
    }
}

impl<DB: Database<Connection: Greets>> Pool<DB> {
    /// An empty pool: connects to nothing yet.
    pub(super) fn new(
        options: <DB::Connection as Connection>::Options,
        greeting: impl Into<Arc<Greeting>>,
        most: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            home: Arc::new(Home {
                options,
                greeting: greeting.into(),
                most,
                acquire_timeout,
                permits: Arc::new(Semaphore::new(permits)),
                waiting: AtomicUsize::new(0),
                idle: Mutex::default(),
                reaper: Mutex::default(),
            }),
        }
    }

    /// A pool of at most this number of other connections to the same database. They are told and
    /// asked the same, and a pooler that one of the two pools notices is known to both.
    pub(super) fn beside(&self, most: u32) -> Self {
        let home = &self.home;
        Self::new(
            home.options.clone(),
            Arc::clone(&home.greeting),
            most,
            home.acquire_timeout,
        )
    }

    /// Begins to close what lies idle, unless that was begun before.
    fn reap_from_now_on(&self) {
        let mut reaper = self.home.reaper();
        if reaper.is_none() {
            let reaping = tokio::spawn(reap(Arc::downgrade(&self.home)));
            *reaper = Some(reaping.abort_handle());
        }
    }

    /// A connection that is clean and lives.
    ///
    /// # Errors
    /// Unavailable where all are in use or the database does not answer in time; else as the
    /// database refuses.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<DB>, Fault> {
        let home = &self.home;
        let deadline = Instant::now() + home.acquire_timeout;
        let Ok(permit) = timeout_at(deadline, home.permit()).await else {
            return Err(home.all_in_use());
        };
        let permit = permit.map_err(|_closed| Fault::unavailable("the lab is closing"))?;
        self.reap_from_now_on();
        let found = timeout_at(deadline, async {
            match self.live_idle().await {
                Some(idle) => Ok((idle.connection, idle.number)),
                None => home.connect().await,
            }
        });
        let (connection, number) = found
            .await
            .unwrap_or_else(|_elapsed| Err(Fault::unavailable("the database does not answer")))?;
        Ok(PooledConnection {
            connection: Some(connection),
            number,
            behind_a_pooler: home.behind_a_pooler()?,
            home: Arc::clone(home),
            _permit: permit,
        })
    }

    /// Takes in the connection over which the server was asked about itself. Where a user may have only
    /// one, a second one would be refused until the server has noticed that the first is gone.
    pub(super) async fn adopt(&self, mut connection: DB::Connection) -> Result<(), Fault> {
        let number = self.home.greet(&mut connection).await?;
        self.reap_from_now_on();
        self.home.idle().push(Idle {
            connection,
            number,
            since: Instant::now(),
        });
        Ok(())
    }

    async fn live_idle(&self) -> Option<Idle<DB>> {
        loop {
            let mut idle = self.home.idle().pop()?;
            if idle.since.elapsed() < IDLE_BEFORE_PING {
                return Some(idle);
            }
            let greeting = &self.home.greeting;
            if greeting
                .is_as_it_was(&mut idle.connection, idle.number)
                .await
            {
                return Some(idle);
            }
            // The others have lain there for longer, and were cut off by the same event.
            self.home.idle().clear();
        }
    }

    /// What every new connection is told and asked.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.home.greeting
    }

    /// Whether every connection is out, so that the next client has to wait for one.
    pub(super) fn is_exhausted(&self) -> bool {
        self.home.permits.available_permits() == 0
    }

    /// What becomes of its connections right now.
    pub(super) fn usage(&self) -> PoolUse {
        let home = &self.home;
        let limit = usize::try_from(home.most).unwrap_or(usize::MAX);
        PoolUse {
            in_use: limit.saturating_sub(home.permits.available_permits()),
            idle: home.idle().len(),
            limit,
            waiting: home.waiting.load(Ordering::Relaxed),
        }
    }

    /// Waits until all connections are back, and closes them. Nobody gets one any more.
    pub(super) async fn close(&self) {
        // Fails where it is closed already.
        let _ = self
            .home
            .permits
            .acquire_many(self.home.most)
            .await
            .map(|all| all.forget());
        self.home.permits.close();
        let idle = std::mem::take(&mut *self.home.idle());
        for one in idle {
            // It is of no use any more, whatever it says.
            let _ = one.connection.close().await;
        }
    }
}

impl<DB: Database<Connection: Greets>> Home<DB> {
    /// A new connection, and the engine's number for it.
    async fn connect(&self) -> Result<(DB::Connection, Option<i64>), Fault> {
        let mut connection = self.options.connect().await?;
        let number = self.greet(&mut connection).await?;
        Ok((connection, number))
    }

    async fn greet(&self, connection: &mut DB::Connection) -> Result<Option<i64>, Fault> {
        if self.greeting.is_pooled() {
            // What is set would be another client's.
            return Ok(None);
        }
        self.greeting.greet(connection).await
    }
}

/// Closes the connections that have lain idle for too long, at intervals, until the pool is gone.
async fn reap<DB: Database>(home: Weak<Home<DB>>) {
    loop {
        sleep(IDLE_BEFORE_CLOSE / 2).await;
        let Some(home) = home.upgrade() else {
            return;
        };
        for idle in home.too_old() {
            hang_up(idle.connection).await;
        }
    }
}

impl<DB: Database> Drop for Home<DB> {
    fn drop(&mut self) {
        if let Some(reaper) = self.reaper().take() {
            reaper.abort();
        }
    }
}

impl<DB: Database> fmt::Debug for Home<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.permits.available_permits();
        write!(f, "{free} of {} {} connections free", self.most, DB::NAME)
    }
}

impl<DB: Database> Home<DB> {
    /// Waits for the right to a connection.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        let _counted = Waiting::among(&self.waiting);
        Arc::clone(&self.permits).acquire_owned().await
    }

    /// What there is to be done behind a pooler; None where there is no pooler.
    fn behind_a_pooler(&self) -> Result<Option<BehindAPooler>, Fault> {
        if !self.greeting.is_pooled() {
            return Ok(None);
        }
        match &self.greeting.behind_a_pooler {
            Some(beginning) => Ok(Some(BehindAPooler {
                beginning: Arc::clone(beginning),
                is_in_transaction: false,
            })),
            None => Err(Fault::unavailable(pooler::noticed(None))),
        }
    }

    fn all_in_use(&self) -> Fault {
        Fault::unavailable(format!("all {} database connections are in use", self.most))
    }

    fn reaper(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        // Nothing panics while it holds the lock.
        self.reaper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out those that have lain idle for too long. The one that was used last stays for the
    /// next client.
    fn too_old(&self) -> Vec<Idle<DB>> {
        let mut idle = self.idle();
        let last = idle.len().saturating_sub(1);
        let old = |one: &Idle<DB>| one.since.elapsed() >= IDLE_BEFORE_CLOSE;
        // They lie in the order in which they were given back.
        let too_old = idle.iter().take_while(|one| old(one)).count();
        idle.drain(..too_old.min(last)).collect()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        // Nothing panics while it holds the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits, and is counted until it is dropped: because it waits no more, or gave up.
struct Waiting<'n>(&'n AtomicUsize);

impl<'n> Waiting<'n> {
    fn among(number: &'n AtomicUsize) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is out. Closed when it is dropped, unless it was given back.
pub(super) struct PooledConnection<DB: Database> {
    connection: Option<DB::Connection>,
    /// The engine's own number for it, once somebody has asked.
    pub(super) number: Option<i64>,
    /// None where no pooler is in between.
    pub(super) behind_a_pooler: Option<BehindAPooler>,
    home: Arc<Home<DB>>,
    _permit: OwnedSemaphorePermit,
}

impl<DB: Database> PooledConnection<DB> {
    /// The connection.
    ///
    /// # Errors
    /// Unavailable once it was given back.
    pub(super) fn get(&mut self) -> Result<&mut DB::Connection, Fault> {
        self.connection
            .as_mut()
            .ok_or_else(|| Fault::unavailable("the connection was given back"))
    }

    /// What its pool tells and asks.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.home.greeting
    }

    /// Takes the connection out of the pool for good: it is closed when it is dropped.
    ///
    /// # Errors
    /// Unavailable once it was given back.
    pub(super) fn detach(mut self) -> Result<DB::Connection, Fault> {
        self.connection
            .take()
            .ok_or_else(|| Fault::unavailable("the connection was given back"))
    }

    /// Gives a connection back that is in the middle of nothing, for the next client.
    pub(super) fn give_back(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.home.idle().push(Idle {
            connection,
            number: self.number,
            since: Instant::now(),
        });
    }
}

impl<DB: Database> fmt::Debug for PooledConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of: {:?}", self.home)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Sqlite;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    fn pool(most: u32) -> Pool<Sqlite> {
        let options = SqliteConnectOptions::new().in_memory(true);
        Pool::new(options, Greeting::default(), most, Duration::from_secs(20))
    }

    async fn give_back_three(pool: &Pool<Sqlite>) {
        let mut out = Vec::new();
        for _ in 0..3 {
            out.push(pool.acquire().await.unwrap());
        }
        for connection in &mut out {
            connection.give_back();
        }
    }

    #[tokio::test]
    async fn all_but_one_connection_of_an_idle_pool_are_closed() {
        let pool = pool(3);
        give_back_three(&pool).await;
        assert_eq!(pool.usage().idle, 3);
        // Opening them takes threads, of which the clock knows nothing.
        tokio::time::pause();
        sleep(IDLE_BEFORE_CLOSE - Duration::from_secs(1)).await;
        assert_eq!(pool.usage().idle, 3);
        sleep(IDLE_BEFORE_CLOSE).await;
        assert_eq!(pool.usage().idle, 1);
        sleep(IDLE_BEFORE_CLOSE * 3).await;
        assert_eq!(pool.usage().idle, 1);
    }

    #[tokio::test]
    async fn nobody_reaps_where_the_pool_is_gone() {
        let pool = pool(3);
        give_back_three(&pool).await;
        let reaper = pool.home.reaper().clone().unwrap();
        assert!(!reaper.is_finished());
        drop(pool);
        while !reaper.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_pool_beside_another_has_connections_of_its_own() {
        let one = pool(1);
        let two = one.beside(2);
        let _out = one.acquire().await.unwrap();
        assert!(one.is_exhausted());
        assert!(!two.is_exhausted());
        two.acquire().await.unwrap().give_back();
        let together = one.usage() + two.usage();
        assert_eq!((together.in_use, together.idle, together.limit), (1, 1, 3));
    }
}
