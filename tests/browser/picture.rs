//! A run from the front page to its verdict, and its picture beside its record.

use serde_json::{Value, json};

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        a_run_from_the_front_page_is_drawn_as_it_was_recorded,
        a_prediction_is_held_against_what_is_there,
        two_runs_are_compared_on_one_axis;
);

const PICTURE: &str = include_str!("scripts/picture.js");
const ARROW: &str = include_str!("scripts/arrow.js");

async fn a_run_from_the_front_page_is_drawn_as_it_was_recorded(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    visit.goto("/").await;
    visit.browser.press("Lose an update").await;
    visit.browser.shows(".verdict h2", "deposits lost").await;
    visit
        .browser
        .until("document.querySelector('#picture path.arrow')")
        .await;

    let path = visit.browser.path().await;
    let record = visit.json(&format!("{path}.json")).await;
    assert_verdict_is_the_audits(&visit, &record).await;
    assert_losses_are_drawn(&visit, &record).await;
    assert_picture_is_in_the_table(&visit, &record).await;
    visit.end().await;
}

/// The page, the record and the account say the same.
async fn assert_verdict_is_the_audits(visit: &Visit, record: &Value) {
    let account = visit.lab.account().await;
    let verdict = &record["verdict"];
    let figure = |name: &str| i128::from(verdict[name].as_i64().unwrap());
    assert_eq!(figure("actual"), account.balance);
    assert_eq!(figure("expected"), account.expected);
    assert_eq!(figure("missing"), account.lost);
    assert_eq!(verdict["acknowledged"], account.transactions);
    assert!(account.lost > 0);

    let banner = visit.browser.text(".verdict").await;
    for words in [&verdict["title"], &verdict["sentence"]] {
        assert!(banner.contains(words.as_str().unwrap()), "{banner}");
    }
    for number in ["expected", "actual", "missing"] {
        let number = format!("\n{}", verdict[number]);
        assert!(banner.contains(&number), "{banner}");
    }
    // Every deposit of 100 that is missing is a loss with its pair.
    let missing = usize::try_from(account.lost / 100).unwrap();
    let losses = record["losses"].as_array().unwrap();
    assert_eq!(losses.len(), missing);
    let lost = record["lanes"].as_array().unwrap().iter();
    let lost = lost.filter(|it| it["lost"] == true);
    assert_eq!(lost.count(), missing);
}

/// Each loss, chosen in the list, is drawn from its read to its overwrite, and told.
async fn assert_losses_are_drawn(visit: &Visit, record: &Value) {
    let list = visit.browser.text(".losses").await;
    for (number, loss) in (1..).zip(record["losses"].as_array().unwrap()) {
        let sentence = loss["sentence"].as_str().unwrap();
        assert!(list.contains(sentence), "{list}");
        assert_is_told(record, loss, sentence);
        let link = format!("#loss-{number} a");
        visit.browser.click(&link).await;
        visit.browser.shows("#picture .story", sentence).await;
        let drawn = visit.browser.run(ARROW, std::slice::from_ref(loss)).await;
        assert_arrow(loss, &drawn);
    }
}

/// The sentence names the two requests, what was read and what was written.
fn assert_is_told(record: &Value, loss: &Value, sentence: &str) {
    let request = |lane: &Value| {
        let lane = usize::try_from(lane.as_u64().unwrap()).unwrap();
        format!("equest {}", record["lanes"][lane]["request"])
    };
    let value = |place: &Value| {
        let [lane, step] = ["lane", "step"].map(|it| place[it].as_u64().unwrap() as usize);
        record["lanes"][lane]["steps"][step]["value"].to_string()
    };
    for words in [request(&loss["lost"]), request(&loss["by"])] {
        assert!(sentence.contains(&words), "{words} in {sentence}");
    }
    for place in ["read", "written"] {
        assert!(
            sentence.contains(&value(&loss[place])),
            "{place} in {sentence}"
        );
    }
    assert_eq!(loss["read"]["lane"], loss["by"]);
    assert_eq!(loss["overwrite"]["lane"], loss["by"]);
    assert_eq!(loss["written"]["lane"], loss["lost"]);
}

/// The arrow leads from the stale read to the overwrite, and a cross is on what was written.
fn assert_arrow(loss: &Value, drawn: &Value) {
    let number = |value: &Value| value.as_f64().unwrap();
    let is_at = |point: &Value, step: &Value, around: f64| {
        let (x, y) = (number(&point["x"]), number(&point["y"]));
        let sides = [&step["left"], &step["right"], &step["top"], &step["bottom"]].map(number);
        (sides[0] - 1.0..=sides[1] + 1.0).contains(&x)
            && (sides[2] - around..=sides[3] + around).contains(&y)
    };
    // It begins and ends beside the bars, so that the values can be read.
    let beside = 12.0;
    assert!(
        is_at(&drawn["from"], &drawn["read"], beside),
        "{loss} {drawn}"
    );
    assert!(
        is_at(&drawn["to"], &drawn["overwrite"], beside),
        "{loss} {drawn}"
    );
    assert!(
        is_at(&drawn["gone"], &drawn["written"], 0.0),
        "{loss} {drawn}"
    );
    assert_marks(loss, drawn);
}

/// The two lanes are lit, and the rows of the three steps.
fn assert_marks(loss: &Value, drawn: &Value) {
    let mut pair = [&loss["lost"], &loss["by"]].map(|it| it.as_u64().unwrap());
    pair.sort_unstable();
    let mut lit: Vec<_> = drawn["lit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_u64().unwrap())
        .collect();
    lit.sort_unstable();
    assert_eq!(lit, pair);
    let row = |place: &Value| format!("s-{}-{}", place["lane"], place["step"]);
    let mut rows = ["read", "written", "overwrite"]
        .map(|it| row(&loss[it]))
        .to_vec();
    let mut marked: Vec<_> = drawn["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect();
    rows.sort();
    marked.sort();
    assert_eq!(marked, rows);
}

/// Every step, wait, value and loss of the record is in the picture and in the table.
async fn assert_picture_is_in_the_table(visit: &Visit, record: &Value) {
    let shown = visit.browser.run(PICTURE, &[]).await;
    let lanes = record["lanes"].as_array().unwrap();
    assert_eq!(shown["lanes"].as_array().unwrap().len(), lanes.len());
    assert_eq!(shown["groups"].as_array().unwrap().len(), lanes.len());
    let mut rows = shown["rows"].as_array().unwrap().iter();
    for (at, lane) in lanes.iter().enumerate() {
        let drawn = &shown["lanes"][at];
        let steps = lane["steps"].as_array().unwrap();
        assert_eq!(drawn["lane"], at);
        assert_eq!(drawn["isLost"], lane["lost"]);
        assert_eq!(kinds(&drawn["steps"]), kinds(&lane["steps"]));
        let mut waits = 0;
        for (number, step) in steps.iter().enumerate() {
            let row = rows.next().unwrap();
            waits += waits_in(row, step);
            assert_eq!([&row["lane"], &row["step"]], [&json!(at), &json!(number)]);
            assert_eq!(
                [&row["kind"], &row["value"]],
                [&step["kind"], &step["value"]]
            );
        }
        assert_eq!(drawn["waits"], waits);
        assert_values_are_of(steps, drawn);
        let heading = shown["groups"][at].as_str().unwrap();
        assert!(
            heading.starts_with(&format!("Request {}:", lane["request"])),
            "{heading}"
        );
        assert_eq!(heading.contains("lost"), lane["lost"] == true, "{heading}");
    }
    assert!(rows.next().is_none());
    let told = |words| shown["rows"].to_string().matches(words).count();
    let losses = record["losses"].as_array().unwrap().len();
    assert_eq!(told("overwrites request"), losses);
    assert_eq!(told("is overwritten by"), losses);
    assert_eq!(told("does not see"), losses);
}

/// How many waits a step has. Its row tells each.
fn waits_in(row: &Value, step: &Value) -> usize {
    let waits = step["waits"].as_array().unwrap().len();
    let told = row["happened"].as_str().unwrap();
    assert_eq!(told.matches("waited for").count(), waits, "{row}");
    waits
}

fn kinds(steps: &Value) -> Vec<&str> {
    let steps = steps.as_array().unwrap().iter();
    steps.map(|it| it["kind"].as_str().unwrap()).collect()
}

/// A value stands in the picture if it has room there, and is that of a step.
fn assert_values_are_of(steps: &[Value], drawn: &Value) {
    let mut values: Vec<_> = steps.iter().filter(|it| !it["value"].is_null()).collect();
    for text in drawn["values"].as_array().unwrap() {
        let text = text.as_str().unwrap();
        let number = text.rsplit(' ').next().unwrap();
        let found = values
            .iter()
            .position(|it| it["value"].as_i64() == number.parse().ok());
        let step = values.remove(found.unwrap_or_else(|| panic!("{text} is of no step: {drawn}")));
        let word = text.split(' ').next().unwrap();
        let is_right = match step["kind"].as_str().unwrap() {
            "read" => ["reads", number].contains(&word),
            "write" => ["writes", number].contains(&word),
            _ => word == number,
        };
        assert!(is_right, "{text}: {step}");
    }
}

async fn a_prediction_is_held_against_what_is_there(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    visit.goto("/runs?delay_ms=20&requests=3").await;
    visit.browser.fill("Balance", "300").await;
    visit.browser.press("Start the run").await;
    visit
        .browser
        .shows("#prediction", "You predicted 300.")
        .await;
    let path = visit.browser.path().await;
    let record = visit.json(&format!("{path}.json")).await;
    let actual = record["verdict"]["actual"].as_i64().unwrap();
    let gap = match 300 - actual {
        0 => "exactly that".to_owned(),
        gap => format!("{gap} less"),
    };
    visit.browser.shows("#prediction", &gap).await;
    visit
        .browser
        .until("document.querySelectorAll('#prediction progress').length === 3")
        .await;

    // For teachers, who ask themselves.
    visit.goto("/runs?reveal=1").await;
    assert_eq!(visit.browser.count("#predicted").await, 0);
    // "I don't know" predicts nothing.
    visit.goto("/runs?delay_ms=0&requests=1").await;
    visit.browser.fill("Balance", "5").await;
    visit.browser.click("[data-clears]").await;
    visit.browser.press("Start the run").await;
    visit.browser.shows(".verdict h2", "").await;
    assert_eq!(visit.browser.count("#prediction").await, 0);
    visit.end().await;
}

async fn two_runs_are_compared_on_one_axis(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    visit.goto("/compare").await;
    let lossy = "non_atomic_long_delay";
    visit.browser.choose("First strategy", lossy).await;
    visit.browser.press("Compare").await;
    visit
        .browser
        .until("document.querySelector('#picture .lane-head')")
        .await;
    let shown =
        "return ['a', 'b'].map((it) => document.querySelectorAll(`#steps-${it} .group`).length)";
    assert_eq!(visit.browser.run(shown, &[]).await, json!([10, 10]));
    assert_eq!(visit.browser.count("#picture g.lane").await, 20);
    assert_eq!(visit.browser.count("#picture .lane-head").await, 2);

    // The first strategy loses deposits, the second one none.
    let figures = visit.browser.text(".figures").await;
    for words in ["What came of it", "Acknowledged", "Missing", "Time"] {
        assert!(figures.contains(words), "{figures}");
    }
    let records = "const it = JSON.parse(document.getElementById('record').textContent);\
                   return [it.a.verdict, it.b.verdict]";
    let verdicts = visit.browser.run(records, &[]).await;
    assert_eq!(verdicts[0]["kind"], "anomaly");
    assert_eq!(verdicts[1]["missing"], 0);
    visit.end().await;
}
