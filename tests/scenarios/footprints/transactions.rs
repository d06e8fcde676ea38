//! What a statement touches for what its transaction, or its session, has done before.

use racy::engine::{Isolation, Settings};
use racy::footprint::Rule;

use super::{DISCONNECT, Place, TABLES, is_for, words};
use crate::support::TestEngine;

on_engines!(
    servers:
        a_transaction_ends_with_all_that_it_has_touched,
        a_snapshot_meets_what_is_published_until_it_is_taken,
        a_level_that_a_statement_sets_counts,
        what_a_setting_may_have_changed_meets_everything,
        the_end_of_a_session_unlocks;
    innodb:
        reads_lock_at_serializable_on_innodb,
        a_begin_commits_what_is_open,
        without_autocommit_a_transaction_is_open;
    mariadb: a_snapshot_conflict_ends_the_transaction;
    postgres:
        serializable_transactions_conflict_beyond_their_ends,
        a_statement_that_sees_locks_meets_everything;
);

async fn a_transaction_ends_with_all_that_it_has_touched(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let level = Isolation::ReadCommitted;
    for (script, touched) in [
        (&["BEGIN", "SELECT a FROM t", "COMMIT"][..], "r t"),
        (
            &["BEGIN", "SELECT a FROM t", "UPDATE u SET b = 1", "COMMIT"],
            "r t, w u, w published",
        ),
        (&["BEGIN", "UPDATE u SET b = 1", "ROLLBACK"], "w u"),
        (
            &["BEGIN", "UPDATE u SET b = 1", "COMMIT", "SELECT a FROM t"],
            "r t",
        ),
        (&["BEGIN", "UPDATE u SET b = 1", "SAVEPOINT s"], ""),
        (
            &[
                "BEGIN",
                "UPDATE u SET b = 1",
                "SAVEPOINT s",
                "ROLLBACK TO SAVEPOINT s",
            ],
            "w u",
        ),
        (&["BEGIN", "UPDATE u SET b = 1", "COMMIT", "COMMIT"], ""),
    ] {
        let touches = place.touches_at(level, script).await;
        assert_eq!(words(&touches), touched, "{script:?}");
    }
}

async fn a_snapshot_meets_what_is_published_until_it_is_taken(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let is_postgres = engine == TestEngine::Postgres;
    let level = Isolation::RepeatableRead;
    for (script, touched) in [
        (&["SELECT a FROM t"][..], "r t"),
        (&["BEGIN", "SELECT a FROM t"], "r t, r published"),
        (&["BEGIN", "SELECT a FROM t", "SELECT b FROM u"], "r t"),
        (
            &["BEGIN", "SELECT a FROM t WHERE 1 = 0", "SELECT b FROM u"],
            "r u, r published",
        ),
        (
            &["BEGIN", "UPDATE t SET a = 1", "SELECT b FROM u"],
            "r u, r published",
        ),
        (
            &["BEGIN", "UPDATE t SET a = 1", "COMMIT"],
            "w t, w published",
        ),
    ] {
        let touches = place.touches_at(level, script).await;
        let touched = match (is_postgres, script.len()) {
            // Any statement has taken it.
            (true, 3) if touched.ends_with("r published") => "r u",
            _ if script.last() == Some(&"SELECT b FROM u") && !touched.contains("published") => {
                "r u"
            }
            _ => touched,
        };
        assert_eq!(words(&touches), touched, "{script:?}");
    }
    let touches = place.touches_at(Isolation::ReadCommitted, &["BEGIN", "SELECT a FROM t"]);
    assert_eq!(words(&touches.await), "r t");
    let touches = place.touches_at(level, &["BEGIN", "SELECT 1"]);
    assert_eq!(
        words(&touches.await),
        if is_postgres { "r published" } else { "" }
    );
}

async fn reads_lock_at_serializable_on_innodb(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let level = Isolation::Serializable;
    let read = place.touches_at(level, &["BEGIN", "SELECT a FROM t"]).await;
    assert_eq!(words(&read), "w t, r published");
    assert_eq!(
        words(&read.without(Rule::SerializableRead)),
        "r t, r published"
    );
}

async fn serializable_transactions_conflict_beyond_their_ends(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let level = Isolation::Serializable;
    let later = place.touches_at(
        level,
        &[
            "BEGIN",
            "SELECT a FROM t",
            "COMMIT",
            "BEGIN",
            "UPDATE u SET b = 1",
        ],
    );
    let later = later.await;
    assert_eq!(words(&later), "r t, w u, r published");
    assert_eq!(
        words(&later.without(Rule::SerializableConflict)),
        "w u, r published"
    );
    let commit = place
        .touches_at(level, &["BEGIN", "SELECT a FROM t", "COMMIT"])
        .await;
    assert!(is_for(&commit, Rule::SerializableEnd), "{commit:?}");
    let alone = place.touches_at(level, &["SELECT a FROM t"]).await;
    assert!(is_for(&alone, Rule::SerializableEnd), "{alone:?}");
}

async fn a_level_that_a_statement_sets_counts(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let set = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    let set = match engine {
        TestEngine::Postgres => set,
        _ => "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    };
    let script = [set, "BEGIN", "SELECT a FROM t"];
    let touches = place.touches_at(Isolation::ReadCommitted, &script).await;
    assert_eq!(words(&touches), "r t, r published");
}

async fn what_a_setting_may_have_changed_meets_everything(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let setting = match engine {
        TestEngine::Postgres => "SET search_path = other",
        _ => "SET sql_mode = 'ANSI_QUOTES'",
    };
    for (script, meets_everything) in [
        (&[setting, "SELECT a FROM t"][..], true),
        (&["SET @a = 1", "SELECT a FROM t"], false),
        (&["CALL missing()", "BEGIN", "COMMIT"], true),
    ] {
        let touches = place.touches_at(Isolation::ReadCommitted, script).await;
        let everything = words(&touches).contains("everything");
        // PostgreSQL has no such variables, and its client is none the wiser.
        assert_eq!(everything, meets_everything, "{script:?} {touches:?}");
    }
}

async fn the_end_of_a_session_unlocks(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let lock = match engine {
        TestEngine::Postgres => "SELECT pg_advisory_lock(1)",
        _ => "SELECT GET_LOCK('a', 0)",
    };
    let level = Isolation::ReadCommitted;
    let script = ["BEGIN", "UPDATE t SET a = 1", DISCONNECT];
    let open = place.touches_at(level, &script).await;
    assert_eq!(words(&open), "w t");
    let locked = place
        .touches_at(level, &[lock, "SELECT a FROM t", DISCONNECT])
        .await;
    assert!(is_for(&locked, Rule::TransactionEnd), "{locked:?}");
    assert_eq!(words(&locked), "w everything");
}

async fn a_begin_commits_what_is_open(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let level = Isolation::RepeatableRead;
    for (script, touched) in [
        (
            &["BEGIN", "UPDATE t SET a = 1", "START TRANSACTION"][..],
            "w t, w published",
        ),
        (
            &["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
            "r published",
        ),
        (
            &[
                "START TRANSACTION WITH CONSISTENT SNAPSHOT",
                "SELECT 1 FROM t",
            ],
            "r t",
        ),
        (&["BEGIN"], ""),
    ] {
        let touches = place.touches_at(level, script).await;
        assert_eq!(words(&touches), touched, "{script:?}");
    }
}

async fn without_autocommit_a_transaction_is_open(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    let level = Isolation::RepeatableRead;
    let set = "SET autocommit = 0";
    let script = [set, "SELECT a FROM t"];
    let read = place.touches_at(level, &script).await;
    assert_eq!(words(&read), "r t, r published");
    let steps = place
        .steps_at(level, &[set, "UPDATE t SET a = 1", "COMMIT"])
        .await;
    assert!(is_for(&steps[0], Rule::Autocommit), "{steps:?}");
    assert_eq!(words(&steps[1]), "w t, r published");
    assert!(is_for(&steps[2], Rule::TransactionEnd), "{steps:?}");
}

async fn a_snapshot_conflict_ends_the_transaction(engine: TestEngine) {
    let settings = Settings {
        snapshot_isolation: Some(true),
        ..Settings::default()
    };
    let place = Place::with_settings(engine, &TABLES, settings).await;
    let script = ["BEGIN", "SELECT a FROM t", "UPDATE u SET b = 1"];
    let update = place.touches_at(Isolation::RepeatableRead, &script).await;
    assert_eq!(words(&update.without(Rule::Snapshot)), "r t, w u");
    let update = place.touches_at(Isolation::ReadCommitted, &script).await;
    assert_eq!(words(&update), "w u");
}

async fn a_statement_that_sees_locks_meets_everything(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    for sql in [
        "SELECT a FROM t FOR UPDATE SKIP LOCKED",
        "SELECT a FROM t FOR SHARE NOWAIT",
        "LOCK TABLE t NOWAIT",
    ] {
        let touches = place.touches(sql);
        assert!(is_for(&touches, Rule::LockingRead), "{sql} {touches:?}");
        assert!(words(&touches).contains("everything"), "{sql} {touches:?}");
    }
}
