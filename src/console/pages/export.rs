//! A page as one file that needs no server: style sheet and scripts are in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::console::assets::{MODULES, STYLE};

/// What the file may load: only what is in it.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data:; base-uri 'none'; form-action 'none'";

/// The file. `main` is what a page has below its title.
pub fn file(title: &str, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Racy" }
                link rel="icon" href="data:,";
                style { (PreEscaped(within("</style", STYLE.text))) }
            }
            body.export {
                main #main {
                    h1 { (title) }
                    (main)
                    p.faint {
                        "Made by Racy, a laboratory of race conditions. This file needs no server."
                    }
                }
                script type="module" { (PreEscaped(within("</script", &script()))) }
            }
        }
    };
    page.into_string()
}

/// All modules as one, in an order in which each stands behind those that it imports.
fn script() -> String {
    let mut script = String::new();
    for line in MODULES.iter().flat_map(|module| module.text.lines()) {
        if line.starts_with("import ") {
            continue;
        }
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script
}

/// Text of ours in an element that this end tag would end.
fn within(end: &str, text: &str) -> String {
    text.replace(end, &end.replace('/', "\\/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_loads_nothing() {
        let file = file("<img src=x>", &html! { p { "Text" } });
        assert!(
            file.contains("<title>&lt;img src=x&gt; · Racy</title>"),
            "{file}"
        );
        for outside in [
            " src=",
            "href=\"/",
            "\nimport ",
            "\nexport ",
            "@import",
            "url(http",
        ] {
            let found = file.find(outside);
            let around = found.map(|at| &file[at..(at + 80).min(file.len())]);
            let is_ours = around.is_some_and(|it| it.starts_with(" src=x&gt;"));
            assert!(found.is_none() || is_ours, "{outside}: {around:?}");
        }
        assert_eq!(file.matches("</script>").count(), 1);
        assert_eq!(file.matches("</style>").count(), 1);
    }
}
