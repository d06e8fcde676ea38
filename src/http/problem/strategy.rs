//! Problems that the strategies of every exhibit share.

use axum::http::StatusCode;

use super::Problem;
use crate::verdict::Outcome;

/// What a strategy makes, in the words of a problem about it.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Product {
    /// What it is called, e.g. "order".
    pub(in crate::http) name: &'static str,
    /// Where it can be seen whether it was made, e.g. "the book's audit".
    pub(in crate::http) shown_by: &'static str,
}

impl Problem {
    /// 409: another client was faster at every attempt.
    pub(in crate::http) fn gave_up(attempts: u32) -> Self {
        let detail = if attempts == 1 {
            "Another client was faster, and the strategy did not try again.".to_owned()
        } else {
            format!("It was tried {attempts} times, and each time another client was faster.")
        };
        Self {
            retryable: true,
            attempts: Some(attempts),
            ..Self::new(
                StatusCode::CONFLICT,
                "gave-up",
                "The strategy gave up",
                detail,
            )
        }
    }

    /// Adds what became of the work, and what follows from it for the client.
    pub(in crate::http) fn with_outcome(self, outcome: Outcome, product: Product) -> Self {
        let Product { name, shown_by } = product;
        let (detail, retryable) = match outcome {
            Outcome::Applied | Outcome::Refused => (self.detail, self.retryable),
            Outcome::Partial => {
                let kept = format!("Part of the {name} was kept: this strategy is not atomic.");
                (format!("{} {kept}", self.detail), false)
            }
            Outcome::Unknown => {
                let unknown = format!(
                    "Whether the {name} was kept is unknown: look at {shown_by} before sending it \
                     again."
                );
                (format!("{} {unknown}", self.detail), false)
            }
        };
        Self {
            detail,
            retryable,
            outcome: Some(outcome),
            ..self
        }
    }
}
