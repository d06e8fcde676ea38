//! Problems of a service that is busy, slow or wrong.

use std::time::Duration;

use axum::http::StatusCode;

use super::Problem;
use crate::verdict::Outcome;

impl Problem {
    /// 500: a mistake in the lab itself.
    pub(in crate::http) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong in the lab",
            "This is a mistake in the lab, not in the request; the log says more.",
        )
    }

    /// 503: as many clients are connected as may be, and none of them is idle.
    pub(in crate::http) fn too_many_clients(most: usize) -> Self {
        Self {
            retryable: true,
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-clients",
                "Too many clients are connected",
                format!(
                    "All {most} connections that clients may have are busy. Nothing was done; ask \
                     again in a moment. --client-connections allows more."
                ),
            )
        }
    }

    /// 503: as many files are being audited as may be at a time.
    pub(in crate::http) fn too_many_audits() -> Self {
        Self {
            retryable: true,
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-audits",
                "Too many files are being audited",
                "Other clients are having files audited. Ask again in a moment.",
            )
        }
    }

    /// 504: the answer takes longer than the service waits, and the work goes on. `shown_by` names
    /// where its effect can be seen; None if the request changes nothing.
    pub(in crate::http) fn took_too_long(limit: Duration, shown_by: Option<&str>) -> Self {
        let what_to_do = match shown_by {
            Some(place) => format!(
                "The work goes on and may still be done: look at {place} before sending it again."
            ),
            None => "It changes nothing, so it may be sent again.".to_owned(),
        };
        Self {
            outcome: Some(Outcome::Unknown),
            ..Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "took-too-long",
                "The answer took too long",
                format!("The request was not answered after {limit:?}. {what_to_do}"),
            )
        }
    }
}
