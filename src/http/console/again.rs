//! A form that is refused is shown again, with everything that was typed into it.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use maud::Markup;

use super::problems::instead_of;
use crate::console::pages::form::{Filled, Refusal, Texts};
use crate::http::fields::Fields;
use crate::http::problem::Problem;

/// Takes the texts of these fields.
pub(super) fn texts(fields: &mut Fields, names: &'static [&'static str]) -> Texts {
    let given = |name: &&'static str| Some((*name, unquoted(fields.take(name)?)));
    names.iter().filter_map(given).collect()
}

/// A JSON object's fields come as JSON: a text is in quotes there.
fn unquoted(text: String) -> String {
    serde_json::from_str(&text).unwrap_or(text)
}

/// Whether a problem is for the form that was sent: a field is wrong, or there is no place.
pub(super) fn is_about_the_form(problem: &Problem) -> bool {
    let statuses = [StatusCode::BAD_REQUEST, StatusCode::TOO_MANY_REQUESTS];
    statuses.iter().any(|it| it.as_u16() == problem.status)
}

/// The form as it was sent, with what is wrong with it.
pub(super) fn refused(texts: Texts, problem: &Problem) -> Filled {
    let refusal = Refusal {
        field: problem.field,
        title: problem.title.to_owned(),
        detail: problem.detail.clone(),
    };
    Filled::refused(texts, refusal)
}

/// The page of a form, with the status and the headers of the problem.
pub(super) fn page(problem: Problem, page: Markup) -> Response {
    instead_of(problem.into_response(), page)
}
