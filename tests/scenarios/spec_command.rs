//! `racy explore FILE.spec` as a person runs it.

use std::fs;

use serde_json::{Value, json};

use crate::commands::{output, text};
use crate::support::open_folder;
use crate::support::process::racy;

const COUNTER: &str = "
setup { CREATE TABLE counter (id int PRIMARY KEY, value int); INSERT INTO counter VALUES (1, 0); }
teardown { DROP TABLE counter; }
session s1
step read { SELECT value FROM counter; }
step none { SELECT value FROM counter WHERE id = 2; }
session s2
step add { UPDATE counter SET value = value + 1; }
";

/// What a run of this file on SQLite prints, its complaints, and its exit status.
async fn explored(file: &str, options: &[&str]) -> (String, String, i32) {
    let folder = open_folder();
    let path = folder.path().join("counter.spec");
    fs::write(&path, file).unwrap();
    let mut command = racy(&["explore", path.to_str().unwrap()]);
    command.args(options).env("DATABASE_URL", "sqlite::memory:");
    let output = output(command).await;
    let status = output.status.code().unwrap();
    (text(&output.stdout), text(&output.stderr), status)
}

#[tokio::test]
async fn a_file_is_printed_as_isolationtester_prints_it() {
    let file = format!("{COUNTER}permutation read add none");
    let (printed, said, status) = explored(&file, &[]).await;
    let expected = "\
Parsed test spec with 2 sessions

starting permutation: read add none
step read: SELECT value FROM counter;
value
-----
    0
(1 row)

step add: UPDATE counter SET value = value + 1;
step none: SELECT value FROM counter WHERE id = 2;
value
-----
(0 rows)

";
    assert_eq!(printed, expected);
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn a_file_is_told_as_json() {
    let file = format!("{COUNTER}permutation add read");
    let (printed, said, status) = explored(&file, &["--format", "json"]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("no permutation uses step none"), "{said}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    let test = &report["isolation_tests"][0];
    assert_eq!(test["database"]["engine"], "sqlite");
    let expected = json!({
        "steps": ["add", "read"],
        "events": [
            {"event": "sent", "step": "add", "waits": false,
             "sql": "UPDATE counter SET value = value + 1;"},
            {"event": "returned", "columns": [], "rows": [], "row_count": 1},
            {"event": "sent", "step": "read", "waits": false, "sql": "SELECT value FROM counter;"},
            {"event": "returned", "columns": ["value"], "rows": [["1"]], "row_count": 1},
        ],
        "broken_off": null,
    });
    assert_eq!(test["report"]["permutations"], json!([expected]));
}

#[tokio::test]
async fn a_file_of_which_nothing_can_be_run_is_a_failure() {
    let file = "session s step a { SELEKT; }";
    let (_, said, status) = explored(file, &[]).await;
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("not run: "), "{said}");
    assert!(said.contains("line 1, step a: "), "{said}");
}

/// A file's text, options, and what is said about them.
const WRONG: [(&str, &[&str], &str); 5] = [
    (
        "session s",
        &[],
        "counter.spec: line 1, column 10: in session \"s\", which has no step",
    ),
    (
        COUNTER,
        &["--clients", "3"],
        "--clients is not for isolation test files",
    ),
    (
        COUNTER,
        &["--schedule", "AB"],
        "--schedule is not for isolation test files",
    ),
    (
        COUNTER,
        &["--format", "html"],
        "isolation test files have --format text and json",
    ),
    (
        COUNTER,
        &["atomic_no_delay"],
        "explored alone, without strategies and scenarios",
    ),
];

#[tokio::test]
async fn what_is_wrong_is_said() {
    for (file, options, complaint) in WRONG {
        let (_, said, status) = explored(file, options).await;
        assert!(said.contains(complaint), "{options:?}: {said}");
        assert_eq!(status, 2, "{options:?}");
    }
}
