//! What is where, and what stands around it.

use std::sync::Arc;

use axum::extract::Request;
use axum::{Router, middleware};
use tower::ServiceBuilder;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, field};
use utoipa_swagger_ui::SwaggerUi;

use super::app::App;
use super::caller::Caller;
use super::completion::{self, Completion};
use super::part::Part;
use super::problem::Problem;
use super::{
    CONSOLE, KEEPER, PROBES, WORK, admin, admission, assets, console, description, host, instance,
    protection, streams,
};

/// All routes. `streams` are the parts whose answers have no end of their own.
pub(super) fn router(app: Arc<App>, completion: &Completion, streams: &[&Part]) -> Router {
    let logged = work(completion)
        .merge(keeper(completion))
        .merge(console(completion))
        .merge(streams::place(streams, app.stopping.clone()))
        .with_state(Arc::clone(&app))
        .merge(assets::router())
        .merge(documentation())
        .fallback(console::unknown_path)
        .method_not_allowed_fallback(Problem::wrong_method)
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_request(())
                .on_failure(())
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        );
    let instance = app.instance.clone();
    logged.merge(probes(app)).layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(middleware::map_response_with_state(
                instance,
                instance::sign,
            ))
            .layer(middleware::from_fn(admission::admit))
            .layer(middleware::from_fn(host::only_one)),
    )
}

/// What takes a worker, and runs to its end.
fn work(completion: &Completion) -> Router<Arc<App>> {
    WORK.iter().fold(Router::new(), |all, part| {
        all.merge(run_to_the_end((part.routes)(), part.shown_by, completion))
    })
}

/// The keeper takes no worker: queueing behind deposits, it could not put an end to them.
fn keeper(completion: &Completion) -> Router<Arc<App>> {
    let completion = Completion {
        workers: None,
        ..completion.clone()
    };
    let api = run_to_the_end((KEEPER.routes)(), KEEPER.shown_by, &completion)
        .route_layer(middleware::map_response(protection::keep_private));
    let pages = run_to_the_end(admin::pages(), KEEPER.shown_by, &completion)
        .route_layer(middleware::from_fn(admin::show_problems))
        .route_layer(middleware::map_response(protection::protect_page))
        .route_layer(middleware::map_response(protection::keep_private));
    api.merge(pages)
}

/// The console takes no worker either. What it shows may change at any time, so no cache keeps it.
fn console(completion: &Completion) -> Router<Arc<App>> {
    let of = |routes, body_limit| {
        let completion = Completion {
            workers: None,
            body_limit,
            ..completion.clone()
        };
        run_to_the_end(routes, CONSOLE.shown_by, &completion)
    };
    of((CONSOLE.routes)(), console::BODY_LIMIT)
        .merge(of(console::open::routes(), console::open::BODY_LIMIT))
        .route_layer(middleware::from_fn(console::show_problems))
        .route_layer(middleware::map_response(protection::protect_console))
        .route_layer(middleware::map_response(protection::keep_private))
}

fn run_to_the_end(
    routes: Router<Arc<App>>,
    shown_by: Option<&'static str>,
    completion: &Completion,
) -> Router<Arc<App>> {
    let completion = Completion {
        shown_by,
        ..completion.clone()
    };
    routes.route_layer(middleware::from_fn_with_state(
        completion,
        completion::run_to_the_end,
    ))
}

/// Answered at once, also when every worker is busy; and not logged, because a program asks every
/// few seconds.
fn probes(app: Arc<App>) -> Router {
    PROBES
        .iter()
        .fold(Router::new(), |all, part| all.merge((part.routes)()))
        .method_not_allowed_fallback(Problem::wrong_method)
        .with_state(app)
}

/// Swagger UI and the document that it shows.
fn documentation() -> Router {
    // "none": the page is not to call a validator on the internet.
    let swagger = SwaggerUi::new("/docs")
        .url("/openapi.json", description())
        .config(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    Router::from(swagger)
        .layer(middleware::from_fn(assets::show_nothing_as_a_problem))
        .layer(middleware::map_response(protection::protect_documentation))
}

fn request_span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let caller = request.extensions().get::<Caller>();
    tracing::info_span!(
        "request",
        id,
        client = caller.map(|caller| field::display(caller.address)),
        secure = caller.map(|caller| caller.secure),
        method = %request.method(),
        path = request.uri().path(),
    )
}
