//! A small application in the test's own process: a pool, a few endpoints that race, and some that
//! do not. Its pool leads to the proxy.
//!
//! Each statement names the client whose request has sent it, in a comment that the proxy does not
//! look into: `/* client 1 */`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::endpoints;
use super::pool::{On, Pool};

/// How an application differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// The connections of its pool.
    pub connections: u32,
    /// Whether a task of its own sends statements on the same pool.
    pub has_a_heartbeat: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            connections: 5,
            has_a_heartbeat: false,
        }
    }
}

/// What the endpoints share.
#[derive(Debug)]
pub struct Shop {
    pub pool: Pool,
    pub database_url: String,
    /// A lock that the database knows nothing of.
    pub lock: Mutex<()>,
    /// Money that is kept in memory.
    pub purse: AtomicI64,
}

/// An application that serves until it is dropped.
#[derive(Debug)]
pub struct RunningShop {
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl RunningShop {
    /// Starts it. Its database is at this URL, where nothing needs to listen yet.
    pub async fn start(database_url: &str, habits: Habits) -> Self {
        let shop = Arc::new(Shop {
            pool: Pool::at(database_url, habits.connections),
            database_url: database_url.to_owned(),
            lock: Mutex::default(),
            purse: AtomicI64::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        if habits.has_a_heartbeat {
            tasks.spawn(beat(shop.pool.clone()));
        }
        tasks.spawn(async move {
            let router = endpoints::router(shop);
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

/// Statements that belong to no request. That they come is certain; when, is not.
async fn beat(pool: Pool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        ticks.tick().await;
        let beat = "/* nobody */ UPDATE worker SET beats = beats + 1 WHERE id = 1";
        // Before the proxy listens, and when it has ended, there is no database.
        if let Ok(mut on) = pool.acquire().await {
            let _ = on.write(beat.to_owned(), &[]).await;
        }
    }
}

/// Whose request it is.
#[derive(Debug, Clone, Copy)]
pub struct Caller(u32);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri);
        let number = query.ok().and_then(|it| it.get("client")?.parse().ok());
        number
            .map(Self)
            .ok_or(Failure::Status(StatusCode::BAD_REQUEST))
    }
}

impl Caller {
    /// Its client's number, from 1.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The statement with its client.
    pub fn signed(self, sql: &str) -> String {
        format!("/* client {} */ {sql}", self.0)
    }

    /// Reads one number, with a prepared statement.
    pub async fn read(self, on: impl Into<On<'_>>, sql: &str, values: &[i64]) -> sqlx::Result<i64> {
        let mut on = on.into().connection().await?;
        on.read(self.signed(sql), values).await
    }

    /// Writes with a prepared statement, and says how many rows it has matched.
    pub async fn write(
        self,
        on: impl Into<On<'_>>,
        sql: &str,
        values: &[i64],
    ) -> sqlx::Result<u64> {
        let mut on = on.into().connection().await?;
        on.write(self.signed(sql), values).await
    }

    /// Inserts a row with a prepared statement, and says which key was generated.
    pub async fn insert(
        self,
        on: impl Into<On<'_>>,
        sql: &str,
        values: &[i64],
    ) -> sqlx::Result<i64> {
        let mut on = on.into().connection().await?;
        on.insert(self.signed(sql), values).await
    }

    /// Reads texts, and says how long they are together.
    pub async fn read_texts(self, on: impl Into<On<'_>>, sql: &str) -> sqlx::Result<usize> {
        let mut on = on.into().connection().await?;
        let texts = on.read_texts(self.signed(sql)).await?;
        Ok(texts.iter().map(String::len).sum())
    }

    /// Sends a statement as a text.
    pub async fn say(self, on: impl Into<On<'_>>, sql: &str) -> sqlx::Result<()> {
        let mut on = on.into().connection().await?;
        on.say(self.signed(sql)).await
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The application has decided so.
    Status(StatusCode),
    /// The database has said no.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Status(status) => status.into_response(),
            Self::Database(error) => {
                let words = error.to_string();
                (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
            }
        }
    }
}

pub type Answer = Result<Json<Value>, Failure>;

pub fn done() -> Answer {
    Ok(Json(json!({ "done": true })))
}
