use super::StatementKind::*;
use super::*;

/// Statements of each kind, on the engines on which they are of that kind.
#[rustfmt::skip]
const KINDS: &[(&str, Flavour, StatementKind)] = &[
    ("BEGIN", Flavour::MySql, Begin(None)),
    ("begin /* x */ immediate", Flavour::Sqlite, Begin(None)),
    ("START TRANSACTION", Flavour::MySql, Begin(None)),
    (
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        Flavour::Postgres,
        Begin(Some(Isolation::RepeatableRead)),
    ),
    (
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
        Flavour::Postgres,
        Begin(Some(Isolation::Serializable)),
    ),
    ("COMMIT AND CHAIN", Flavour::MySql, Commit),
    ("END", Flavour::Postgres, Commit),
    ("COMMIT PREPARED 'x'", Flavour::Postgres, Write),
    ("ROLLBACK", Flavour::Sqlite, Rollback),
    ("ROLLBACK TO SAVEPOINT s", Flavour::MySql, Savepoint),
    ("SAVEPOINT s", Flavour::Postgres, Savepoint),
    ("SELECT 1", Flavour::MySql, Compute),
    ("SELECT COALESCE(MAX(1), 0) + 1 AS n", Flavour::Sqlite, Compute),
    ("SELECT 3 > 2 AS is_more", Flavour::Postgres, Compute),
    ("SELECT a FROM t", Flavour::Postgres, Read),
    ("SELECT (SELECT a FROM t)", Flavour::Postgres, Read),
    ("SELECT a FROM t FOR UPDATE", Flavour::MySql, LockingRead),
    ("SELECT a FROM t FOR NO KEY UPDATE", Flavour::Postgres, LockingRead),
    ("SELECT a FROM t LOCK IN SHARE MODE", Flavour::MySql, LockingRead),
    ("SELECT REPLACE(a, 'x', 'y') FROM t", Flavour::MySql, Read),
    ("SELECT GET_LOCK('a', 5)", Flavour::MySql, LockingRead),
    ("SELECT pg_advisory_lock(1)", Flavour::Postgres, LockingRead),
    ("SELECT nextval('s')", Flavour::Postgres, LockingRead),
    ("SELECT my_function()", Flavour::Postgres, LockingRead),
    ("WITH x(a) AS (SELECT 1), y(b) AS NOT MATERIALIZED (SELECT 2) SELECT * FROM x, y", Flavour::Postgres, Read),
    ("SELECT * FROM t, (VALUES (1)) AS x(a)", Flavour::Postgres, Read),
    ("SELECT * FROM t, my_function(1) AS (a int)", Flavour::Postgres, LockingRead),
    ("SELECT NEXT VALUE FOR s", Flavour::MariaDb, LockingRead),
    ("SELECT a INTO b FROM t", Flavour::Postgres, Write),
    ("WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x", Flavour::Postgres, Write),
    ("WITH x AS (SELECT 1) SELECT * FROM x", Flavour::Postgres, Read),
    ("SET @a = 1", Flavour::MySql, Setting),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Flavour::MySql, Setting),
    ("SET autocommit = 1", Flavour::MySql, Write),
    ("SET GLOBAL max_connections = 1", Flavour::MySql, Write),
    ("SET @a = (SELECT a FROM t)", Flavour::MySql, Write),
    ("SET @a = (TABLE t)", Flavour::MySql, Write),
    ("SET sql_mode = (SELECT CONCAT(@@sql_mode, ',ANSI'))", Flavour::MySql, Setting),
    ("SET @a = GET_LOCK('a', 1)", Flavour::MySql, LockingRead),
    ("SET lock_timeout = '1s'", Flavour::Postgres, Setting),
    ("SET CONSTRAINTS ALL IMMEDIATE", Flavour::Postgres, Write),
    ("PRAGMA foreign_keys = ON", Flavour::Sqlite, Setting),
    ("PRAGMA user_version = 1", Flavour::Sqlite, Write),
    ("LOCK TABLES t WRITE", Flavour::MySql, LockTables),
    ("LOCK TABLE t", Flavour::Postgres, LockingRead),
    ("UNLOCK TABLES", Flavour::MariaDb, UnlockTables),
    ("INSERT INTO t VALUES (1)", Flavour::Sqlite, Write),
    ("REPLACE INTO t VALUES (1)", Flavour::MySql, Write),
    ("ALTER TABLE t ADD c INT", Flavour::MySql, Schema),
    ("CALL p()", Flavour::MySql, Write),
    ("-- nothing", Flavour::Sqlite, Compute),
];

#[test]
fn the_words_tell_the_kind() {
    for (sql, flavour, kind) in KINDS {
        assert_eq!(
            StatementKind::of(sql, *flavour),
            *kind,
            "{sql} on {flavour}"
        );
    }
}

#[test]
fn another_database_is_told_from_a_table_and_a_column() {
    let databases = ["shop".to_owned()];
    let named = |sql: &str| {
        let statement = UserStatement::new(sql, Flavour::MySql);
        statement.names_one_of(&databases, Flavour::MySql).is_some()
    };
    for sql in [
        "USE shop",
        "SELECT * FROM Shop.orders",
        "DROP DATABASE IF EXISTS `shop`",
    ] {
        assert!(named(sql), "{sql}");
    }
    for sql in [
        "SELECT shop FROM t",
        "SELECT t.shop FROM t",
        "SELECT 'shop.orders'",
    ] {
        assert!(!named(sql), "{sql}");
    }
}

#[test]
fn a_whole_database_is_told_from_what_is_in_it() {
    let concerns =
        |sql, flavour| UserStatement::new(sql, flavour).concerns_a_whole_database(flavour);
    for sql in [
        "CREATE DATABASE evil",
        "create or replace database evil",
        "/* x */ DROP SCHEMA IF EXISTS evil",
        "ALTER DATABASE CHARACTER SET latin1",
    ] {
        assert!(concerns(sql, Flavour::MySql), "{sql}");
    }
    assert!(concerns("DROP DATABASE evil", Flavour::Postgres));
    assert!(!concerns("CREATE SCHEMA own", Flavour::Postgres));
    for sql in [
        "CREATE TABLE `database` (id INT)",
        "SELECT DATABASE()",
        "CREATE",
    ] {
        assert!(!concerns(sql, Flavour::MySql), "{sql}");
    }
}

#[test]
fn a_statement_about_the_server_is_told_from_a_column_of_that_name() {
    let reaches = |sql: &str, flavour| {
        let statement = UserStatement::new(sql, flavour);
        statement.reaches_beyond_its_database(flavour)
    };
    for sql in [
        "INSERT INTO members(team_id, role) VALUES (1, 'owner')",
        "INSERT INTO role(name) VALUES ('owner')",
        "SELECT role, global, flush FROM members WHERE persist = 1",
        "UPDATE `kill` SET role = 'x'",
        "ALTER TABLE role ADD flush INT",
    ] {
        assert!(!reaches(sql, Flavour::MySql), "{sql}");
        assert!(!reaches(sql, Flavour::Postgres), "{sql}");
    }
    for sql in [
        "SET GLOBAL max_connections = 1",
        "SET @@PERSIST.max_connections = 1",
        "SELECT @@GLOBAL.max_connections",
        "KILL 12",
        "FLUSH TABLES",
        "CREATE OR REPLACE ROLE r",
        "SET DEFAULT ROLE r",
        "SELECT GET_LOCK('a', 1)",
    ] {
        assert!(reaches(sql, Flavour::MySql), "{sql}");
    }
    assert!(reaches("SET LOCAL ROLE r", Flavour::Postgres));
    assert!(reaches("SELECT pg_terminate_backend(1)", Flavour::Postgres));
    for sql in [
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
        "SET TRANSACTION DEFERRABLE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, DEFERRABLE",
    ] {
        assert!(reaches(sql, Flavour::Postgres), "{sql}");
    }
    for sql in [
        "BEGIN NOT DEFERRABLE",
        "ALTER TABLE members ADD UNIQUE (name) DEFERRABLE",
    ] {
        assert!(!reaches(sql, Flavour::Postgres), "{sql}");
    }
}

#[test]
fn to_ask_for_the_level_is_not_to_set_it() {
    let sets = |sql: &str, flavour| UserStatement::new(sql, flavour).sets_the_level(flavour);
    for sql in [
        "SHOW transaction isolation level",
        "SHOW default_transaction_isolation",
    ] {
        assert!(!sets(sql, Flavour::Postgres), "{sql}");
    }
    assert!(!sets("SELECT @@transaction_isolation", Flavour::MySql));
    for sql in [
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET default_transaction_isolation TO 'serializable'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ] {
        assert!(sets(sql, Flavour::Postgres), "{sql}");
    }
}

#[test]
fn a_label_is_the_first_keyword() {
    let keyword = |sql| UserStatement::new(sql, Flavour::MySql).keyword(Flavour::MySql);
    assert_eq!(keyword("/* x */ update t set a = 1"), "UPDATE");
    assert_eq!(keyword(""), "STATEMENT");
}

#[test]
fn a_variable_is_no_function_of_the_session() {
    for (sql, keeps) in [
        ("SELECT :ROW_COUNT = 0 AS is_known", true),
        ("SELECT ROW_COUNT() = 0 AS is_known", false),
        ("SELECT last_insert_rowid()", false),
        ("SELECT @n", false),
    ] {
        let statement = UserStatement::new(sql, Flavour::MySql);
        assert_eq!(
            statement.keeps_to_its_transaction(Flavour::MySql),
            keeps,
            "{sql}"
        );
    }
}
