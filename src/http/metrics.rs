//! `GET /metrics`, for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::routing::get;
use utoipa::OpenApi;

use super::app::App;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::problems;
use crate::observe::metrics::{CONTENT_TYPE, FolderUse, ScrapeFacts};

/// The metrics.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

fn routes() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(scrape))
}

#[derive(OpenApi)]
#[openapi(paths(scrape))]
struct Paths;

problems! {
    /// Of a scrape.
    ScrapeProblems {
        500 => "A mistake in the lab itself",
    }
}

/// Show metrics
///
/// Shows the metrics in Prometheus' text format, each with its help. If the database does not
/// answer,
/// `racy_database_up` is 0 and the accounts are missing; the scrape itself does not fail.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (
            status = 200,
            description = "The metrics",
            body = String,
            content_type = "text/plain; version=0.0.4; charset=utf-8",
        ),
        ScrapeProblems,
    )
)]
async fn scrape(
    State(app): State<Arc<App>>,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    // Read before the scrape itself takes a connection.
    let pool = app.pool_use();
    let database_up = app.kept.ping().await.is_ok();
    let accounts = if database_up {
        app.auditor.losses(&app.kept).await
    } else {
        None
    };
    let folder = app.exports.clone();
    let use_of_folder = tokio::task::spawn_blocking(move || folder.held().ok()).await;
    let facts = ScrapeFacts {
        exports: use_of_folder.ok().flatten().map(|held| FolderUse {
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
