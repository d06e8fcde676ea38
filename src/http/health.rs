//! `GET /health/…`: is the process there, and can it do its work?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::problem::Problem;

/// The answer of a lab in good health.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// The answer of an instance that can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Always `ok`.
    status: &'static str,
    /// The instance's name.
    instance: String,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Is the process there?
///
/// Asks nobody else.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "It is there", body = Health))
)]
pub(super) async fn live() -> Json<Health> {
    OK
}

/// Can it do its work?
///
/// Asks the database.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "The database answers", body = Readiness),
        (status = 503, description = "The database is out of reach", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Readiness>, Problem> {
    app.kept.ping().await?;
    Ok(Json(Readiness {
        status: "ok",
        instance: app.instance.name().to_owned(),
    }))
}
