//! What differs in spelling between the engines. SQL is written once, beside the decision it
//! serves, in MySQL's spelling; here it becomes the engine's own.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

/// Which engine it is, as far as its behaviour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// MySQL with InnoDB.
    MySql,
    /// MariaDB with InnoDB: MySQL's protocol and spelling, other behaviour since 11.6.2.
    MariaDb,
    /// SQLite in WAL mode.
    Sqlite,
}

impl Flavour {
    /// The SQL as this engine wants it.
    pub(super) fn spell(self, sql: &'static str) -> &'static str {
        match self {
            Self::MySql | Self::MariaDb => sql,
            // SQLite has no row locks and no clause to ask for one. Whoever needs the lock has
            // taken the whole database with `begin_for_update`.
            Self::Sqlite => sql.strip_suffix(" FOR UPDATE").unwrap_or(sql),
        }
    }

    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::MySql | Self::MariaDb => "START TRANSACTION",
            Self::Sqlite => "BEGIN",
        }
    }

    /// Begins a transaction that is going to write what it reads first.
    pub(super) fn begin_for_update(self) -> &'static str {
        match self {
            Self::MySql | Self::MariaDb => self.begin(),
            // A deferred transaction that has read cannot wait for the write lock, it is refused;
            // one that takes the lock before its first read waits its turn.
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
            Self::Sqlite => "SQLite",
        })
    }
}

/// The four isolation levels of the SQL standard.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Reads see what others have not committed yet.
    ReadUncommitted,
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All reads of a transaction see one snapshot. InnoDB's default.
    RepeatableRead,
    /// As if one transaction ran after the other. SQLite's only level.
    Serializable,
}

impl Isolation {
    /// As SQL spells it, e.g. `REPEATABLE READ`.
    pub fn sql(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "READ UNCOMMITTED",
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}

impl FromStr for Isolation {
    type Err = String;

    /// Reads what InnoDB's `@@transaction_isolation` answers, e.g. `REPEATABLE-READ`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::ReadUncommitted,
            Self::ReadCommitted,
            Self::RepeatableRead,
            Self::Serializable,
        ]
        .into_iter()
        .find(|level| level.sql().replace(' ', "-") == text)
        .ok_or_else(|| format!("{text} is no isolation level"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKING: &str = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";

    #[test]
    fn innodb_gets_the_row_lock_clause_and_sqlite_does_not() {
        assert_eq!(Flavour::MySql.spell(LOCKING), LOCKING);
        assert_eq!(Flavour::MariaDb.spell(LOCKING), LOCKING);
        assert_eq!(
            Flavour::Sqlite.spell(LOCKING),
            "SELECT balance FROM accounts WHERE id = ?"
        );
    }

    #[test]
    fn sqlite_takes_the_write_lock_when_it_begins() {
        assert_eq!(Flavour::Sqlite.begin_for_update(), "BEGIN IMMEDIATE");
        assert_eq!(Flavour::MySql.begin_for_update(), "START TRANSACTION");
    }

    #[test]
    fn isolation_reads_what_the_server_answers() {
        assert_eq!("REPEATABLE-READ".parse(), Ok(Isolation::RepeatableRead));
        assert_eq!("READ-COMMITTED".parse(), Ok(Isolation::ReadCommitted));
        assert!("CHAOS".parse::<Isolation>().is_err());
    }
}
