//! The application's pool, on MySQL and MariaDB or on PostgreSQL.
//!
//! Statements have a `?` for each of their values. That of PostgreSQL is `$1`, `$2` and so on.

use std::ops::{Deref, DerefMut};

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, MySql, MySqlPool, PgPool, Postgres, Row as _};

#[derive(Debug, Clone)]
pub enum Pool {
    MySql(MySqlPool),
    Postgres(PgPool),
}

/// A connection that was taken out of the pool.
#[derive(Debug)]
pub enum Connection {
    MySql(PoolConnection<MySql>),
    Postgres(PoolConnection<Postgres>),
}

/// Where a statement is sent: on any connection of the pool, or on this one.
#[derive(Debug)]
pub enum On<'o> {
    Pool(&'o Pool),
    Connection(&'o mut Connection),
}

impl Pool {
    /// A pool of a database in which nothing needs to listen yet.
    pub fn at(url: &str, connections: u32) -> Self {
        if url.starts_with("postgres") {
            let options: PgConnectOptions = url.parse().unwrap();
            let pool = PgPoolOptions::new().max_connections(connections);
            Self::Postgres(pool.connect_lazy_with(options))
        } else {
            let options: MySqlConnectOptions = url.parse().unwrap();
            let pool = MySqlPoolOptions::new().max_connections(connections);
            Self::MySql(pool.connect_lazy_with(options))
        }
    }

    pub async fn acquire(&self) -> sqlx::Result<Connection> {
        Ok(match self {
            Self::MySql(pool) => Connection::MySql(pool.acquire().await?),
            Self::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }
}

impl Connection {
    /// Reads one number.
    pub async fn read(&mut self, sql: String, values: &[i64]) -> sqlx::Result<i64> {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                query.fetch_one(&mut **on).await
            }
            Self::Postgres(on) => {
                let query = sqlx::query_scalar(AssertSqlSafe(numbered(&sql)));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                query.fetch_one(&mut **on).await
            }
        }
    }

    /// Writes, and says how many rows it has matched.
    pub async fn write(&mut self, sql: String, values: &[i64]) -> sqlx::Result<u64> {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                Ok(query.execute(&mut **on).await?.rows_affected())
            }
            Self::Postgres(on) => {
                let query = sqlx::query(AssertSqlSafe(numbered(&sql)));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                Ok(query.execute(&mut **on).await?.rows_affected())
            }
        }
    }

    /// Inserts a row, and says which key was generated for its column `id`.
    pub async fn insert(&mut self, sql: String, values: &[i64]) -> sqlx::Result<i64> {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                let done = query.execute(&mut **on).await?;
                Ok(done.last_insert_id().cast_signed())
            }
            Self::Postgres(on) => {
                let sql = format!("{} RETURNING id", numbered(&sql));
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                let id: i32 = query.fetch_one(&mut **on).await?;
                Ok(id.into())
            }
        }
    }

    /// Reads one column of texts.
    pub async fn read_texts(&mut self, sql: String) -> sqlx::Result<Vec<String>> {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                query.fetch_all(&mut **on).await
            }
            Self::Postgres(on) => {
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                query.fetch_all(&mut **on).await
            }
        }
    }

    /// Reads one number with a statement that is sent as a text.
    pub async fn number(&mut self, sql: String) -> sqlx::Result<i64> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        let number: i32 = match self {
            Self::MySql(on) => sql.fetch_one(&mut **on).await?.try_get(0)?,
            Self::Postgres(on) => sql.fetch_one(&mut **on).await?.try_get(0)?,
        };
        Ok(number.into())
    }

    /// Sends a statement as a text.
    pub async fn say(&mut self, sql: String) -> sqlx::Result<()> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::MySql(on) => sql.execute(&mut **on).await.map(|_| ()),
            Self::Postgres(on) => sql.execute(&mut **on).await.map(|_| ()),
        }
    }
}

/// The statement with PostgreSQL's places for its values.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.enumerate().fold(first, |sql, (index, part)| {
        format!("{sql}${}{part}", index + 1)
    })
}

impl<'o> From<&'o Pool> for On<'o> {
    fn from(pool: &'o Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'o> From<&'o mut Connection> for On<'o> {
    fn from(connection: &'o mut Connection) -> Self {
        Self::Connection(connection)
    }
}

/// The connection that a statement is sent on. One of the pool's goes back when this is dropped.
#[derive(Debug)]
pub enum Sending<'o> {
    Taken(Connection),
    Given(&'o mut Connection),
}

impl<'o> On<'o> {
    pub async fn connection(self) -> sqlx::Result<Sending<'o>> {
        Ok(match self {
            Self::Pool(pool) => Sending::Taken(pool.acquire().await?),
            Self::Connection(connection) => Sending::Given(connection),
        })
    }
}

impl Deref for Sending<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Taken(connection) => connection,
            Self::Given(connection) => connection,
        }
    }
}

impl DerefMut for Sending<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Taken(connection) => connection,
            Self::Given(connection) => connection,
        }
    }
}
