//! What a session has set is a part of the recording.

use serde_json::json;

use super::Recorded;
use crate::support::json::assert_includes;
use crate::support::{TestEngine, open_folder};

on_engines!(
    postgres:
        a_level_that_is_set_in_a_transaction_is_the_clients,
        a_session_of_another_schema_is_explored_as_it_was;
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
