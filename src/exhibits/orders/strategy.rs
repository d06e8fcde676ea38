//! One way to write an order: its facts, and how an order is written with it.

use std::pin::Pin;
use std::time::Duration;

use super::{Failure, Order, Pair, Receipt, Refusal, STRATEGIES};
use crate::engine::{Database, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;
use crate::verdict::Outcome;

/// The future that a strategy's function returns.
type WriteFuture<'f> = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send + 'f>>;

/// One way to write an order: an entry of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name, which is also its endpoint.
    pub name: &'static str,
    /// Its name among the strategies of all exhibits.
    pub full_name: &'static str,
    /// What its file says about it. The expectations are for two writers.
    pub card: &'static Card,
    /// What is expected of one writer and the consumer.
    pub beside_the_consumer: &'static [Expectation],
    /// The tables into which it writes.
    pub pair: &'static Pair,
    /// The number of lines of an order in the explorer.
    pub lines_explored: usize,
    /// The function itself.
    pub write: for<'f> fn(&'f mut Session<'_>, &'f Order) -> WriteFuture<'f>,
}

impl Strategy {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|strategy| strategy.name == name)
    }

    /// Writes one order on a connection from the pool, into a book that is
    /// [open](super::books::open). `pauses` has the pause before each further attempt, and its
    /// length limits the attempts.
    pub async fn perform(
        &self,
        database: &Database,
        order: &Order,
        pauses: Vec<Duration>,
        observer: &dyn Observer,
    ) -> Result<Receipt, Failure> {
        let session = database.session(observer).await?;
        self.perform_in(session.pausing(pauses), order).await
    }

    /// As [`perform`](Self::perform), in a session that is open already.
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        order: &Order,
    ) -> Result<Receipt, Failure> {
        let result = (self.write)(&mut session, order).await;
        let kept = session.end().await;
        result.map_err(|refusal| Failure {
            refusal,
            outcome: Outcome::of_what_was_kept(kept),
        })
    }
}
