//! `GET /`: the front page.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::Markup;

use super::token;
use crate::console::matrix::shipped;
use crate::console::pages::{self, matrix};
use crate::console::stepped;
use crate::engine::Engine;
use crate::explore::report::FindingData;
use crate::http::app::App;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

/// What the front page shows of the shipped matrix: the first of these that goes wrong here.
const EXAMPLES: [&str; 2] = ["non_atomic_no_delay", "atomic_no_delay"];

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(show))
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Markup, Problem> {
    let example = example(app.database.engine()).and_then(|finding| {
        let example = finding.counterexample.as_ref()?;
        Some(stepped::of(finding, example))
    });
    Ok(pages::front::page(
        example.as_ref(),
        &token()?,
        visitor.name(),
    ))
}

fn example(engine: &Engine) -> Option<&'static FindingData> {
    let findings = EXAMPLES
        .iter()
        .filter_map(|it| matrix::find_on(shipped(), engine, it));
    findings.into_iter().find(|it| it.counterexample.is_some())
}
