//! Where a recording cannot be right or cannot be written, the command says so.

use racy::engine::Address;
use sqlx::{ConnectOptions as _, Row as _};

use super::Recorded;
use crate::commands::{output, text};
use crate::support::lab::run_at;
use crate::support::process::racy;
use crate::support::{Lab, TestEngine, open_folder, until};

on_engines!(
    servers:
        a_folder_that_is_not_there_is_named_as_it_was_given,
        a_refused_preparation_is_told,
        a_statement_that_is_under_way_at_the_end_is_named,
        a_file_that_cannot_be_explored_as_it_is_is_a_failure,
        what_no_client_has_changed_is_told;
);

async fn a_folder_that_is_not_there_is_named_as_it_was_given(engine: TestEngine) {
    let lab = engine.lab().await;
    let folder = open_folder();
    let url = lab.url(engine);
    let mut command = racy(&[
        "proxy",
        "--database-url",
        &url,
        "--record",
        "gone/pair.toml",
    ]);
    command.current_dir(folder.path());
    let refused = output(command).await;
    assert_eq!(refused.status.code(), Some(2));
    let expected = "racy: gone/pair.toml cannot be written: its folder is not there\n";
    assert_eq!(text(&refused.stderr), expected);
}

async fn a_refused_preparation_is_told(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let mut application = recorded.application().await;
    let refused = application.try_to_change("UPDATE wallet SET gone = ? WHERE id = 1", &[7]);
    assert!(refused.await.is_err());
    let update = "UPDATE wallet SET balance = ? WHERE id = 1";
    application.change(update, &[7]).await;
    application.leave().await;
    let (status, shown, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let place = match engine {
        TestEngine::Postgres => "$1",
        _ => "?",
    };
    let statement = format!("UPDATE wallet SET gone = {place} WHERE id = 1");
    assert!(shown.contains(&format!("{statement} ✗ ")), "{shown}");
    let told = format!(
        "cannot be right: `{statement}` is left out, because the server has refused to prepare it\n"
    );
    assert!(said.contains(&told), "{said}");
    let script = "\nUPDATE wallet SET balance = 7 WHERE id = 1;\n";
    assert!(recorded.file().contains(script), "{}", recorded.file());
}

/// Whether a statement waits for a lock.
async fn somebody_waits(lab: &Lab) -> bool {
    let Address::Postgres(options) = &lab.address else {
        return lab.somebody_waits().await;
    };
    let mut connection = options.connect().await.unwrap();
    let waits = "SELECT COUNT(*) > 0 FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let row = sqlx::raw_sql(waits).fetch_one(&mut connection).await;
    row.unwrap().get(0)
}

async fn a_statement_that_is_under_way_at_the_end_is_named(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let mut holder = recorded.application().await;
    holder.run("BEGIN").await;
    holder
        .run("UPDATE wallet SET balance = 1 WHERE id = 1")
        .await;
    let mut waiter = recorded.application().await;
    let update = "UPDATE wallet SET balance = 2 WHERE id = 1";
    let waits = tokio::spawn(async move { waiter.try_to_run(update).await });
    until("the second one waits", || somebody_waits(&recorded.lab)).await;
    let (status, shown, said) = recorded.end("INT");
    assert!(waits.await.unwrap().is_err());
    assert_eq!(status, Some(0), "{said}");
    assert!(!shown.contains(update), "{shown}");
    let told = "cannot be right: `UPDATE wallet SET balance = 2 WHERE id = 1` is left out: it was \
                not answered yet on connection ";
    assert!(said.contains(told), "{said}");
}

async fn a_file_that_cannot_be_explored_as_it_is_is_a_failure(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let late = "CREATE TABLE late (id INT PRIMARY KEY, n INT)";
    run_at(&recorded.lab.address, late).await;
    let mut application = recorded.application().await;
    application.run("INSERT INTO late VALUES (1, 1)").await;
    application.leave().await;
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(2), "{said}");
    let told = "cannot run: `INSERT INTO late VALUES (1, 1)` names no table that was there when \
                the recording began\n";
    assert!(said.contains(told), "{said}");
    let end = "it has to be edited before it can be explored: its first lines say where\n";
    assert!(said.ends_with(end), "{said}");
    assert!(
        recorded
            .file()
            .contains("\n# Cannot run: `INSERT INTO late")
    );
}

async fn what_no_client_has_changed_is_told(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let mut application = recorded.application().await;
    let query = "SELECT balance FROM wallet WHERE id = ?";
    assert_eq!(application.read(query).await, 250);
    application.leave().await;
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let told = "\nno client has changed anything, so nothing can be lost here\n";
    assert!(said.contains(told), "{said}");
}
