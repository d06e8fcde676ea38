//! What stands around every page: the title, the way to the content, and one navigation.

use maud::{DOCTYPE, Markup, html};

/// Where a page is in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Bursts of requests.
    Run,
    /// Explorations on the lab's engine.
    Explore,
    /// Engines, levels and strategies.
    Matrix,
    /// The strategies, explained.
    Strategies,
    /// The corpus.
    Scenarios,
    /// Two runs beside each other.
    Compare,
    /// A report from elsewhere.
    Open,
    /// The accounts, to read.
    Accounts,
    /// The accounts, to change.
    Keeper,
    /// The API's documentation.
    Api,
}

/// The navigation, in its order.
const PLACES: [(Place, &str, &str); 10] = [
    (Place::Run, "/runs", "Run"),
    (Place::Explore, "/explore", "Explore"),
    (Place::Matrix, "/matrix", "Matrix"),
    (Place::Strategies, "/why", "Strategies"),
    (Place::Scenarios, "/scenarios", "Scenarios"),
    (Place::Compare, "/compare", "Compare"),
    (Place::Open, "/open", "Open"),
    (Place::Accounts, "/accounts.html", "Accounts"),
    (Place::Keeper, "/admin", "Keeper"),
    (Place::Api, "/docs/", "API"),
];

/// What stands around a page.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The page's headline.
    pub title: &'a str,
    /// A line above it, such as the engine. Empty if there is none.
    pub over: &'a str,
    /// Where it is in the navigation. None if it is in no place of it.
    pub place: Option<Place>,
    /// The name of the user who is signed in.
    pub user: Option<&'a str>,
    /// Whether its scripts are loaded.
    pub has_scripts: bool,
    /// How often a browser without scripts loads it again, in seconds.
    pub refresh: Option<u32>,
}

impl<'a> Frame<'a> {
    /// A page in a place of the navigation.
    pub fn new(title: &'a str, place: Place, user: Option<&'a str>) -> Self {
        Self {
            title,
            over: "",
            place: Some(place),
            user,
            has_scripts: true,
            refresh: None,
        }
    }

    /// A page that is in no place of the navigation.
    pub fn elsewhere(title: &'a str, user: Option<&'a str>) -> Self {
        Self {
            place: None,
            ..Self::new(title, Place::Run, user)
        }
    }

    /// A page with a line above its headline.
    #[must_use]
    pub fn below(self, over: &'a str) -> Self {
        Self { over, ..self }
    }

    /// A page that loads no script.
    #[must_use]
    pub fn without_scripts(self) -> Self {
        Self {
            has_scripts: false,
            ..self
        }
    }

    /// A page that a browser without scripts loads again and again.
    #[must_use]
    pub fn again_every(self, seconds: u32) -> Self {
        Self {
            refresh: Some(seconds),
            ..self
        }
    }

    /// The whole page.
    pub fn page(&self, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head { (self.head()) }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (self.header())
                    main #main {
                        @if !self.over.is_empty() { p.over { (self.over) } }
                        h1 { (self.title) }
                        (main)
                    }
                    footer.foot {
                        span { "For programs:" }
                        a href="/openapi.json" { "the API's description" }
                        a href="/accounts" { "accounts" }
                        a href="/strategies" { "strategies" }
                    }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        html! {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (self.title) " · Racy" }
            link rel="icon" href="data:,";
            link rel="stylesheet" href="/racy.css";
            @if let Some(seconds) = self.refresh {
                noscript { meta http-equiv="refresh" content=(seconds); }
            }
            @if self.has_scripts { script type="module" src="/console.js" {} }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header.bar {
                a.home href="/" { "Racy" }
                nav aria-label="Console" {
                    @for (place, path, words) in PLACES {
                        @let is_here = self.place == Some(place);
                        a href=(path) aria-current=[is_here.then_some("page")] {
                            (words)
                            @if place == Place::Open { span.hidden { " a report" } }
                        }
                    }
                }
                @if let Some(user) = self.user {
                    form method="post" action="/admin/logout" {
                        span { "Signed in as " b { (user) } }
                        button { "Sign out" }
                    }
                } @else {
                    a.end href="/admin/login" { "Sign in" }
                }
            }
        }
    }
}

/// Text for a URL: everything but letters, digits, slashes and `-._~` is encoded, so that nothing
/// of it ends a query's value.
pub fn percent_encoded(text: &str) -> String {
    let bytes = text.bytes();
    let encoded = bytes.map(|byte| match byte {
        b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(place: Place, user: Option<&str>) -> String {
        let nothing = html! {};
        Frame::new("A title", place, user)
            .page(&nothing)
            .into_string()
    }

    #[test]
    fn one_place_of_the_navigation_is_the_current_one() {
        let page = page(Place::Matrix, None);
        assert_eq!(page.matches("aria-current").count(), 1);
        assert!(page.contains(r#"<a href="/matrix" aria-current="page">Matrix</a>"#));
    }

    #[test]
    fn a_user_is_named_and_can_sign_out() {
        assert!(!page(Place::Run, None).contains("Sign out"));
        let page = page(Place::Run, Some("<ada>"));
        assert!(page.contains("Signed in as <b>&lt;ada&gt;</b>"), "{page}");
    }

    #[test]
    fn only_without_scripts_a_page_is_loaded_again() {
        let frame = Frame::new("A run", Place::Run, None).again_every(2);
        let page = frame.page(&html! {}).into_string();
        let refresh = r#"<noscript><meta http-equiv="refresh" content="2"></noscript>"#;
        assert!(page.contains(refresh), "{page}");
    }
}
