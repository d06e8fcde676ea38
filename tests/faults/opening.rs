//! Databases that cannot be opened as they are asked for.

use racy::engine::{Address, Database, Isolation, OpenError, Settings};
use racy::step::Unobserved;

use super::quick_to_find_deadlocks;
use crate::support::TestEngine;

on_engines!(
    postgres:
        a_user_who_may_not_set_the_deadlock_timeout_has_the_servers_own;
);

async fn a_user_who_may_not_set_the_deadlock_timeout_has_the_servers_own(engine: TestEngine) {
    let lab = engine.lab().await;
    let in_ms = "SELECT CAST(setting AS SIGNED) FROM pg_settings WHERE name = 'deadlock_timeout'";
    let Address::Postgres(options) = &lab.address else {
        panic!("not PostgreSQL");
    };
    lab.run_in_database(
        "DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    .await;
    for (user, expected) in [("postgres", 10), ("guest", 1000)] {
        let options = options.as_ref().clone().username(user);
        let address = Address::Postgres(Box::new(options));
        let database = Database::connect(&address, &quick_to_find_deadlocks()).await;
        let database = database.unwrap();
        let mut session = database.session(&Unobserved).await.unwrap();
        let timeout = session.read("ask", in_ms, &[]).await.unwrap();
        assert_eq!(timeout, Some(expected), "{user}");
        session.end().await;
    }
}

#[tokio::test]
async fn sqlite_refuses_a_level_that_it_does_not_have() {
    let fresh = TestEngine::Sqlite.fresh().await;
    let settings = Settings {
        isolation: Some(Isolation::ReadCommitted),
        ..Settings::default()
    };
    let error = Database::connect(&fresh.address, &settings)
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::Isolation(..)));
    assert_eq!(
        error.to_string(),
        "SQLite has no isolation level READ COMMITTED, only SERIALIZABLE"
    );
}

#[tokio::test]
async fn postgres_refuses_a_level_that_it_would_take_for_another() {
    // Before it is even asked: nothing listens there.
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().socket("/nowhere");
    let settings = Settings {
        isolation: Some(Isolation::ReadUncommitted),
        ..Settings::default()
    };
    let address = Address::Postgres(Box::new(options));
    let error = Database::connect(&address, &settings).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "PostgreSQL has no isolation level READ UNCOMMITTED, only READ COMMITTED, REPEATABLE READ, \
         SERIALIZABLE"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_at_once() {
    let options = sqlx::mysql::MySqlConnectOptions::new().socket("/nowhere/mysql.sock");
    let address = Address::MySql(Box::new(options));
    let error = Database::connect(&address, &Settings::default())
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains("cannot open the database"), "{error}");
    assert!(!error.contains("pool"), "{error}");
}
