//! Problems of the console: what visitors ask for.

use axum::http::StatusCode;

use super::Problem;
use crate::console::runs::form::BadField;
use crate::console::runs::{NoPlace, StartError};

impl Problem {
    /// 404: there is no such run.
    pub(in crate::http) fn unknown_run(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-run",
            "There is no such run",
            format!("There is no run {id:?}. The lab keeps the newest 500 runs and explorations."),
        )
    }
}

impl From<BadField> for Problem {
    fn from(bad: BadField) -> Self {
        let field = Some(bad.name);
        Self {
            field,
            ..Self::invalid(bad.to_string())
        }
    }
}

/// 429: as many runs or explorations are under way as may be.
impl From<NoPlace> for Problem {
    fn from(no_place: NoPlace) -> Self {
        Self {
            retryable: true,
            retry_after: Some(no_place.retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-runs",
                "Too many runs at once",
                no_place.words,
            )
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NoPlace(no_place) => no_place.into(),
            StartError::Fault(fault) => fault.into(),
        }
    }
}
