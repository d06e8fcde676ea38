//! A report that a visitor brings, shown without being stored.

use maud::{Markup, html};

use super::frame::{Frame, Place};
use super::problem::complaint;
use super::report::{Findings, findings};
use crate::explore::report::Report;

/// The form. `limit` is the largest report, in bytes; `wrong` says what was wrong with one.
pub fn form(limit: usize, wrong: Option<&str>, user: Option<&str>) -> Markup {
    Frame::new("Open a report", Place::Open, user).page(&html! {
        p.lead {
            "The JSON of any " code { "racy explore --format json" } ", or of an exploration at "
            "another lab. It is shown, and not stored."
        }
        @if let Some(wrong) = wrong { (complaint("This is not a report", wrong)) }
        (fields(limit))
    })
}

fn fields(limit: usize) -> Markup {
    html! {
        form.form method="post" action="/open" enctype="multipart/form-data" {
            div.field.whole {
                label for="file" { "A file" }
                input #file name="file" type="file" accept=".json,application/json"
                    aria-describedby="file-hint";
                p.hint #file-hint { "at most " (limit / 1024 / 1024) " MB" }
            }
            div.field.whole {
                label for="report" { "Or its text" }
                textarea #report name="report" rows="12" spellcheck="false" {}
            }
            div.actions { button.primary data-busy="Opening…" { "Open" } }
        }
    }
}

/// The report as a page, with the chosen finding, from 1.
pub fn page(report: &Report, json: &str, chosen: usize, user: Option<&str>) -> Markup {
    let frame = Frame::new("A report", Place::Open, user);
    frame
        .below("Brought from elsewhere, not stored here")
        .page(&html! {
            (findings(report, chosen, &Findings::Brought(json)))
            p.row { a.button href="/open" { "Open another" } }
        })
}

#[cfg(test)]
mod tests {
    use super::super::matrix::samples::{as_json, report};
    use super::*;

    #[test]
    fn another_finding_is_a_form_that_brings_the_report_again() {
        let json = as_json().to_string();
        let page = page(&report(), &json, 2, None).into_string();
        assert!(page.contains(r#"<option value="2" selected>"#), "{page}");
        assert!(page.contains("&quot;version&quot;:1"), "{page}");
        assert!(page.contains("Safe in every schedule"));
    }

    #[test]
    fn what_is_wrong_is_said_as_text() {
        let page = form(16 * 1024 * 1024, Some("line 1: <img src=x>"), None).into_string();
        assert!(page.contains("line 1: &lt;img src=x&gt;"), "{page}");
        assert!(page.contains("at most 16 MB"));
    }
}
