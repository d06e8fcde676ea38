//! What a database may do to a lab that has done nothing wrong: what the client is told, and
//! whether the instance says that it is ready.

use racy::accounts;
use racy::engine::{Address, Database, FaultKind, Settings};
use racy::exhibits::deposits::{Failure, Refusal, Strategy};
use racy::step::Unobserved;
use racy::verdict::Outcome;
use serde_json::Value;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::support::service::{RunningService, problem};
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        a_lab_without_its_tables_is_not_ready_and_says_why,
        a_healthy_lab_is_ready_and_nothing_is_written_for_it;
    servers:
        a_user_who_may_not_write_is_told_so_without_names,
        a_user_with_no_connection_left_is_told_so,
        a_cancelled_statement_is_interrupted_and_keeps_nothing;
    innodb:
        a_write_that_does_not_come_to_its_end_is_not_ready;
    postgres:
        a_statement_that_the_server_has_forgotten_is_prepared_again;
);

/// The lab's database as another user sees it. These statements make the user, whose name is NAME.
async fn as_user(lab: &Lab, engine: TestEngine, rights: [&str; 2]) -> Database {
    let name = format!("user_of_{}", lab.name);
    let [on_mysql, on_postgres] = rights.map(|rights| rights.replace("NAME", &name));
    let settings = Settings {
        connections: 2,
        ..Settings::default()
    };
    let address = match &lab.address {
        Address::MySql(options) => {
            lab.run_in_database(&on_mysql).await;
            Address::MySql(Box::new(options.as_ref().clone().username(&name)))
        }
        Address::Postgres(options) => {
            lab.run_in_database(&on_postgres).await;
            Address::Postgres(Box::new(options.as_ref().clone().username(&name)))
        }
        Address::Sqlite(_) => panic!("{engine:?} has no users"),
    };
    Database::connect(&address, &settings).await.unwrap()
}

fn fault_of(failure: &Failure) -> FaultKind {
    match &failure.refusal {
        Refusal::Engine(fault) => fault.kind,
        other => panic!("not the engine's refusal: {other:?}"),
    }
}

async fn a_healthy_lab_is_ready_and_nothing_is_written_for_it(engine: TestEngine) {
    let lab = engine.lab().await;
    lab.database
        .could_write(&accounts::WRITE_PROBE)
        .await
        .unwrap();
    lab.database
        .write_and_remove(&accounts::WRITE_PROBE)
        .await
        .unwrap();
    let account = lab.account().await;
    assert_eq!((account.balance, account.transactions), (0, 0));
    let keys = "SELECT id FROM idempotency_keys";
    assert!(lab.database.rows(keys, &[]).await.unwrap().is_empty());
    lab.until_nothing_is_open().await;
}

async fn a_lab_without_its_tables_is_not_ready_and_says_why(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    assert_eq!(service.json("/health/ready").await["status"], "ok");
    lab.database
        .execute("DROP TABLE transactions", &[])
        .await
        .unwrap();

    let refused = service.deposit("atomic_no_delay", 1, 100).await;
    let refused = problem(refused, 503, "schema-missing").await;
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(refused["retryable"], false);
    let ready = service.get("/health/ready").send().await.unwrap();
    problem(ready, 503, "schema-missing").await;
    service.stop().await;
}

async fn a_user_who_may_not_write_is_told_so_without_names(engine: TestEngine) {
    let lab = engine.lab().await;
    let rights = [
        "CREATE USER NAME@localhost; GRANT SELECT ON * TO NAME@localhost",
        "CREATE ROLE NAME LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO NAME",
    ];
    let database = as_user(&lab, engine, rights).await;
    let service = RunningService::start(&database).await;
    let refused = service.deposit("non_atomic_no_delay", 1, 100).await;
    assert!(!refused.headers().contains_key("retry-after"));
    let refused = problem(refused, 503, "not-allowed").await;
    assert_eq!(refused["outcome"], "refused");
    let code = match engine {
        TestEngine::Postgres => "42501",
        _ => "1142",
    };
    assert_eq!(refused["code"], code);
    let told = refused.to_string();
    assert!(!told.contains("user_of"), "{told}");
    let ready = service.get("/health/ready").send().await.unwrap();
    problem(ready, 503, "not-allowed").await;
    service.stop().await;
}

async fn a_user_with_no_connection_left_is_told_so(engine: TestEngine) {
    let lab = engine.lab().await;
    let rights = [
        "CREATE USER NAME@localhost WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON * TO NAME@localhost",
        "CREATE ROLE NAME LOGIN CONNECTION LIMIT 1; \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO NAME",
    ];
    let database = as_user(&lab, engine, rights).await;
    let service = RunningService::start(&database).await;
    let only_one = database.session(&Unobserved).await.unwrap();
    let refused = service.deposit("atomic_no_delay", 1, 100).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    let refused = problem(refused, 503, "limit-reached").await;
    assert_eq!(refused["retryable"], true);
    only_one.end().await;
    let made = service.deposit("atomic_no_delay", 1, 100).await;
    let problem: Value = made.json().await.unwrap();
    assert_eq!(problem["outcome"], "applied", "{problem}");
    service.stop().await;
}

async fn a_cancelled_statement_is_interrupted_and_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut holder = Client::start(&lab.database, locking).await;
    holder.go_to("commit").await;
    let mut waiting = Client::start(&lab.database, locking).await;
    waiting.go_to("lock and read balance").await;
    waiting.go_and_wait_for_lock().await;
    let connection = waiting.connection();
    let cancel = match engine {
        TestEngine::Postgres => format!("SELECT pg_cancel_backend({connection})"),
        _ => format!("KILL QUERY {connection}"),
    };
    lab.run_outside_the_pool(cancel).await;
    let failure = waiting.finish().await.unwrap_err();
    assert_eq!(fault_of(&failure), FaultKind::Interrupted, "{failure:?}");
    assert_eq!(failure.outcome, Outcome::Refused);
    holder.finish().await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
    lab.until_nothing_is_open().await;
}

async fn a_statement_that_the_server_has_forgotten_is_prepared_again(engine: TestEngine) {
    let settings = Settings {
        connections: 1,
        ..Settings::default()
    };
    let lab = engine.lab_with(settings).await;
    let read = "SELECT balance FROM accounts";
    lab.database.rows(read, &[]).await.unwrap();
    lab.database.execute("DEALLOCATE ALL", &[]).await.unwrap();
    let lost = lab.database.rows(read, &[]).await.unwrap_err();
    assert_eq!(lost.kind, FaultKind::StatementLost, "{lost}");
    assert!(lost.kind.is_retryable());
    assert_eq!(lab.database.rows(read, &[]).await.unwrap().len(), 1);
}

/// A SQLite file that may not grow is what a full disk is to any engine.
#[tokio::test]
async fn a_full_database_is_not_ready_until_there_is_room() {
    let lab = TestEngine::Sqlite.lab().await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
                INSERT INTO transactions (account_id, amount) SELECT 1, 0 FROM n";
    lab.database.execute(fill, &[]).await.unwrap();
    let pages = "SELECT page_count FROM pragma_page_count()";
    let pages = lab.database.rows(pages, &[]).await.unwrap()[0].integer(0);
    let Address::Sqlite(options) = &lab.address else {
        panic!("not SQLite");
    };
    let options = options.as_ref().clone();
    let options = options.pragma("max_page_count", pages.unwrap().to_string());
    let full = Address::Sqlite(Box::new(options));
    let full = Database::connect(&full, &Settings::default())
        .await
        .unwrap();
    let service = RunningService::start(&full).await;
    let ready = async || service.get("/health/ready").send().await.unwrap();

    let refused = loop {
        let answer = service.deposit("append_only", 1, 1).await;
        if answer.status() != 200 {
            break problem(answer, 507, "database-full").await;
        }
    };
    assert_eq!(
        (&refused["outcome"], &refused["code"]),
        (&"refused".into(), &"13".into())
    );
    problem(ready().await, 503, "database-full").await;
    problem(ready().await, 503, "database-full").await;

    let make_room = "DELETE FROM transactions WHERE amount = 0";
    lab.database.execute(make_room, &[]).await.unwrap();
    assert_eq!(ready().await.status(), 200);
    let made = service.deposit("append_only", 1, 1).await;
    assert_eq!(made.status(), 200);
    service.stop().await;
}

/// As MySQL waits where its disk is full.
async fn a_write_that_does_not_come_to_its_end_is_not_ready(engine: TestEngine) {
    let patience = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(patience).await;
    let service = RunningService::start(&lab.database).await;
    let locking = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut holder = Client::start(&lab.database, locking).await;
    holder.go_to("commit").await;
    let waited = service.deposit("atomic_update", 1, 1).await;
    problem(waited, 409, "lock-timeout").await;
    holder.finish().await.unwrap();

    let Address::MySql(options) = &lab.address else {
        panic!("InnoDB alone");
    };
    let mut locker = options.connect().await.unwrap();
    locker
        .execute("LOCK TABLES idempotency_keys READ")
        .await
        .unwrap();
    let ready = async || service.get("/health/ready").send().await.unwrap();
    problem(ready().await, 503, "unavailable").await;
    // The first trial still waits, and is the only one.
    problem(ready().await, 503, "unavailable").await;
    locker.execute("UNLOCK TABLES").await.unwrap();
    // Each asks again, at the latest a second after the one before.
    for _ in 0..30 {
        if ready().await.status() == 200 {
            return service.stop().await;
        }
    }
    panic!("it is not ready again");
}
