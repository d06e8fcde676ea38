//! Refusals that need arranging: timeouts, lost connections, overflow; and what they leave behind.

use std::time::Duration;

use racy::accounts;
use racy::engine::{Address, Database, FaultKind, Isolation, Kept, OpenError, Settings};
use racy::exhibits::deposits::{Deposit, Failure, Memory, Pace, Refusal, STRATEGIES, Strategy};
use racy::keeper::{self, Actor};
use racy::step::Unobserved;
use racy::verdict::Outcome;

use racy::engine::local::{Folder, LocalServer};

use crate::support::lab::{Fresh, run_at};
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        overflow_is_refused_and_keeps_nothing,
        the_keeper_knows_slots_and_what_was_only_appended,
        an_unknown_account_is_refused_and_keeps_nothing,
        a_lock_timeout_is_refused_and_the_next_deposit_works,
        autocommit_that_fails_half_way_says_so,
        migrating_twice_changes_nothing,
        many_instances_may_migrate_at_once,
        a_sum_wider_than_a_balance_is_audited_right,
    ;
    servers:
        a_commit_without_an_answer_is_unknown,
        a_connection_that_dies_in_a_transaction_keeps_nothing,
        an_exhausted_pool_is_unavailable,
        a_table_of_somebody_elses_is_left_alone,
    ;
    innodb:
        a_refusal_to_write_is_no_doubt,
        a_migration_that_was_cut_off_is_run_again,
        what_is_written_after_a_deadlock_is_kept,
    ;
    postgres:
        a_standby_that_only_reads_is_no_doubt,
        a_deadlock_has_one_victim_and_is_rolled_back,
        a_commit_can_be_refused_and_keeps_nothing,
        a_transaction_with_a_refusal_in_it_cannot_be_committed,
        who_may_not_set_the_deadlock_timeout_keeps_the_engines_own,
        instances_at_every_level_may_migrate_at_once,
        each_schema_is_a_lab_of_its_own,
        a_user_who_may_make_no_tables_is_told_so,
);

fn engine_fault(failure: &Failure) -> FaultKind {
    match &failure.refusal {
        Refusal::Engine(fault) => fault.kind,
        other => panic!("not the engine's refusal: {other:?}"),
    }
}

async fn overflow_is_refused_and_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    let balance = i64::MAX - 99;
    let account = accounts::open(&lab.database, balance).await.unwrap();
    for strategy in &STRATEGIES {
        let deposit = Deposit {
            account,
            amount: 100,
            claim: None,
        };
        let result = strategy
            .perform(
                &lab.database,
                &deposit,
                &Memory::default(),
                Pace::default(),
                &Unobserved,
            )
            .await;
        assert_eq!(
            result,
            Err(Failure {
                refusal: Refusal::Overflow {
                    balance: balance.into()
                },
                outcome: Outcome::Refused
            })
        );
    }
    let audit = accounts::find(&lab.database, account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (audit.balance, audit.transactions, audit.lost),
        (balance.into(), 0, 0)
    );
    assert!(!lab.has_open_transactions().await);
}

/// Whatever holds an account's money, the keeper's changes move it and lose none.
async fn the_keeper_knows_slots_and_what_was_only_appended(engine: TestEngine) {
    let lab = engine.lab().await;
    let account = keeper::open_account(&lab.database, "keeper", 1000).await;
    let account = account.unwrap();
    let deposit = Deposit {
        account,
        amount: 100,
        claim: None,
    };
    for strategy in ["append_only", "append_only", "partitioned", "atomic_update"] {
        let strategy = Strategy::named(strategy).unwrap();
        let memory = Memory::default();
        let made = strategy.perform(
            &lab.database,
            &deposit,
            &memory,
            Pace::default(),
            &Unobserved,
        );
        made.await.unwrap();
    }
    let audit = async || {
        let account = accounts::find(&lab.database, account).await;
        let account = account.unwrap().unwrap();
        (account.opening_balance, account.balance, account.lost)
    };
    assert_eq!(audit().await, (1000, 1400, 0));

    let page = accounts::Page { after: 0, limit: 1 };
    let first = accounts::transactions(&lab.database, account, page).await;
    let first = first.unwrap()[0].id;
    let somebody = Actor {
        name: "keeper",
        memory: None,
    };
    let deleted = keeper::delete_transaction(&lab.database, somebody, account, first);
    deleted.await.unwrap();
    assert_eq!(audit().await, (1100, 1400, 0));
    let deleted = keeper::delete_transactions(&lab.database, somebody, account).await;
    assert_eq!(deleted.unwrap(), 3);
    assert_eq!(audit().await, (1400, 1400, 0));

    let reset = keeper::reset_account(&lab.database, somebody, account);
    reset.await.unwrap();
    // The slot is empty, and the balance is the opening one again.
    assert_eq!(audit().await, (1400, 1400, 0));
}

async fn an_unknown_account_is_refused_and_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in &STRATEGIES {
        for account in [0, 2, i64::MAX] {
            let deposit = Deposit {
                account,
                amount: 1,
                claim: None,
            };
            let result = strategy
                .perform(
                    &lab.database,
                    &deposit,
                    &Memory::default(),
                    Pace::default(),
                    &Unobserved,
                )
                .await;
            assert_eq!(
                result,
                Err(Failure {
                    refusal: Refusal::UnknownAccount,
                    outcome: Outcome::Refused
                })
            );
        }
    }
    assert!(!lab.has_open_transactions().await);
}

/// As short as a lock wait timeout can be.
fn impatient() -> Settings {
    Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    }
}

/// InnoDB gives up the statement and leaves the transaction open: somebody has to roll it back.
async fn a_lock_timeout_is_refused_and_the_next_deposit_works(engine: TestEngine) {
    let lab = engine.lab_with(impatient()).await;
    let locking = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut a = Client::start(&lab.database, locking).await;
    a.go_to("insert transaction").await;

    let b = Client::start(&lab.database, locking).await;
    let failure = b.finish().await.unwrap_err();
    let expected = match engine {
        TestEngine::Sqlite => FaultKind::Busy,
        TestEngine::MySql | TestEngine::MariaDb | TestEngine::Postgres => FaultKind::LockTimeout,
    };
    assert_eq!(engine_fault(&failure), expected);
    assert_eq!(failure.outcome, Outcome::Refused);

    a.finish().await.unwrap();
    assert!(!lab.has_open_transactions().await);
    let c = Client::start(&lab.database, locking).await;
    c.finish().await.unwrap();
    let account = lab.account().await;
    assert_eq!((account.balance, account.lost), (200, 0));
}

async fn autocommit_that_fails_half_way_says_so(engine: TestEngine) {
    let lab = engine.lab_with(impatient()).await;
    let non_atomic = Strategy::named("non_atomic_no_delay").unwrap();
    let locking = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut a = Client::start(&lab.database, non_atomic).await;
    a.go_to("write balance").await;
    let mut b = Client::start(&lab.database, locking).await;
    b.go_to("insert transaction").await;

    let failure = a.finish().await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Partial, "{failure:?}");
    b.finish().await.unwrap();
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (100, 2, 100)
    );
}

async fn a_commit_without_an_answer_is_unknown(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let mut a = Client::start(&lab.database, atomic).await;
    a.go_to("commit").await;
    lab.kill(a.connection()).await;
    let failure = a.finish().await.unwrap_err();
    assert_eq!(
        engine_fault(&failure),
        FaultKind::Unavailable,
        "{failure:?}"
    );
    assert_eq!(failure.outcome, Outcome::Unknown);
}

async fn a_connection_that_dies_in_a_transaction_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let mut a = Client::start(&lab.database, atomic).await;
    a.go_to("write balance").await;
    lab.kill(a.connection()).await;
    let failure = a.finish().await.unwrap_err();
    assert_eq!(
        engine_fault(&failure),
        FaultKind::Unavailable,
        "{failure:?}"
    );
    assert_eq!(failure.outcome, Outcome::Refused);

    let b = Client::start(&lab.database, atomic).await;
    b.finish().await.unwrap();
    let account = lab.account().await;
    assert_eq!((account.balance, account.transactions), (100, 1));
}

/// The server says that it cannot write now: nothing was kept, and everybody knows it.
async fn a_refusal_to_write_is_no_doubt(engine: TestEngine) {
    // A server of its own: the switch is for all connections but the administrator's.
    let server = LocalServer::start(&engine.binary(), Folder::Temporary)
        .await
        .unwrap();
    let lab = Lab::at(Fresh::on(&server).await, Settings::default()).await;
    lab.run_outside_the_pool(
        "CREATE USER reader@localhost; GRANT SELECT, INSERT, UPDATE ON *.* TO reader@localhost; \
         SET GLOBAL read_only = ON"
            .to_owned(),
    )
    .await;
    let strategy = Strategy::named("non_atomic_no_delay").unwrap();
    let Address::MySql(options) = &lab.address else {
        panic!("not MySQL");
    };
    let as_reader = Address::MySql(Box::new(options.as_ref().clone().username("reader")));
    let database = Database::connect(&as_reader, &Settings::default())
        .await
        .unwrap();
    let failure = Client::start(&database, strategy)
        .await
        .finish()
        .await
        .unwrap_err();
    assert_eq!(engine_fault(&failure), FaultKind::ReadOnly, "{failure:?}");
    assert_eq!(failure.outcome, Outcome::Refused, "{failure:?}");
    let not_ready = database.could_deposit().await.unwrap_err();
    assert_eq!(not_ready.kind, FaultKind::ReadOnly, "{not_ready}");
    database.close().await;
    lab.database.close().await;
    server.stop().await.unwrap();
}

/// The same on PostgreSQL, where each database can be told so.
async fn a_standby_that_only_reads_is_no_doubt(engine: TestEngine) {
    let lab = engine.lab().await;
    lab.run_in_database(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', \
         current_database()); END $$",
    )
    .await;
    let database = Database::connect(&lab.address, &Settings::default()).await;
    let database = database.unwrap();
    let strategy = Strategy::named("non_atomic_no_delay").unwrap();
    let client = Client::start(&database, strategy).await;
    let failure = client.finish().await.unwrap_err();
    assert_eq!(engine_fault(&failure), FaultKind::ReadOnly, "{failure:?}");
    assert_eq!(failure.outcome, Outcome::Refused, "{failure:?}");
    let not_ready = database.could_deposit().await.unwrap_err();
    assert_eq!(not_ready.kind, FaultKind::ReadOnly, "{not_ready}");
}

const ADD_ONE: &str = "UPDATE accounts SET balance = balance + 1 WHERE id = ?";

/// PostgreSQL looks for a deadlock when somebody has waited for a while, which is set short here.
fn quick_to_find_deadlocks() -> Settings {
    Settings {
        deadlock_timeout: Some(Duration::from_millis(10)),
        ..Settings::default()
    }
}

/// Two accounts, taken in opposite orders.
async fn a_deadlock_has_one_victim_and_is_rolled_back(engine: TestEngine) {
    let lab = engine.lab_with(quick_to_find_deadlocks()).await;
    let other = accounts::open(&lab.database, 0).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    let mut b = lab.database.session(&Unobserved).await.unwrap();
    for (session, first) in [(&mut a, 1), (&mut b, other)] {
        session.begin().await.unwrap();
        session.run("first", ADD_ONE, &[first]).await.unwrap();
    }
    let (for_a, for_b) = ([other], [1]);
    let (of_a, of_b) = tokio::join!(
        async {
            let result = a.run("second", ADD_ONE, &for_a).await;
            (result, a)
        },
        async {
            let result = b.run("second", ADD_ONE, &for_b).await;
            (result, b)
        }
    );
    let mut victims = 0;
    for (result, mut session) in [of_a, of_b] {
        match result {
            Ok(_) => session.commit().await.unwrap(),
            Err(fault) => {
                victims += 1;
                assert_eq!(fault.kind, FaultKind::Deadlock);
                assert_eq!(fault.code.as_deref(), Some("40P01"));
                assert!(fault.kind.is_retryable());
            }
        }
        session.end().await;
    }
    assert_eq!(victims, 1);
    assert_eq!(lab.account().await.balance, 1);
    assert!(!lab.has_open_transactions().await);
}

/// InnoDB has rolled the victim's transaction back: what it writes after that is in autocommit, and no
/// rollback takes it back.
async fn what_is_written_after_a_deadlock_is_kept(engine: TestEngine) {
    let lab = engine.lab().await;
    let other = accounts::open(&lab.database, 0).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    let mut b = lab.database.session(&Unobserved).await.unwrap();
    for (session, first) in [(&mut a, 1), (&mut b, other)] {
        session.begin().await.unwrap();
        session.run("first", ADD_ONE, &[first]).await.unwrap();
    }
    let (for_a, for_b) = ([other], [1]);
    let (of_a, of_b) = tokio::join!(
        a.run("second", ADD_ONE, &for_a),
        b.run("second", ADD_ONE, &for_b)
    );
    let (mut winner, mut victim) = match (of_a, of_b) {
        (Ok(_), Err(_)) => (a, b),
        (Err(_), Ok(_)) => (b, a),
        both => panic!("{both:?}"),
    };
    winner.commit().await.unwrap();
    assert_eq!(winner.end().await, Kept::Something);
    victim.run("second again", ADD_ONE, &[1]).await.unwrap();
    assert_eq!(victim.end().await, Kept::Something);
    assert_eq!(lab.account().await.balance, 2);

    let mut next = lab.database.session(&Unobserved).await.unwrap();
    next.begin().await.unwrap();
    next.run("in a transaction", ADD_ONE, &[1]).await.unwrap();
    assert_eq!(next.end().await, Kept::Nothing);
    assert_eq!(lab.account().await.balance, 2);
}

/// Write skew: each reads what the other writes. Both have done all they wanted when the first
/// commits, so that only the other's commit can be refused.
async fn a_commit_can_be_refused_and_keeps_nothing(engine: TestEngine) {
    const READ: &str = "SELECT balance FROM accounts WHERE id = ?";
    let lab = engine
        .lab_with(Settings {
            isolation: Some(Isolation::Serializable),
            connections: 2,
            ..Settings::default()
        })
        .await;
    let other = accounts::open(&lab.database, 0).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    let mut b = lab.database.session(&Unobserved).await.unwrap();
    for (session, read, write) in [(&mut a, other, 1), (&mut b, 1, other)] {
        session.begin().await.unwrap();
        session.read("read", READ, &[read]).await.unwrap();
        session.run("write", ADD_ONE, &[write]).await.unwrap();
    }
    a.commit().await.unwrap();
    let fault = b.commit().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SerializationFailure, "{fault}");
    assert_eq!(fault.code.as_deref(), Some("40001"));
    assert_eq!(
        (a.end().await, b.end().await),
        (Kept::Something, Kept::Nothing)
    );

    let untouched = accounts::find(&lab.database, other).await.unwrap().unwrap();
    assert_eq!((lab.account().await.balance, untouched.balance), (1, 0));
    assert!(!lab.has_open_transactions().await);
    for _ in 0..2 {
        let client = Client::start(&lab.database, Strategy::named("atomic_no_delay").unwrap());
        client.await.finish().await.unwrap();
    }
}

/// The engine would answer such a COMMIT with "ROLLBACK", and no error.
async fn a_transaction_with_a_refusal_in_it_cannot_be_committed(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    session.begin().await.unwrap();
    session.run("write", ADD_ONE, &[1]).await.unwrap();
    let insert = "INSERT INTO accounts (id, balance, opening_balance) VALUES (?, 0, 0)";
    let refusal = session.run("insert", insert, &[1]).await.unwrap_err();
    assert_eq!(refusal.kind, FaultKind::UniqueViolation);
    assert_eq!(session.commit().await.unwrap_err(), refusal);
    assert_eq!(session.end().await, Kept::Nothing);
    assert_eq!(lab.account().await.balance, 0);
    assert!(!lab.has_open_transactions().await);
}

async fn who_may_not_set_the_deadlock_timeout_keeps_the_engines_own(engine: TestEngine) {
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

/// Not only whose fault it is, but in words that are about the database.
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

/// At the higher levels an instance would not see what another has migrated while it waited.
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
        "DROP TABLE account_slots, transactions, accounts; UPDATE _sqlx_migrations SET success = FALSE",
        "DROP TABLE transactions; DELETE FROM accounts; UPDATE _sqlx_migrations SET success = FALSE",
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

async fn a_table_of_somebody_elses_is_left_alone(engine: TestEngine) {
    let lab = engine.lab().await;
    lab.run_in_database(
        "DROP TABLE account_slots, transactions, accounts, _sqlx_migrations; CREATE TABLE accounts (name CHAR(9) PRIMARY KEY)",
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

async fn an_exhausted_pool_is_unavailable(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            connections: 1,
            acquire_timeout: Duration::from_millis(500),
            ..Settings::default()
        })
        .await;
    assert!(!lab.database.is_exhausted());
    let session = lab.database.session(&Unobserved).await.unwrap();
    assert!(lab.database.is_exhausted());
    let fault = lab.database.session(&Unobserved).await.unwrap_err();
    assert_eq!(fault.message, "all 1 database connections are in use");
    assert_eq!(fault.kind, FaultKind::Unavailable);
    session.end().await;
    assert!(!lab.database.is_exhausted());
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

/// Lost updates leave more on record than the balance could hold.
async fn a_sum_wider_than_a_balance_is_audited_right(engine: TestEngine) {
    let lab = engine.lab().await;
    let deposit = Deposit {
        account: 1,
        amount: i64::MAX,
        claim: None,
    };
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for _ in 0..3 {
        session
            .run(
                "insert transaction",
                "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
                &[deposit.account, deposit.amount],
            )
            .await
            .unwrap();
    }
    session.end().await;
    let account = lab.account().await;
    let sum = 3 * i128::from(i64::MAX);
    assert_eq!(
        (account.transactions_sum, account.expected, account.lost),
        (sum, sum, sum)
    );
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
