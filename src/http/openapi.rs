//! The description of the API, derived from the handlers and their types.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::part::Part;
use super::problem::Problem;
use crate::explore::report::Report;

/// What the OpenAPI document says beside its paths.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Racy",
        description = "A laboratory of race conditions: deposits that lose money, orders that get \
            mixed up, and those that do not. Every response names the instance that gave it \
            (`X-Racy-Instance`) and its request (`X-Request-Id`).",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(Problem, Report))
)]
struct Frame;

/// The OpenAPI document that describes these parts.
pub(super) fn describe<'p>(parts: impl IntoIterator<Item = &'p Part>) -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    for part in parts {
        document.merge((part.paths)());
    }
    SignInMethods.modify(&mut document);
    OneHost.modify(&mut document);
    document
}

/// How a client shows which user it is.
struct SignInMethods;

impl Modify for SignInMethods {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API token, as racy token create makes them."))
            .build();
        let session = ApiKeyValue::with_description(
            "racy_session",
            "The cookie of a user who has signed in at /admin/login.",
        );
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// Every request has to name one host. An operation with a 400 of its own describes that one.
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

    use super::*;
    use crate::http::parts;

    /// The document has one schema for each name, so a second type of that name would be described
    /// as the first. (Within one part, the answers of the tests would not fit their description.)
    #[test]
    fn two_types_have_two_names() {
        let mut by_name = BTreeMap::new();
        for part in parts() {
            let components = (part.paths)().components.unwrap_or_default();
            for (name, schema) in components.schemas {
                let first = by_name
                    .entry(name.clone())
                    .or_insert_with(|| schema.clone());
                assert!(*first == schema, "two types are called {name}");
            }
        }
        assert!(by_name.len() > 30, "{}", by_name.len());
    }

    #[test]
    fn no_operation_is_lost_when_the_parts_are_merged() {
        let count = |mut document: utoipa::openapi::OpenApi| {
            document
                .paths
                .paths
                .values_mut()
                .flat_map(operations)
                .count()
        };
        let separately: usize = parts().map(|part| count((part.paths)())).sum();
        assert_eq!(count(describe(parts())), separately);
    }
}
