//! Who races, when the tables were made through the proxy and one of two requests was declined.

use serde_json::json;

use super::{Application, Recorded};
use crate::support::TestEngine;
use crate::support::json::assert_includes;

on_engines!(
    servers:
        a_request_races_with_itself_if_its_twin_was_declined,
        nothing_is_written_if_there_is_only_set_up;
);

/// Makes the table with one ticket, through the proxy.
async fn set_up(recorded: &Recorded) {
    let mut operator = recorded.application().await;
    operator.run("DROP TABLE IF EXISTS ticket").await;
    operator
        .run("CREATE TABLE ticket (id INT PRIMARY KEY, n INT NOT NULL)")
        .await;
    operator.run("INSERT INTO ticket VALUES (1, 1)").await;
    operator.leave().await;
}

/// Takes a ticket, or answers 409 if there is none.
async fn take_a_ticket(application: &mut Application) -> u16 {
    application.run("BEGIN").await;
    let left = application.read("SELECT n FROM ticket WHERE id = ?").await;
    if left < 1 {
        application.run("ROLLBACK").await;
        return 409;
    }
    application
        .run("UPDATE ticket SET n = n - 1 WHERE id = 1")
        .await;
    application.run("COMMIT").await;
    201
}

async fn a_request_races_with_itself_if_its_twin_was_declined(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    set_up(&recorded).await;
    for expected in [201, 409] {
        let mut application = recorded.application().await;
        assert_eq!(take_a_ticket(&mut application).await, expected);
        application.leave().await;
    }
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    for told in [
        " has made, changed or dropped tables: it does not race, and is a part of the set-up\n",
        " and changed nothing. So connection ",
        "\na question: n was read by `SELECT n FROM ticket WHERE id = ?`, and nothing that was \
         sent depends on it: does the application decide by it?",
        "\ncannot be right: another client began alike",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    assert!(
        said.ends_with("\nexplore it: racy explore pair.toml\n"),
        "{said}"
    );
    let file = recorded.file();
    let (setup, script) = file.split_once("\n[[client]]\ncount = 2\n").unwrap();
    assert!(
        setup.contains("\nCREATE TABLE ticket (id INT PRIMARY KEY, n INT NOT NULL);\n"),
        "{file}"
    );
    assert!(
        !script.contains("TABLE") && script.contains("\nUPDATE ticket SET n = n - 1 WHERE id = 1;"),
        "{file}"
    );
    let report = recorded.explore(engine).await;
    let expected = json!([{ "exhaustive": true, "refused": [], "anomalies": { "failed": 0 } }]);
    assert_includes(&report["findings"], &expected);
}

async fn nothing_is_written_if_there_is_only_set_up(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    set_up(&recorded).await;
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(2), "{said}");
    let told = "racy: nothing was recorded: each client has made, changed or dropped tables, \
                which is the set-up, and none is left to race. Send the requests after it, as \
                clients of their own\n";
    assert!(said.ends_with(told), "{said}");
    let left = std::fs::read_dir(recorded.folder.path()).unwrap().count();
    assert_eq!(left, 0);
}
