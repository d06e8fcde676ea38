//! A transaction that no other client gets between, for a change that must not take part in a race.
//!
//! It takes a named lock first, as other clients that rely on the lock do, and locks rows after
//! that. All clients take the two in this order, so they cause no deadlock.

use super::{Fault, FaultKind, Flavour, Isolation, Session};
use crate::step::Effect;

/// How the transaction begins, whatever the session's isolation level is.
///
/// It has the engine's default level, at which a locking read waits and then sees the newest rows.
/// At a higher level PostgreSQL (40001) and MariaDB with `innodb_snapshot_isolation` (1020) refuse
/// a client that has waited, and among busy clients every attempt would wait. On InnoDB, READ
/// COMMITTED would do as well, but not with a statement-based binary log.
struct BeginAlone {
    sql: &'static str,
    level: Isolation,
    effect: Effect,
}

impl Flavour {
    fn begin_alone(self) -> BeginAlone {
        match self {
            Self::MySql | Self::MariaDb => BeginAlone {
                sql: self.begin_at(Isolation::RepeatableRead),
                level: Isolation::RepeatableRead,
                effect: Effect::Local,
            },
            // PostgreSQL has no limit by default. Here it waits as long as InnoDB does.
            Self::Postgres => BeginAlone {
                sql: "BEGIN ISOLATION LEVEL READ COMMITTED; \
                      SELECT set_config('lock_timeout', '50s', true) \
                      WHERE current_setting('lock_timeout') = '0'",
                level: Isolation::ReadCommitted,
                effect: Effect::Local,
            },
            Self::Sqlite => BeginAlone {
                sql: self.begin_for_update(),
                level: Isolation::Serializable,
                effect: Effect::Conflicts,
            },
        }
    }
}

impl Session<'_> {
    /// Begins a transaction that holds the named lock with this key. When it has locked the row
    /// that the key stands for as well, no other client gets between. After the transaction,
    /// [`unlock_by_name`](Self::unlock_by_name) releases the named lock.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`] if other clients hold a lock for too long.
    pub async fn begin_alone(&mut self, key: i64) -> Result<(), Fault> {
        let begun = self.lock_and_begin(key).await;
        // SQLite's session has waited in vain, for as long as for a lock.
        begun.map_err(|fault| match fault.kind {
            FaultKind::Busy => Fault {
                kind: FaultKind::LockTimeout,
                ..fault
            },
            _ => fault,
        })
    }

    async fn lock_and_begin(&mut self, key: i64) -> Result<(), Fault> {
        let BeginAlone { sql, level, effect } = self.flavour.begin_alone();
        match self.flavour {
            // The lock ends with the transaction, so it is taken inside.
            Flavour::Postgres => {
                self.begin_with(sql, effect, level).await?;
                self.lock_by_name(key).await?;
            }
            // The lock outlives the transaction. It comes first, because on SQLite a client that
            // holds it could not write after this transaction has begun.
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => {
                self.lock_by_name(key).await?;
                self.begin_with(sql, effect, level).await?;
            }
        }
        Ok(())
    }
}
