//! A club: its posts, its teams and its bar. Each job is there twice: as it races, and as it holds.

mod answer;
mod bar;
mod posts;
mod teams;

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::answer::Failure;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(600))
        .connect(&env::var("DATABASE_URL")?)
        .await?;
    let club = Router::new()
        .route("/health", get(health))
        .route("/posts/{post}/likes/lost", post(posts::like_lost))
        .route("/posts/{post}/likes/holds", post(posts::like_holds))
        .route("/teams/join/lost", post(teams::join_lost))
        .route("/teams/join/holds", post(teams::join_holds))
        .route("/orders/{order}/pay/lost", post(bar::pay_lost))
        .route("/orders/{order}/pay/holds", post(bar::pay_holds))
        .with_state(pool);

    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, club)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    Ok(())
}

/// The club is open once its database answers.
async fn health(State(pool): State<PgPool>) -> Result<&'static str, Failure> {
    sqlx::query("SELECT 1").execute(&pool).await?;
    Ok("ok\n")
}
