//! Schedules: explored live, brought along, looked up in the matrix, and predicted.

use fantoccini::Locator;
use serde_json::json;

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        a_strategy_is_explored_live_and_can_be_stopped,
        a_scenario_is_explored_and_only_users_bring_one,
        a_report_and_a_cell_of_the_matrix_open_in_the_same_view,
        the_decisive_steps_are_predicted_and_then_revealed;
);

async fn a_strategy_is_explored_live_and_can_be_stopped(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    visit.goto("/explore").await;
    browser.choose("Strategy", "non_atomic_no_delay").await;
    browser.press("Explore").await;
    browser.shows(".verdict p", "").await;
    browser
        .until("document.querySelector('#picture:not([hidden]) .sched')")
        .await;
    let path = browser.path().await;
    let report = visit.json(&format!("{path}.json")).await;
    let finding = &report["findings"][0];
    assert_eq!(finding["strategy"], "non_atomic_no_delay");
    let shown = browser.text(".verdict").await;
    assert!(
        shown.contains(finding["verdict"].as_str().unwrap()),
        "{shown}"
    );

    // Three clients have more schedules than anyone waits for here.
    visit.goto("/explore").await;
    browser.choose("Strategy", "atomic_long_delay").await;
    browser.fill("Clients", "3").await;
    browser.press("Explore").await;
    browser
        .until("document.getElementById('progress')?.value > 0")
        .await;
    browser.press("Stop").await;
    browser
        .shows("main", "A visitor has stopped this exploration")
        .await;
    visit.goto("/explore").await;
    assert_eq!(browser.count("tbody tr").await, 2);
    visit.end().await;
}

/// A scenario that a user brings.
const SCENARIO: &str = r#"
title = "A counter of mine"
[database]
setup = "CREATE TABLE t (n INT NOT NULL); INSERT INTO t VALUES (0)"
[[client]]
name = "one"
count = 2
script = '''
SELECT n FROM t; \gset
UPDATE t SET n = :n + 1;
'''
[[invariant]]
name = "both count"
sql = "SELECT n = 2 FROM t"
"#;

async fn a_scenario_is_explored_and_only_users_bring_one(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    visit.goto("/scenarios/templates/counter/lost.toml").await;
    browser.press("Explore it on this lab's engine").await;
    browser
        .until("document.querySelector('#picture:not([hidden]) .sched')")
        .await;

    visit.goto("/scenarios").await;
    assert_eq!(browser.count("#scenario").await, 0);
    browser
        .shows("main", "only users who are signed in may bring one")
        .await;
    let refused = visit.post("/scenarios", &[("scenario", SCENARIO)]).await;
    assert!(
        [401, 403].contains(&refused.status().as_u16()),
        "{}",
        refused.status()
    );

    visit.sign_in().await;
    assert_a_user_brings_a_scenario(&visit).await;
    browser.complains_only_of("status of 400").await;
    visit.end().await;
}

async fn assert_a_user_brings_a_scenario(visit: &Visit) {
    let browser = &visit.browser;
    visit.goto("/scenarios").await;
    let fill = "document.getElementById('scenario').value = arguments[0]";
    browser.run(fill, &[json!("title = ")]).await;
    browser.press("Explore it").await;
    browser.shows("#complaint", "").await;
    browser
        .until("document.getElementById('scenario').value === 'title = '")
        .await;
    browser.run(fill, &[json!(SCENARIO)]).await;
    browser.press("Explore it").await;
    browser
        .until("document.querySelector('#picture:not([hidden]) .sched')")
        .await;
    browser.shows("main", "A counter of mine").await;
}

async fn a_report_and_a_cell_of_the_matrix_open_in_the_same_view(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    visit.goto("/matrix").await;
    browser.choose("Exhibit", "deposits").await;
    browser.choose("Engine", "mysql").await;
    browser.press("Show").await;
    browser
        .until("location.search.includes('exhibit=deposits')")
        .await;
    browser
        .until("location.search.includes('engine=mysql')")
        .await;
    let cell = ".matrix td.anomaly a[href$='/repeatable-read/atomic_no_delay']";
    let words = browser.text(cell).await;
    browser.click(cell).await;
    browser
        .until("document.querySelector('#picture:not([hidden]) .sched')")
        .await;
    let lost = words.split(' ').next().unwrap();
    browser.shows(".verdict", lost).await;
    let sentence = browser.text(".verdict p").await;

    let cell = format!("{}.json", browser.path().await);
    assert_the_report_opens(&visit, &cell, &sentence).await;
    visit.end().await;
}

/// From a file, and as a text.
async fn assert_the_report_opens(visit: &Visit, cell: &str, sentence: &str) {
    let browser = &visit.browser;
    let report = visit.get(cell).await.text().await.unwrap();
    let file = visit.folder.path().join("report.json");
    std::fs::write(&file, &report).unwrap();
    visit.goto("/open").await;
    let field = browser.find(Locator::Css("#file")).await;
    field.send_keys(file.to_str().unwrap()).await.unwrap();
    browser.press("Open").await;
    browser.shows("h1", "A report").await;
    assert_eq!(browser.text(".verdict p").await, sentence);

    visit.goto("/open").await;
    let fill = "document.getElementById('report').value = arguments[0]";
    browser.run(fill, &[json!(report)]).await;
    browser.press("Open").await;
    browser.shows("h1", "A report").await;
    assert_eq!(browser.text(".verdict p").await, sentence);
}

async fn the_decisive_steps_are_predicted_and_then_revealed(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    let page = "/matrix/mysql/repeatable-read/atomic_no_delay";
    visit.picture(page).await;
    let steps = "return JSON.parse(document.getElementById('record').textContent).steps.length";
    let steps = browser.run(steps, &[]).await.as_u64().unwrap();
    let mut asked = 0;
    for step in 1..=steps {
        browser.press("Next ›").await;
        if browser.count("#picture .ask").await == 1 {
            asked += 1;
            // What is asked is not shown yet.
            browser.shows("#picture .say", &said(step - 1, steps)).await;
            let unsure = "const it = document.querySelector('#picture .ask input:not([type=radio]), \
                          #picture .ask [type=radio]:last-of-type'); it.checked = true; \
                          it.form.requestSubmit()";
            browser.run(unsure, &[]).await;
            browser.shows("#picture .answer", "It is").await;
        }
        browser.shows("#picture .say", &said(step, steps)).await;
    }
    assert!(asked > 0);
    let loss = "return JSON.parse(document.getElementById('record').textContent).loss.sentence";
    assert!(browser.run(loss, &[]).await.is_string());

    // A teacher asks, and not the page.
    visit.picture(&format!("{page}?reveal=1")).await;
    for step in 1..=steps {
        browser.press("Next ›").await;
        browser.shows("#picture .say", &said(step, steps)).await;
    }
    assert_eq!(browser.count("#picture .ask").await, 0);
    visit.end().await;
}

/// What the stepper says after this number of steps.
fn said(step: u64, steps: u64) -> String {
    match step {
        0 => "Start".to_owned(),
        _ => format!("Step {step} of {steps}"),
    }
}
