//! A client that does something in a session of its own, one step at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use racy::engine::{ConnectionId, Database, Session};
use racy::exhibits::deposits::{Failure, Memory, Receipt, Retry, Strategy};
use tokio::sync::oneshot;

use super::lab::DEPOSIT;
use super::stepper::Stepper;
use super::until;

/// A client in a session: of a deposit of 100 into account 1, unless it is given other work.
#[derive(Debug)]
pub struct Client<T = Result<Receipt, Failure>> {
    database: Database,
    connection: Option<ConnectionId>,
    steps: Stepper<T>,
}

/// What a client does in its session.
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
    /// Starts a client that does this work; it parks before its first step.
    pub async fn start_with(
        database: &Database,
        work: impl for<'s> FnOnce(Session<'s>) -> Work<'s, T> + Send + 'static,
    ) -> Self {
        let (connected, connection) = oneshot::channel();
        let database = database.clone();
        let steps = Stepper::start({
            let database = database.clone();
            move |gate| async move {
                let mut session = database.session(&gate).await.unwrap();
                let _ = connected.send(session.connection_id().await.unwrap());
                work(session).await
            }
        });
        Self {
            database,
            connection: connection.await.unwrap(),
            steps,
        }
    }

    /// The number of its connection, which the engine must give it.
    pub fn connection(&self) -> ConnectionId {
        self.connection.unwrap()
    }

    /// See [`Stepper::next_step`].
    pub async fn next_step(&mut self) -> Option<&str> {
        self.steps.next_step().await
    }

    /// See [`Stepper::go`].
    pub async fn go(&mut self) {
        self.steps.go().await;
    }

    /// See [`Stepper::go_to`].
    pub async fn go_to(&mut self, label: &str) {
        self.steps.go_to(label).await;
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

    /// See [`Stepper::finish`].
    pub async fn finish(self) -> T {
        self.steps.finish().await
    }

    /// See [`Stepper::drop_here`].
    pub async fn drop_here(self) {
        self.steps.drop_here().await;
    }
}
