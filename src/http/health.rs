//! `GET /health/…`: whether the process is there, and whether it can do its work.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::problems;
use crate::accounts;

/// The health checks.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
}

#[derive(OpenApi)]
#[openapi(paths(live, ready))]
struct Paths;

/// The answer of a process that is there.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// The answer of an instance that can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// Always `ok`.
    status: &'static str,
    /// The instance's name.
    instance: String,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Is the process there?
///
/// Answers without asking the database.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "The process is there", body = Health))
)]
async fn live() -> Json<Health> {
    OK
}

problems! {
    /// Of an instance that cannot do its work.
    NotReady {
        503 => "No deposit could be made: the database is out of reach, at a limit, read-only or \
            full, or lacks a right or a table; the problem's type says which",
    }
}

/// Can it do its work?
///
/// Asks the database whether a deposit could be made: whether it answers, may be written, and has
/// the tables. After a write that was refused for lack of room it also asks whether there is room
/// again.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "A deposit could be made", body = Readiness),
        NotReady,
    )
)]
async fn ready(State(app): State<Arc<App>>) -> Result<Json<Readiness>, Problem> {
    let asked = async {
        app.kept.could_write(&accounts::WRITE_PROBE).await?;
        app.room.must_be_there(&app.kept).await
    };
    asked.await.map_err(Problem::not_ready)?;
    Ok(Json(Readiness {
        status: "ok",
        instance: app.instance.name().to_owned(),
    }))
}
