//! `GET /metrics`: what Prometheus scrapes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::App;
use super::problem::Problem;
use crate::observe::metrics::{CONTENT_TYPE, FolderUse, ScrapeFacts};

/// Show metrics
///
/// In Prometheus' text format, each with its help. Where the database does not answer, `racy_database_up`
/// is 0 and the accounts are missing; the scrape itself does not fail.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"),
        (status = 500, description = "A mistake in the lab itself", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn scrape(
    State(app): State<Arc<App>>,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    // Before the scrape itself takes a connection.
    let pool = app.pool_use();
    let database_up = app.kept.ping().await.is_ok();
    let accounts = match database_up {
        true => app.auditor.losses(&app.kept).await,
        false => None,
    };
    let exports = app.exports.clone();
    let held = tokio::task::spawn_blocking(move || exports.held().ok()).await;
    let facts = ScrapeFacts {
        exports: held.ok().flatten().map(|held| FolderUse {
            files: held.files,
            bytes: held.bytes,
        }),
        pool,
        database_up,
        accounts: accounts.as_deref().unwrap_or_default(),
    };
    let text = app.metrics.text(&facts).map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
