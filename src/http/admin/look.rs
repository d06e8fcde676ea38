//! What the keeper's pages have in common: plain HTML that needs no script. Their style sheet is
//! `static/racy.css`, as of all pages.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};

use crate::auth::User;
use crate::http::paging::Limit;
use crate::http::problem::Complaint;

/// A whole page. With a user it shows the way to the other pages.
pub(super) fn page(title: &str, user: Option<&User>, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Racy" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/racy.css";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    a.home href="/" { "Racy" }
                    @if let Some(user) = user { (navigation(user)) }
                }
                main #main {
                    h1 { (title) }
                    (main)
                }
            }
        }
    }
}

fn navigation(user: &User) -> Markup {
    html! {
        nav aria-label="Keeper" {
            a href="/admin" { "Accounts" }
            a href="/admin/changes" { "Changes" }
        }
        form method="post" action="/admin/logout" {
            span { "Signed in as " b { (user.username) } }
            button { "Sign out" }
        }
    }
}

/// A button that sends a form.
pub(super) fn button(action: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(action) { button { (label) } }
    }
}

/// A line that says what has just been done.
pub(super) fn done(words: Option<&str>) -> Markup {
    html! {
        @if let Some(words) = words { p.done role="status" { (words) } }
    }
}

/// A line that says what is wrong.
pub(super) fn complaint(complaint: &Complaint) -> Markup {
    html! {
        p #complaint.complaint role="alert" { b { (complaint.title) ". " } (complaint.detail) }
    }
}

/// Links to the next page of a list, and to its first page.
pub(super) fn pages(
    path: &str,
    parameter: &str,
    next: Option<i64>,
    limit: Limit,
    is_first: bool,
) -> Markup {
    let limit = limit.given();
    let and_limit = limit.map(|limit| format!("&limit={limit}"));
    let only_limit = limit.map(|limit| format!("?limit={limit}"));
    html! {
        @if next.is_some() || !is_first {
            nav aria-label="Pages" {
                @if !is_first { a href={ (path) (only_limit.unwrap_or_default()) } { "First page" } }
                @if let Some(next) = next {
                    a rel="next" href={ (path) "?" (parameter) "=" (next) (and_limit.unwrap_or_default()) } {
                        "Next page"
                    }
                }
            }
        }
    }
}

/// Replaces a response's body by a page, and keeps its status and headers.
pub(super) fn instead_of(response: Response, page: Markup) -> Response {
    let (mut parts, _body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    parts.extensions.remove::<Complaint>();
    (parts, page).into_response()
}
