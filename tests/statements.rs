//! Statements: the balance and the transactions together, read during a deposit.

use racy::engine::Isolation;
use racy::exhibits::card::{EVERY_LEVEL, Mode, POSTGRES_LEVELS, SQLITE_LEVEL};
use racy::exhibits::deposits::{Delay, Strategy};
use racy::exhibits::statements::{READ_SKEW, READERS, Reader, Statement, StatementRequest};
use racy::explore::Finding;
use racy::explore::report::{self, FindingData, Report};
use racy::step::Unobserved;
use racy::verdict::Verdict;
use serde_json::{Value, json};

use crate::support::explored::{REDUCED, finding, found_by_default, plan, subject};
use crate::support::service::{RunningService, problem_with};
use crate::support::stepper::Stepper;
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        a_deposit_between_two_queries_tears_the_statement_at_every_level,
        a_deposit_before_the_last_query_tears_the_list,
        a_snapshot_balances_at_every_level,
        a_reader_and_a_writer_keep_their_names,
        the_explorer_finds_the_simplest_way_to_tear_a_statement,
        a_report_says_that_a_statement_is_torn,
        a_statement_lists_the_newest_and_sums_up_all,
        a_statement_counts_every_place_and_no_sum_overflows,
        a_statement_of_wrong_books_shows_by_how_much;
    innodb:
        uncommitted_books_are_read_and_do_not_balance;
);

const WANTED: StatementRequest = StatementRequest {
    account: 1,
    limit: 10,
};

fn reader(short_name: &str) -> &'static Reader {
    Reader::named(short_name).unwrap()
}

fn atomic_update() -> &'static Strategy {
    Strategy::named("atomic_update").unwrap()
}

/// Reads up to this query, then makes a whole deposit, then reads the rest.
async fn read_around_a_deposit(lab: &Lab, reader: &'static Reader, query: &str) -> Statement {
    let database = lab.database.clone();
    let mut reading =
        Stepper::start(move |gate| async move { reader.perform(&database, &WANTED, &gate).await });
    reading.go_to(query).await;
    let deposit = Client::start(&lab.database, atomic_update()).await;
    deposit.finish().await.unwrap();
    reading.finish().await.unwrap().unwrap()
}

async fn a_deposit_between_two_queries_tears_the_statement_at_every_level(engine: TestEngine) {
    for level in engine.levels() {
        let lab = engine.lab_at(*level).await;
        let statement = read_around_a_deposit(&lab, reader("torn"), "sum up transactions").await;
        assert!(!statement.balances, "{level}");
        assert_eq!((statement.balance, statement.expected), (0, 100), "{level}");
        // The books themselves were right all the time.
        let again = reader("torn").perform(&lab.database, &WANTED, &Unobserved);
        assert!(again.await.unwrap().unwrap().balances, "{level}");
    }
}

async fn a_deposit_before_the_last_query_tears_the_list(engine: TestEngine) {
    let lab = engine.lab().await;
    let statement = read_around_a_deposit(&lab, reader("torn"), "list transactions").await;
    assert!(
        statement.balances && !statement.list_agrees,
        "{statement:?}"
    );
    assert_eq!((statement.transactions, statement.latest.len()), (0, 1));
    let again = reader("torn").perform(&lab.database, &WANTED, &Unobserved);
    assert!(again.await.unwrap().unwrap().list_agrees);
}

async fn a_snapshot_balances_at_every_level(engine: TestEngine) {
    for level in engine.levels() {
        let lab = engine.lab_at(*level).await;
        let statement =
            read_around_a_deposit(&lab, reader("snapshot"), "sum up transactions").await;
        assert!(statement.balances && statement.list_agrees, "{level}");
        assert_eq!((statement.balance, statement.transactions), (0, 0));
        assert!(statement.latest.is_empty(), "{level}");
        assert_eq!(lab.account().await.balance, 100);
        lab.until_nothing_is_open().await;
    }
}

/// The deposit has written the balance and not yet its transaction, and has committed neither.
async fn uncommitted_books_are_read_and_do_not_balance(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadUncommitted).await;
    let mut writer = Client::start(&lab.database, atomic_update()).await;
    writer.go_to("insert transaction").await;
    for (name, balance) in [("torn", 100), ("snapshot", 0)] {
        let read = reader(name).perform(&lab.database, &WANTED, &Unobserved);
        let statement = read.await.unwrap().unwrap();
        assert_eq!(
            (statement.balance, statement.expected),
            (balance, 0),
            "{name}"
        );
    }
    writer.finish().await.unwrap();
}

/// Schedules that differ in the clients' names are not alike if one reads and one writes.
async fn a_reader_and_a_writer_keep_their_names(engine: TestEngine) {
    let lab = engine.lab().await;
    let verdicts = |finding: &Finding| {
        let verdicts = finding.tally.verdicts.keys().copied();
        verdicts.collect::<Vec<_>>()
    };
    for reader in &READERS {
        let all = found_by_default(engine, reader.full_name).await.remove(0);
        let reduced = plan(REDUCED, 2);
        let reduced = finding(&lab.database, subject(reader), reduced).await;
        assert_eq!(verdicts(&all), verdicts(&reduced), "{}", reader.name);
        assert!(reduced.tally.schedules < all.tally.schedules);
        let said = FindingData::of(&reduced).verdict;
        assert!(!said.contains("names"), "{said}");
    }
}

async fn the_explorer_finds_the_simplest_way_to_tear_a_statement(engine: TestEngine) {
    let torn = found_by_default(engine, "statement_torn").await.remove(0);
    assert_eq!(torn.tally.count(Verdict::Anomaly(&READ_SKEW)), 20);
    let (_, simplest) = torn.simplest(Verdict::is_anomaly).unwrap();
    assert_eq!(simplest.schedule.to_string(), "A A B B B B B A");
    let highlight = &simplest.highlight.as_ref().unwrap().words;
    let torn_apart = "A has transactions of 0 and a list of others: there was no such moment";
    assert_eq!(highlight, torn_apart);
}

async fn a_report_says_that_a_statement_is_torn(engine: TestEngine) {
    let torn = found_by_default(engine, "statement_torn").await.remove(0);
    let said = FindingData::of(&torn).verdict;
    let verdict = "reads what never was together in 20 of all 56 schedules of 2 clients";
    assert_eq!(said, verdict);
    let report = Report::of_findings(std::slice::from_ref(&torn), Vec::new());
    let text = report::text(&report);
    let simplest = "The simplest schedule that reads what never was together: A A B B B B B A";
    assert!(text.contains(simplest), "{text}");
    let table = report::matrix::markdown(&report);
    let cell = "| `statement_torn` | ✗ 20 of 56 skewed |";
    assert!(table.contains(cell), "{table}");
}

async fn statement(service: &RunningService, account: i64, query: &str) -> Value {
    let path = format!("/accounts/{account}/statement?{query}");
    service.json(&path).await
}

async fn a_statement_lists_the_newest_and_sums_up_all(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    for amount in [5, 7, 11] {
        service.deposit("atomic_update", 1, amount).await;
    }
    for name in ["torn", "snapshot"] {
        let read = statement(&service, 1, &format!("strategy={name}&limit=2")).await;
        assert_eq!(
            (&read["strategy"], &read["account"]),
            (&json!(name), &json!(1))
        );
        assert_eq!(
            (&read["balance"], &read["expected"]),
            (&json!(23), &json!(23))
        );
        assert_eq!(read["transactions"], 3);
        assert_eq!(read["transactions_sum"], 23);
        assert_eq!(read["balances"], true);
        assert_eq!(read["list_agrees"], true);
        let latest = read["latest"].as_array().unwrap();
        let amounts: Vec<_> = latest.iter().map(|it| &it["amount"]).collect();
        assert_eq!(amounts, [&json!(11), &json!(7)]);
        let steps = read["timeline"].as_array().unwrap();
        let labels: Vec<_> = steps
            .iter()
            .map(|it| it["label"].as_str().unwrap())
            .collect();
        let queries = ["read balance", "sum up transactions", "list transactions"];
        match name {
            "torn" => assert_eq!(labels, queries),
            _ => assert_eq!(labels, [&["begin"], &queries[..], &["commit"]].concat()),
        }
    }
    service.stop().await;
}

async fn a_statement_counts_every_place_and_no_sum_overflows(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    // A deposit into the balance column looks at no other place, so that the sum may be wide.
    for (strategy, amount) in [
        ("append_only", 1 << 30),
        ("append_only", 1 << 30),
        ("partitioned", 1 << 30),
        ("atomic_update", i64::MAX),
    ] {
        let made = service.deposit(strategy, 1, amount).await;
        assert_eq!(made.status(), 200, "{strategy}");
    }
    let path = "/accounts/1/statement?strategy=snapshot";
    let read = service
        .get(path)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let whole = i128::from(i64::MAX) + 3 * (1 << 30);
    assert!(read.contains(&format!("\"balance\":{whole},")), "{read}");
    assert!(read.contains(&format!("\"expected\":{whole},")), "{read}");
    assert!(read.contains("\"balances\":true"), "{read}");
    service.stop().await;
}

/// What was lost is missing from every statement, however it is read.
async fn a_statement_of_wrong_books_shows_by_how_much(engine: TestEngine) {
    let lab = engine.lab().await;
    let losing = Strategy::named("non_atomic_no_delay").unwrap();
    assert_eq!(losing.delay, Delay::None);
    let mut a = Client::start(&lab.database, losing).await;
    a.go_to("write balance").await;
    let b = Client::start(&lab.database, losing).await;
    b.finish().await.unwrap();
    a.finish().await.unwrap();
    let lost = lab.account().await.lost;
    assert_eq!(lost, 100);
    for reader in &READERS {
        let read = reader.perform(&lab.database, &WANTED, &Unobserved);
        let statement = read.await.unwrap().unwrap();
        assert!(!statement.balances, "{}", reader.name);
        assert_eq!(statement.expected - statement.balance, lost);
    }
}

/// What is asked for, with which status it is refused as which problem, and what is named.
const WRONG: [(&str, u16, &str, &str); 8] = [
    ("1/statement", 400, "invalid-request", "torn or snapshot"),
    (
        "1/statement?strategy=",
        404,
        "unknown-strategy",
        "torn, snapshot",
    ),
    (
        "1/statement?strategy=atomic",
        404,
        "unknown-strategy",
        "\"atomic\"",
    ),
    (
        "x/statement?strategy=torn",
        400,
        "invalid-request",
        "\"id\"",
    ),
    (
        "1/statement?strategy=torn&limit=0",
        400,
        "invalid-request",
        "\"limit\"",
    ),
    (
        "1/statement?strategy=torn&limit=1001",
        400,
        "invalid-request",
        "1000",
    ),
    ("2/statement?strategy=torn", 404, "unknown-account", "2"),
    ("2/statement?strategy=snapshot", 404, "unknown-account", "2"),
];

#[tokio::test]
async fn what_is_asked_for_wrongly_is_named() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (path, status, kind, named) in WRONG {
        let response = service.get(&format!("/accounts/{path}")).send().await;
        problem_with(response.unwrap(), status, kind, named).await;
    }
    lab.until_nothing_is_open().await;
    service.stop().await;
}

#[tokio::test]
async fn a_strategy_goes_by_both_of_its_names() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    for name in ["torn", "statement_torn"] {
        let read = statement(&service, 1, &format!("strategy={name}")).await;
        assert_eq!(read["strategy"], "torn");
    }
    let description = service.json("/openapi.json").await;
    let get = &description["paths"]["/accounts/{id}/statement"]["get"];
    let parameters = get["parameters"].as_array().unwrap();
    let strategy = parameters.iter().find(|it| it["name"] == "strategy");
    let names = ["torn", "snapshot", "statement_torn", "statement_snapshot"];
    let strategy = strategy.unwrap();
    assert_eq!(strategy["schema"]["enum"], json!(names));
    assert_eq!(strategy["required"], true);

    let metrics = service.get("/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        r#"racy_requests_total{strategy="statement_torn",outcome="read",status="200"} 2"#,
        r#"racy_request_duration_seconds_count{strategy="statement_torn"} 2"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_cards_are_shown_beside_the_deposits() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let answer = service.json("/strategies").await;
    let all = answer["strategies"].as_array().unwrap();
    let readers: Vec<_> = all
        .iter()
        .filter(|it| it["exhibit"] == "statements")
        .collect();
    let [torn, snapshot] = readers[..] else {
        panic!("{answer}");
    };
    assert_eq!(
        (&torn["name"], &snapshot["name"]),
        (&json!("torn"), &json!("snapshot"))
    );
    assert_eq!(
        (&torn["must_be_safe"], &snapshot["must_be_safe"]),
        (&json!(false), &json!(true))
    );
    let skewed = json!({"verdict": "read_skew", "schedules": 31});
    assert_eq!(torn["expected"][0]["verdicts"][0], skewed);
    assert!(
        snapshot["source"]
            .as_str()
            .unwrap()
            .contains("begin_snapshot")
    );
    service.stop().await;
}

#[test]
fn every_card_speaks_about_every_mode_and_level_once() {
    for reader in &READERS {
        for (mode, levels) in [
            (Mode::InnoDb, EVERY_LEVEL),
            (Mode::InnoDbSnapshot, EVERY_LEVEL),
            (Mode::Postgres, POSTGRES_LEVELS),
            (Mode::SqliteWal, SQLITE_LEVEL),
            (Mode::SqliteRollback, SQLITE_LEVEL),
        ] {
            for level in levels {
                let said = reader.card.expected.iter();
                let said = said.filter(|it| it.engine == mode && it.isolation.contains(level));
                assert_eq!(said.count(), 1, "{} {mode:?} {level}", reader.name);
            }
        }
    }
}

#[test]
fn every_file_explains_itself_and_ships_its_code() {
    for reader in &READERS {
        let explanation = reader.card.explanation();
        assert!(explanation.len() > 300, "{}: {explanation}", reader.name);
        assert!(reader.card.source.contains("pub async fn read"));
        assert_eq!(reader.full_name, format!("statement_{}", reader.name));
    }
}
