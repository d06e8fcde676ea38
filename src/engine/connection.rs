//! One connection, whichever driver it is of: the only place that speaks to sqlx about statements.

use std::fmt;
use std::time::Duration;

use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, MySql, Postgres, Row as _, Sqlite};
use tokio::time::timeout;

use super::answers::Answers as _;
use super::pool::{PooledConnection, hang_up};
use super::pooler::BehindAPooler;
use super::{Fault, Flavour};
use crate::answer::{Answer, Datum};
use crate::step::Argument;

/// The engine's own number for a connection, as its lock tables use it. It is all that is needed to
/// ask whether a client waits, so the client may be one outside this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) i64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<i64> for ConnectionId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

/// A value for a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'v> {
    /// An integer.
    Integer(i64),
    /// A text.
    Text(&'v str),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&i64> for Value<'_> {
    fn from(value: &i64) -> Self {
        Self::Integer(*value)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value)
    }
}

impl<'v> From<&Value<'v>> for Value<'v> {
    fn from(value: &Value<'v>) -> Self {
        *value
    }
}

impl<'v> From<&'v Argument> for Value<'v> {
    fn from(value: &'v Argument) -> Self {
        match value {
            Argument::Integer(value) => Self::Integer(*value),
            Argument::Text(value) => Self::Text(value),
        }
    }
}

/// A row that was read, of integers and texts.
#[derive(Debug)]
pub struct Row(DriversRow);

#[derive(Debug)]
enum DriversRow {
    MySql(MySqlRow),
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

/// The value in one column of a row of any driver.
macro_rules! column {
    ($row:expr, $index:expr) => {
        match &$row.0 {
            DriversRow::MySql(row) => row.try_get($index),
            DriversRow::Postgres(row) => row.try_get($index),
            DriversRow::Sqlite(row) => row.try_get($index),
        }
    };
}

impl Row {
    /// The integer in this column.
    ///
    /// # Errors
    /// [`FaultKind::Other`](super::FaultKind::Other) if it holds no integer.
    pub fn integer(&self, index: usize) -> Result<i64, Fault> {
        Ok(column!(self, index)?)
    }

    /// The text in this column.
    ///
    /// # Errors
    /// [`FaultKind::Other`](super::FaultKind::Other) if it holds no text.
    pub fn text(&self, index: usize) -> Result<String, Fault> {
        Ok(column!(self, index)?)
    }

    /// Its first `N` columns, all of them integers, each of which may be NULL.
    pub(super) fn integers<const N: usize>(&self) -> Result<[Option<i64>; N], Fault> {
        let mut values = [None; N];
        for (index, value) in values.iter_mut().enumerate() {
            *value = column!(self, index)?;
        }
        Ok(values)
    }
}

/// A connection that belongs to one of the pools.
#[derive(Debug)]
pub(super) enum Connection {
    MySql(PooledConnection<MySql>),
    Postgres(PooledConnection<Postgres>),
    Sqlite(PooledConnection<Sqlite>),
}

/// The same work on a connection of any driver. The drivers share method names but no type that
/// would make this a function.
macro_rules! on {
    ($connection:expr, $it:ident => $work:expr) => {
        match $connection {
            Connection::MySql($it) => $work,
            Connection::Postgres($it) => $work,
            Connection::Sqlite($it) => $work,
        }
    };
}

/// A statement with its values, for the driver that the caller's types ask for.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for value in $values {
            query = match value.into() {
                Value::Integer(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
            };
        }
        query
    }};
}

/// A statement that stays prepared on its connection. Behind a pooler it is prepared anew each
/// time, without a name.
macro_rules! prepared {
    ($it:expr, $sql:expr, $values:expr) => {
        bound!($sql, $values).persistent($it.behind_a_pooler.is_none())
    };
}

// `AssertSqlSafe`: every statement is this program's own or its user's, and none is made of what a
// client sent. Values are bound, or numbers.
impl Connection {
    /// Runs a statement without values or rows, in one round trip.
    pub(super) async fn command(&mut self, sql: &str) -> Result<(), Fault> {
        let patience = self.patience();
        let done = answered(patience, async {
            if self.is_behind_a_pooler() {
                self.command_behind_a_pooler(sql).await
            } else {
                self.send(sql).await
            }
        });
        let done = done.await;
        self.learn(done)
    }

    /// Runs a statement. Returns how many rows it matched.
    pub(super) async fn execute<'v>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = impl Into<Value<'v>>>,
    ) -> Result<u64, Fault> {
        let patience = self.patience();
        let done = answered(patience, async {
            let has_begun = self.begin_for_one_statement().await?;
            let done = on!(self, it => {
                let statement = prepared!(it, sql, values);
                statement.execute(it.get()?).await.map(|done| done.rows_affected())
            });
            self.end_for_one_statement(has_begun, done.map_err(Fault::from))
                .await
        });
        let done = done.await;
        self.learn(done)
    }

    /// Inserts one row. Returns its number. `sql` is spelled for an insert.
    pub(super) async fn insert<'v>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = impl Into<Value<'v>>>,
    ) -> Result<i64, Fault> {
        let patience = self.patience();
        let done = answered(patience, async {
            let has_begun = self.begin_for_one_statement().await?;
            let done = self.insert_one(sql, values).await;
            self.end_for_one_statement(has_begun, done).await
        });
        let done = done.await;
        self.learn(done)
    }

    async fn insert_one<'v>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = impl Into<Value<'v>>>,
    ) -> Result<i64, Fault> {
        Ok(match self {
            Self::MySql(it) => {
                let inserted = prepared!(it, sql, values).execute(it.get()?).await?;
                inserted.last_insert_id().cast_signed()
            }
            Self::Postgres(it) => {
                let statement = prepared!(it, sql, values);
                statement.fetch_one(it.get()?).await?.try_get(0)?
            }
            Self::Sqlite(it) => {
                let inserted = prepared!(it, sql, values).execute(it.get()?).await?;
                inserted.last_insert_rowid()
            }
        })
    }

    /// Reads all rows, even if one is expected: an answer that is not read to its end keeps
    /// SQLite's read snapshot open.
    pub(super) async fn rows<'v>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = impl Into<Value<'v>>>,
    ) -> Result<Vec<Row>, Fault> {
        let patience = self.patience();
        let done = answered(patience, async {
            let has_begun = self.begin_for_one_statement().await?;
            let done = self.all_rows(sql, values).await;
            self.end_for_one_statement(has_begun, done).await
        });
        let done = done.await;
        self.learn(done)
    }

    /// Runs one statement as it is, and returns what the engine answers.
    pub(super) async fn answer(&mut self, sql: &str) -> Result<Answer, Fault> {
        let patience = self.patience();
        answered(patience, async {
            on!(self, it => it.get()?.answer(sql).await)
        })
        .await
    }

    /// The values of all rows that a statement returns.
    pub(super) async fn all_data(&mut self, sql: &str) -> Result<Vec<Vec<Datum>>, Fault> {
        let patience = self.patience();
        answered(patience, async {
            on!(self, it => it.get()?.all_data(sql).await)
        })
        .await
    }

    /// The names of the columns that a statement returns.
    pub(super) async fn columns_of(&mut self, sql: &str) -> Result<Vec<String>, Fault> {
        let patience = self.patience();
        answered(patience, async {
            on!(self, it => it.get()?.columns_of(sql).await)
        })
        .await
    }

    async fn all_rows<'v>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = impl Into<Value<'v>>>,
    ) -> Result<Vec<Row>, Fault> {
        let rows: Vec<_> = match self {
            Self::MySql(it) => {
                let rows = prepared!(it, sql, values).fetch_all(it.get()?).await?;
                rows.into_iter().map(DriversRow::MySql).collect()
            }
            Self::Postgres(it) => {
                let rows = prepared!(it, sql, values).fetch_all(it.get()?).await?;
                rows.into_iter().map(DriversRow::Postgres).collect()
            }
            Self::Sqlite(it) => {
                let rows = prepared!(it, sql, values).fetch_all(it.get()?).await?;
                rows.into_iter().map(DriversRow::Sqlite).collect()
            }
        };
        Ok(rows.into_iter().map(Row).collect())
    }

    /// As [`rows`](Self::rows), for rows of `N` integers each.
    pub(super) async fn integers<'v, const N: usize>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = impl Into<Value<'v>>>,
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        self.rows(sql, values)
            .await?
            .iter()
            .map(Row::integers)
            .collect()
    }

    /// The engine's own number for this connection, if it was asked already.
    pub(super) fn number(&self) -> Option<i64> {
        on!(self, it => it.number)
    }

    /// Asks the engine for its own number for this connection.
    pub(super) async fn ask_number(&mut self, flavour: Flavour) -> Result<ConnectionId, Fault> {
        let sql = flavour.spell("SELECT CAST(CONNECTION_ID() AS SIGNED)");
        match self.integers::<1>(&sql, [0_i64; 0]).await?.first() {
            Some([Some(number)]) => Ok((*number).into()),
            _ => Err(Fault::other("the engine did not number this connection")),
        }
    }

    /// Remembers the number, unless the next transaction may have another connection.
    pub(super) fn set_number(&mut self, number: i64) {
        if !self.is_behind_a_pooler() {
            on!(self, it => it.number = Some(number));
        }
    }

    pub(super) fn give_back(&mut self) {
        on!(self, it => it.give_back());
    }

    /// Closes the connection, and waits until the server has been told.
    pub(super) async fn hang_up(&mut self) {
        on!(self, it => {
            if let Ok(connection) = it.detach() {
                hang_up(connection).await;
            }
        });
    }

    /// Sends a statement as it is.
    pub(super) async fn send(&mut self, sql: &str) -> Result<(), Fault> {
        on!(self, it => {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(it.get()?).await?;
        });
        Ok(())
    }

    pub(super) fn behind_a_pooler(&mut self) -> Option<&mut BehindAPooler> {
        on!(self, it => it.behind_a_pooler.as_mut())
    }

    fn patience(&self) -> Option<Duration> {
        on!(self, it => it.greeting().patience)
    }

    /// Learns from a fault. A prepared statement that is gone means that a pooler has exchanged the
    /// connection.
    fn learn<T>(&self, done: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &done
            && fault.is_of_a_lost_statement()
        {
            on!(self, it => it.greeting().notice_a_pooler());
        }
        done
    }
}

/// Waits at most this long for the answer. If None, there is no limit.
pub(super) async fn answered<T, E: From<Fault>>(
    patience: Option<Duration>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(patience) = patience else {
        return work.await;
    };
    timeout(patience, work).await.unwrap_or_else(|_elapsed| {
        Err(Fault::unavailable(format!(
            "the database has not answered a statement for {} seconds",
            patience.as_secs()
        ))
        .into())
    })
}
