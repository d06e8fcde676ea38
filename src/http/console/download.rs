//! Files that a visitor takes along.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use make_requests::trace::Trace;

use crate::console::stepped;
use crate::console::trace::of_schedule;
use crate::explore::report::{ExampleData, FindingData, script};
use crate::http::problem::Problem;

/// The form in which something is asked for, by the end of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A page of the console.
    Page,
    /// One HTML file that needs no server.
    Html,
    /// Its data.
    Json,
    /// SQL to paste.
    Sql,
    /// A trace, which ui.perfetto.dev opens.
    Trace,
}

impl Form {
    /// A name in a path without its ending, and the form that the ending asks for.
    pub(super) fn of(path: &str) -> (&str, Self) {
        let endings = [
            (".trace.json", Self::Trace),
            (".html", Self::Html),
            (".json", Self::Json),
            (".sql", Self::Sql),
        ];
        let found = endings
            .into_iter()
            .find_map(|(ending, form)| Some((path.strip_suffix(ending)?, form)));
        found.unwrap_or((path, Self::Page))
    }
}

/// A schedule as SQL.
pub(super) fn script_of(finding: &FindingData, example: &ExampleData) -> String {
    script(finding, example).unwrap_or_else(|| "-- No step of this schedule is SQL.\n".to_owned())
}

/// An HTML file to keep. It is not shown from here: its scripts are in it, and the console's pages
/// run none of those.
pub(super) fn html(name: &str, text: String) -> Response {
    attachment(&format!("{name}.html"), "text/html; charset=utf-8", text)
}

/// A trace to keep.
pub(super) fn trace(trace: &Trace) -> Result<Response, Problem> {
    let mut text = Vec::new();
    let written = trace.write(&mut text);
    written.map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// A schedule as a trace to keep: each step is as long as the others.
pub(super) fn trace_of(finding: &FindingData) -> Result<Response, Problem> {
    let Some((_, example)) = finding.shown() else {
        return trace(&Trace::default());
    };
    trace(&of_schedule(&stepped::of(finding, example)))
}

/// SQL to keep.
pub(super) fn sql(name: &str, text: String) -> Response {
    attachment(&format!("{name}.sql"), "text/plain; charset=utf-8", text)
}

fn attachment(name: &str, media_type: &'static str, text: String) -> Response {
    let safe = |it: &char| it.is_ascii_alphanumeric() || "-_.".contains(*it);
    let name: String = name.chars().filter(safe).collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"racy-{name}\""));
    let disposition = disposition.unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path_is_the_form() {
        assert_eq!(Form::of("orders/bakery"), ("orders/bakery", Form::Page));
        assert_eq!(
            Form::of("orders/bakery.html"),
            ("orders/bakery", Form::Html)
        );
        assert_eq!(Form::of("k3v.json"), ("k3v", Form::Json));
        assert_eq!(Form::of("k3v.trace.json"), ("k3v", Form::Trace));
        assert_eq!(Form::of("k3v.sql"), ("k3v", Form::Sql));
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        let answer = html("a\"\r\nset-cookie: x/../y", String::new());
        let name = &answer.headers()[header::CONTENT_DISPOSITION];
        assert_eq!(name, "attachment; filename=\"racy-aset-cookiex..y.html\"");
    }
}
