//! Clients that wait, for whatever an engine can make them wait for: the wait is seen, and ends.

use racy::explore;
use racy::scenarios::Options;

use super::{finding, finding_on, settings, verdict};
use crate::support::TestEngine;

on_engines!(
    every: a_client_waits_for_a_row_or_the_file;
    servers:
        a_client_waits_for_a_lock_by_name,
        a_client_waits_for_a_tables_metadata;
    innodb:
        a_client_waits_for_lock_tables,
        clients_wait_for_each_sort_of_lock_on_a_table,
        a_reader_comes_after_a_client_that_waits_to_write;
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

/// Each pair of locks keeps the second client out: were its wait not seen, the search would fail.
async fn clients_wait_for_each_sort_of_lock_on_a_table(engine: TestEngine) {
    const READ: &str = "BEGIN;\nSELECT value FROM counter; \\gset\nCOMMIT;";
    const WRITE: &str = "BEGIN;\nUPDATE counter SET value = value + 1;\nCOMMIT;";
    const LOCK_TO_READ: &str = "LOCK TABLES counter READ;\nUNLOCK TABLES;";
    const LOCK_TO_WRITE: &str = "LOCK TABLES counter WRITE;\nUNLOCK TABLES;";
    for (one, other) in [
        (READ, LOCK_TO_WRITE),
        (WRITE, LOCK_TO_READ),
        (WRITE, LOCK_TO_WRITE),
        (LOCK_TO_READ, LOCK_TO_WRITE),
    ] {
        let text = format!(
            "{COUNTER}\n[[client]]\nscript = '''\n{one}\n'''\n\
             [[client]]\nscript = '''\n{other}\n'''\n"
        );
        let found = finding(engine, &text).await;
        let said = verdict(&found);
        assert!(said.starts_with("safe in all "), "{one} {other}: {said}");
        assert!(found.tally.waited > 0, "{one} {other}: {said}");
    }
}

/// The second reader could have its lock beside the first one's, and waits in the queue. Were its
/// wait not seen, the search would fail.
async fn a_reader_comes_after_a_client_that_waits_to_write(engine: TestEngine) {
    let text = format!(
        r#"{COUNTER}
[[client]]
script = '''
BEGIN;
SELECT value AS first FROM counter; \gset
COMMIT;
'''
[[client]]
script = '''
LOCK TABLES counter WRITE;
UPDATE counter SET value = 1;
UNLOCK TABLES;
'''
[[client]]
script = '''
SELECT value AS late FROM counter; \gset
'''
"#
    );
    let found = finding(engine, &text).await;
    let said = verdict(&found);
    assert!(said.starts_with("safe in all "), "{said}");
    assert!(found.tally.waited > 0, "{said}");
}

/// A reader that wants a snapshot which no writer can spoil waits for the writers that are under
/// way. The engine names them only if this is the reader's first transaction.
async fn a_client_waits_for_a_deferrable_snapshot(engine: TestEngine) {
    // It waits for the writers of all databases of the server.
    let (server, lab) = engine.lab_alone(explore::settings(&settings())).await;
    for before in ["", "BEGIN;\nSELECT value FROM counter;\nCOMMIT;\n"] {
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
{before}BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT value AS seen FROM counter; \gset
COMMIT;
'''
[[invariant]]
name = "the reader saw a whole number"
sql = "SELECT COALESCE(:B.seen IN (0, 1), TRUE)"
"#
        );
        let found = finding_on(&lab.database, &text, Options::default()).await;
        let said = verdict(&found);
        assert!(said.starts_with("safe in all "), "{before}{said}");
        assert!(found.tally.waited > 0, "{before}{said}");
    }
    lab.database.close().await;
    server.stop().await.unwrap();
}
