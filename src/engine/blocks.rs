//! Blocks of a user's SQL: any number of statements that go to the engine as one query, as the
//! engine's own client sends them. Outside a transaction PostgreSQL keeps the whole block or
//! nothing.

use std::fmt;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, MySqlConnection, PgConnection, Row as _, SqliteConnection};
use tokio::sync::mpsc;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

use super::answers::{data_of, names_of, of_mysql, of_postgres, of_sqlite};
use super::connection::Connection;
use super::notices::heard_by;
use super::{ConnectionId, Database, Fault, Flavour, Notice};
use crate::answer::Answer;

/// A client whose SQL goes to the engine in blocks. Nothing is known of its transactions. Dropped,
/// it closes its connection.
pub struct BlockSession {
    connection: Connection,
    flavour: Flavour,
}

impl fmt::Debug for BlockSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt(f)
    }
}

/// Something that the engine says while a block runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockNews {
    /// PostgreSQL tells something besides.
    Notice(Notice),
    /// A statement was answered. An answer without rows does not name its columns.
    Answer(Answer),
}

impl From<Notice> for BlockNews {
    fn from(notice: Notice) -> Self {
        Self::Notice(notice)
    }
}

impl BlockSession {
    /// The number by which the engine's lock tables know this client. None on SQLite.
    pub async fn connection_id(&mut self) -> Result<Option<ConnectionId>, Fault> {
        if self.flavour == Flavour::Sqlite {
            return Ok(None);
        }
        match self.connection.number() {
            Some(known) => Ok(Some(known.into())),
            None => self.connection.ask_number(self.flavour).await.map(Some),
        }
    }

    /// Runs a block. What the engine says is sent as it comes, on this channel. A refusal ends the
    /// block.
    pub async fn run<T>(&mut self, sql: &str, news: &mpsc::UnboundedSender<T>) -> Result<(), Fault>
    where
        T: From<Notice> + From<BlockNews> + Send + 'static,
    {
        let notices = match self.flavour {
            Flavour::Postgres => heard_by(news.clone()),
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => Dispatch::none(),
        };
        let mut tell = |answer| {
            // Without a listener nobody needs the answer.
            let _ = news.send(BlockNews::Answer(answer).into());
        };
        self.answers(sql, &mut tell).with_subscriber(notices).await
    }

    async fn answers(
        &mut self,
        sql: &str,
        tell: &mut (dyn FnMut(Answer) + Send),
    ) -> Result<(), Fault> {
        match &mut self.connection {
            Connection::MySql(it) => it.get()?.block(sql, tell).await,
            Connection::Postgres(it) => it.get()?.block(sql, tell).await,
            Connection::Sqlite(it) => it.get()?.block(sql, tell).await,
        }
    }

    /// The names of the columns that this statement returns. It is prepared, and not run.
    pub async fn columns_of(&mut self, sql: &str) -> Result<Vec<String>, Fault> {
        self.connection.columns_of(sql).await
    }

    /// Closes the connection. The engine rolls back what is open.
    pub async fn close(mut self) {
        self.connection.hang_up().await;
    }
}

impl Database {
    /// Opens a client whose SQL goes to the engine in blocks.
    pub async fn block_session(&self) -> Result<BlockSession, Fault> {
        let mut connection = self.connection().await?;
        if self.engine.flavour == Flavour::Postgres {
            // The lab's own clients have no use for notices, and a user's may have.
            connection.command("RESET client_min_messages").await?;
        }
        Ok(BlockSession {
            connection,
            flavour: self.engine.flavour,
        })
    }

    /// Whether this client waits, in a way that a step of one of these others can end. A wait for a
    /// client outside the test passes by itself.
    pub async fn is_blocked(
        &self,
        client: ConnectionId,
        others: &[ConnectionId],
    ) -> Result<bool, Fault> {
        if self.engine.flavour != Flavour::Postgres {
            return self.waits_for_lock(client).await;
        }
        let others: Vec<_> = others.iter().map(ToString::to_string).collect();
        // PostgreSQL has it for this very purpose. It knows waits for a safe snapshot as well.
        let sql = format!(
            "SELECT CAST(CAST(pg_catalog.pg_isolation_test_session_is_blocked({client}, '{{{}}}') \
             AS INTEGER) AS BIGINT)",
            others.join(",")
        );
        let rows = self.rows(&sql, &[]).await?;
        let is_blocked = rows.first().map(|row| row.integer(0)).transpose()?;
        Ok(is_blocked == Some(1))
    }
}

/// A connection that runs several statements at once.
trait Blocks {
    fn block(
        &mut self,
        sql: &str,
        tell: &mut (dyn FnMut(Answer) + Send),
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

macro_rules! blocks {
    ($connection:ty, $datum:path) => {
        impl Blocks for $connection {
            async fn block(
                &mut self,
                sql: &str,
                tell: &mut (dyn FnMut(Answer) + Send),
            ) -> Result<(), Fault> {
                let mut answer = Answer::default();
                let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(self);
                while let Some(result) = results.try_next().await? {
                    match result {
                        Either::Left(done) => {
                            if !answer.has_rows() {
                                answer.row_count = done.rows_affected();
                            }
                            tell(std::mem::take(&mut answer));
                        }
                        Either::Right(row) => {
                            if answer.columns.is_empty() {
                                answer.columns = names_of(row.columns());
                            }
                            answer.row_count += 1;
                            answer.rows.push(data_of(&row, $datum)?);
                        }
                    }
                }
                Ok(())
            }
        }
    };
}

blocks!(MySqlConnection, of_mysql);
blocks!(PgConnection, of_postgres);
blocks!(SqliteConnection, of_sqlite);
