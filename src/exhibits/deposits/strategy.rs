//! One way to make a deposit: its facts, and how a deposit is made with it.

use std::pin::Pin;
use std::time::Duration;

use super::{
    Delay, Deposit, Failure, LongDelay, Memory, Pace, Receipt, Refusal, Retry, STRATEGIES,
};
use crate::engine::{Database, Session};
use crate::exhibits::Setting;
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;

/// The future that a strategy's function returns.
pub type DepositFuture<'f> = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send + 'f>>;

/// One way to make a deposit: an entry of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name, which is also its endpoint.
    pub name: &'static str,
    /// Its delay between reading and writing.
    pub delay: Delay,
    /// How its deposits are grouped into transactions.
    pub commits: Commits,
    /// What its file says about it.
    pub card: &'static Card,
    /// The function itself, which makes one deposit.
    pub deposit: for<'f> fn(&'f mut Session<'_>, &'f Deposit, &'f Memory) -> DepositFuture<'f>,
    /// What is expected if each client uses an instance of its own. None if that makes no
    /// difference, because the strategy does not use an instance's memory.
    pub apart: Option<&'static [Expectation]>,
}

/// How deposits are grouped into transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// Each deposit has a session and a transaction of its own.
    Alone,
    /// The instance's writer for the account makes all deposits that wait at the same time, in a
    /// session of its own.
    Together,
}

impl Strategy {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|strategy| strategy.name == name)
    }

    /// The setting in which it is explored and shown.
    pub fn setting(&self) -> Setting {
        Setting {
            expected_apart: self.apart,
            ..Setting::alone(self.card.expected)
        }
    }

    /// Whether it reads the engine's clock. Its own source tells, so there is no second place that
    /// could be forgotten.
    pub(super) fn reads_the_clock(&self) -> bool {
        self.card.source.contains("UNIX_TIMESTAMP()")
    }

    /// How one deposit with this strategy lets time pass.
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
    /// step to its last. `memory` belongs to the instance that makes the deposit. If the instance's
    /// writer makes it, the caller holds no connection meanwhile, and `observer` sees the steps of
    /// the whole batch after they have happened.
    ///
    /// # Errors
    /// The refusal, and what the deposit left behind. No retry hides a refusal, unless retrying is
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
        let paced = session.thinking(pace.think).pausing(pace.pauses);
        self.perform_in(paced, deposit, memory).await
    }

    /// As [`perform`](Self::perform), in a session that is open already.
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
