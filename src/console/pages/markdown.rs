//! The explanations' Markdown as HTML: headings, paragraphs, lists, code, links and emphasis.
//!
//! It is the subset that the strategies' files use. Everything else is text, and all text is
//! escaped.

use maud::{Markup, PreEscaped, html};

/// A block of an explanation.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    Heading(usize, String),
    Paragraph(String),
    List {
        is_numbered: bool,
        items: Vec<String>,
    },
    Code(String),
}

/// Renders a text. Its headings are one level lower on the page, whose title is above them.
pub fn render(text: &str) -> Markup {
    html! {
        @for block in blocks(text) {
            @match block {
                Block::Heading(1, words) => h2 { (inline(&words)) },
                Block::Heading(_, words) => h3 { (inline(&words)) },
                Block::Paragraph(words) => p { (inline(&words)) },
                Block::List { is_numbered: true, items } => ol { (list(&items)) },
                Block::List { is_numbered: false, items } => ul { (list(&items)) },
                Block::Code(code) => pre { code { (code) } },
            }
        }
    }
}

/// The text without its first heading, which is the page's title.
pub fn without_title(text: &str) -> &str {
    match text.strip_prefix("# ") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    }
}

fn list(items: &[String]) -> Markup {
    html! {
        @for item in items { li { (inline(item)) } }
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut is_open = false;
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            let code = lines
                .by_ref()
                .take_while(|it| !it.trim().starts_with("```"));
            blocks.push(Block::Code(code.collect::<Vec<_>>().join("\n")));
            is_open = false;
        } else if trimmed.is_empty() {
            is_open = false;
        } else if let Some((level, words)) = heading(trimmed) {
            blocks.push(Block::Heading(level, words.to_owned()));
            is_open = false;
        } else if let Some((is_numbered, words)) = item(trimmed) {
            add_item(&mut blocks, is_numbered, words);
            is_open = true;
        } else if is_open {
            go_on(&mut blocks, trimmed);
        } else {
            blocks.push(Block::Paragraph(trimmed.to_owned()));
            is_open = true;
        }
    }
    blocks
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let words = line.trim_start_matches('#');
    let level = line.len() - words.len();
    let words = words.strip_prefix(' ')?;
    (level > 0).then_some((level, words))
}

fn item(line: &str) -> Option<(bool, &str)> {
    if let Some(words) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some((false, words));
    }
    let (number, words) = line.split_once(". ")?;
    let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
    is_number.then_some((true, words))
}

fn add_item(blocks: &mut Vec<Block>, numbered: bool, words: &str) {
    match blocks.last_mut() {
        Some(Block::List { is_numbered, items }) if *is_numbered == numbered => {
            items.push(words.to_owned());
        }
        _ => blocks.push(Block::List {
            is_numbered: numbered,
            items: vec![words.to_owned()],
        }),
    }
}

/// Adds a line to the paragraph or the item that is open.
fn go_on(blocks: &mut [Block], line: &str) {
    let text = match blocks.last_mut() {
        Some(Block::Paragraph(text)) => text,
        Some(Block::List { items, .. }) => match items.last_mut() {
            Some(item) => item,
            None => return,
        },
        Some(Block::Heading(..) | Block::Code(_)) | None => return,
    };
    text.push(' ');
    text.push_str(line);
}

/// The marks within a line, and what they become.
const MARKS: [(&str, &str); 3] = [("`", "code"), ("**", "strong"), ("*", "em")];

fn inline(text: &str) -> Markup {
    let mut html = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((words, after)) = link(rest) {
            html.push_str(&inline(words).into_string());
            rest = after;
            continue;
        }
        let marked = MARKS.iter().find_map(|(mark, name)| {
            let (inner, after) = rest.strip_prefix(mark)?.split_once(mark)?;
            let is_text = !inner.is_empty() && !inner.starts_with(' ');
            is_text.then_some((*name, inner, after))
        });
        match marked {
            Some((name, inner, after)) => {
                let inner = if name == "code" {
                    html! { (inner) }
                } else {
                    inline(inner)
                };
                html.push_str(&format!("<{name}>{}</{name}>", inner.into_string()));
                rest = after;
            }
            None => {
                html.push_str(&html! { (next) }.into_string());
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    PreEscaped(html)
}

/// The words of a link at the beginning of a text, and what follows it. A link leads to code, and a
/// page shows its words alone.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let (words, rest) = inner.split_once(']')?;
    match rest.strip_prefix('(') {
        Some(target) => Some((words, target.split_once(')')?.1)),
        None => words.starts_with('`').then_some((words, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        render(text).into_string()
    }

    #[test]
    fn blocks_become_elements() {
        assert_eq!(
            rendered(
                "# A title\n\nOne line\nand the next.\n\n## Below\n\n- one\n  more\n- two\n\n1. first"
            ),
            "<h2>A title</h2><p>One line and the next.</p><h3>Below</h3>\
             <ul><li>one more</li><li>two</li></ul><ol><li>first</li></ol>"
        );
    }

    #[test]
    fn code_keeps_its_lines_and_its_marks() {
        assert_eq!(
            rendered("```text\nA A  **no**\n    B\n```\nafter"),
            "<pre><code>A A  **no**\n    B</code></pre><p>after</p>"
        );
    }

    #[test]
    fn marks_within_a_line_become_elements() {
        assert_eq!(
            rendered("a **lost `update`**, *shared*, `SELECT *`, 2 * 3 * 4"),
            "<p>a <strong>lost <code>update</code></strong>, <em>shared</em>, \
             <code>SELECT *</code>, 2 * 3 * 4</p>"
        );
    }

    #[test]
    fn a_link_to_code_is_its_words() {
        assert_eq!(
            rendered("see [`atomic`](super::atomic) and [`lost`]; not [1]"),
            "<p>see <code>atomic</code> and <code>lost</code>; not [1]</p>"
        );
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            rendered("# <b>\n\n<script>`<i>`**<u>**\n\n```\n</code>\n```"),
            "<h2>&lt;b&gt;</h2><p>&lt;script&gt;<code>&lt;i&gt;</code><strong>&lt;u&gt;</strong></p>\
             <pre><code>&lt;/code&gt;</code></pre>"
        );
    }

    #[test]
    fn every_explanation_is_rendered_without_marks_left_over() {
        for specimen in crate::exhibits::specimens() {
            let text = specimen.card().explanation();
            let html = rendered(&text);
            for mark in ["**", "```", "](", "<p>- ", "<p># "] {
                let is_left = html.contains(mark) && !html.contains("<pre>");
                assert!(!is_left, "{}: {mark} in {html}", specimen.full_name());
            }
        }
    }

    #[test]
    fn the_title_is_left_out() {
        assert_eq!(without_title("# A title\n\nText"), "\nText");
        assert_eq!(without_title("Text"), "Text");
    }
}
