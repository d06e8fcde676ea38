//! A transaction that has an account to itself, for a change that must not meet any deposit.
//!
//! It takes the account's named lock first, as the deposits do that rely on it, and locks rows
//! after that. All take the two in this order, so that they cause no deadlock.

use super::{Fault, FaultKind, Flavour, Isolation, Session};
use crate::step::Effect;

/// What begins it, whatever the session's level is.
///
/// Each engine's stock level: a locking read waits there, and then sees what is newest. At a higher
/// level PostgreSQL (40001) and MariaDB with `innodb_snapshot_isolation` (1020) refuse a client
/// that has waited. On a busy account that would happen at every try. On InnoDB, READ COMMITTED
/// would do as well, but not with a statement-based binary log.
struct Begin {
    sql: &'static str,
    level: Isolation,
    effect: Effect,
}

impl Flavour {
    fn begin_alone(self) -> Begin {
        match self {
            Self::MySql | Self::MariaDb => Begin {
                sql: self.begin_at(Isolation::RepeatableRead),
                level: Isolation::RepeatableRead,
                effect: Effect::Local,
            },
            // Without a limit PostgreSQL would wait for ever. Here it waits as long as InnoDB does.
            Self::Postgres => Begin {
                sql: "BEGIN ISOLATION LEVEL READ COMMITTED; \
                      SELECT set_config('lock_timeout', '50s', true) \
                      WHERE current_setting('lock_timeout') = '0'",
                level: Isolation::ReadCommitted,
                effect: Effect::Local,
            },
            Self::Sqlite => Begin {
                sql: self.begin_for_update(),
                level: Isolation::Serializable,
                effect: Effect::Conflicts,
            },
        }
    }
}

impl Session<'_> {
    /// Begins a transaction that holds the account's named lock. Once it locks the account's row as
    /// well, it has the account to itself. After the transaction,
    /// [`unlock_by_name`](Self::unlock_by_name) gives the named lock up.
    ///
    /// # Errors
    /// As the engine refuses; [`FaultKind::LockTimeout`] where others were in the way for too long.
    pub async fn begin_alone(&mut self, account: i64) -> Result<(), Fault> {
        let begun = self.lock_and_begin(account).await;
        // SQLite's session has waited as long as for a lock, in vain.
        begun.map_err(|fault| match fault.kind {
            FaultKind::Busy => Fault {
                kind: FaultKind::LockTimeout,
                ..fault
            },
            _ => fault,
        })
    }

    async fn lock_and_begin(&mut self, account: i64) -> Result<(), Fault> {
        let Begin { sql, level, effect } = self.flavour.begin_alone();
        match self.flavour {
            // The lock is the transaction's.
            Flavour::Postgres => {
                self.begin_with(sql, effect, level).await?;
                self.lock_by_name(account).await?;
            }
            // The lock outlives the transaction. On SQLite, a client that holds it could not write
            // once this transaction has begun, so the lock comes first.
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => {
                self.lock_by_name(account).await?;
                self.begin_with(sql, effect, level).await?;
            }
        }
        Ok(())
    }
}
