//! The corpus: the list of scenario files, and a page for each. Users who are signed in may bring
//! one of their own, because it runs SQL.

use maud::{Markup, html};

use super::frame::{Frame, Place};
use super::markdown;
use super::parts::copyable;
use super::problem::complaint;
use crate::console::corpus::{CORPUS, CorpusFile};
use crate::explore::report::matrix::distinct;

/// What a folder of the corpus has.
fn about(folder: &str) -> &'static str {
    match folder {
        "patterns" => {
            "Races of real applications, each with a cure, and with cures that do not hold."
        }
        "anomalies" => "The anomalies of the literature, after Hermitage.",
        "racy-django" => "The strategies of an earlier lab of the same name, as scripts.",
        "templates" => "To begin with: what racy new writes.",
        "isolation" => "Isolation tests in the format of PostgreSQL.",
        _ => "",
    }
}

/// The list. `wrong` says what was wrong with a file that was brought.
pub fn list(token: &str, wrong: Option<(&str, &str)>, brought: &str, user: Option<&str>) -> Markup {
    Frame::new("Scenarios", Place::Scenarios, user).page(&html! {
        p.lead {
            "A scenario is a file: what to set up, what each client does, and what must hold. "
            "The explorer runs it in every order."
        }
        @if let Some((title, detail)) = wrong { (complaint(title, detail)) }
        @for folder in distinct(CORPUS.iter().map(CorpusFile::folder)) {
            section aria-labelledby={ "folder-" (folder) } {
                h2 id={ "folder-" (folder) } { (folder) }
                p.faint { (about(folder)) }
                ul {
                    @for file in CORPUS.iter().filter(|it| it.folder() == folder) {
                        li {
                            a href={ "/scenarios/" (file.path) } { (file.title()) }
                            " " code.faint { (file.path) }
                        }
                    }
                }
            }
        }
        (bring(token, brought, user))
    })
}

fn bring(token: &str, brought: &str, user: Option<&str>) -> Markup {
    html! {
        h2 #bring { "Bring one of your own" }
        @if user.is_some() {
            form.form method="post" action="/scenarios" enctype="multipart/form-data" {
                input type="hidden" name="token" value=(token);
                div.field.whole {
                    label for="file" { "A file, .toml or .spec" }
                    input #file name="file" type="file" accept=".toml,.spec";
                }
                div.field.whole {
                    label for="scenario" { "Or its text" }
                    textarea #scenario name="scenario" rows="12" spellcheck="false" { (brought) }
                }
                div.actions { button.primary data-busy="Starting…" { "Explore it" } }
            }
        } @else {
            p {
                "A scenario runs SQL, so only users who are signed in may bring one. "
                a href="/admin/login?next=/scenarios" { "Sign in" }
            }
        }
    }
}

/// The page of a file.
pub fn page(file: &CorpusFile, token: &str, user: Option<&str>) -> Markup {
    let title = file.title();
    let over = format!("scenarios/{}", file.path);
    let frame = Frame::new(&title, Place::Scenarios, user);
    frame.below(&over).page(&html! {
        section.text { (markdown::render(&file.about())) }
        form.row method="post" action="/explore" {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="what" value="scenario";
            input type="hidden" name="scenario" value=(file.path);
            button.primary data-busy="Starting…" { "Explore it on this lab's engine" }
        }
        h2 { "The file" }
        (copyable("file", "the file", file.text))
        h2 { "On the command line" }
        (copyable("command", "the command", &format!("racy explore scenarios/{}", file.path)))
        p.row { a.button href="/scenarios" { "Other scenarios" } }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_and_shown_whole() {
        let list = list("t0ken", None, "", None).into_string();
        for file in CORPUS {
            assert!(
                list.contains(&format!(r#"href="/scenarios/{}""#, file.path)),
                "{}",
                file.path
            );
            let page = page(file, "t0ken", None).into_string();
            let last = file.text.lines().last().unwrap_or_default();
            let shown = html! { (last) }.into_string();
            assert!(page.contains(&shown), "{}", file.path);
        }
    }

    #[test]
    fn only_a_user_may_bring_a_scenario() {
        let form = r#"action="/scenarios""#;
        assert!(!list("t0ken", None, "", None).into_string().contains(form));
        let list = list("t0ken", None, "</textarea><img src=x>", Some("ada")).into_string();
        assert!(list.contains(form) && !list.contains("<img"), "{list}");
    }
}
