//! The progress of what is under way: a run or an exploration.

use maud::{Markup, html};

/// How often a browser without scripts asks again, in seconds.
pub const AGAIN: u32 = 2;

/// How far something is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The path of its page.
    pub path: &'a str,
    /// What is counted, e.g. `requests`.
    pub unit: &'a str,
    /// How much is done.
    pub done: u64,
    /// How much there is. None if it is not known.
    pub of: Option<u64>,
    /// The same in words.
    pub text: &'a str,
}

/// A progress bar, a line of words, and a button to stop it. `token` keeps the form from being
/// carried out twice.
pub fn progress(progress: &Progress<'_>, token: &str) -> Markup {
    progress_to(progress, progress.path, token)
}

/// The same, if something else than its own page is shown in the end.
pub fn progress_to(progress: &Progress<'_>, end: &str, token: &str) -> Markup {
    let Progress {
        path,
        unit,
        done,
        of,
        text,
    } = *progress;
    html! {
        section #live.live data-events={ (path) "/events" } data-done=(end) aria-label="Progress" {
            @if let Some(of) = of {
                progress #progress max=(of.max(1)) value=(done) aria-label={ "Done: " (unit) } {}
            } @else {
                progress #progress aria-label={ "Done: " (unit) } {}
            }
            p #said role="status" { (text) }
            form method="post" action={ (path) "/stop" } {
                input type="hidden" name="token" value=(token);
                button data-busy="Stopping…" { "Stop" }
            }
        }
        noscript { p.faint { "This page is loaded again every " (AGAIN) " seconds." } }
    }
}
