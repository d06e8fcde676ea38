//! Runs that a visitor asks for: what they find, how they end, and what is refused.

use racy::console::record::RunRecord;
use racy::console::runs::{Kind, RecordId, Store};
use serde_json::{Value, json};

use super::{ended, fields, lab, record, run, send, start};
use crate::support::service::{RunningService, problem, problem_with};
use crate::support::{TestEngine, until};

on_engines!(
    every:
        losses_agree_with_the_audit,
        a_safe_strategy_loses_nothing,
        a_form_that_is_sent_twice_starts_one_run,
        a_form_that_was_changed_starts_another_run,
        a_run_of_a_service_that_is_gone_has_failed,
        the_newest_records_are_listed_first,
        a_wait_for_a_lock_in_the_process_names_who_has_it;
    servers:
        a_wait_for_a_row_names_who_has_it,
        a_service_that_is_stopped_ends_its_runs_and_nothing_runs_twice,
        a_run_may_have_a_level_of_its_own;
    mysql:
        a_lost_update_names_the_two_requests_that_did_it,
        two_orders_with_one_number_are_named,
        two_instances_do_not_share_a_lock_in_memory,
        a_run_that_is_stopped_keeps_what_was_answered,
        what_another_client_has_lost_is_not_laid_to_the_run;
);

/// Ten deposits that all read before any of them writes.
const BURST: &[(&str, &str)] = &[("requests", "10"), ("delay_ms", "300")];

const NON_ATOMIC: &[(&str, &str)] = &[("strategy", "non_atomic_long_delay")];

async fn losses_agree_with_the_audit(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let record = run(&service, &fields(&[BURST, NON_ATOMIC])).await;
    let audit = service.json("/accounts/1").await;

    let verdict = &record["verdict"];
    let losses = record["losses"].as_array().unwrap();
    assert_eq!(record["state"], "ended", "{record}");
    assert_eq!(verdict["kind"], "anomaly", "{record}");
    assert_eq!(verdict["missing"], audit["lost"]);
    assert_eq!(verdict["actual"], audit["balance"]);
    assert_eq!(json!(losses.len() * 100), verdict["missing"]);
    assert_eq!(record["notes"], json!([]));
    let lost = record["lanes"].as_array().unwrap().iter();
    assert_eq!(
        lost.filter(|lane| lane["lost"] == true).count(),
        losses.len()
    );
    service.stop().await;
}

async fn a_safe_strategy_loses_nothing(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let record = run(
        &service,
        &[("strategy", "atomic_update"), ("requests", "10")],
    )
    .await;
    assert_eq!(record["verdict"]["kind"], "safe", "{record}");
    assert_eq!(record["verdict"]["missing"], 0);
    assert_eq!(
        record["verdict"]["title"],
        "10 of 10 deposits kept, nothing lost"
    );
    assert_eq!(record["losses"], json!([]));
    service.stop().await;
}

/// Four deposits that begin one after the other, and all read before the first one writes.
async fn a_lost_update_names_the_two_requests_that_did_it(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "atomic_long_delay"),
        ("requests", "4"),
        ("delay_ms", "600"),
        ("pace", "wait"),
        ("wait_ms", "20"),
    ];
    let record = run(&service, &form).await;
    let record: RunRecord = serde_json::from_value(record).unwrap();

    let loss = record.losses.first().expect("two of four are kept");
    let step = |place: Option<racy::console::record::StepPlace>| {
        let place = place.unwrap();
        &record.lanes[place.lane].steps[place.step]
    };
    let (read, written, overwrite) = (step(loss.read), step(loss.written), step(loss.overwrite));
    assert_ne!(loss.lost, loss.by);
    assert_eq!((read.kind.as_str(), read.value), ("read", Some(0)));
    assert_eq!(
        (written.label.as_str(), written.value),
        ("write balance", Some(100))
    );
    assert_eq!(overwrite.value, Some(100));
    assert!(read.end_us <= written.start_us && written.end_us <= overwrite.end_us);
    assert_eq!(
        loss.sentence,
        format!(
            "Request {winner} read 0 before request {loser} wrote 100, then wrote 100: request \
             {loser}'s 100 is gone.",
            winner = loss.by + 1,
            loser = loss.lost + 1
        )
    );
    assert!(read.sql.as_deref().unwrap().starts_with("SELECT balance"));
    service.stop().await;
}

/// The waits of a record that name who had the lock, each with the step that waited.
fn waits(record: &RunRecord) -> Vec<(usize, &str, usize)> {
    let lanes = record.lanes.iter().enumerate();
    lanes
        .flat_map(|(lane, it)| it.steps.iter().map(move |step| (lane, step)))
        .flat_map(|(lane, step)| {
            let holders = step.waits.iter().filter_map(|wait| wait.for_lane);
            holders.map(move |holder| (lane, step.label.as_str(), holder))
        })
        .collect()
}

/// Deposits that lock their row for half a second each.
async fn a_wait_for_a_row_names_who_has_it(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "row_locking_atomic_long_delay"),
        ("requests", "4"),
        ("delay_ms", "600"),
    ];
    let record = run(&service, &form).await;
    let record: RunRecord = serde_json::from_value(record).unwrap();
    let waits = waits(&record);
    assert!(!waits.is_empty(), "{:?}", record.notes);
    for (lane, step, holder) in waits {
        assert_eq!(step, "lock and read balance");
        assert_ne!(lane, holder);
    }
    service.stop().await;
}

async fn a_wait_for_a_lock_in_the_process_names_who_has_it(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "mutex_in_process"),
        ("requests", "4"),
        ("delay_ms", "200"),
    ];
    let record = run(&service, &form).await;
    let record: RunRecord = serde_json::from_value(record).unwrap();
    let of_the_mutex = waits(&record)
        .into_iter()
        .filter(|wait| wait.1 == "lock in process");
    assert!(of_the_mutex.count() >= 2, "{:?}", record.lanes);
    service.stop().await;
}

async fn two_orders_with_one_number_are_named(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "orders/max_id_head_first"),
        ("requests", "10"),
        ("isolation", "READ COMMITTED"),
    ];
    let record = run(&service, &form).await;
    let verdict = &record["verdict"];
    assert_eq!(verdict["kind"], "anomaly", "{record}");
    let sentence = record["losses"][0]["sentence"].as_str().unwrap();
    assert!(sentence.contains(" have "), "{sentence}");
    assert_eq!(verdict["sentence"], sentence);
    service.stop().await;
}

async fn two_instances_do_not_share_a_lock_in_memory(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let strategy = [("strategy", "mutex_in_process"), ("requests", "10")];
    let alone = run(&service, &strategy).await;
    assert_eq!(alone["verdict"]["missing"], 0, "{alone}");
    let apart = run(&service, &fields(&[&strategy, &[("instances", "2")]])).await;
    assert_eq!(apart["plan"]["instances"], 2);
    assert_eq!(apart["lanes"].as_array().unwrap().len(), 10);
    service.stop().await;
}

async fn a_run_may_have_a_level_of_its_own(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let level = [
        ("isolation", "serializable"),
        ("strategy", "atomic_long_delay"),
    ];
    let record = run(&service, &fields(&[BURST, &level])).await;
    assert_eq!(record["engine"]["isolation"], "serializable");
    assert_eq!(record["verdict"]["missing"], 0, "{record}");
    let refusals = record["refusals"].as_array().unwrap();
    assert!(!refusals.is_empty());
    for refusal in refusals {
        assert!(
            refusal["words"].as_str().unwrap().ends_with('.'),
            "{refusal}"
        );
    }
    service.stop().await;
}

/// The other client deposits until the run is over.
async fn what_another_client_has_lost_is_not_laid_to_the_run(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [("strategy", "non_atomic_long_delay"), ("delay_ms", "600")];
    let path = start(&service, &form).await;
    until("the run is over", || async {
        let made = service.deposit("atomic_update", 1, 7).await;
        assert_eq!(made.status(), 200);
        record(&service, &path).await["state"] != "running"
    })
    .await;
    let verdict = record(&service, &path).await["verdict"].clone();
    assert_eq!(verdict["kind"], "unclear", "{verdict}");
    assert_eq!(verdict["title"], "Another client used the account");
    assert_eq!(verdict["missing"], Value::Null);
    service.stop().await;
}

async fn a_run_that_is_stopped_keeps_what_was_answered(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "atomic_update"),
        ("requests", "100"),
        ("pace", "wait"),
        ("wait_ms", "500"),
    ];
    let path = start(&service, &form).await;
    let stopped = send(&service, &format!("{path}/stop"), &[]).await;
    assert_eq!(stopped.headers()["location"], path.as_str());
    let record = ended(&service, &path).await;
    assert_eq!(record["state"], "stopped");
    let lanes = record["lanes"].as_array().unwrap();
    assert!(lanes.len() < 100);
    assert!(
        lanes.iter().all(|lane| lane["outcome"] == "applied"),
        "{lanes:?}"
    );
    let notes = record["notes"].to_string();
    assert!(notes.contains("The run was stopped"), "{notes}");
    service.stop().await;
}

async fn a_service_that_is_stopped_ends_its_runs_and_nothing_runs_twice(engine: TestEngine) {
    let lab = lab(engine).await;
    let id = RecordId::draw().unwrap();
    let form = [
        ("id", id.as_str()),
        ("strategy", "atomic_update"),
        ("requests", "100"),
        ("pace", "wait"),
        ("wait_ms", "500"),
    ];
    let service = RunningService::start(&lab.database).await;
    let path = start(&service, &form).await;
    service.stop().await;

    let service = RunningService::start(&lab.database).await;
    let failed = record(&service, &path).await;
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["error"], "the service was stopped");
    let before = lab.account().await;
    assert_eq!(start(&service, &form).await, path);
    assert_eq!(record(&service, &path).await, failed);
    assert_eq!(lab.account().await, before);
    service.stop().await;
}

/// A browser that goes back may send the old name with another plan.
async fn a_form_that_was_changed_starts_another_run(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let id = RecordId::draw().unwrap();
    let form = |requests: &'static str| {
        [
            ("token", id.as_str().to_owned()),
            ("strategy", "atomic_update".to_owned()),
            ("requests", requests.to_owned()),
        ]
    };
    let mut paths = Vec::new();
    for requests in ["2", "3", "3", "2"] {
        let form = form(requests);
        let form: Vec<_> = form.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let path = start(&service, &form).await;
        ended(&service, &path).await;
        paths.push(path);
    }
    assert_ne!(paths[0], paths[1]);
    assert_eq!((&paths[1], &paths[0]), (&paths[2], &paths[3]));
    assert_eq!(service.json("/accounts/1").await["transactions"], 5);
    service.stop().await;
}

async fn a_run_of_a_service_that_is_gone_has_failed(engine: TestEngine) {
    let lab = lab(engine).await;
    let store = Store::new(lab.database.clone());
    let id = RecordId::draw().unwrap();
    let plan = json!({
        "exhibit": "deposits", "strategy": "atomic_update", "requests": 1, "wait_ms": null,
        "delay_ms": 0, "account": 1, "amount": 100, "instances": 1, "isolation": null,
        "predicted": null,
    });
    store.insert(&id, Kind::Run, &plan).await.unwrap();
    let long_ago = "UPDATE console_records SET updated_at = updated_at - 200000";
    lab.database.execute(long_ago, &[]).await.unwrap();

    let service = RunningService::start(&lab.database).await;
    let record = record(&service, &format!("/runs/{id}")).await;
    assert_eq!(record["state"], "failed");
    assert_eq!(
        record["error"],
        "broke off: the service that ran it is gone"
    );
    assert_eq!(record["plan"], plan);
    service.stop().await;
}

async fn a_form_that_is_sent_twice_starts_one_run(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let id = RecordId::draw().unwrap();
    let form = [
        ("token", id.as_str()),
        ("strategy", "atomic_update"),
        ("requests", "5"),
    ];
    let (one, other) = tokio::join!(start(&service, &form), start(&service, &form));
    assert_eq!(one, other);
    ended(&service, &one).await;
    assert_eq!(start(&service, &form).await, one);
    let account = service.json("/accounts/1").await;
    assert_eq!(account["transactions"], 5);
    service.stop().await;
}

async fn the_newest_records_are_listed_first(engine: TestEngine) {
    let lab = lab(engine).await;
    let store = Store::new(lab.database.clone());
    let mut ids = Vec::new();
    for number in 1..=3 {
        let id = RecordId::draw().unwrap();
        store.insert(&id, Kind::Run, &Value::Null).await.unwrap();
        let at = format!("UPDATE console_records SET created_at = {number} WHERE id = '{id}'");
        lab.database.execute(&at, &[]).await.unwrap();
        ids.insert(0, id);
    }
    let found = store.recent(Kind::Run, 2).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|stored| stored.id).collect();
    assert_eq!(found, ids[..2]);
    assert_eq!(store.recent(Kind::Exploration, 2).await.unwrap(), []);
}

/// Forms that are refused, each with what its problem says.
const BAD_FORMS: &[(&[(&str, &str)], &str)] = &[
    (&[], "\"strategy\" is missing"),
    (
        &[("strategy", "nope")],
        "\"strategy\" is \"nope\"; it has to be one of",
    ),
    (&[("strategy", "snapshot")], "\"strategy\" is \"snapshot\""),
    (
        &[("requests", "501")],
        "\"requests\" is \"501\"; it has to be a whole number from 1 to 500",
    ),
    (&[("delay_ms", "60000")], "\"delay_ms\" is \"60000\""),
    (
        &[("account", "12345")],
        "\"account\" is \"12345\"; it has to be an account that exists",
    ),
    (
        &[("isolation", "chaos")],
        "\"isolation\" is \"chaos\"; it has to be one of SERIALIZABLE",
    ),
    (&[("instances", "9")], "\"instances\" is \"9\""),
    (&[("predicted", "<b>")], "\"predicted\" is \"<b>\""),
    (&[("id", "../admin")], "\"id\" is \"../admin\""),
];

#[tokio::test]
async fn a_form_that_is_wrong_says_what_would_be_right() {
    let lab = lab(TestEngine::Sqlite).await;
    let service = RunningService::start(&lab.database).await;
    let strategy: &[(&str, &str)] = &[("strategy", "atomic_update")];
    for (form, words) in BAD_FORMS {
        let form = if form.is_empty() {
            vec![]
        } else {
            fields(&[strategy, form])
        };
        let answer = send(&service, "/runs", &form).await;
        problem_with(answer, 400, "invalid-request", words).await;
    }
    service.stop().await;
}

#[tokio::test]
async fn a_second_run_of_one_caller_has_to_wait() {
    let lab = lab(TestEngine::Sqlite).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "atomic_update"),
        ("requests", "50"),
        ("pace", "wait"),
        ("wait_ms", "500"),
    ];
    let path = start(&service, &form).await;
    let refused = send(&service, "/runs", &form).await;
    assert_eq!(refused.headers()["retry-after"], "5");
    problem_with(refused, 429, "too-many-runs", "each address may have one").await;
    send(&service, &format!("{path}/stop"), &[]).await;
    ended(&service, &path).await;
    super::run(&service, &[("strategy", "atomic_update")]).await;
    service.stop().await;
}

#[tokio::test]
async fn another_sites_page_starts_no_run() {
    let lab = lab(TestEngine::Sqlite).await;
    let service = RunningService::start(&lab.database).await;
    let post = service.post("/runs").header("accept", "application/json");
    let post = post.header("sec-fetch-site", "cross-site");
    let answer = post.form(&[("strategy", "atomic_update")]).send().await;
    problem(answer.unwrap(), 403, "cross-site").await;
    service.stop().await;
}

#[tokio::test]
async fn a_run_that_does_not_exist_is_not_found() {
    let lab = lab(TestEngine::Sqlite).await;
    let service = RunningService::start(&lab.database).await;
    let id = RecordId::draw().unwrap();
    for path in [format!("/runs/{id}.json"), format!("/runs/{id}/trace.json")] {
        let answer = service.get(&path).send().await.unwrap();
        problem(answer, 404, "unknown-run").await;
    }
    service.stop().await;
}
