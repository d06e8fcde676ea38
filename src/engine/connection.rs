//! One connection, whichever driver it is of: the only place that speaks to sqlx about statements.

use std::fmt;

use sqlx::{AssertSqlSafe, MySql, Postgres, Row as _, Sqlite};

use super::Fault;
use super::pool::Pooled;

/// The engine's own number for a connection, as its lock tables use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub(super) i64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection that belongs to one of the pools.
#[derive(Debug)]
pub(super) enum Connection {
    MySql(Pooled<MySql>),
    Postgres(Pooled<Postgres>),
    Sqlite(Pooled<Sqlite>),
}

/// Runs the same expression on whichever connection it is. sqlx's drivers share method names but
/// no type that would make this a function.
macro_rules! on {
    ($connection:expr, $it:ident => $work:expr) => {
        match $connection {
            Connection::MySql($it) => $work,
            Connection::Postgres($it) => $work,
            Connection::Sqlite($it) => $work,
        }
    };
}

/// A statement with its values, for the driver that the place asks for.
macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for value in $args {
            query = query.bind(*value);
        }
        query
    }};
}

// `AssertSqlSafe`: every text that arrives here began as a literal in this crate; values are bound.
impl Connection {
    /// A statement without values or rows, in one round trip.
    pub(super) async fn command(&mut self, sql: &str) -> Result<(), Fault> {
        on!(self, it => {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(it.get()?).await?;
        });
        Ok(())
    }

    /// How many rows it matched.
    pub(super) async fn execute(&mut self, sql: &str, args: &[i64]) -> Result<u64, Fault> {
        Ok(on!(self, it => bound!(sql, args).execute(it.get()?).await?.rows_affected()))
    }

    /// The number of the row that was inserted. `sql` is spelled for an insert.
    pub(super) async fn insert(&mut self, sql: &str, args: &[i64]) -> Result<i64, Fault> {
        Ok(match self {
            Self::MySql(it) => {
                let inserted = bound!(sql, args).execute(it.get()?).await?;
                inserted.last_insert_id().cast_signed()
            }
            Self::Postgres(it) => bound!(sql, args).fetch_one(it.get()?).await?.try_get(0)?,
            Self::Sqlite(it) => {
                let inserted = bound!(sql, args).execute(it.get()?).await?;
                inserted.last_insert_rowid()
            }
        })
    }

    /// Reads all rows, also where one is expected: an answer that is not read to its end keeps
    /// SQLite's read snapshot open.
    pub(super) async fn rows<const N: usize>(
        &mut self,
        sql: &str,
        args: &[i64],
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        on!(self, it => {
            let rows = bound!(sql, args).fetch_all(it.get()?).await?;
            rows.iter()
                .map(|row| {
                    let mut values = [None; N];
                    for (index, value) in values.iter_mut().enumerate() {
                        *value = row.try_get(index)?;
                    }
                    Ok(values)
                })
                .collect()
        })
    }

    pub(super) fn number(&self) -> Option<i64> {
        on!(self, it => it.number)
    }

    pub(super) fn set_number(&mut self, number: i64) {
        on!(self, it => it.number = Some(number));
    }

    pub(super) fn give_back(&mut self) {
        on!(self, it => it.give_back());
    }
}
