//! What a session has set is a part of the recording.

use serde_json::json;

use super::Recorded;
use crate::support::json::assert_includes;
use crate::support::postgres_wire::{RawClient, V3_0, run, startup, sync, terminate};
use crate::support::{TestEngine, open_folder};

on_engines!(
    postgres:
        a_level_that_is_set_in_a_transaction_is_the_clients,
        a_session_of_another_schema_is_explored_as_it_was,
        what_a_client_sets_as_it_comes_in_counts,
        the_statements_of_a_pipeline_are_one_transaction,
        a_client_of_another_database_is_turned_away;
);

async fn a_level_that_is_set_in_a_transaction_is_the_clients(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    for _ in 0..2 {
        let mut application = recorded.application().await;
        application.run("BEGIN").await;
        application
            .run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            .await;
        let query = "SELECT balance FROM wallet WHERE id = ?";
        let balance = application.read(query).await;
        let update = "UPDATE wallet SET balance = ? WHERE id = 1";
        application.change(update, &[balance - 60]).await;
        application.run("COMMIT").await;
        application.leave().await;
    }
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let file = recorded.file();
    let level = "count = 2\nisolation = \"serializable\"\n";
    assert!(file.contains(level), "{file}");
    assert!(!file.contains("several isolation levels"), "{file}");
    let report = recorded.explore(engine).await;
    let expected = json!([{ "exhaustive": true, "anomalies": { "not_serial": 0 } }]);
    assert_includes(&report["findings"], &expected);
    // PostgreSQL's answer to what would have been a lost update.
    let refused = &report["findings"][0]["refused"][0]["code"];
    assert_eq!(refused, "40001", "{report}");
}

async fn a_session_of_another_schema_is_explored_as_it_was(engine: TestEngine) {
    let tables = "CREATE SCHEMA \"a shop\"; \
         CREATE TABLE \"a shop\".\"Cash box\" (id INT PRIMARY KEY, n INT NOT NULL); \
         INSERT INTO \"a shop\".\"Cash box\" VALUES (1, 250)";
    let mut recorded = Recorded::start_with(engine, open_folder(), &[], tables).await;
    for _ in 0..2 {
        let mut application = recorded.application().await;
        application.run("SET search_path = \"a shop\"").await;
        application
            .run("UPDATE \"Cash box\" SET n = n - 60 WHERE id = 1")
            .await;
        application.leave().await;
    }
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let file = recorded.file();
    let setup = "CREATE SCHEMA IF NOT EXISTS \"a shop\";\n\
                 CREATE TABLE \"a shop\".\"Cash box\" (";
    let script = "count = 2\nscript = '''\nSET search_path = \"a shop\";\n\
                  UPDATE \"Cash box\" SET n = n - 60 WHERE id = 1;\n'''";
    assert!(file.contains(setup) && file.contains(script), "{file}");
    let report = recorded.explore(engine).await;
    let expected = json!([{ "exhaustive": true, "anomalies": { "not_serial": 0, "failed": 0 } }]);
    assert_includes(&report["findings"], &expected);
}

/// Two sessions at SERIALIZABLE that write what they have computed from what they have read.
async fn what_a_client_sets_as_it_comes_in_counts(engine: TestEngine) {
    let tables = "CREATE TABLE wallet (id INT PRIMARY KEY, balance INT); \
         CREATE SCHEMA other; CREATE TABLE other.wallet (id INT PRIMARY KEY, balance INT); \
         INSERT INTO other.wallet VALUES (1, 250)";
    let mut recorded = Recorded::start_with(engine, open_folder(), &[], tables).await;
    for balance in [190, 130] {
        let options = "-c default_transaction_isolation=serializable -c search_path=other";
        let database = recorded.lab.name();
        let parameters = [
            ("user", "postgres"),
            ("database", database),
            ("options", options),
        ];
        let mut client = RawClient::connect(recorded.address).await;
        client.send(&startup(V3_0, &parameters)).await;
        client.begin().await;
        client.execute("BEGIN").await;
        let read = "SELECT balance FROM wallet WHERE id = 1";
        client.execute(read).await;
        let update = format!("UPDATE wallet SET balance = {balance} WHERE id = 1");
        client.execute(&update).await;
        client.execute("COMMIT").await;
        client.send(&terminate()).await;
        client.rest().await;
    }
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let file = recorded.file();
    let client = "count = 2\nisolation = \"serializable\"\n\
                  script = '''\nSET search_path = other;\nBEGIN;\n";
    assert!(file.contains(client), "{file}");
    let report = recorded.explore(engine).await;
    let expected = json!([{ "exhaustive": true, "anomalies": { "not_serial": 0 } }]);
    assert_includes(&report["findings"], &expected);
    let refused = &report["findings"][0]["refused"][0]["code"];
    assert_eq!(refused, "40001", "{report}");
}

/// Outside a block the statements up to a Sync commit together: two that lock rows in another order
/// are a deadlock.
async fn the_statements_of_a_pipeline_are_one_transaction(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    for (one, other) in [(1, 2), (2, 1)] {
        let mut client = RawClient::log_in(recorded.address, recorded.lab.name()).await;
        let update = |id: i32| {
            let sql = format!("UPDATE wallet SET balance = 7 WHERE id = {id}");
            run(&sql, &[])
        };
        let pipeline = [update(one), update(other), sync()].concat();
        client.ask(&pipeline).await;
        client.send(&terminate()).await;
        client.rest().await;
    }
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let file = recorded.file();
    let script = "BEGIN;\nUPDATE wallet SET balance = 7 WHERE id = 1;\n\
                  UPDATE wallet SET balance = 7 WHERE id = 2;\nCOMMIT;\n";
    assert!(file.contains(script), "{file}");
    let report = recorded.explore(engine).await;
    let refused = &report["findings"][0]["refused"][0]["code"];
    assert_eq!(refused, "40P01", "{report}");
}

async fn a_client_of_another_database_is_turned_away(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let mut client = RawClient::connect(recorded.address).await;
    let parameters = [("user", "postgres"), ("database", "template1")];
    client.send(&startup(V3_0, &parameters)).await;
    client.rest().await;
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(2), "{said}");
    let words = format!(
        "the application uses the database \"template1\", and only {:?} passes here",
        recorded.lab.name()
    );
    assert!(said.contains(&words), "{said}");
}
