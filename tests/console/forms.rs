//! A form that is refused is shown again, with what was typed.

use reqwest::header::ACCEPT;

use super::pages::{Console, assert_is_complete, values};
use crate::support::TestEngine;

on_engines!(
    sqlite:
        a_refused_form_is_shown_again_with_what_was_typed,
        a_form_without_a_place_is_shown_again;
);

/// A form with a wrong field: where it goes, its fields, which one is wrong, and what is right.
type Refused = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const REFUSED: [Refused; 5] = [
    (
        "/runs",
        &[
            ("strategy", "atomic_update"),
            ("requests", "900"),
            ("account", "7"),
            ("predicted", "4711"),
        ],
        "requests",
        "from 1 to 500",
    ),
    (
        "/runs",
        &[
            ("strategy", "atomic_update"),
            ("pace", "wait"),
            ("wait_ms", "0"),
        ],
        "wait_ms",
        "from 1 to 60000",
    ),
    (
        "/runs",
        &[("strategy", "atomic_update"), ("account", "4711")],
        "account",
        "an account that exists",
    ),
    (
        "/explore",
        &[("strategy", "orders/bakery"), ("clients", "9")],
        "clients",
        "from 1 to 4",
    ),
    (
        "/compare",
        &[
            ("first", "atomic_update"),
            ("second", "nothing"),
            ("delay_ms", "7"),
        ],
        "second",
        "one of ",
    ),
];

async fn a_refused_form_is_shown_again_with_what_was_typed(engine: TestEngine) {
    let console = Console::on(engine).await;
    for (path, fields, wrong, right) in REFUSED {
        let answer = console.post(path, fields).await;
        assert_eq!(answer.status(), 400, "{path}");
        let headers = answer.headers().clone();
        let page = answer.text().await.unwrap();
        assert_is_complete(path, &headers, &page);
        assert!(page.contains("role=\"alert\"") && page.contains(right));
        assert!(page.contains(&format!("The field &quot;{wrong}&quot; is ")));
        let marked = page.split(['<', '>']);
        let marked: Vec<_> = marked.filter(|it| it.contains("aria-invalid")).collect();
        assert_eq!(marked.len(), 1, "{path}: {marked:?}");
        assert_eq!(values(marked[0], "name"), [wrong], "{path}");
        assert_holds(&page, path, fields);
        let program = console.client.post(console.url(path)).form(fields);
        let answer = program.header(ACCEPT, "application/json").send().await;
        let problem: serde_json::Value = answer.unwrap().json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(right));
        assert!(problem.get("field").is_none(), "{problem}");
    }
    console.service.stop().await;
}

/// The form that goes to this path holds these values.
fn assert_holds(page: &str, path: &str, fields: &[(&str, &str)]) {
    let forms = page.split("<form").filter(|it| it.contains("</form>"));
    let action = format!("action=\"{path}\"");
    let form = forms.into_iter().find(|it| it.contains(&action)).unwrap();
    for (name, value) in fields {
        let is_typed = form.split('<').any(|tag| {
            let is_on = !tag.contains("radio") || tag.contains(" checked");
            is_on && values(tag, "name") == [*name] && values(tag, "value") == [*value]
        });
        let is_chosen = form.contains(&format!("<option value=\"{value}\" selected>"));
        assert!(is_typed || is_chosen, "{path}: {name} is lost: {form}");
    }
}

async fn a_form_without_a_place_is_shown_again(engine: TestEngine) {
    let console = Console::on(engine).await;
    let long = [("strategy", "non_atomic_long_delay"), ("delay_ms", "3000")];
    let run = [("strategy", "atomic_no_delay"), ("requests", "3")];
    let two = [("first", "atomic_no_delay"), ("delay_ms", "7")];
    let two = [&two[..], &[("second", "non_atomic_no_delay")]].concat();
    console.started("/runs", &long).await;
    for (path, fields) in [("/runs", &run[..]), ("/compare", &two[..])] {
        let answer = console.post(path, fields).await;
        assert_eq!(answer.status(), 429, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("Too many runs at once"), "{page}");
        assert!(!page.contains("aria-invalid"), "{page}");
        assert_holds(&page, path, fields);
    }
    console.started("/explore", &[("what", "matrix")]).await;
    let scenario = [
        ("what", "scenario"),
        ("scenario", "patterns/counter-cache/lost.toml"),
    ];
    let answer = console.post("/explore", &scenario).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    let page = answer.text().await.unwrap();
    assert!(page.contains("Try again"), "{page}");
    assert_holds(&page, "/explore", &scenario);
    console.service.stop().await;
}
