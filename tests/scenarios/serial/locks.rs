//! Locks that are only tried, and clients that are refused for one.

use super::{VOUCHER, finding, must_be_serial, must_not_be_serial, scenario};
use crate::support::TestEngine;

on_engines!(
    servers:
        a_queue_that_skips_locked_rows_is_no_alarm,
        a_lock_that_is_only_tried_is_no_alarm,
        what_a_tried_lock_has_told_is_not_compared,
        a_client_that_waits_is_judged_beside_one_that_does_not,
        a_client_that_has_tried_a_lock_and_left_hides_nothing,
        a_lock_that_is_not_waited_for_is_a_refusal;
    postgres: what_a_refused_attempt_has_changed_does_not_count;
);

/// What tries to get a lock, and what releases it.
fn trial(engine: TestEngine) -> (&'static str, &'static str) {
    match engine {
        TestEngine::MySql | TestEngine::MariaDb => (
            "GET_LOCK('nightly', :patience) = 1",
            "RELEASE_LOCK('nightly')",
        ),
        TestEngine::Postgres | TestEngine::Sqlite => {
            ("pg_try_advisory_lock(7)", "pg_advisory_unlock(7)")
        }
    }
}

/// Three jobs and two workers: which worker gets which job is chance, and none is done twice.
async fn a_queue_that_skips_locked_rows_is_no_alarm(engine: TestEngine) {
    let setup = "CREATE TABLE job (id INT PRIMARY KEY, done INT NOT NULL);\n\
                 INSERT INTO job VALUES (1, 0), (2, 0), (3, 0);";
    let worker = "BEGIN;\n\
                  SELECT id FROM job WHERE done = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED; \\gset\n\
                  \\if :{?id}\n  UPDATE job SET done = 1 WHERE id = :id;\n\\endif\nCOMMIT;";
    must_be_serial(engine, &scenario(setup, &[worker, worker])).await;
    let one = setup.replace(", (2, 0), (3, 0)", "");
    must_be_serial(engine, &scenario(&one, &[worker, worker])).await;
}

/// The one that does not get the lock leaves, and says nothing of it.
async fn a_lock_that_is_only_tried_is_no_alarm(engine: TestEngine) {
    let (take, release) = trial(engine);
    let script = format!(
        "\\set patience 0\nSELECT {take} AS got; \\gset\n\
         \\if :got\n  UPDATE voucher SET used = used + 1 WHERE id = 1;\n  SELECT {release};\n\\endif"
    );
    must_be_serial(engine, &scenario(VOUCHER, &[&script, &script])).await;
}

/// Whether it was got is chance, and what is done is the same.
async fn what_a_tried_lock_has_told_is_not_compared(engine: TestEngine) {
    let (take, release) = trial(engine);
    let script = |id: u8| {
        format!(
            "\\set patience 0\nSELECT {take} AS got; \\gset\nINSERT INTO log (id, who) VALUES ({id}, 0);\n\
             \\if :got\n  SELECT {release};\n\\endif"
        )
    };
    must_be_serial(engine, &scenario(VOUCHER, &[&script(1), &script(2)])).await;
}

/// The reader sees half of what the writer does, which asks for a lock and does not wait.
async fn a_client_that_waits_is_judged_beside_one_that_does_not(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    let writer = "SELECT used FROM voucher WHERE id = 1 FOR UPDATE SKIP LOCKED; \\gset\n\\unset used\n\
                  UPDATE voucher SET used = 1 WHERE id = 1;\n\
                  UPDATE voucher SET used = 1 WHERE id = 2;";
    let reader = "SELECT SUM(used) AS seen FROM voucher; \\gset";
    let text = scenario(&setup, &[writer, reader]);
    must_not_be_serial(engine, &text, "B.seen is 1").await;
}

/// A and B lose an update. C looks for a job, finds none, and leaves.
async fn a_client_that_has_tried_a_lock_and_left_hides_nothing(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nCREATE TABLE job (id INTEGER PRIMARY KEY);");
    let loses = "SELECT used FROM voucher WHERE id = 1; \\gset\n\
                 UPDATE voucher SET used = :used + 1 WHERE id = 1;\n\\unset used";
    let looks = "SELECT id FROM job FOR UPDATE SKIP LOCKED; \\gset\n\
                 \\if :{?id}\nDELETE FROM job WHERE id = :id;\n\\else\n\\q\n\\endif";
    let text = scenario(&setup, &[loses, loses, looks]);
    must_not_be_serial(engine, &text, "voucher.used is 1; it is 2 after").await;
}

/// With NOWAIT a client is refused at once. That is no wait that was missed.
async fn a_lock_that_is_not_waited_for_is_a_refusal(engine: TestEngine) {
    let script = "BEGIN; SELECT used FROM voucher WHERE id = 1 FOR UPDATE NOWAIT; \\gset\n\
                  UPDATE voucher SET used = :used + 1 WHERE id = 1;\n\\unset used\nCOMMIT;";
    let text = scenario(VOUCHER, &[script, script]);
    must_be_serial(engine, &text).await;
    let found = finding(engine, &text).await;
    assert_eq!(found.waits_not_seen, 0);
    let kinds = found.tally.refused.keys().map(|(kind, _)| kind.name());
    assert_eq!(kinds.collect::<Vec<_>>(), ["lock_timeout"]);
}

/// The first attempt has changed something, which its refusal took back. The second one finds the
/// lock taken, and changes nothing.
async fn what_a_refused_attempt_has_changed_does_not_count(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    let tries = "BEGIN; SELECT pg_try_advisory_xact_lock(7) AS got; \\gset\n\\if :got\n\
                 UPDATE voucher SET used = used + 1 WHERE id = 2;\n\
                 UPDATE voucher SET used = used + 1 WHERE id = 1;\n\\endif\nCOMMIT;";
    let disturbs = "UPDATE voucher SET used = used + 10 WHERE id = 1;";
    let text = scenario(&setup, &[tries, tries, disturbs]);
    let retry = "[[client]]\nisolation = \"repeatable-read\"\n\
                 retry = { on = [\"serialization_failure\"], times = 2 }\n";
    must_be_serial(engine, &text.replace("[[client]]\n", retry)).await;
}
