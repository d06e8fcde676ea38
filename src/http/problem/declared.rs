//! The problems that an operation may answer, as OpenAPI describes them.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// The media type of every problem.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// Declares the problems of an operation, or of several: a type to name among the `responses` of
/// `#[utoipa::path]`, with one line for each status.
macro_rules! problems {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($status:literal => $description:expr,)+ }
    )+) => {$(
        $(#[$doc])*
        pub(in crate::http) struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> $crate::http::problem::declared::Responses {
                $crate::http::problem::declared::responses(&[$(($status, $description)),+])
            }
        }
    )+};
}

pub(in crate::http) use problems;

/// Responses by their statuses, as utoipa wants them.
pub(in crate::http) type Responses = BTreeMap<String, RefOr<Response>>;

/// Describes problems, each by its status and what it means.
pub(in crate::http) fn responses(problems: &[(u16, &str)]) -> Responses {
    let described = |(status, description): &(u16, &str)| {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new()
            .description(*description)
            .content(CONTENT_TYPE, problem.build());
        (status.to_string(), response.build().into())
    };
    problems.iter().map(described).collect()
}

problems! {
    /// Of every operation that runs to its end.
    AlwaysPossible {
        408 => "The body did not arrive in time",
        413 => "The body is too large",
        500 => "A mistake in the lab itself",
        503 => "The database is out of reach, at a limit, read-only, or lacks a right or a table; \
            or too many clients are connected. If another try may succeed, Retry-After tells when",
        504 => "The answer takes too long; the work goes on",
        507 => "The database has no room left",
    }

    /// Of an operation that reads the database.
    EngineRefused {
        409 => "The engine refused",
    }

    /// Of an operation that takes a form or JSON.
    UnknownBodyType {
        415 => "The body is neither a form nor JSON",
    }

    /// Of an operation on one account, which its path names.
    UnknownAccount {
        400 => "The account's number is no integer",
        404 => "There is no such account",
    }

    /// Of an operation that lists something page by page.
    UnknownPage {
        400 => "The page asked for is not valid",
    }
}
