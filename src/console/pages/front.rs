//! The front page: from here to "oh, that is why" in a minute.

use maud::{Markup, html};

use super::frame::Frame;

/// The front page.
pub fn page(user: Option<&str>) -> Markup {
    let frame = Frame::elsewhere("Racy: a laboratory of race conditions", user);
    frame.page(&html! {
        p.lead { "A small bank in which money gets lost on purpose, so that you can see why." }
    })
}
