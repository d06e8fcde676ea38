//! The description of the API, derived from the handlers and their types.

use utoipa::OpenApi;

use super::{accounts, deposits, health, strategies};

/// The OpenAPI document at `/openapi.json`.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Racy",
        description = "A laboratory of race conditions: deposits that lose money, and one that does not. Every \
            response names the instance that gave it (`X-Racy-Instance`) and its request (`X-Request-Id`).",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        deposits::make,
        accounts::list,
        accounts::show,
        accounts::transactions,
        strategies::list,
        health::live,
        health::ready,
    )
)]
pub(super) struct Description;
