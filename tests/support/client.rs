//! The step gate: a client that runs a strategy and parks before each step until the test lets it go
//! on. It is how the tests put clients into an order without ever sleeping.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use racy::engine::{ConnectionId, Database, Session};
use racy::exhibits::deposits::{Failure, Memory, Receipt, Retry, Strategy};
use racy::step::{Observer, Parked, Record, Step};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lab::DEPOSIT;
use super::until;

/// Parks whoever it observes before each step, and tells the test.
#[derive(Debug, Clone)]
pub struct Gate {
    arrivals: mpsc::UnboundedSender<Arrived>,
}

/// Somebody stands before a step.
#[derive(Debug)]
pub struct Arrived {
    pub label: Cow<'static, str>,
    go: oneshot::Sender<()>,
}

impl Arrived {
    /// Lets it happen.
    pub fn go(self) {
        let _ = self.go.send(());
    }
}

/// Whoever arrives at a gate, in the order of arrival.
#[derive(Debug)]
pub struct Arrivals(mpsc::UnboundedReceiver<Arrived>);

impl Arrivals {
    /// Waits for the next one; none where nobody can come any more. Somebody who should come and
    /// does not is a failure, not a hang.
    pub async fn next(&mut self) -> Option<Arrived> {
        timeout(Duration::from_secs(20), self.0.recv())
            .await
            .unwrap_or_else(|_| panic!("nobody came to the gate"))
    }

    /// Whether nobody stands at the gate right now.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets everybody through from now on.
    pub fn let_all_through(mut self) -> JoinHandle<()> {
        tokio::spawn(async move {
            while let Some(arrived) = self.0.recv().await {
                arrived.go();
            }
        })
    }
}

impl Gate {
    pub fn new() -> (Self, Arrivals) {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        (Self { arrivals }, Arrivals(arrived))
    }
}

impl Observer for Gate {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        let (go, gone) = oneshot::channel();
        let label = step.label.clone();
        let _ = self.arrivals.send(Arrived { label, go });
        Box::pin(async move {
            // Where the test is over, nobody is held up.
            let _ = gone.await;
        })
    }

    fn after(&self, _record: &Record) {}
}

/// A client that does something in a session, one step at a time: a deposit of 100 into account 1,
/// unless it is told otherwise.
#[derive(Debug)]
pub struct Client<T = Result<Receipt, Failure>> {
    database: Database,
    arrived: Arrivals,
    parked: Option<Arrived>,
    run: JoinHandle<T>,
    connection: Option<ConnectionId>,
}

/// What a client does.
pub type Work<'s, T> = Pin<Box<dyn Future<Output = T> + Send + 's>>;

impl Client {
    /// Starts a client of an instance of its own; it parks before its first step.
    pub async fn start(database: &Database, strategy: &'static Strategy) -> Self {
        Self::start_at(&Arc::default(), database, strategy).await
    }

    /// Starts a client of the instance that has this memory.
    pub async fn start_at(
        memory: &Arc<Memory>,
        database: &Database,
        strategy: &'static Strategy,
    ) -> Self {
        let memory = Arc::clone(memory);
        Self::start_with(database, move |session| {
            let session = session
                .thinking(Duration::ZERO)
                .pausing(Retry::pauses_in_no_time());
            Box::pin(async move { strategy.perform_in(session, &DEPOSIT, &memory).await })
        })
        .await
    }
}

impl<T: Send + 'static> Client<T> {
    /// Starts a client that does this; it parks before its first step.
    pub async fn start_with(
        database: &Database,
        work: impl for<'s> FnOnce(Session<'s>) -> Work<'s, T> + Send + 'static,
    ) -> Self {
        let (gate, arrived) = Gate::new();
        let (connected, connection) = oneshot::channel();
        let run = tokio::spawn({
            let database = database.clone();
            async move {
                let mut session = database.session(&gate).await.unwrap();
                let _ = connected.send(session.connection_id().await.unwrap());
                work(session).await
            }
        });
        Self {
            database: database.clone(),
            arrived,
            parked: None,
            run,
            connection: connection.await.unwrap(),
        }
    }

    /// The number of its connection, where the engine numbers them.
    pub fn connection(&self) -> ConnectionId {
        self.connection.unwrap()
    }

    /// Which step it is parked before; none once it is done.
    pub async fn next_step(&mut self) -> Option<&str> {
        if self.parked.is_none() {
            self.parked = self.arrived.next().await;
        }
        self.parked.as_ref().map(|arrived| &*arrived.label)
    }

    /// Lets the step happen that it is parked before, without waiting for its end.
    pub async fn go(&mut self) {
        self.next_step().await;
        self.parked.take().unwrap().go();
    }

    /// Lets steps happen until it is parked before the one with this label.
    pub async fn go_to(&mut self, label: &str) {
        while let Some(next) = self.next_step().await {
            if next == label {
                return;
            }
            self.go().await;
        }
        panic!("it was done before it came to {label:?}");
    }

    /// Lets one step happen that is going to wait for a lock, and returns when the engine's own
    /// tables say that it waits.
    pub async fn go_and_wait_for_lock(&mut self) {
        self.go().await;
        let (database, connection) = (self.database.clone(), self.connection());
        until("the client waits for a lock", || async {
            database.waits_for_lock(connection).await.unwrap()
        })
        .await;
    }

    /// Lets all further steps happen, and returns how it ended.
    pub async fn finish(mut self) -> T {
        while self.next_step().await.is_some() {
            self.go().await;
        }
        self.run.await.unwrap()
    }

    /// Drops the client's future where it stands, as a server does whose client has left.
    pub async fn drop_here(self) {
        self.run.abort();
        let _ = self.run.await;
    }
}
