//! One way to make a deposit: its facts, and how a deposit is made with it.

use std::pin::Pin;
use std::time::Duration;

use super::{
    Delay, Deposit, Failure, LongDelay, Memory, Pace, Receipt, Refusal, Retry, STRATEGIES,
};
use crate::engine::{Database, Engine, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;

/// What a strategy's function returns.
pub type Depositing<'f> = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send + 'f>>;

/// One way to make a deposit, as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name, which is also its endpoint.
    pub name: &'static str,
    /// How long it thinks.
    pub delay: Delay,
    /// Whose deposits it commits together.
    pub commits: Commits,
    /// What its file says about it.
    pub card: &'static Card,
    /// The function itself; for a deposit that comes alone.
    pub deposit: for<'f> fn(&'f mut Session<'_>, &'f Deposit, &'f Memory) -> Depositing<'f>,
    /// What is expected where each client has an instance of the service to itself; none where it is what
    /// the card expects, because an instance's memory plays no part.
    pub apart: Option<&'static [Expectation]>,
}

/// Whose deposits are in a transaction with whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// Each deposit is made in a session of its own.
    Alone,
    /// The instance's writer for the account makes those that wait at the same time, in a session of its own.
    Together,
}

impl Strategy {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|strategy| strategy.name == name)
    }

    /// By how many instances of the service it is worth being shown: one for all of so many clients and,
    /// where that makes a difference, one for each.
    pub fn instances(&self, clients: usize) -> Vec<usize> {
        match self.apart {
            Some(_) if clients > 1 => vec![1, clients],
            _ => vec![1],
        }
    }

    /// What is expected on this engine of so many instances.
    pub fn expected_on(&self, engine: &Engine, instances: usize) -> Option<&'static Expectation> {
        match self.apart {
            Some(apart) if instances > 1 => Expectation::on(engine, apart),
            _ => self.card.expected_on(engine),
        }
    }

    /// Whether nothing may ever be lost by so many instances on this engine.
    pub fn must_be_safe_on(&self, engine: &Engine, instances: usize) -> bool {
        let expected = self.expected_on(engine, instances);
        expected.is_some_and(Expectation::is_safe)
    }

    /// Whether it depends on the engine's clock. Its own source says so: there is no second place that
    /// could be forgotten.
    pub(super) fn looks_at_the_clock(&self) -> bool {
        self.card.source.contains("UNIX_TIMESTAMP()")
    }

    /// How a deposit is going to let time pass.
    pub fn pace(&self, long: &LongDelay, retry: Retry) -> Pace {
        Pace {
            think: match self.delay {
                Delay::None => Duration::ZERO,
                Delay::Long => long.draw(),
            },
            pauses: retry.pauses(),
        }
    }

    /// Makes one deposit on a connection from the pool: one client, one session, from its first
    /// step to its last. `memory` is that of the instance that makes it. Where the instance's writer
    /// makes it, the caller holds no connection meanwhile, and `observer` sees the steps of the whole
    /// batch, once they have happened.
    ///
    /// # Errors
    /// The refusal, and whether it left anything behind. No retry hides a refusal, unless retrying is
    /// what the strategy is about.
    pub async fn perform(
        &self,
        database: &Database,
        deposit: &Deposit,
        memory: &Memory,
        pace: Pace,
        observer: &dyn Observer,
    ) -> Result<Receipt, Failure> {
        if self.commits == Commits::Together {
            let writer = memory.writer(database, deposit.account);
            return writer.make(*deposit, pace, observer).await;
        }
        let session = database
            .session(observer)
            .await
            .map_err(Failure::before_the_first_step)?;
        let session = session.thinking(pace.think).pausing(pace.pauses);
        self.perform_in(session, deposit, memory).await
    }

    /// As [`perform`](Self::perform), in a session that is there already.
    ///
    /// # Errors
    /// As [`perform`](Self::perform).
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        deposit: &Deposit,
        memory: &Memory,
    ) -> Result<Receipt, Failure> {
        let result = (self.deposit)(&mut session, deposit, memory).await;
        let kept = session.end().await;
        result.map_err(|refusal| Failure::new(refusal, kept))
    }
}
