//! A browser in which scripts are forbidden.

use fantoccini::Locator;

use super::{Start, Visit};
use crate::support::TestEngine;

on_engines!(
    mysql:
        every_page_is_complete_without_scripts;
);

async fn every_page_is_complete_without_scripts(engine: TestEngine) {
    let visit = Visit::with(engine, Start::WithoutScripts).await;
    let browser = &visit.browser;
    visit.goto("/").await;
    browser.press("Lose an update").await;
    // The page loads itself again while the run lasts.
    browser.shows(".verdict h2", "deposits lost").await;
    let path = browser.path().await;
    let record = visit.json(&format!("{path}.json")).await;
    let lanes = record["lanes"].as_array().unwrap().iter();
    let steps: usize = lanes.map(|it| it["steps"].as_array().unwrap().len()).sum();
    assert_eq!(browser.count("#steps tr[data-lane]").await, steps);
    let losses = record["losses"].as_array().unwrap().len();
    assert_eq!(browser.count(".losses li").await, losses);
    let picture = browser.client.find(Locator::Css("#picture")).await.unwrap();
    assert!(
        !picture.is_displayed().await.unwrap(),
        "an empty picture is shown"
    );

    a_schedule_is_a_table(&visit).await;
    the_matrix_is_filtered_by_its_button(&visit).await;
    an_exploration_is_waited_for(&visit).await;
    a_report_is_opened(&visit).await;
    two_runs_are_compared(&visit).await;
    visit.end().await;
}

async fn a_schedule_is_a_table(visit: &Visit) {
    visit.goto("/why/atomic_no_delay").await;
    let table = visit.browser.text("#steps").await;
    for words in ["Client A", "Client B", "Start", "begins", "balance"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(visit.browser.text("#source").await.contains("pub"));
}

async fn the_matrix_is_filtered_by_its_button(visit: &Visit) {
    visit.goto("/matrix").await;
    let all = visit.browser.count(".matrix td a").await;
    visit.browser.choose("Exhibit", "orders").await;
    visit.browser.choose("Engine", "mysql").await;
    visit.browser.press("Show").await;
    visit
        .browser
        .find(Locator::Css("option[value=orders][selected]"))
        .await;
    let few = visit.browser.count(".matrix td a").await;
    assert!(few > 0 && few < all, "{few} of {all}");
}

async fn an_exploration_is_waited_for(visit: &Visit) {
    visit.goto("/explore").await;
    visit
        .browser
        .choose("Strategy", "non_atomic_no_delay")
        .await;
    visit.browser.press("Explore").await;
    visit.browser.shows(".verdict p", "").await;
    assert!(visit.browser.count("#steps tr").await > 5);
}

async fn a_report_is_opened(visit: &Visit) {
    let report = visit
        .get("/matrix/mysql/repeatable-read/atomic_no_delay.json")
        .await;
    let report = report.text().await.unwrap();
    let file = visit.folder.path().join("report.json");
    std::fs::write(&file, report).unwrap();
    visit.goto("/open").await;
    let field = visit.browser.find(Locator::Css("#file")).await;
    field.send_keys(file.to_str().unwrap()).await.unwrap();
    visit.browser.press("Open").await;
    visit.browser.shows("h1", "A report").await;
    assert!(visit.browser.count("#steps tr").await > 5);
}

async fn two_runs_are_compared(visit: &Visit) {
    visit.goto("/compare").await;
    visit.browser.press("Compare").await;
    visit.browser.shows(".figures", "Missing").await;
    assert!(visit.browser.count("#steps-a tr").await > 5);
    assert!(visit.browser.count("#steps-b tr").await > 5);
}
