//! The other side of orders: the program that ships them, while more are being written.

use tokio::task::JoinSet;

use crate::audit::Shipped;
use crate::error::Error;
use crate::ordinary::Client;
use crate::tasks::joined;

/// The consumer of a run's book: it ships once while requests are in flight, to meet half-written
/// orders, and once when all have ended. Where a run makes no orders, it has nothing to do.
#[derive(Debug)]
pub(crate) struct Consumer {
    client: Client,
    /// Its run in between, once that has started.
    in_between: JoinSet<Option<Result<Shipped, Error>>>,
}

/// What the consumer said of its two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// Of the one while requests were in flight.
    pub in_between: Result<Shipped, Error>,
    /// Of the one after all requests had ended.
    pub after: Result<Shipped, Error>,
}

impl Consumer {
    pub(crate) fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            in_between: JoinSet::new(),
        }
    }

    /// Ships what is there now, beside whatever else runs.
    pub(crate) fn start(&mut self) {
        let client = self.client.clone();
        self.in_between.spawn(async move { client.ship().await });
    }

    /// Waits for the run in between, and ships the rest. `None` where there are no orders to ship.
    pub(crate) async fn finish(mut self) -> Option<Consumption> {
        let in_between = joined(self.in_between.join_next().await?)?;
        let after = self.client.ship().await?;
        Some(Consumption { in_between, after })
    }
}
