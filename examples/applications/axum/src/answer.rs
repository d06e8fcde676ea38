//! What is answered when something is not done.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not done. A transaction that it leaves by `?` is rolled back, once its
/// connection returns to the pool.
pub enum Failure {
    /// The club's own no.
    Declined(&'static str),
    /// The database's error, or that of the way to it.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Self::Declined(words) => (StatusCode::CONFLICT, words),
            Self::Database(error) if is_transient(&error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "send the request again")
            }
            Self::Database(error) => {
                eprintln!("{error}");
                (StatusCode::INTERNAL_SERVER_ERROR, "the club has failed")
            }
        };
        (status, Json(json!({ "error": words }))).into_response()
    }
}

/// Serialization failure, deadlock, lock timeout: the same request may succeed.
fn is_transient(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("40001" | "40P01" | "55P03"))
}
