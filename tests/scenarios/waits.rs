//! Clients that wait, for whatever an engine can make them wait for: the wait is seen, and ends.

use super::{finding, finding_with, verdict};
use crate::support::TestEngine;
use racy::scenarios::Options;

on_engines!(
    every: a_client_waits_for_a_row_or_the_file;
    servers:
        a_client_waits_for_a_lock_by_name,
        a_client_waits_for_a_tables_metadata;
    innodb: a_client_waits_for_lock_tables;
    postgres: a_client_waits_for_a_deferrable_snapshot;
);

const COUNTER: &str = r#"
title = "A counter"
[database]
setup = """
CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 0);
"""
"#;

async fn a_client_waits_for_a_row_or_the_file(engine: TestEngine) {
    let text = format!(
        r#"{COUNTER}
[[client]]
count = 2
script.sqlite = '''
BEGIN IMMEDIATE;
UPDATE counter SET value = value + 1 WHERE id = 1;
COMMIT;
'''
script.default = '''
BEGIN;
UPDATE counter SET value = value + 1 WHERE id = 1;
COMMIT;
'''
[[invariant]]
name = "all are counted"
sql = "SELECT value = :acknowledged FROM counter"
"#
    );
    let found = finding(engine, &text).await;
    let said = verdict(&found);
    assert!(said.starts_with("safe in all "), "{said}");
    assert!(found.tally.waited > 0, "{said}");
}

async fn a_client_waits_for_a_lock_by_name(engine: TestEngine) {
    let text = format!(
        r#"{COUNTER}
[[client]]
count = 2
script.postgres = '''
SELECT pg_advisory_lock(7);
SELECT value FROM counter; \gset
UPDATE counter SET value = :value + 1;
SELECT pg_advisory_unlock(7);
'''
script.default = '''
SELECT GET_LOCK('racy-test', 30);
SELECT value FROM counter; \gset
UPDATE counter SET value = :value + 1;
SELECT RELEASE_LOCK('racy-test');
'''
[[invariant]]
name = "all are counted"
sql = "SELECT value = :acknowledged FROM counter"
"#
    );
    let found = finding(engine, &text).await;
    let said = verdict(&found);
    assert!(said.starts_with("safe in all "), "{said}");
    assert!(found.tally.waited > 0, "{said}");
}

async fn a_client_waits_for_a_tables_metadata(engine: TestEngine) {
    let text = format!(
        r#"{COUNTER}
[[client]]
script = '''
BEGIN;
SELECT value FROM counter;
COMMIT;
'''
[[client]]
script = "ALTER TABLE counter ADD COLUMN note INT;"
[[invariant]]
name = "the column is there"
sql = "SELECT COUNT(note) = 0 FROM counter"
"#
    );
    let found = finding(engine, &text).await;
    let said = verdict(&found);
    assert!(said.starts_with("safe in all "), "{said}");
    assert!(found.tally.waited > 0, "{said}");
}

async fn a_client_waits_for_lock_tables(engine: TestEngine) {
    let text = format!(
        r#"{COUNTER}
[[client]]
count = 2
script = '''
LOCK TABLES counter WRITE;
SELECT value FROM counter; \gset
UPDATE counter SET value = :value + 1;
UNLOCK TABLES;
'''
[[invariant]]
name = "all are counted"
sql = "SELECT value = :acknowledged FROM counter"
"#
    );
    let found = finding(engine, &text).await;
    let said = verdict(&found);
    assert!(said.starts_with("safe in all "), "{said}");
    assert!(found.tally.waited > 0, "{said}");
}

/// A reader that wants a snapshot which no writer can spoil waits for the writers that are under
/// way.
async fn a_client_waits_for_a_deferrable_snapshot(engine: TestEngine) {
    let text = format!(
        r#"{COUNTER}
[[client]]
isolation = "serializable"
script = '''
BEGIN;
SELECT value FROM counter; \gset
UPDATE counter SET value = :value + 1;
COMMIT;
'''
[[client]]
isolation = "serializable"
script = '''
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT value AS seen FROM counter; \gset
COMMIT;
'''
[[invariant]]
name = "the reader saw a whole number"
sql = "SELECT COALESCE(:B.seen IN (0, 1), TRUE)"
"#
    );
    let found = finding_with(engine, &text, Options::default()).await;
    let said = verdict(&found);
    assert!(said.starts_with("safe in all "), "{said}");
    assert!(found.tally.waited > 0, "{said}");
}
