//! A shop with a checkout of 60 statements. `tools/bench --applications` lets Racy start it.
//!
//! It listens on the port in `PORT` and works on the database in `DATABASE_URL`. `POST
//! /checkout/lost?client=1` loses stock if two come at once, `/checkout/holds` does not.

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;

#[path = "../tests/applications/checkout.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the tests need the invariant as well"
)]
mod checkout;

#[path = "../tests/applications/pool.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the tests need more of it"
)]
mod pool;

use pool::Pool;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("setup") {
        println!("{}", checkout::setup());
        return Ok(());
    }
    let port = std::env::var("PORT")?.parse()?;
    let pool = Pool::at(&std::env::var("DATABASE_URL")?, 5);
    let routes = Router::new()
        .route("/", get(|| async { "a shop" }))
        .route("/checkout/{kind}", post(check_out))
        .with_state(pool);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    Ok(axum::serve(listener, routes).await?)
}

async fn check_out(
    State(pool): State<Pool>,
    Path(kind): Path<String>,
    Query(query): Query<HashMap<String, u32>>,
) -> Result<&'static str, (StatusCode, String)> {
    let client = query.get("client").copied().unwrap_or(1);
    let done = checkout::check_out(&pool, client, kind == "lost").await;
    done.map(|()| "bought")
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}
