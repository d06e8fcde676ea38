//! The record that a page's scripts draw from, and the place where they draw.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

/// What a page's picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A burst of requests.
    Run,
    /// A schedule, step by step.
    Schedule,
    /// Two bursts.
    Compare,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Schedule => "schedule",
            Self::Compare => "compare",
        }
    }
}

/// The place for the picture, and the record as JSON. Without scripts the place stays hidden.
pub fn picture(kind: Kind, record: &impl Serialize) -> Markup {
    let json = serde_json::to_string(record).unwrap_or_else(|_| "null".to_owned());
    html! {
        div #picture data-kind=(kind.name()) hidden {}
        script #record type="application/json" { (PreEscaped(within_a_script(&json))) }
    }
}

/// JSON in which nothing ends the script element that holds it.
fn within_a_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_script_that_holds_it() {
        let page = picture(Kind::Run, &"</script><script>alert(1)</script><!--").into_string();
        assert_eq!(page.matches("</script>").count(), 1, "{page}");
        assert!(!page.contains("<!--"), "{page}");
        let json = page.split_once('>').unwrap().1;
        assert!(
            json.contains(r#""\u003c/script>\u003cscript>alert(1)"#),
            "{page}"
        );
    }
}
