//! A pool of connections. It hands out the connections that were given back to it. One that is
//! merely dropped is closed.
//!
//! sqlx has a pool, and this one is here for two reasons. sqlx's pool pings the server each time a
//! connection is returned. That costs every request a round trip, although the session knows better
//! than any ping whether its connection is clean. And if no server listens, sqlx's pool tries again
//! until the time is up, and then says only that it was. This one says at once what is wrong.

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
use super::greeting::{Greeting, TextProtocol};
use super::pooler::{self, BehindAPooler};

/// Closes a connection that has done its work. Errors do not matter any more: a server that speaks
/// TLS may hang up first.
pub(super) async fn hang_up(connection: impl Connection) {
    let _ = connection.close().await;
}

/// How a pool's connections are used at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that a client has, or is about to get.
    pub in_use: usize,
    /// Connections that are open and free.
    pub idle: usize,
    /// The largest number of connections.
    pub limit: usize,
    /// Clients that queue for a connection.
    pub waiting: usize,
}

impl Add for PoolUse {
    type Output = Self;

    /// The use of two pools together.
    fn add(self, other: Self) -> Self {
        Self {
            in_use: self.in_use + other.in_use,
            idle: self.idle + other.idle,
            limit: self.limit + other.limit,
            waiting: self.waiting + other.waiting,
        }
    }
}

/// Connections to one database, up to a limit.
#[derive(Debug)]
pub(super) struct Pool<DB: Database> {
    shared: Arc<Shared<DB>>,
}

/// What a pool shares with the connections that it has handed out.
struct Shared<DB: Database> {
    options: <DB::Connection as Connection>::Options,
    /// What every new connection is told and asked first.
    greeting: Arc<Greeting>,
    most: u32,
    acquire_timeout: Duration,
    permits: Arc<Semaphore>,
    /// How many clients wait for a permit.
    waiting: AtomicUsize,
    /// The connection that was used last is taken first, so that the others grow old and are
    /// closed.
    idle: Mutex<Vec<IdleConnection<DB>>>,
    /// The task that closes connections that were idle for too long. It ends with the pool.
    reaper: Mutex<Option<AbortHandle>>,
}

struct IdleConnection<DB: Database> {
    connection: DB::Connection,
    number: Option<i64>,
    since: Instant,
}

/// A connection that was idle for this long is pinged before it is used: often enough to survive a
/// restart of the database, and seldom enough to cost a busy lab nothing.
const IDLE_BEFORE_PING: Duration = Duration::from_secs(1);

/// A connection that was idle for this long is closed, so that other programs can have it.
const IDLE_BEFORE_CLOSE: Duration = Duration::from_secs(60);

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<DB: Database<Connection: TextProtocol>> Pool<DB> {
    /// An empty pool: connects to nothing yet.
    pub(super) fn new(
        options: <DB::Connection as Connection>::Options,
        greeting: impl Into<Arc<Greeting>>,
        most: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
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

    /// A pool of at most this number of other connections to the same database. They get the same
    /// greeting, and a pooler that one of the two pools notices is known to both.
    pub(super) fn beside(&self, most: u32) -> Self {
        let shared = &self.shared;
        Self::new(
            shared.options.clone(),
            Arc::clone(&shared.greeting),
            most,
            shared.acquire_timeout,
        )
    }

    /// Starts the task that closes idle connections, unless it was started before.
    fn reap_from_now_on(&self) {
        let mut reaper = self.shared.reaper();
        if reaper.is_none() {
            let reaping = tokio::spawn(reap(Arc::downgrade(&self.shared)));
            *reaper = Some(reaping.abort_handle());
        }
    }

    /// A connection that is clean and alive.
    ///
    /// # Errors
    /// Unavailable if all are in use, or if the database does not answer in time.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<DB>, Fault> {
        let shared = &self.shared;
        let deadline = Instant::now() + shared.acquire_timeout;
        let Ok(permit) = timeout_at(deadline, shared.permit()).await else {
            return Err(shared.all_in_use());
        };
        let permit = permit.map_err(|_closed| Fault::unavailable("the lab is closing"))?;
        self.reap_from_now_on();
        let found = timeout_at(deadline, async {
            match self.live_idle().await {
                Some(idle) => Ok((idle.connection, idle.number)),
                None => shared.connect().await,
            }
        });
        let (connection, number) = found
            .await
            .unwrap_or_else(|_elapsed| Err(Fault::unavailable("the database does not answer")))?;
        Ok(PooledConnection {
            connection: Some(connection),
            number,
            behind_a_pooler: shared.behind_a_pooler()?,
            shared: Arc::clone(shared),
            _permit: permit,
        })
    }

    /// Takes in the connection over which the server was asked about itself. Where a user may have
    /// only one, a second one would be refused until the server has noticed that the first is gone.
    pub(super) async fn adopt(&self, mut connection: DB::Connection) -> Result<(), Fault> {
        let number = self.shared.greet(&mut connection).await?;
        self.reap_from_now_on();
        self.shared.idle().push(IdleConnection {
            connection,
            number,
            since: Instant::now(),
        });
        Ok(())
    }

    /// An idle connection that is alive. None if there is none.
    async fn live_idle(&self) -> Option<IdleConnection<DB>> {
        loop {
            let mut idle = self.shared.idle().pop()?;
            if idle.since.elapsed() < IDLE_BEFORE_PING {
                return Some(idle);
            }
            let greeting = &self.shared.greeting;
            if greeting
                .is_as_it_was(&mut idle.connection, idle.number)
                .await
            {
                return Some(idle);
            }
            // The others were idle for longer, and were cut off by the same event.
            self.shared.idle().clear();
        }
    }

    /// What every new connection is told and asked.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.shared.greeting
    }

    /// Whether every connection is handed out, so that the next client has to wait for one.
    pub(super) fn is_exhausted(&self) -> bool {
        self.shared.permits.available_permits() == 0
    }

    /// How the connections are used right now.
    pub(super) fn usage(&self) -> PoolUse {
        let shared = &self.shared;
        let limit = usize::try_from(shared.most).unwrap_or(usize::MAX);
        PoolUse {
            in_use: limit.saturating_sub(shared.permits.available_permits()),
            idle: shared.idle().len(),
            limit,
            waiting: shared.waiting.load(Ordering::Relaxed),
        }
    }

    /// Waits until all connections are given back, and closes them. No client gets one any more.
    pub(super) async fn close(&self) {
        // Fails if it is closed already.
        let _ = self
            .shared
            .permits
            .acquire_many(self.shared.most)
            .await
            .map(|all| all.forget());
        self.shared.permits.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        for one in idle {
            hang_up(one.connection).await;
        }
    }
}

impl<DB: Database<Connection: TextProtocol>> Shared<DB> {
    /// A new connection, and the engine's number for it.
    async fn connect(&self) -> Result<(DB::Connection, Option<i64>), Fault> {
        let mut connection = self.options.connect().await?;
        let number = self.greet(&mut connection).await?;
        Ok((connection, number))
    }

    async fn greet(&self, connection: &mut DB::Connection) -> Result<Option<i64>, Fault> {
        if self.greeting.is_pooled() {
            // What is set for one connection would hold for another client.
            return Ok(None);
        }
        self.greeting.greet(connection).await
    }
}

/// Closes the connections that were idle for too long, at intervals, until the pool is gone.
async fn reap<DB: Database>(shared: Weak<Shared<DB>>) {
    loop {
        sleep(IDLE_BEFORE_CLOSE / 2).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        for idle in shared.too_old() {
            hang_up(idle.connection).await;
        }
    }
}

impl<DB: Database> Drop for Shared<DB> {
    fn drop(&mut self) {
        if let Some(reaper) = self.reaper().take() {
            reaper.abort();
        }
    }
}

impl<DB: Database> fmt::Debug for Shared<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.permits.available_permits();
        write!(f, "{free} of {} {} connections free", self.most, DB::NAME)
    }
}

impl<DB: Database> Shared<DB> {
    /// Waits for the right to a connection.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        let _ticket = QueueTicket::take(&self.waiting);
        Arc::clone(&self.permits).acquire_owned().await
    }

    /// What is to be done behind a pooler. None if there is no pooler.
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

    /// Takes out the connections that were idle for too long. The one that was used last stays for
    /// the next client.
    fn too_old(&self) -> Vec<IdleConnection<DB>> {
        let mut idle = self.idle();
        let last = idle.len().saturating_sub(1);
        let old = |one: &IdleConnection<DB>| one.since.elapsed() >= IDLE_BEFORE_CLOSE;
        // They are in the order in which they were given back.
        let too_old = idle.iter().take_while(|one| old(one)).count();
        idle.drain(..too_old.min(last)).collect()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<IdleConnection<DB>>> {
        // Nothing panics while it holds the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one waiting client until it is dropped: when the client has a permit, or gives up.
struct QueueTicket<'n>(&'n AtomicUsize);

impl<'n> QueueTicket<'n> {
    fn take(number: &'n AtomicUsize) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Drop for QueueTicket<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is handed out. It is closed when it is dropped, unless it was given back.
pub(super) struct PooledConnection<DB: Database> {
    connection: Option<DB::Connection>,
    /// The engine's own number for it, if it was asked.
    pub(super) number: Option<i64>,
    /// None if no pooler is in between.
    pub(super) behind_a_pooler: Option<BehindAPooler>,
    shared: Arc<Shared<DB>>,
    _permit: OwnedSemaphorePermit,
}

impl<DB: Database> PooledConnection<DB> {
    /// The connection, unless it was given back.
    pub(super) fn get(&mut self) -> Result<&mut DB::Connection, Fault> {
        self.connection
            .as_mut()
            .ok_or_else(|| Fault::unavailable("the connection was given back"))
    }

    /// What its pool tells and asks every new connection.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.shared.greeting
    }

    /// Takes the connection out of the pool for good: it is closed when it is dropped.
    pub(super) fn detach(&mut self) -> Result<DB::Connection, Fault> {
        self.connection
            .take()
            .ok_or_else(|| Fault::unavailable("the connection was given back"))
    }

    /// Gives the connection back for the next client. It must not be in the middle of anything.
    pub(super) fn give_back(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.shared.idle().push(IdleConnection {
            connection,
            number: self.number,
            since: Instant::now(),
        });
    }
}

impl<DB: Database> fmt::Debug for PooledConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of: {:?}", self.shared)
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
        // Only now: opening them takes threads, for which a paused clock does not wait.
        tokio::time::pause();
        sleep(IDLE_BEFORE_CLOSE - Duration::from_secs(1)).await;
        assert_eq!(pool.usage().idle, 3);
        sleep(IDLE_BEFORE_CLOSE).await;
        assert_eq!(pool.usage().idle, 1);
        sleep(IDLE_BEFORE_CLOSE * 3).await;
        assert_eq!(pool.usage().idle, 1);
    }

    #[tokio::test]
    async fn the_reaper_ends_with_the_pool() {
        let pool = pool(3);
        give_back_three(&pool).await;
        let reaper = pool.shared.reaper().clone().unwrap();
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
