//! What the keeper's pages have in common: plain HTML that needs no script, in the console's frame.

use maud::{Markup, html};

use crate::auth::User;
use crate::console::pages::{Frame, Place, problem};
use crate::http::paging::Limit;
use crate::http::problem::Complaint;

/// A whole page. With a user it shows the way to the keeper's other pages. It runs no script.
pub(super) fn page(title: &str, user: Option<&User>, main: Markup) -> Markup {
    let name = user.map(|user| user.username.as_str());
    let frame = Frame::new(title, Place::Keeper, name).without_scripts();
    frame.page(&html! {
        @if user.is_some() { (navigation()) }
        (main)
    })
}

fn navigation() -> Markup {
    html! {
        nav.row aria-label="Keeper" {
            a href="/admin" { "Accounts" }
            a href="/admin/changes" { "Changes" }
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
    problem::complaint(complaint.title, &complaint.detail)
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
