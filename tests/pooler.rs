//! Behind a pooler that gives each transaction another connection, a level is what is said of it or
//! nothing is done at all.

use std::time::Duration;

use racy::engine::{Address, Database, FaultKind, Isolation, Settings};
use racy::exhibits::deposits::Strategy;
use racy::step::Unobserved;
use racy::verdict::Verdict;
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::commands::{output, text};
use crate::support::lab::Fresh;
use crate::support::pooler::Pooler;
use crate::support::process::{racy, terminate};
use crate::support::{Client, Lab, TestEngine, until};

on_engines!(
    postgres:
        a_level_behind_a_pooler_is_what_is_said_of_it,
        a_level_behind_a_pooler_stays_with_its_client,
        a_statement_alone_behind_a_pooler_has_the_level_too,
        a_pooler_that_comes_later_is_noticed,
        a_pooler_that_hands_out_its_connections_in_turn_is_noticed,
        no_lane_is_behind_a_pooler_that_changes_connections,
        a_lane_behind_a_pooler_that_keeps_connections_is_apart,
        nothing_is_left_behind_a_pooler_that_keeps_connections,
        a_database_of_the_explorers_own_has_the_settings_of_the_users,
        a_look_at_the_locks_of_a_silent_database_is_given_up,
        an_exploration_whose_database_is_silent_ends_at_the_first_signal;
);

fn at(isolation: Isolation) -> Settings {
    Settings {
        isolation: Some(isolation),
        ..Settings::default()
    }
}

/// A database behind a pooler, and the pooler.
async fn lab_behind(engine: TestEngine, mode: &str, settings: Settings) -> (Lab, Pooler) {
    let server = engine.server().unwrap();
    let fresh = Fresh::on(server).await;
    let pooler = Pooler::start(server, mode).await;
    let address = Address::Postgres(Box::new(pooler.options(&fresh.name)));
    (Lab::at(fresh.reached_by(address), settings).await, pooler)
}

async fn a_level_behind_a_pooler_is_what_is_said_of_it(engine: TestEngine) {
    let (lab, _pooler) = lab_behind(engine, "transaction", at(Isolation::Serializable)).await;
    let remarks = lab.database.remarks().join("\n");
    assert!(remarks.contains("a pooler is in between"), "{remarks}");
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let mut a = Client::start(&lab.database, atomic).await;
    let mut b = Client::start(&lab.database, atomic).await;
    a.go_to("insert transaction").await;
    b.go_to("insert transaction").await;
    let results = [a.finish().await, b.finish().await];
    let verdict = lab.verdict(&results).await;
    assert_eq!(verdict, Verdict::Refused(FaultKind::SerializationFailure));
}

async fn a_level_behind_a_pooler_stays_with_its_client(engine: TestEngine) {
    let (lab, pooler) = lab_behind(engine, "transaction", at(Isolation::Serializable)).await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let client = Client::start(&lab.database, atomic).await;
    client.finish().await.unwrap();
    let Address::Postgres(options) = &lab.address else {
        panic!("not PostgreSQL");
    };
    let mut other = options.connect().await.unwrap();
    for name in [
        "default_transaction_isolation",
        "search_path",
        "lock_timeout",
    ] {
        let source: String = sqlx::query_scalar("SELECT source FROM pg_settings WHERE name = $1")
            .bind(name)
            .persistent(false)
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_ne!(source, "session", "{name} was left behind");
    }
    other.close().await.unwrap();
    drop(pooler);
}

async fn a_statement_alone_behind_a_pooler_has_the_level_too(engine: TestEngine) {
    let (lab, _pooler) = lab_behind(engine, "transaction", at(Isolation::Serializable)).await;
    let level = "SELECT current_setting('transaction_isolation')";
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let rows = session.records("level", level, &[]).await.unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "serializable");
    let append = Strategy::named("append_only").unwrap();
    let client = Client::start(&lab.database, append).await;
    client.finish().await.unwrap();
    assert_eq!(lab.account().await.transactions, 1);
}

/// It was not there at the start, and a statement that was prepared is gone.
async fn a_pooler_that_comes_later_is_noticed(engine: TestEngine) {
    let one_connection = Settings {
        connections: 1,
        ..at(Isolation::Serializable)
    };
    let lab = engine.lab_with(one_connection).await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    session
        .read("one", "SELECT CAST(1 AS SIGNED)", &[])
        .await
        .unwrap();
    session
        .run("as a pooler does", "DEALLOCATE ALL", &[])
        .await
        .unwrap();
    let lost = session.read("one", "SELECT CAST(1 AS SIGNED)", &[]).await;
    assert_eq!(lost.unwrap_err().code.as_deref(), Some("26000"));
    session.end().await;

    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let level = "SELECT current_setting('transaction_isolation')";
    let rows = session.records("level", level, &[]).await.unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "serializable");
    let prepared = "SELECT COUNT(*) FROM pg_prepared_statements";
    let prepared = session.read("prepared", prepared, &[]).await.unwrap();
    assert_eq!(prepared, Some(0), "nothing is prepared any more");
}

/// Two clients that each ask twice, in turn, would each get the same one of two again.
async fn a_pooler_that_hands_out_its_connections_in_turn_is_noticed(engine: TestEngine) {
    let server = engine.server().unwrap();
    let fresh = Fresh::on(server).await;
    let pooler = Pooler::start_with(server, "transaction", "server_round_robin=1").await;
    let options = pooler.options(&fresh.name);
    let mut one = options.connect().await.unwrap();
    let mut other = options.connect().await.unwrap();
    for sql in ["BEGIN", "ROLLBACK"] {
        for connection in [&mut one, &mut other] {
            sqlx::raw_sql(sql).execute(connection).await.unwrap();
        }
    }
    let address = Address::Postgres(Box::new(options));
    let database = Database::connect(&address, &at(Isolation::Serializable)).await;
    let remarks = database.unwrap().remarks().join("\n");
    assert!(remarks.contains("a pooler is in between"), "{remarks}");
}

/// How many accounts there are in the user's own schema.
async fn accounts(lab: &Lab) -> i64 {
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let count = "SELECT COUNT(*) FROM public.accounts";
    session.read("count", count, &[]).await.unwrap().unwrap()
}

async fn no_lane_is_behind_a_pooler_that_changes_connections(engine: TestEngine) {
    let (lab, pooler) = lab_behind(engine, "transaction", Settings::default()).await;
    let mut command = racy(&["explore", "non_atomic_no_delay"]);
    command.args(["--database-url", &pooler.url(lab.name())]);
    let output = output(command).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("a pooler is in between"), "{said}");
    assert!(said.contains("name the server behind the pooler"), "{said}");
    assert_eq!(accounts(&lab).await, 1);
}

async fn a_lane_behind_a_pooler_that_keeps_connections_is_apart(engine: TestEngine) {
    let (lab, pooler) = lab_behind(engine, "session", Settings::default()).await;
    let mut command = racy(&["explore", "non_atomic_no_delay", "--format", "json"]);
    command.args(["--parallel", "2", "--database-url", &pooler.url(lab.name())]);
    let output = output(command).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = &report["findings"];
    assert_eq!(findings[0]["anomalies"]["lost_update"], 18);
    assert_eq!(accounts(&lab).await, 1);
}

/// A file whose clients look at the level of their transactions.
const LEVEL: &str = r#"
title = "The level"
engines = ["postgres"]
[database]
setup = "CREATE TABLE t (n INT); INSERT INTO t VALUES (0);"
[[client]]
count = 2
script = "UPDATE t SET n = n + 1;"
[[invariant]]
name = "it is the database's own"
sql = "SELECT current_setting('racy.who') = 'the shop''s'"
"#;

/// How a process ends that explores that file at this address, and what it says.
async fn explored(url: &str) -> (Option<i32>, String) {
    let folder = crate::support::open_folder();
    let file = folder.path().join("level.toml");
    std::fs::write(&file, LEVEL).unwrap();
    let mut command = racy(&["explore", file.to_str().unwrap(), "--parallel", "2"]);
    command.args(["--database-url", url]);
    let output = output(command).await;
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), said)
}

/// Gives the database a setting of its own.
async fn say_whose_it_is(lab: &Lab) {
    let set = format!(
        "ALTER DATABASE {} SET racy.who TO 'the shop''s'",
        lab.name()
    );
    lab.database.run_apart(&set).await.unwrap();
}

async fn a_database_of_the_explorers_own_has_the_settings_of_the_users(engine: TestEngine) {
    let lab = engine.lab().await;
    say_whose_it_is(&lab).await;
    let (code, said) = explored(&lab.url(engine)).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("safe in all 2 schedules"), "{said}");
}

async fn nothing_is_left_behind_a_pooler_that_keeps_connections(engine: TestEngine) {
    let (lab, pooler) = lab_behind(engine, "session", Settings::default()).await;
    say_whose_it_is(&lab).await;
    let (code, said) = explored(&pooler.url(lab.name())).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("could not be dropped"), "{said}");
}

async fn a_look_at_the_locks_of_a_silent_database_is_given_up(engine: TestEngine) {
    let settings = Settings {
        answer_within: Some(Duration::from_secs(1)),
        ..Settings::default()
    };
    let (lab, pooler) = lab_behind(engine, "session", settings).await;
    let mut client =
        Client::start(&lab.database, Strategy::named("atomic_no_delay").unwrap()).await;
    client.go_to("write balance").await;
    pooler.freeze();
    let looked = lab.database.waits_for_lock(client.connection()).await;
    let said = looked.unwrap_err().to_string();
    assert!(
        said.contains("has not answered a statement for 1"),
        "{said}"
    );
}

async fn an_exploration_whose_database_is_silent_ends_at_the_first_signal(engine: TestEngine) {
    let server = engine.server().unwrap();
    let fresh = Fresh::on(server).await;
    let pooler = Pooler::start(server, "session").await;
    let mut command = racy(&["explore", "atomic_no_delay", "--parallel", "1"]);
    command.args(["--policy", "random", "--runs", "4000000000"]);
    command.args(["--database-url", &pooler.url(&fresh.name)]);
    let mut process = command.spawn().unwrap();
    until("it has made a lane", || async {
        !fresh.tables_and_leftovers().await.is_empty()
    })
    .await;
    pooler.freeze();
    terminate(&process);
    let ended = tokio::task::spawn_blocking(move || process.wait().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(90), ended).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(143));
}
