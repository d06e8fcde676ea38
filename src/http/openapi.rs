//! The description of the API, derived from the handlers and their types.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{accounts, admin, deposits, exports, health, metrics, orders, statements, strategies};

/// The OpenAPI document at `/openapi.json`.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Racy",
        description = "A laboratory of race conditions: deposits that lose money, orders \
            that get mixed up, and those that do not. Every \
            response names the instance that gave it (`X-Racy-Instance`) and its request (`X-Request-Id`).",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        deposits::make,
        accounts::list,
        accounts::show,
        accounts::transactions,
        statements::show,
        orders::write,
        orders::process,
        orders::audit,
        exports::make,
        exports::download,
        exports::audit,
        admin::open,
        admin::reset,
        admin::delete_transactions,
        admin::delete_transaction,
        admin::changes,
        strategies::list,
        health::live,
        health::ready,
        metrics::scrape,
    ),
    modifiers(&WaysToSignIn)
)]
pub(super) struct Description;

/// How to be somebody.
struct WaysToSignIn;

impl Modify for WaysToSignIn {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API token, as racy token create makes them."))
            .build();
        let session = ApiKeyValue::with_description(
            "racy_session",
            "The cookie of who has signed in at /admin/login.",
        );
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}
