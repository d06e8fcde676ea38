//! The schema: on servers that want a primary key on every table, from older programs, and for
//! users who may not change it.

use std::any::Any;
use std::time::Duration;

use racy::accounts;
use racy::engine::local::LocalServer;
use racy::engine::{Address, Database, OpenError, SchemaGap, Settings};
use racy::exhibits::deposits::STRATEGIES;
use racy::keeper;
use racy::step::Unobserved;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{ConnectOptions as _, Executor as _, SqlSafeStr as _};
use tokio::sync::OnceCell;

use crate::commands::{output, text};
use crate::orders::order_of;
use crate::support::lab::{Fresh, run_at, start};
use crate::support::process::racy;
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        every_table_has_a_primary_key,
        the_schema_of_an_older_program_is_brought_up_to_date,
        a_schema_that_is_not_up_to_date_is_refused_if_it_may_not_be_changed,
        a_schema_of_a_newer_program_is_refused;
    servers:
        a_user_who_may_only_read_and_write_rows_suffices,
        a_question_about_the_schema_is_not_waited_for_without_limit,
        the_explorer_works_where_every_table_needs_a_primary_key;
);

/// A database of this test's own, on a server that wants a primary key on every table, if the
/// engine has servers that do.
async fn fresh_where_keys_are_wanted(engine: TestEngine) -> (Fresh, Option<&'static LocalServer>) {
    static MYSQL: OnceCell<LocalServer> = OnceCell::const_new();
    static MARIADB: OnceCell<LocalServer> = OnceCell::const_new();
    let (server, wish) = match engine {
        // The second hides the keys that the server makes by itself.
        TestEngine::MySql => (
            &MYSQL,
            "SET GLOBAL sql_require_primary_key = ON; \
             SET GLOBAL show_gipk_in_create_table_and_information_schema = OFF",
        ),
        TestEngine::MariaDb => (&MARIADB, "SET GLOBAL innodb_force_primary_key = ON"),
        TestEngine::Postgres | TestEngine::Sqlite => return (engine.fresh().await, None),
    };
    let starting = server.get_or_init(|| async {
        let server = start(engine.binary());
        run_at(&server.address(), wish).await;
        server
    });
    let server = starting.await;
    (Fresh::on(server).await, Some(server))
}

async fn tables_without_a_key(address: &Address) -> Vec<String> {
    let query = match address {
        Address::MySql(_) => {
            "SELECT CAST(t.table_name AS CHAR) FROM information_schema.tables t \
             WHERE t.table_schema = DATABASE() AND NOT EXISTS \
             (SELECT 1 FROM information_schema.table_constraints c \
              WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.constraint_type = 'PRIMARY KEY')"
        }
        Address::Postgres(_) => {
            "SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind = 'r' \
             AND relnamespace = current_schema()::regnamespace AND NOT EXISTS \
             (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)"
        }
        Address::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND NOT EXISTS (SELECT 1 FROM pragma_table_info(sqlite_master.name) WHERE pk > 0)"
        }
    };
    words(address, query).await
}

async fn tables(address: &Address) -> Vec<String> {
    let query = match address {
        Address::MySql(_) => {
            "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE()"
        }
        Address::Postgres(_) => {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()"
        }
        Address::Sqlite(_) => "SELECT name FROM sqlite_master",
    };
    words(address, query).await
}

/// What a query of one column finds.
async fn words(address: &Address, query: &'static str) -> Vec<String> {
    const SHOW_ALL_KEYS: &str =
        "SET @seen = 1 /*!80030 , SESSION show_gipk_in_create_table_and_information_schema = ON */";
    match address {
        Address::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            connection.execute(SHOW_ALL_KEYS).await.unwrap();
            sqlx::query_scalar(query)
                .fetch_all(&mut connection)
                .await
                .unwrap()
        }
        Address::Postgres(options) => {
            let mut connection = options.connect().await.unwrap();
            sqlx::query_scalar(query)
                .fetch_all(&mut connection)
                .await
                .unwrap()
        }
        Address::Sqlite(options) => {
            let mut connection = options.connect().await.unwrap();
            sqlx::query_scalar(query)
                .fetch_all(&mut connection)
                .await
                .unwrap()
        }
    }
}

async fn every_table_has_a_primary_key(engine: TestEngine) {
    let (fresh, _) = fresh_where_keys_are_wanted(engine).await;
    let lab = Lab::at(fresh, Settings::default()).await;
    assert!(!tables(&lab.address).await.is_empty());
    assert_eq!(tables_without_a_key(&lab.address).await, [""; 0]);
}

async fn the_explorer_works_where_every_table_needs_a_primary_key(engine: TestEngine) {
    let (fresh, server) = fresh_where_keys_are_wanted(engine).await;
    let server = server.or_else(|| engine.server()).unwrap();
    let url = server.url(&fresh.name);
    let explore = ["explore", "orders/auto_increment", "--database-url", &url];
    let output = output(racy(&explore)).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    fresh.until_nothing_is_left().await;
}

/// The texts of an engine's first six migrations, with their descriptions.
macro_rules! six_texts {
    ($engine:literal) => {
        six_texts!($engine:
            "deposits" => "0001_deposits",
            "keeper" => "0002_keeper",
            "cures" => "0003_cures",
            "changed at" => "0004_changed_at",
            "idempotency keys" => "0005_idempotency_keys",
            "orders" => "0006_orders",
        )
    };
    ($engine:literal: $($description:literal => $file:literal,)*) => {
        [$((
            $description,
            include_str!(concat!("../migrations/", $engine, "/", $file, ".sql")),
        )),*]
    };
}

/// The migrations of a program that does not number the rows yet.
fn six_migrations(engine: TestEngine) -> Migrator {
    let texts = match engine {
        TestEngine::MySql | TestEngine::MariaDb => six_texts!("mysql"),
        TestEngine::Postgres => six_texts!("postgres"),
        TestEngine::Sqlite => six_texts!("sqlite"),
    };
    let migrations = (1..).zip(texts).map(|(number, (description, sql))| {
        let sql = sql.into_sql_str();
        Migration::new(
            number,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

/// Makes the schema of an older program. `first` is what MySQL is told before.
async fn migrate_as_before(engine: TestEngine, address: &Address, first: &'static str) {
    let migrator = six_migrations(engine);
    match address {
        Address::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            connection.execute(first).await.unwrap();
            migrator.run(&mut connection).await.unwrap();
        }
        Address::Postgres(options) => {
            migrator
                .run(&mut options.connect().await.unwrap())
                .await
                .unwrap();
        }
        Address::Sqlite(options) => {
            let options = options.as_ref().clone().create_if_missing(true);
            migrator
                .run(&mut options.connect().await.unwrap())
                .await
                .unwrap();
        }
    }
}

/// Its rows are all there, two of one number as well; also where MySQL had made keys of its own.
async fn the_schema_of_an_older_program_is_brought_up_to_date(engine: TestEngine) {
    let firsts = match engine {
        TestEngine::MySql => &[
            "SET sql_require_primary_key = OFF",
            "SET sql_generate_invisible_primary_key = ON",
        ][..],
        _ => &["DO 0"],
    };
    for first in firsts {
        let fresh = match engine {
            TestEngine::MySql => fresh_where_keys_are_wanted(engine).await.0,
            // There, nothing makes an exception for one session.
            _ => engine.fresh().await,
        };
        migrate_as_before(engine, &fresh.address, first).await;
        let rows = "INSERT INTO orderline (book, order_id, item_no, quantity, written_by) \
                    VALUES (1, 1, '10105', 1, 7), (1, 1, '14600', 1, 8)";
        run_at(&fresh.address, rows).await;
        let lab = Lab::at(fresh, Settings::default()).await;
        assert_eq!(tables_without_a_key(&lab.address).await, [""; 0], "{first}");
        run_at(&lab.address, rows).await;
        let items = words(
            &lab.address,
            "SELECT item_no FROM orderline ORDER BY item_no",
        )
        .await;
        assert_eq!(items, ["10105", "10105", "14600", "14600"], "{first}");
    }
}

/// The same database for a user of this test's own, who may read and write its rows.
async fn as_a_user_of_rows(lab: &Lab, name: &str) -> Database {
    let user = format!("rows_{name}");
    let address = match &lab.address {
        Address::MySql(options) => {
            lab.run_in_database(&format!(
                "CREATE USER {user}@localhost; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {user}@localhost"
            ))
            .await;
            Address::MySql(Box::new(options.as_ref().clone().username(&user)))
        }
        Address::Postgres(options) => {
            lab.run_in_database(&format!(
                "CREATE ROLE {user} LOGIN; GRANT USAGE ON SCHEMA public TO {user}; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}"
            ))
            .await;
            Address::Postgres(Box::new(options.as_ref().clone().username(&user)))
        }
        Address::Sqlite(_) => panic!("SQLite has no users"),
    };
    let settings = Settings {
        connections: 8,
        ..Settings::default()
    };
    Database::connect(&address, &settings).await.unwrap()
}

async fn a_user_who_may_only_read_and_write_rows_suffices(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let name = fresh.name.clone();
    let lab = Lab::at(fresh, Settings::default()).await;
    let database = as_a_user_of_rows(&lab, &name).await;
    database.migrate().await.unwrap();
    for strategy in &STRATEGIES {
        let client = Client::start(&database, strategy).await;
        client.finish().await.unwrap();
    }
    let (strategy, order) = (
        racy::exhibits::orders::Strategy::named("auto_increment").unwrap(),
        order_of(7),
    );
    let written = strategy.perform(&database, &order, Vec::new(), &Unobserved);
    written.await.unwrap();
    let account = keeper::open_account(&database, "ada", 5).await.unwrap();
    assert_eq!(
        accounts::find(&database, account)
            .await
            .unwrap()
            .unwrap()
            .balance,
        5
    );

    lab.run_in_database("DELETE FROM _sqlx_migrations WHERE version = 7")
        .await;
    let refused = database.migrate().await.unwrap_err();
    assert!(matches!(refused, OpenError::Migrate(_)), "{refused}");
    let refused = database.require_schema().await.unwrap_err();
    let missing = SchemaGap::Missing(vec![(7, "row numbers".to_owned())]);
    assert!(
        matches!(&refused, OpenError::Schema(gap) if *gap == missing),
        "{refused}"
    );
}

async fn a_question_about_the_schema_is_not_waited_for_without_limit(engine: TestEngine) {
    let lab = Lab::at(engine.fresh().await, Settings::default()).await;
    let settings = Settings {
        answer_within: Some(Duration::from_millis(200)),
        ..Settings::default()
    };
    let database = Database::connect(&lab.address, &settings).await.unwrap();
    let _locked = with_locked_notes(&lab.address).await;
    let error = database.require_schema().await.unwrap_err().to_string();
    assert!(error.contains("has not answered"), "{error}");
}

/// Locks the table of the migrations, until the connection is dropped.
async fn with_locked_notes(address: &Address) -> Box<dyn Any + Send> {
    match address {
        Address::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            let lock = "LOCK TABLES _sqlx_migrations WRITE";
            connection.execute(sqlx::raw_sql(lock)).await.unwrap();
            Box::new(connection)
        }
        Address::Postgres(options) => {
            let mut connection = options.connect().await.unwrap();
            let lock = "BEGIN; LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE";
            connection.execute(sqlx::raw_sql(lock)).await.unwrap();
            Box::new(connection)
        }
        Address::Sqlite(_) => panic!("SQLite has no server"),
    }
}

/// Runs a command on this database, and returns its exit status and what it says.
async fn ask(url: &str, command: &str) -> (Option<i32>, String) {
    let arguments: Vec<_> = command.split(' ').collect();
    let arguments = [&arguments[..], &["--database-url", url]].concat();
    let output = output(racy(&arguments)).await;
    (output.status.code(), text(&output.stderr))
}

async fn assert_refused(url: &str, command: &str, words: &str) {
    let (status, said) = ask(url, command).await;
    assert_eq!(status, Some(2), "{command}: {said}");
    assert!(said.contains(words), "{command}: {said}");
}

/// An empty database, and its URL.
async fn empty(engine: TestEngine) -> (Fresh, String) {
    let fresh = engine.fresh().await;
    if let Address::Sqlite(options) = &fresh.address {
        std::fs::write(options.get_filename(), "").unwrap();
    }
    let url = fresh.url(engine);
    (fresh, url)
}

async fn a_schema_that_is_not_up_to_date_is_refused_if_it_may_not_be_changed(engine: TestEngine) {
    let (fresh, url) = empty(engine).await;
    for command in [
        "serve --listen 127.0.0.1:0 --no-migrate",
        "account list --no-migrate",
        "orders process --no-migrate",
    ] {
        assert_refused(&url, command, "lacks: 1 (deposits), 2 (keeper), ").await;
        assert_refused(&url, command, "racy migrate applies them").await;
    }
    assert_eq!(tables(&fresh.address).await, [""; 0]);
    assert_eq!(ask(&url, "migrate").await.0, Some(0));
    assert_eq!(ask(&url, "account list --no-migrate").await.0, Some(0));
}

async fn a_schema_of_a_newer_program_is_refused(engine: TestEngine) {
    let (fresh, url) = empty(engine).await;
    assert_eq!(ask(&url, "migrate").await.0, Some(0));
    let newer = "INSERT INTO _sqlx_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'of a newer program', TRUE, '', 0)";
    run_at(&fresh.address, newer).await;
    for command in ["account list --no-migrate", "account list", "migrate"] {
        let words = "a newer version or another program has applied migration 9999";
        assert_refused(&url, command, words).await;
    }
}
