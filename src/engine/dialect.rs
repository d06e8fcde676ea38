//! What differs in spelling between the engines. SQL is written once, in MySQL's spelling, at the
//! place that needs it. Here it is translated for each engine.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which engine it is, as far as its behaviour is concerned.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// MySQL with InnoDB.
    MySql,
    /// MariaDB with InnoDB: MySQL's protocol and spelling, other behaviour since 11.6.2.
    MariaDb,
    /// PostgreSQL.
    Postgres,
    /// SQLite, with either journal.
    Sqlite,
}

/// Splits an INSERT of one row into the part before the values, and the values.
fn split_insert(sql: &str) -> (&str, &str) {
    sql.find("VALUES ")
        .map_or((sql, ""), |at| sql.split_at(at + "VALUES ".len()))
}

/// The INSERT of one row, extended to all these rows. The numbers are part of the text, because no
/// number can be mistaken for SQL.
pub(super) fn rows_as_text<const N: usize>(sql: &str, rows: &[[i64; N]]) -> String {
    let (into, row) = split_insert(sql);
    let mut text = into.to_owned();
    for (index, values) in rows.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        let mut values = values.iter();
        for part in row.split_inclusive('?') {
            text.push_str(part.trim_end_matches('?'));
            if let Some(value) = values.next().filter(|_| part.ends_with('?')) {
                text.push_str(&value.to_string());
            }
        }
    }
    text
}

impl Flavour {
    /// The SQL in this engine's spelling.
    pub(super) fn spell<'q>(self, sql: impl Into<Cow<'q, str>>) -> Cow<'q, str> {
        let sql = sql.into();
        match self {
            Self::MySql | Self::MariaDb => sql,
            Self::Postgres => spell_postgres(&sql).into(),
            Self::Sqlite => spell_sqlite(sql),
        }
    }

    /// The INSERT of one row in this engine's spelling, if the new row's number is wanted. Only
    /// PostgreSQL has to be asked for it.
    pub(super) fn spell_insert<'q>(self, sql: impl Into<Cow<'q, str>>) -> Cow<'q, str> {
        match self {
            Self::MySql | Self::MariaDb | Self::Sqlite => self.spell(sql),
            Self::Postgres => format!("{} RETURNING id", self.spell(sql)).into(),
        }
    }

    /// The INSERT of one row, extended to this number of rows, in this engine's spelling. It must
    /// end with its values.
    pub(super) fn spell_rows(self, sql: &str, rows: usize) -> String {
        let (into, row) = split_insert(sql);
        let sql = format!("{into}{}", vec![row; rows].join(", "));
        match self {
            Self::MySql | Self::MariaDb | Self::Sqlite => sql,
            Self::Postgres => spell_postgres(&sql),
        }
    }

    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::MySql | Self::MariaDb => "START TRANSACTION",
            Self::Postgres | Self::Sqlite => "BEGIN",
        }
    }

    /// Begins a transaction at a level of its own, in one round trip.
    pub(super) fn begin_at(self, level: Isolation) -> &'static str {
        match (self, level) {
            (Self::MySql | Self::MariaDb, Isolation::ReadUncommitted) => {
                "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; START TRANSACTION"
            }
            (Self::MySql | Self::MariaDb, Isolation::ReadCommitted) => {
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION"
            }
            (Self::MySql | Self::MariaDb, Isolation::RepeatableRead) => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION"
            }
            (Self::MySql | Self::MariaDb, Isolation::Serializable) => {
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION"
            }
            (Self::Postgres, Isolation::ReadUncommitted) => {
                "BEGIN ISOLATION LEVEL READ UNCOMMITTED"
            }
            (Self::Postgres, Isolation::ReadCommitted) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            (Self::Postgres, Isolation::RepeatableRead) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            (Self::Postgres, Isolation::Serializable) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            (Self::Sqlite, _) => self.begin(),
        }
    }

    /// Begins a transaction that only reads. All its reads see the snapshot that it takes with the
    /// first one.
    pub(super) fn begin_snapshot(self) -> &'static str {
        match self {
            Self::MySql | Self::MariaDb => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY"
            }
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            // Every transaction has one snapshot, and writes only if a statement does.
            Self::Sqlite => self.begin(),
        }
    }

    /// Whether a plain `SELECT` takes a lock in a transaction at this level. InnoDB implements
    /// SERIALIZABLE in this way.
    pub(super) fn reads_lock_at(self, level: Isolation) -> bool {
        level == Isolation::Serializable && matches!(self, Self::MySql | Self::MariaDb)
    }

    /// Sets the isolation level of a session's transactions. SQLite has only one.
    pub(super) fn set_level(self, level: Isolation) -> String {
        let level = level.sql();
        match self {
            Self::MySql | Self::MariaDb => {
                format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            }
            Self::Postgres => format!("SET default_transaction_isolation = '{level}'"),
            Self::Sqlite => "SELECT 1".to_owned(),
        }
    }

    /// What ends a session's transaction and, if it has any, the locks that are the session's.
    pub(super) fn end_of_session(self, has_locks: bool) -> &'static str {
        match (self, has_locks) {
            (Self::MySql | Self::MariaDb, true) => {
                "ROLLBACK; UNLOCK TABLES; DO RELEASE_ALL_LOCKS()"
            }
            (Self::Postgres, true) => "ROLLBACK; SELECT pg_advisory_unlock_all()",
            _ => "ROLLBACK",
        }
    }

    /// Begins a transaction that first reads and then writes the same rows.
    pub(super) fn begin_for_update(self) -> &'static str {
        match self {
            Self::MySql | Self::MariaDb | Self::Postgres => self.begin(),
            // A deferred transaction that has read is refused the write lock if it would have to
            // wait. One that takes the lock before its first read waits in turn.
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Whether it is MySQL or MariaDB, which share their spelling and InnoDB's locks.
    pub(crate) fn is_innodb(self) -> bool {
        matches!(self, Self::MySql | Self::MariaDb)
    }

    /// The isolation levels that differ from each other on this engine. PostgreSQL accepts the name
    /// READ UNCOMMITTED and does READ COMMITTED.
    pub(crate) fn isolation_levels(self) -> &'static [Isolation] {
        match self {
            Self::MySql | Self::MariaDb => &[
                Isolation::ReadUncommitted,
                Isolation::ReadCommitted,
                Isolation::RepeatableRead,
                Isolation::Serializable,
            ],
            Self::Postgres => &[
                Isolation::ReadCommitted,
                Isolation::RepeatableRead,
                Isolation::Serializable,
            ],
            Self::Sqlite => &[Isolation::Serializable],
        }
    }

    /// Whether one refused statement ends its transaction, which is then undone whatever is sent.
    /// InnoDB and SQLite undo only the statement, and the transaction goes on. (InnoDB's deadlock
    /// victim is an exception: its transaction is rolled back at once.)
    pub(super) fn gives_up_transactions_whole(self) -> bool {
        self == Self::Postgres
    }
}

/// SQLite has no row locks and no clause to ask for one. A client that needs the lock has taken the
/// whole database with `begin_for_update`.
fn spell_sqlite(sql: Cow<'_, str>) -> Cow<'_, str> {
    let sql = match sql.strip_suffix(" FOR UPDATE") {
        Some(rest) => rest.to_owned().into(),
        None => sql,
    };
    if sql.contains(CLOCK) {
        sql.replace(CLOCK, "unixepoch()").into()
    } else {
        sql
    }
}

/// The second since 1970-01-01 UTC in which the statement began.
const CLOCK: &str = "UNIX_TIMESTAMP()";

/// `?` becomes `$1`, `$2`, …. A type and some functions get their names on PostgreSQL. None of our
/// statements has a question mark in a literal.
fn spell_postgres(sql: &str) -> String {
    let mut spelled = String::with_capacity(sql.len() + 8);
    let mut pieces = sql.split('?');
    spelled.extend(pieces.next());
    for (number, piece) in (1..).zip(pieces) {
        spelled.push_str(&format!("${number}{piece}"));
    }
    spelled
        .replace(" AS SIGNED)", " AS BIGINT)")
        .replace("CONNECTION_ID()", "pg_backend_pid()")
        .replace(
            CLOCK,
            "CAST(FLOOR(EXTRACT(EPOCH FROM statement_timestamp())) AS BIGINT)",
        )
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// The four isolation levels of the SQL standard.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Reads see what others have not committed yet.
    ReadUncommitted,
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All reads of a transaction see one snapshot. InnoDB's default. PostgreSQL's default is READ
    /// COMMITTED.
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

impl Isolation {
    /// Whether all statements of a transaction see one snapshot.
    pub(super) fn keeps_its_snapshot(self) -> bool {
        matches!(self, Self::RepeatableRead | Self::Serializable)
    }
}

impl FromStr for Isolation {
    type Err = String;

    /// Reads what engines answer: InnoDB `REPEATABLE-READ`, PostgreSQL `repeatable read`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::ReadUncommitted,
            Self::ReadCommitted,
            Self::RepeatableRead,
            Self::Serializable,
        ]
        .into_iter()
        .find(|level| level.sql() == text.to_ascii_uppercase().replace('-', " "))
        .ok_or_else(|| format!("{text} is no isolation level"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_text_with_their_numbers_in_it() {
        let sql = "INSERT INTO t (a, b, c) VALUES (?, ?, 1)";
        let text = rows_as_text(sql, &[[1, -2], [3, i64::MAX]]);
        let expected = "INSERT INTO t (a, b, c) VALUES (1, -2, 1), (3, 9223372036854775807, 1)";
        assert_eq!(text, expected);
        let spelled = Flavour::Postgres.spell_rows(sql, 2);
        assert_eq!(
            spelled,
            "INSERT INTO t (a, b, c) VALUES ($1, $2, 1), ($3, $4, 1)"
        );
    }

    const LOCKING: &str = "SELECT size FROM things WHERE id = ? FOR UPDATE";

    #[test]
    fn innodb_gets_the_row_lock_clause_and_sqlite_does_not() {
        assert_eq!(Flavour::MySql.spell(LOCKING), LOCKING);
        assert_eq!(Flavour::MariaDb.spell(LOCKING), LOCKING);
        assert_eq!(
            Flavour::Sqlite.spell(LOCKING),
            "SELECT size FROM things WHERE id = ?"
        );
    }

    #[test]
    fn postgres_numbers_its_placeholders_and_keeps_the_row_lock() {
        let spell = |sql| Flavour::Postgres.spell(sql);
        assert_eq!(
            spell(LOCKING),
            "SELECT size FROM things WHERE id = $1 FOR UPDATE"
        );
        assert_eq!(
            spell("UPDATE things SET size = ? WHERE id = ?"),
            "UPDATE things SET size = $1 WHERE id = $2"
        );
        assert_eq!(spell("COMMIT"), "COMMIT");
        assert_eq!(
            spell("SELECT CAST(CONNECTION_ID() AS SIGNED)"),
            "SELECT CAST(pg_backend_pid() AS BIGINT)"
        );
    }

    #[test]
    fn every_engine_has_a_clock_of_whole_seconds() {
        let sql = "UPDATE things SET updated_at = UNIX_TIMESTAMP() WHERE id = ?";
        assert_eq!(Flavour::MySql.spell(sql), sql);
        assert_eq!(
            Flavour::Sqlite.spell(sql),
            "UPDATE things SET updated_at = unixepoch() WHERE id = ?"
        );
        assert_eq!(
            Flavour::Postgres.spell(sql),
            "UPDATE things SET updated_at = \
             CAST(FLOOR(EXTRACT(EPOCH FROM statement_timestamp())) AS BIGINT) WHERE id = $1"
        );
    }

    #[test]
    fn only_postgres_has_to_be_asked_for_the_new_rows_number() {
        let insert = "INSERT INTO things (size) VALUES (?)";
        assert_eq!(
            Flavour::Postgres.spell_insert(insert),
            "INSERT INTO things (size) VALUES ($1) RETURNING id"
        );
        for flavour in [Flavour::MySql, Flavour::MariaDb, Flavour::Sqlite] {
            assert_eq!(flavour.spell_insert(insert), insert);
        }
    }

    #[test]
    fn an_insert_of_many_rows_repeats_the_one_rows_values() {
        let insert = "INSERT INTO parts (thing_id, size) VALUES (?, ?)";
        let flavours = [
            Flavour::MySql,
            Flavour::MariaDb,
            Flavour::Postgres,
            Flavour::Sqlite,
        ];
        for flavour in flavours {
            assert_eq!(flavour.spell_rows(insert, 1), flavour.spell(insert));
        }
        assert_eq!(
            Flavour::MySql.spell_rows(insert, 2),
            "INSERT INTO parts (thing_id, size) VALUES (?, ?), (?, ?)"
        );
        assert_eq!(
            Flavour::Postgres.spell_rows(insert, 2),
            "INSERT INTO parts (thing_id, size) VALUES ($1, $2), ($3, $4)"
        );
    }

    #[test]
    fn sqlite_takes_the_write_lock_when_it_begins() {
        assert_eq!(Flavour::Sqlite.begin_for_update(), "BEGIN IMMEDIATE");
        assert_eq!(Flavour::MySql.begin_for_update(), "START TRANSACTION");
    }

    #[test]
    fn a_transaction_may_have_a_level_of_its_own_where_there_are_several() {
        let begin = |flavour: Flavour| flavour.begin_at(Isolation::Serializable);
        assert_eq!(
            begin(Flavour::MySql),
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION"
        );
        assert_eq!(
            begin(Flavour::Postgres),
            "BEGIN ISOLATION LEVEL SERIALIZABLE"
        );
        assert_eq!(begin(Flavour::Sqlite), "BEGIN");
        for flavour in [Flavour::MySql, Flavour::MariaDb, Flavour::Postgres] {
            for level in flavour.isolation_levels() {
                assert!(flavour.begin_at(*level).contains(level.sql()));
            }
        }
    }

    #[test]
    fn a_snapshot_is_read_at_repeatable_read_and_never_written_in() {
        for flavour in [Flavour::MySql, Flavour::MariaDb, Flavour::Postgres] {
            let begin = flavour.begin_snapshot();
            assert!(begin.contains("REPEATABLE READ"), "{begin}");
            assert!(begin.ends_with("READ ONLY"), "{begin}");
        }
        assert_eq!(Flavour::Sqlite.begin_snapshot(), "BEGIN");
    }

    #[test]
    fn isolation_reads_what_the_server_answers() {
        assert_eq!("REPEATABLE-READ".parse(), Ok(Isolation::RepeatableRead));
        assert_eq!("READ-COMMITTED".parse(), Ok(Isolation::ReadCommitted));
        assert_eq!("repeatable read".parse(), Ok(Isolation::RepeatableRead));
        assert!("CHAOS".parse::<Isolation>().is_err());
    }
}
