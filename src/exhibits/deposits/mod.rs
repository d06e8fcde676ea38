//! The first exhibit: deposits. Clients race for an account's balance.
//!
//! Each strategy is a file of its own, to be read top to bottom. Begin with [`non_atomic`]. This
//! file is their registry.
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
//! These only look like a cure:
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
//! Two strategies that differ only in their delay are one function: the delay is a parameter of the
//! lesson.
//!
//! [`keys`] makes a deposit once if its request is sent twice.
//!
//! The invariant of the exhibit is `balance = opening_balance + Σ transactions.amount`. What is
//! missing on the left was lost. A lost deposit that left no transaction either
//! ([`retry_only_statement`]) is missing on both sides, and is seen only in a comparison with the
//! answers. The balance is what the account holds in all places: see
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
//! | `row_locking_atomic_long_delay`, `atomic_update`, `batched` | each other, by the row lock |
//! | `serializable_retry` | those as well: the engine sees every write to the row |
//! | `optimistic_retry` | itself: no other increments the version |
//! | `advisory_lock`, `mutex_in_process` | themselves: no other asks for their lock |
//!
//! (What holds for `atomic_update` holds for `atomic_update_insert_first`.) On SQLite all
//! strategies that begin a transaction are safe with each other. The [keeper](crate::keeper) takes
//! or changes what each of them relies on.

pub mod advisory_lock;
mod anomalies;
pub mod append_only;
pub mod atomic;
pub mod atomic_update;
pub mod batched;
mod deposit;
mod edge;
pub(crate) mod explored;
pub mod key;
pub mod keys;
pub mod lock_after_read;
pub mod lock_without_transaction;
mod memory;
pub mod mutex_in_process;
pub mod non_atomic;
mod once;
pub mod optimistic_retry;
mod pace;
pub mod partitioned;
mod receipt;
mod refusal;
mod retry;
pub mod retry_only_statement;
pub mod retry_same_snapshot;
pub mod row_locking;
pub mod serializable_retry;
mod strategy;
pub mod timestamp_check;
mod writer;

pub use super::Retry;
pub use anomalies::{ANOMALIES, LOST_UPDATE, UNBALANCED};
pub use deposit::Deposit;
pub use explored::EXHIBIT;
pub(crate) use explored::result_of;
pub use keys::{Claim, DepositAnswer, OnceKey};
pub use memory::Memory;
pub use pace::{Delay, LongDelay, Pace};
pub use receipt::{Place, Receipt};
pub use refusal::{Failure, Refusal};
pub use strategy::{Commits, DepositFuture, Strategy};

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
}
