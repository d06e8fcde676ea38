//! Whatever a server, a role or `init_connect` presets, a statement means what its strategy says;
//! or the database is refused in words.

use racy::engine::local::{Folder, LocalServer};
use racy::engine::{Address, Database, Flavour, Isolation, Settings};
use racy::exhibits::deposits::{Refusal, Strategy};
use racy::step::Unobserved;
use serde_json::Value;

use crate::commands::{output, text};
use crate::support::lab::{DEPOSIT, Fresh, run_at};
use crate::support::process::racy;
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    servers:
        what_the_server_presets_changes_no_statement,
        every_connection_has_the_level_that_was_announced,
        what_the_user_has_chosen_is_announced_as_the_server_says_it;
    postgres:
        a_preset_that_the_user_may_not_change_is_refused_in_words;
);

/// Of each variable, a value that would change what a statement means.
const HOSTILE_TO_INNODB: [(&str, &str); 14] = [
    ("completion_type", "2"),
    ("autocommit", "0"),
    ("foreign_key_checks", "0"),
    ("unique_checks", "0"),
    ("check_constraint_checks", "0"),
    (
        "sql_mode",
        "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'",
    ),
    ("sql_safe_updates", "1"),
    ("max_join_size", "1"),
    ("sql_big_selects", "0"),
    ("sql_select_limit", "1"),
    ("sql_auto_is_null", "1"),
    ("sql_if_exists", "1"),
    ("default_storage_engine", "'MyISAM'"),
    // It has no global value, and is preset by init_connect.
    ("timestamp", "1"),
];

const HOSTILE_TO_POSTGRES: [(&str, &str); 9] = [
    ("session_replication_role", "replica"),
    ("default_transaction_deferrable", "on"),
    ("standard_conforming_strings", "off"),
    ("transform_null_equals", "on"),
    // There is no other.
    ("default_table_access_method", "heap"),
    ("enable_indexscan", "off"),
    ("enable_indexonlyscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_seqscan", "off"),
];

#[test]
fn every_variable_that_is_relied_on_is_tried_with_another_value() {
    for (flavour, hostile) in [
        (Flavour::MySql, &HOSTILE_TO_INNODB[..]),
        (Flavour::Postgres, &HOSTILE_TO_POSTGRES),
    ] {
        let tried: Vec<_> = hostile.iter().map(|(name, _)| *name).collect();
        let relied_on: Vec<_> = flavour.relies_on().map(|(name, _)| name).collect();
        assert_eq!(relied_on, tried);
    }
}

/// A server with all of them at once, an empty database of an ordinary user's, and its URL.
async fn hostile(engine: TestEngine) -> (LocalServer, Fresh, String) {
    let server = LocalServer::start(&engine.binary(), Folder::Temporary).await;
    let server = server.unwrap();
    let fresh = Fresh::on(&server).await;
    let url = server.url(&fresh.name);
    let url = url.replace("mysql://root@", "mysql://guest@");
    let fresh = match fresh.address.clone() {
        Address::MySql(options) => {
            run_at(&server.address(), &guest_of(engine, &fresh.name)).await;
            let guest = Address::MySql(Box::new(options.username("guest")));
            fresh.reached_by(guest)
        }
        _ => fresh,
    };
    for preset in hostile_presets(engine) {
        run_at(&server.address(), &preset).await;
    }
    (server, fresh, url)
}

fn hostile_presets(engine: TestEngine) -> Vec<String> {
    let to_innodb = HOSTILE_TO_INNODB.iter();
    let innodb = to_innodb.filter(|(name, _)| {
        let mariadbs_alone = ["check_constraint_checks", "sql_if_exists"];
        engine == TestEngine::MariaDb || !mariadbs_alone.contains(name)
    });
    match engine {
        TestEngine::Postgres => HOSTILE_TO_POSTGRES
            .map(|(name, value)| format!("ALTER ROLE postgres SET {name} = {value}"))
            .into(),
        _ => innodb
            .map(|(name, value)| match *name {
                "timestamp" => {
                    format!("SET GLOBAL init_connect = 'SET {name} = {value}; START TRANSACTION'")
                }
                _ => format!("SET GLOBAL {name} = {value}"),
            })
            .collect(),
    }
}

/// Makes a user who may do what the lab and the explorer need, and nothing else: `init_connect` is
/// not for administrators.
fn guest_of(engine: TestEngine, database: &str) -> String {
    let waits = match engine {
        TestEngine::MySql => "SELECT ON performance_schema",
        _ => "PROCESS ON *",
    };
    format!(
        "CREATE USER guest@localhost; GRANT ALL ON {database}.* TO guest@localhost; \
         GRANT ALL ON `racy\\_explore\\_%`.* TO guest@localhost; GRANT {waits}.* TO guest@localhost"
    )
}

async fn what_the_server_presets_changes_no_statement(engine: TestEngine) {
    let (server, fresh, url) = hostile(engine).await;
    let lab = Lab::at(fresh, Settings::default()).await;
    let append = Strategy::named("append_only").unwrap();
    Client::start(&lab.database, append)
        .await
        .finish()
        .await
        .unwrap();
    let other = lab.database.with(&Settings::default()).await.unwrap();
    let mut session = other.session(&Unobserved).await.unwrap();
    let seen = "SELECT COUNT(*) FROM transactions";
    let seen = session.read("count", seen, &[]).await.unwrap();
    assert_eq!(seen, Some(1), "another connection sees it");

    let mut orphan = DEPOSIT;
    orphan.account = 999;
    let refused = append
        .perform_in(
            lab.database.session(&Unobserved).await.unwrap(),
            &orphan,
            &Default::default(),
        )
        .await;
    let refusal = refused.unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::UnknownAccount), "{refusal:?}");
    session.end().await;
    other.close().await;

    let mut command = racy(&["explore", "non_atomic_no_delay", "--format", "json"]);
    command.args(["--parallel", "2", "--database-url", &url]);
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = &report["findings"];
    assert_eq!(findings[0]["anomalies"]["lost_update"], 18, "{findings}");
    lab.database.close().await;
    server.stop().await.unwrap();
}

/// A role of its own on the shared server, in a database of its own, with these presets.
async fn with_role(engine: TestEngine, rights: &str, presets: &[&str]) -> (Fresh, Address) {
    let fresh = engine.fresh().await;
    let role = format!("{}_guest", fresh.name);
    let mut sql = format!(
        "CREATE ROLE {role} LOGIN {rights}; GRANT ALL ON DATABASE {} TO {role}; \
         GRANT ALL ON SCHEMA public TO {role}",
        fresh.name
    );
    for preset in presets {
        sql.push_str(&format!("; ALTER ROLE {role} SET {preset}"));
    }
    run_at(&fresh.address, &sql).await;
    let Address::Postgres(options) = fresh.address.clone() else {
        panic!("not PostgreSQL");
    };
    let address = Address::Postgres(Box::new(options.username(&role)));
    (fresh, address)
}

async fn a_preset_that_the_user_may_not_change_is_refused_in_words(engine: TestEngine) {
    let presets = ["session_replication_role = replica"];
    let (_fresh, address) = with_role(engine, "NOSUPERUSER", &presets).await;
    let refused = Database::connect(&address, &Settings::default()).await;
    let said = refused.unwrap_err().to_string();
    for words in [
        "session_replication_role is replica, and must be origin",
        "foreign keys are not checked",
        "ALTER ROLE",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let presets = ["session_replication_role = origin"];
    let (_fresh, address) = with_role(engine, "NOSUPERUSER", &presets).await;
    let database = Database::connect(&address, &Settings::default()).await;
    database.unwrap().close().await;
}

/// Also a connection that is opened after the server's own level has changed.
async fn every_connection_has_the_level_that_was_announced(engine: TestEngine) {
    let server = LocalServer::start(&engine.binary(), Folder::Temporary).await;
    let server = server.unwrap();
    let lab = Lab::at(Fresh::on(&server).await, Settings::default()).await;
    let announced = lab.database.engine().isolation;
    let (change, question) = match engine {
        TestEngine::Postgres => (
            "ALTER ROLE postgres SET default_transaction_isolation = serializable",
            "SELECT current_setting('transaction_isolation')",
        ),
        TestEngine::MySql => (
            "SET GLOBAL transaction_isolation = 'SERIALIZABLE'",
            "SELECT @@SESSION.transaction_isolation",
        ),
        _ => (
            "SET GLOBAL tx_isolation = 'SERIALIZABLE'",
            "SELECT @@SESSION.tx_isolation",
        ),
    };
    run_at(&server.address(), change).await;
    let _first = lab.database.session(&Unobserved).await.unwrap();
    let mut second = lab.database.session(&Unobserved).await.unwrap();
    let rows = second.records("level", question, &[]).await.unwrap();
    let level: Isolation = rows[0].text(0).unwrap().parse().unwrap();
    assert_eq!(level, announced);
    let later = lab.database.with(&Settings::default()).await.unwrap();
    assert_eq!(later.engine().isolation, Isolation::Serializable);
}

async fn what_the_user_has_chosen_is_announced_as_the_server_says_it(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let (address, own) = match engine {
        TestEngine::Postgres => {
            let presets = ["lock_timeout = '90s'", "statement_timeout = '1h'"];
            let (_fresh, address) = with_role(engine, "", &presets).await;
            (address, "lock_timeout = 90s, statement_timeout = 1h")
        }
        _ => (fresh.address.clone(), "innodb_lock_wait_timeout = 50"),
    };
    let database = Database::connect(&address, &Settings::default())
        .await
        .unwrap();
    assert!(
        database.remarks().join("").contains(own),
        "{:?}",
        database.remarks()
    );
    let asked = Settings {
        lock_wait_timeout: Some(7),
        ..Settings::default()
    };
    let asked = database.with(&asked).await.unwrap();
    let remarks = asked.remarks().join("");
    let answered =
        remarks.contains("lock_timeout = 7s") || remarks.contains("lock_wait_timeout = 7");
    assert!(answered, "{remarks}");
    asked.close().await;
    database.close().await;
}
