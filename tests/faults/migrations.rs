//! The schema, migrated at the same time, after a crash, and without the right to.

use racy::accounts;
use racy::engine::{Address, Database, Settings};
use racy::exhibits::deposits::Strategy;

use crate::support::lab::run_at;
use crate::support::{Client, TestEngine};

on_engines!(
    every:
        migrating_twice_changes_nothing,
        many_instances_may_migrate_at_once;
    servers:
        a_table_that_racy_did_not_make_is_left_alone;
    innodb:
        a_migration_that_was_cut_off_is_run_again;
    postgres:
        instances_at_every_level_may_migrate_at_once,
        each_schema_is_a_lab_of_its_own,
        a_user_who_may_make_no_tables_is_told_so;
);

/// In the database's words, and not in the migration tool's.
async fn a_user_who_may_make_no_tables_is_told_so(engine: TestEngine) {
    let fresh = engine.fresh().await;
    run_at(
        &fresh.address,
        "CREATE SCHEMA closed; DO $$ BEGIN CREATE ROLE reader LOGIN; \
         EXCEPTION WHEN duplicate_object THEN NULL; END $$; GRANT USAGE ON SCHEMA closed TO reader",
    )
    .await;
    let Address::Postgres(options) = &fresh.address else {
        panic!("not PostgreSQL");
    };
    let options = options.as_ref().clone().username("reader");
    let options = options.options([("search_path", "closed")]);
    let address = Address::Postgres(Box::new(options));
    let database = Database::connect(&address, &Settings::default()).await;
    let error = database.unwrap().migrate().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot migrate the database: not allowed (42501): permission denied for schema closed"
    );
}

/// At the higher levels an instance that has waited would not see what another has migrated.
async fn instances_at_every_level_may_migrate_at_once(engine: TestEngine) {
    for level in engine.levels() {
        let fresh = engine.fresh().await;
        let settings = Settings {
            isolation: Some(*level),
            lock_wait_timeout: Some(1),
            ..Settings::default()
        };
        let instances = (0..4).map(|_| {
            let address = fresh.address.clone();
            tokio::spawn(async move {
                let database = Database::connect(&address, &settings).await.unwrap();
                database.migrate().await.unwrap();
                database.close().await;
            })
        });
        for instance in instances.collect::<Vec<_>>() {
            instance.await.unwrap();
        }
    }
}

async fn each_schema_is_a_lab_of_its_own(engine: TestEngine) {
    let lab = engine.lab().await;
    lab.run_in_database("CREATE SCHEMA one; CREATE SCHEMA two")
        .await;
    let Address::Postgres(options) = &lab.address else {
        panic!("not PostgreSQL");
    };
    for path in ["one", "two,public"] {
        let options = options.as_ref().clone();
        let options = options.options([("search_path", path)]);
        let address = Address::Postgres(Box::new(options));
        let database = Database::connect(&address, &Settings::default()).await;
        let database = database.unwrap();
        database.migrate().await.unwrap();
        let client = Client::start(&database, Strategy::named("atomic_no_delay").unwrap()).await;
        client.finish().await.unwrap();
        let account = accounts::find(&database, 1).await.unwrap().unwrap();
        assert_eq!((account.balance, account.transactions), (100, 1));
        assert_eq!(accounts::open(&database, 0).await.unwrap(), 2);
        database.close().await;
    }
    assert_eq!(lab.account().await.balance, 0);
}

/// A signal or a crash between two statements of a migration, each of which InnoDB commits.
async fn a_migration_that_was_cut_off_is_run_again(engine: TestEngine) {
    let lab = engine.lab().await;
    for cut in [
        "DROP TABLE account_slots, transactions, accounts; \
         UPDATE _sqlx_migrations SET success = FALSE",
        "DROP TABLE transactions; DELETE FROM accounts; \
         UPDATE _sqlx_migrations SET success = FALSE",
        "UPDATE _sqlx_migrations SET success = FALSE",
        "DROP TABLE account_slots, transactions, accounts; DELETE FROM _sqlx_migrations",
    ] {
        lab.run_in_database(cut).await;
        lab.database.migrate().await.unwrap();
        let deposit = Client::start(&lab.database, Strategy::named("atomic_no_delay").unwrap());
        deposit.await.finish().await.unwrap();
        assert_eq!(lab.account().await.lost, 0, "{cut}");
    }
}

async fn a_table_that_racy_did_not_make_is_left_alone(engine: TestEngine) {
    let lab = engine.lab().await;
    lab.run_in_database(
        "DROP TABLE account_slots, transactions, accounts, _sqlx_migrations; \
         CREATE TABLE accounts (name CHAR(9) PRIMARY KEY)",
    )
    .await;
    let error = lab.database.migrate().await.unwrap_err().to_string();
    assert!(
        error.contains("a table accounts that Racy did not make"),
        "{error}"
    );
    lab.run_in_database("INSERT INTO accounts (name) VALUES ('still')")
        .await;
}

async fn migrating_twice_changes_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    let strategy = Strategy::named("atomic_no_delay").unwrap();
    let client = Client::start(&lab.database, strategy).await;
    client.finish().await.unwrap();
    lab.database.migrate().await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

async fn many_instances_may_migrate_at_once(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let instances = (0..4).map(|_| {
        let address = fresh.address.clone();
        tokio::spawn(async move {
            let settings = Settings {
                connections: 1,
                ..Settings::default()
            };
            let database = Database::connect(&address, &settings).await.unwrap();
            database.migrate().await.unwrap();
            accounts::find(&database, 1).await.unwrap().unwrap()
        })
    });
    for instance in instances.collect::<Vec<_>>() {
        assert_eq!(instance.await.unwrap().balance, 0);
    }
}
