//! An error as a page.

use maud::{Markup, html};

use super::frame::{Frame, Place};

/// A way on from an error: where it leads, and its words.
pub type WayOn<'a> = (&'a str, &'a str);

/// The page of an error.
pub fn page(
    title: &str,
    detail: &str,
    place: Option<Place>,
    user: Option<&str>,
    way_on: WayOn<'_>,
) -> Markup {
    let frame = Frame {
        place,
        ..Frame::elsewhere(title, user).without_scripts()
    };
    let (path, words) = way_on;
    frame.page(&html! {
        (complaint(title, detail))
        p { a href=(path) { (words) } }
    })
}

/// A line that says what is wrong.
pub fn complaint(title: &str, detail: &str) -> Markup {
    html! {
        p #complaint.complaint role="alert" { b { (title) ". " } (detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_an_error_is_text() {
        let page = page("A title", "<img src=x>", None, None, ("/", "Home")).into_string();
        assert!(!page.contains("<img"), "{page}");
        assert!(page.contains("&lt;img src=x&gt;"), "{page}");
    }
}
