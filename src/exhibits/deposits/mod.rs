//! The first exhibit: deposits, in which clients race for an account's balance.
//!
//! This file is the registry and what all strategies share; each strategy is a file of its own, to
//! be read top to bottom: its idea, why it breaks or holds, what it costs, its card, its code.
//!
//! | file | strategies |
//! |---|---|
//! | [`non_atomic`] | `non_atomic_no_delay`, `non_atomic_long_delay` |
//! | [`atomic`] | `atomic_no_delay`, `atomic_long_delay` |
//! | [`row_locking`] | `row_locking_atomic_long_delay` |
//! | [`atomic_update`] | `atomic_update`, `atomic_update_insert_first` |
//! | [`optimistic_retry`] | `optimistic_retry` |
//! | [`serializable_retry`] | `serializable_retry` |
//! | [`append_only`] | `append_only` |
//! | [`partitioned`] | `partitioned` |
//! | [`advisory_lock`] | `advisory_lock` |
//! | [`batched`] | `batched`, whose deposits go through the instance's `writer` for the account |
//!
//! Those that only look like a fix:
//!
//! | file | strategy |
//! |---|---|
//! | [`lock_without_transaction`] | `lock_without_transaction` |
//! | [`lock_after_read`] | `lock_after_read` |
//! | [`retry_same_snapshot`] | `retry_same_snapshot` |
//! | [`timestamp_check`] | `timestamp_check` |
//! | [`retry_only_statement`] | `retry_only_statement` |
//! | [`mutex_in_process`] | `mutex_in_process` |
//!
//! A pair that differs only in its delay is one function: the delay is a parameter of the lesson.
//!
//! [`keys`] is about making a deposit once that is sent twice.
//!
//! The invariant of the exhibit: `balance = opening_balance + Σ transactions.amount`. What is
//! missing on the left was lost. What left no transaction either ([`retry_only_statement`]) is missing on both sides,
//! and seen only by who compares with the answers. The balance is what the account holds in all places: see
//! [`Account`](crate::accounts::Account).
//!
//! ## Several strategies in one account
//!
//! A strategy keeps out only deposits that rely on the same thing as its own. Two strategies that
//! are safe alone may lose updates to each other. At the default levels of InnoDB and PostgreSQL,
//! all schedules of two clients show this:
//!
//! | these | are safe with |
//! |---|---|
//! | `append_only`, `partitioned` | all that are safe alone: no other writes what they write |
//! | `row_locking_atomic_long_delay`, `atomic_update`, `atomic_update_insert_first`, `batched` | each other: all rely on the row |
//! | `serializable_retry` | those as well: the engine sees who writes the row |
//! | `optimistic_retry`, `advisory_lock`, `mutex_in_process` | themselves: no other counts the version up or asks for their lock |
//!
//! On SQLite all that begin a transaction are safe with each other. The [keeper](crate::keeper)
//! takes or changes what each of them relies on.

pub mod advisory_lock;
pub mod append_only;
pub mod atomic;
pub mod atomic_update;
pub mod batched;
mod edge;
pub(crate) mod explored;
pub mod key;
pub mod keys;
pub mod lock_after_read;
pub mod lock_without_transaction;
mod memory;
pub mod mutex_in_process;
pub mod non_atomic;
pub mod optimistic_retry;
pub mod partitioned;
pub mod retry;
pub mod retry_only_statement;
pub mod retry_same_snapshot;
pub mod row_locking;
pub mod serializable_retry;
pub mod timestamp_check;
mod writer;

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Database, Engine, Fault, FaultKind, Kept, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;
pub use crate::verdict::{Outcome, Verdict};
pub use keys::{Claim, Made, Once};
pub use memory::Memory;
pub use retry::Retry;

/// What a client asks for: add an amount to an account's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// The account's number.
    pub account: i64,
    /// What is to be added; not negative.
    pub amount: i64,
    /// The claim to the key that the client has given it; none where it has given none.
    pub claim: Option<Claim>,
}

impl Deposit {
    /// Commits the deposit's transaction, and in it the answer, where the deposit has a key: either both
    /// are kept, or none. This is how a strategy with a transaction ends.
    ///
    /// # Errors
    /// The refusal of the commit; or that somebody has taken the claim to the key over, and
    /// nothing may be kept.
    async fn commit(&self, s: &mut Session<'_>, receipt: Receipt) -> Result<Receipt, Refusal> {
        if let Some(claim) = self.claim {
            claim.answer(s, &receipt).await?;
        }
        s.commit().await?;
        Ok(receipt)
    }

    /// Stores the answer, where the deposit has a key, for a strategy without a transaction: by a
    /// statement of its own, and *before* anything is written. Whoever is cut off afterwards has made
    /// the deposit at most once, and perhaps not at all, or in part.
    ///
    /// # Errors
    /// The refusal of the statement; or that somebody has taken the claim to the key over.
    async fn answer_first(&self, s: &mut Session<'_>, receipt: &Receipt) -> Result<(), Refusal> {
        if let Some(claim) = self.claim {
            let stored = claim.answer(s, receipt).await;
            // Of the deposit itself nothing is kept yet.
            if s.kept() == Kept::Something {
                s.count_anew();
            }
            return stored;
        }
        Ok(())
    }

    /// The same deposit, to be made under this claim.
    fn under(&self, claim: Claim) -> Self {
        Self {
            claim: Some(claim),
            ..*self
        }
    }

    /// The balance after the deposit.
    ///
    /// # Errors
    /// [`Refusal::Overflow`] where it would not fit the column.
    pub fn added_to(&self, balance: i64) -> Result<i64, Refusal> {
        balance.checked_add(self.amount).ok_or(Refusal::Overflow {
            balance: balance.into(),
        })
    }

    /// Why an `UPDATE` that adds to a balance small enough has matched no row.
    async fn why_not_added(&self, s: &mut Session<'_>) -> Result<Refusal, Fault> {
        let balance = s
            .read(
                "look why not",
                "SELECT balance FROM accounts WHERE id = ?",
                &[self.account],
            )
            .await?;
        Ok(match balance {
            Some(balance) => Refusal::Overflow {
                balance: balance.into(),
            },
            None => Refusal::UnknownAccount,
        })
    }
}

/// What a strategy says of a deposit that it has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// The balance that was read; null where the strategy reads none.
    pub balance_read: Option<i64>,
    /// The balance that was written; null where the strategy writes none.
    pub balance_written: Option<i64>,
    /// How often it was tried, this last time included.
    pub attempts: u32,
    /// Its place among those it was committed with; only where the strategy commits several together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Place>,
}

/// Which deposit of its batch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Place {
    /// From 1.
    pub number: u32,
    /// How many deposits were committed together.
    pub of: u32,
}

impl Receipt {
    /// A deposit that was made at the first try.
    pub fn at_first_try(balance_read: i64, balance_written: i64) -> Self {
        Self {
            balance_read: Some(balance_read),
            balance_written: Some(balance_written),
            attempts: 1,
            batch: None,
        }
    }

    /// A deposit that was made at the first try, by a strategy that does not know what the account holds.
    pub fn without_a_balance() -> Self {
        Self {
            balance_read: None,
            balance_written: None,
            attempts: 1,
            batch: None,
        }
    }
}

/// Why a strategy did not make a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such account.
    UnknownAccount,
    /// The balance plus the amount is more than a BIGINT holds.
    Overflow {
        /// What the account was found to hold.
        balance: i128,
    },
    /// Every attempt was lost to somebody else.
    GaveUp {
        /// How many there were.
        attempts: u32,
    },
    /// The key under which it was to be made once does not allow it.
    Key(keys::Conflict),
    /// The engine refused.
    Engine(Fault),
}

impl From<Fault> for Refusal {
    /// The one foreign key of the exhibit is a transaction's, and what it lacks then is its account.
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::ForeignKeyViolation => Self::UnknownAccount,
            _ => Self::Engine(fault),
        }
    }
}

/// A deposit that was not acknowledged: why, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why it was not made.
    pub refusal: Refusal,
    /// What became of it; never [`Outcome::Applied`].
    pub outcome: Outcome,
}

impl Failure {
    fn new(refusal: Refusal, kept: Kept) -> Self {
        Self {
            refusal,
            outcome: Outcome::of_what_was_kept(kept),
        }
    }

    /// A deposit for which nothing was begun.
    fn before_the_first_step(fault: Fault) -> Self {
        Self {
            refusal: fault.into(),
            outcome: Outcome::Refused,
        }
    }
}

/// How long a strategy thinks between reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Not at all: the window is as short as the code makes it.
    None,
    /// For a random time within the lab's long delay.
    Long,
}

/// Whose deposits are in a transaction with whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// Each deposit is made in a session of its own.
    Alone,
    /// The instance's writer for the account makes those that wait at the same time, in a session of its own.
    Together,
}

/// The lab's long delay: a range of which each deposit draws its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongDelay(pub RangeInclusive<Duration>);

impl LongDelay {
    fn draw(&self) -> Duration {
        let (shortest, longest) = (self.0.start(), self.0.end());
        shortest.saturating_add(longest.saturating_sub(*shortest).mul_f64(fastrand::f64()))
    }
}

/// How one deposit lets time pass: decided before it begins, so that a strategy needs no clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// How long it thinks.
    pub think: Duration,
    /// How long it pauses before each further attempt, and with that how many there may be.
    pub pauses: Vec<Duration>,
}

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

/// All strategies of the exhibit, in the order in which they are taught.
pub static STRATEGIES: [Strategy; 19] = [
    Strategy {
        name: "non_atomic_no_delay",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &non_atomic::CARD,
        deposit: |s, d, _| Box::pin(non_atomic::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "non_atomic_long_delay",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &non_atomic::CARD,
        deposit: |s, d, _| Box::pin(non_atomic::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "atomic_no_delay",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &atomic::CARD,
        deposit: |s, d, _| Box::pin(atomic::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "atomic_long_delay",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &atomic::CARD,
        deposit: |s, d, _| Box::pin(atomic::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "row_locking_atomic_long_delay",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &row_locking::CARD,
        deposit: |s, d, _| Box::pin(row_locking::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "atomic_update",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &atomic_update::CARD,
        deposit: |s, d, _| Box::pin(atomic_update::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "atomic_update_insert_first",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &atomic_update::INSERT_FIRST_CARD,
        deposit: |s, d, _| Box::pin(atomic_update::deposit_insert_first(s, d)),
        apart: None,
    },
    Strategy {
        name: "optimistic_retry",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &optimistic_retry::CARD,
        deposit: |s, d, _| Box::pin(optimistic_retry::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "serializable_retry",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &serializable_retry::CARD,
        deposit: |s, d, _| Box::pin(serializable_retry::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "append_only",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &append_only::CARD,
        deposit: |s, d, _| Box::pin(append_only::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "partitioned",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &partitioned::CARD,
        deposit: |s, d, _| Box::pin(partitioned::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "advisory_lock",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &advisory_lock::CARD,
        deposit: |s, d, _| Box::pin(advisory_lock::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: batched::NAME,
        delay: Delay::None,
        commits: Commits::Together,
        card: &batched::CARD,
        deposit: |s, d, _| Box::pin(batched::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "lock_without_transaction",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &lock_without_transaction::CARD,
        deposit: |s, d, _| Box::pin(lock_without_transaction::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "lock_after_read",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &lock_after_read::CARD,
        deposit: |s, d, _| Box::pin(lock_after_read::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "retry_same_snapshot",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &retry_same_snapshot::CARD,
        deposit: |s, d, _| Box::pin(retry_same_snapshot::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "timestamp_check",
        delay: Delay::None,
        commits: Commits::Alone,
        card: &timestamp_check::CARD,
        deposit: |s, d, _| Box::pin(timestamp_check::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "retry_only_statement",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &retry_only_statement::CARD,
        deposit: |s, d, _| Box::pin(retry_only_statement::deposit(s, d)),
        apart: None,
    },
    Strategy {
        name: "mutex_in_process",
        delay: Delay::Long,
        commits: Commits::Alone,
        card: &mutex_in_process::CARD,
        deposit: |s, d, memory| Box::pin(mutex_in_process::deposit(s, d, memory)),
        apart: Some(mutex_in_process::APART),
    },
];

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
    fn looks_at_the_clock(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exhibits::card::{EVERY_LEVEL, Mode, POSTGRES_LEVELS, SQLITE_LEVEL};

    #[test]
    fn every_file_explains_itself_and_ships_its_code() {
        for strategy in &STRATEGIES {
            let explanation = strategy.card.explanation();
            assert!(explanation.len() > 300, "{}: {explanation}", strategy.name);
            assert!(strategy.card.source.contains("pub async fn deposit"));
            assert!(!explanation.contains("pub async fn"));
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        for strategy in &STRATEGIES {
            let found = Strategy::named(strategy.name).unwrap();
            assert!(std::ptr::eq(found, strategy));
        }
        assert!(Strategy::named("no_such").is_none());
    }

    #[test]
    fn every_card_speaks_about_every_mode_and_level_once() {
        for strategy in &STRATEGIES {
            for (mode, levels) in [
                (Mode::InnoDb, EVERY_LEVEL),
                (Mode::InnoDbSnapshot, EVERY_LEVEL),
                (Mode::Postgres, POSTGRES_LEVELS),
                (Mode::SqliteWal, SQLITE_LEVEL),
                (Mode::SqliteRollback, SQLITE_LEVEL),
            ] {
                for level in levels {
                    for expected in [Some(strategy.card.expected), strategy.apart] {
                        let said = expected.unwrap_or(strategy.card.expected).iter();
                        let said =
                            said.filter(|it| it.engine == mode && it.isolation.contains(level));
                        assert_eq!(said.count(), 1, "{} {mode:?} {level}", strategy.name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_long_delay_stays_within_its_range() {
        let range = LongDelay(Duration::from_millis(50)..=Duration::from_millis(150));
        for _ in 0..1000 {
            assert!(range.0.contains(&range.draw()));
        }
    }

    #[test]
    fn a_balance_that_would_not_fit_is_refused() {
        let deposit = Deposit {
            account: 1,
            amount: 2,
            claim: None,
        };
        assert_eq!(deposit.added_to(i64::MAX - 2), Ok(i64::MAX));
        assert_eq!(
            deposit.added_to(i64::MAX - 1),
            Err(Refusal::Overflow {
                balance: i128::from(i64::MAX - 1)
            })
        );
    }
}
