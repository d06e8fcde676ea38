//! Markup in whatever a visitor may write: it is shown as text, and does nothing.

use racy::explore::report::read;
use serde_json::{Value, json};

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        markup_in_any_field_is_text;
);

const MARKUP: &str = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&";

/// Addresses with markup in a part that their page may repeat.
const PLACES: [&str; 9] = [
    "/why/{}",
    "/runs/{}",
    "/explorations/{}",
    "/scenarios/{}",
    "/matrix/{}/repeatable-read/atomic_no_delay",
    "/matrix?engine={}&exhibit={}&verdict={}",
    "/runs?strategy={}&isolation={}",
    "/explore?strategy={}",
    "/compare?first={}&a={}&b={}",
];

async fn markup_in_any_field_is_text(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    for place in PLACES {
        let address = reqwest::Url::parse(&visit.at(&place.replace("{}", &encoded(MARKUP))));
        visit.browser.goto(address.unwrap().as_str()).await;
        assert_is_text(&visit, place).await;
    }
    assert_forms_repeat_text(&visit).await;
    assert_a_report_is_text(&visit).await;
    visit.sign_in().await;
    assert_a_scenario_is_text(&visit).await;

    // Refusals are expected, and that a number's field takes no markup. Scripts that the page's
    // policy has stopped are not.
    let complaints = visit.browser.complaints().await;
    let is_expected = |it: &String| {
        it.contains("the server responded with a status of 4") || it.contains("cannot be parsed")
    };
    assert!(complaints.iter().all(is_expected), "{complaints:#?}");
    visit.end().await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// No element has come from the markup, and nothing of it has run.
async fn assert_is_text(visit: &Visit, what: &str) {
    let alert = visit.browser.client.get_alert_text().await;
    assert!(alert.is_err(), "{what}: {alert:?}");
    let elements = "return [...document.querySelectorAll('img, [onerror], script')]\
                    .filter((it) => it.id !== 'record' && !it.src.endsWith('/console.js'))\
                    .map((it) => it.outerHTML)";
    let elements = visit.browser.run(elements, &[]).await;
    assert_eq!(elements, json!([]), "{what}");
}

/// Forms say what was wrong, with what was written.
async fn assert_forms_repeat_text(visit: &Visit) {
    for (page, field) in [
        ("/runs", "strategy"),
        ("/runs", "requests"),
        ("/runs", "isolation"),
        ("/explore", "strategy"),
        ("/explore", "clients"),
        ("/compare", "second"),
        ("/open", "report"),
    ] {
        visit.goto(page).await;
        let send = "const [name, value] = arguments; const form = document.querySelector('main .form');\
                    const area = document.createElement('textarea'); area.name = name;\
                    area.value = value; form.querySelector(`[name=${name}]`).remove();\
                    form.append(area); form.noValidate = true; form.submit()";
        visit
            .browser
            .run(send, &[json!(field), json!(MARKUP)])
            .await;
        visit.browser.shows("#complaint", "").await;
        assert_is_text(visit, &format!("{field} of {page}")).await;
    }
}

/// A report with markup in every text that may be any.
async fn assert_a_report_is_text(visit: &Visit) {
    let cell = "/matrix/mysql/repeatable-read/atomic_no_delay.json";
    let mut report = visit.json(cell).await;
    let poisoned = poison(&mut report);
    assert!(poisoned > 20, "{poisoned}");
    visit.goto("/open").await;
    let fill = "document.getElementById('report').value = arguments[0]";
    visit.browser.run(fill, &[json!(report.to_string())]).await;
    visit.browser.press("Open").await;
    visit.browser.shows("#verdict", "").await;
    visit
        .browser
        .until("document.querySelector('#picture:not([hidden])')")
        .await;
    assert_is_text(visit, "a report").await;
    visit
        .browser
        .run(
            "document.querySelector('#picture [aria-label=Last]').click()",
            &[],
        )
        .await;
    visit.browser.shows("#picture .say", "Step").await;
    assert!(visit.browser.text("#picture").await.contains("<img src=x"));
    assert_is_text(visit, "a report's last step").await;
}

/// Puts markup into each text of a report that can still be read then. Returns how many those are.
fn poison(report: &mut Value) -> usize {
    let mut pointers = Vec::new();
    texts(report, String::new(), &mut pointers);
    let mut poisoned = 0;
    for pointer in pointers {
        let text = report.pointer(&pointer).unwrap().clone();
        let bad = format!("{}{MARKUP}", text.as_str().unwrap());
        *report.pointer_mut(&pointer).unwrap() = Value::String(bad);
        match read(report.to_string().as_bytes()) {
            Ok(_) => poisoned += 1,
            Err(_) => *report.pointer_mut(&pointer).unwrap() = text,
        }
    }
    poisoned
}

/// The places of all texts.
fn texts(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                texts(item, format!("{at}/{number}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                texts(field, format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// A scenario whose title, values and messages are markup.
async fn assert_a_scenario_is_text(visit: &Visit) {
    let scenario = format!(
        r#"
title = '''{MARKUP}'''
about = '''{MARKUP}'''
[database]
setup = "CREATE TABLE t (a VARCHAR(200)); INSERT INTO t VALUES ('<img src=x onerror=alert(3)>')"
[[client]]
name = "one"
count = 2
script = '''
BEGIN;
SELECT a FROM t; \gset
UPDATE t SET a = CONCAT(:'a', '<b>');
COMMIT;
'''
[[invariant]]
name = "'''<script>alert(4)</script>'''"
sql = "SELECT a LIKE '%<b><b>' FROM t"
"#
    );
    let scenario = scenario.replace("\"'''", "\"").replace("'''\"", "\"");
    visit.goto("/scenarios").await;
    let fill = "document.getElementById('scenario').value = arguments[0]";
    visit.browser.run(fill, &[json!(scenario)]).await;
    visit.browser.press("Explore it").await;
    visit
        .browser
        .until("document.querySelector('#picture:not([hidden])')")
        .await;
    assert!(visit.browser.text("main").await.contains("<img src=x"));
    assert_is_text(visit, "a scenario").await;
    visit.goto("/explore").await;
    assert_is_text(visit, "the list with a scenario").await;
}
