//! The description of the API, derived from the handlers and their types.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
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
    modifiers(&WaysToSignIn, &OneHost)
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

/// Every request has to name one host. Where something else may be wrong with it, that is
/// described.
struct OneHost;

impl Modify for OneHost {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let wrong_host = ResponseBuilder::new()
            .description("The request names no host, or several")
            .content("application/problem+json", problem)
            .build();
        for operation in description.paths.paths.values_mut().flat_map(operations) {
            let responses = &mut operation.responses.responses;
            responses
                .entry("400".to_owned())
                .or_insert_with(|| wrong_host.clone().into());
        }
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [&mut path.get, &mut path.post, &mut path.delete];
    methods.into_iter().filter_map(Option::as_mut)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use utoipa::__dev::SchemaReferences;
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::Schema;

    use super::*;

    type Schemas = Vec<(String, RefOr<Schema>)>;

    /// What every operation registers, before one name is kept of several.
    fn registered() -> (usize, Schemas) {
        let mut schemas = Vec::new();
        let operations: [fn(&mut Schemas); 20] = [
            deposits::__path_make::schemas,
            accounts::__path_list::schemas,
            accounts::__path_show::schemas,
            accounts::__path_transactions::schemas,
            statements::__path_show::schemas,
            orders::__path_write::schemas,
            orders::__path_process::schemas,
            orders::__path_audit::schemas,
            exports::__path_make::schemas,
            exports::__path_download::schemas,
            exports::__path_audit::schemas,
            admin::__path_open::schemas,
            admin::__path_reset::schemas,
            admin::__path_delete_transactions::schemas,
            admin::__path_delete_transaction::schemas,
            admin::__path_changes::schemas,
            strategies::__path_list::schemas,
            health::__path_live::schemas,
            health::__path_ready::schemas,
            metrics::__path_scrape::schemas,
        ];
        for schemas_of in operations {
            schemas_of(&mut schemas);
        }
        (operations.len(), schemas)
    }

    #[test]
    fn two_types_have_two_names() {
        let (count, schemas) = registered();
        let mut description = Description::openapi();
        let paths = description.paths.paths.values_mut();
        assert_eq!(paths.flat_map(operations).count(), count);

        let mut named: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
        for (name, schema) in schemas {
            let first = named.entry(name.clone()).or_insert_with(|| schema.clone());
            assert!(*first == schema, "two types are called {name}");
        }
        assert!(named.len() > 30, "{}", named.len());
    }
}
