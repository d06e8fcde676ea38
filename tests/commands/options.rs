//! Options and variables, right and wrong.

use super::{output, text};
use crate::support::TestEngine;
use crate::support::process::racy;

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut command = racy(&["migrate", "--database-url", &url]);
    command
        .env("RACY_ISOLATION", "")
        .env("RACY_LOCK_WAIT_TIMEOUT", "");
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_password_is_never_shown() {
    for url in [
        "mysql://u:secret@127.0.0.1",
        "mysql://u:secret@127.0.0.1:x/y",
        "postgres://u:secret@127.0.0.1:x/y",
        "postgres://u:secret@127.0.0.1:1/y",
        "mysq://u:secret@h/x",
    ] {
        let mut command = racy(&["migrate"]);
        command.env("DATABASE_URL", url);
        let output = output(command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        let named = said.contains("DATABASE_URL") || said.contains("127.0.0.1");
        assert!(named && !said.contains("secret"), "{said}");
    }
}

/// What is wrong, in words of a command line, and what is said about it.
const WRONG_OPTIONS: [(&str, &str); 9] = [
    ("serve --workers 0", "leave it out for no limit"),
    ("serve --long-delay 10s..3s", "the shorter time comes first"),
    ("serve --long-delay soon", "is no time"),
    ("serve --listen localhost", "127.0.0.1:8080"),
    ("serve --isolation chaos", "repeatable-read"),
    ("serve --lock-wait-timeout 0", "1..="),
    ("demo --database-url oracle:x", "local:mysql"),
    ("demo --database-url mysql://u@h", "names no database"),
    ("demo --database-url postgres://u@h", "names no database"),
];

/// Databases that cannot be opened, and what is said about each.
const WRONG_DATABASES: [(&str, &str); 5] = [
    (
        "migrate --database-url sqlite:/nowhere/lab.db",
        "the folder /nowhere does not exist",
    ),
    (
        "demo --database-url sqlite::memory: --isolation read-committed",
        "only SERIALIZABLE",
    ),
    (
        "demo --database-url mysql://u:secret@127.0.0.1:1/x",
        "cannot open the database",
    ),
    (
        "demo --database-url postgres://u@127.0.0.1:1/x",
        "cannot open the database",
    ),
    (
        "demo --database-url postgres://u@127.0.0.1:1/x --isolation read-uncommitted",
        "only READ COMMITTED, REPEATABLE READ, SERIALIZABLE",
    ),
];

async fn assert_all_complain(cases: &[(&str, &str)]) {
    for (line, complaint) in cases {
        let arguments: Vec<_> = line.split(' ').collect();
        let output = output(racy(&arguments)).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(complaint), "{line}: {said}");
        assert!(!said.contains("panicked"), "{line}: {said}");
    }
}

#[tokio::test]
async fn a_wrong_option_is_named_with_what_would_be_right() {
    assert_all_complain(&WRONG_OPTIONS).await;
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named_with_the_cause() {
    assert_all_complain(&WRONG_DATABASES).await;
}

#[tokio::test]
async fn a_named_server_that_is_none_is_an_error() {
    for (arguments, variable) in [
        (&["demo"][..], "RACY_MYSQLD"),
        (
            &["demo", "--database-url", "local:postgres"],
            "RACY_POSTGRES",
        ),
    ] {
        let mut command = racy(arguments);
        command.env(variable, "/bin/true");
        let output = output(command).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(variable));
    }
}

#[tokio::test]
async fn migrate_makes_the_schema_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    for _ in 0..2 {
        let output = output(racy(&["migrate", "--database-url", &url])).await;
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), "The schema is up to date.\n");
    }
}
