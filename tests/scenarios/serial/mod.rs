//! The serial orders as the judge: what is not serial is found without an invariant, and what is
//! harmless is no alarm.

mod locks;
mod numbers;

use racy::explore::report::{FindingData, Report, text};
use racy::scenarios::Options;

use super::{exploration, finding, verdict};
use crate::support::TestEngine;

on_engines!(
    every:
        a_lost_update_is_found_without_an_invariant,
        a_report_names_the_row_and_what_it_would_be,
        a_client_that_declined_may_be_absent,
        a_client_that_has_only_committed_a_read_may_be_absent,
        a_counterexample_ends_with_a_look_at_the_tables,
        a_table_with_a_quote_in_its_name_is_brought_back,
        what_is_drawn_by_chance_is_no_alarm,
        a_client_that_failed_half_way_in_autocommit_is_never_absent,
        an_invariant_turns_the_serial_orders_off_unless_they_are_asked_for,
        times_and_random_values_are_left_out,
        what_one_of_two_alike_has_drawn_is_no_alarm,
        what_the_set_up_has_drawn_is_no_alarm,
        what_a_client_has_read_is_compared,
        what_a_client_still_holds_is_compared_and_what_it_has_unset_is_not;
    servers:
        a_refused_client_may_be_absent,
        the_numbers_of_connections_are_left_out,
        a_client_whose_changes_were_taken_back_may_be_absent;
    innodb: all_digits_of_a_float_are_compared;
);

const LOST: &str = r#"
title = "A counter"
[database]
setup = """
CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 0), (2, 0);
"""
[[client]]
count = 2
script = '''
SELECT value FROM counter WHERE id = 1; \gset
UPDATE counter SET value = :value + 1 WHERE id = 1;
\unset value
'''
"#;

async fn a_lost_update_is_found_without_an_invariant(engine: TestEngine) {
    let found = finding(engine, LOST).await;
    assert_eq!(
        verdict(&found),
        "ends like no serial order in 4 of all 6 schedules of 2 clients"
    );
    assert_eq!(
        found.unexpected,
        ["ends like no serial order in 4 schedules"]
    );
    let data = FindingData::of(&found);
    assert_eq!((data.anomalies["not_serial"], data.safe), (4, 2));
}

async fn a_report_names_the_row_and_what_it_would_be(engine: TestEngine) {
    let explored = exploration(engine, LOST, Options::default()).await;
    let said = text(&Report::of(&explored));
    let row = "counter.value where id = 1 is 1; it is 2 after A B and after B A";
    assert!(said.contains(row), "{said}");
    assert!(said.contains("what the clients do one after the other is right"));
}

/// A scenario of these tables and these clients.
fn scenario(setup: &str, scripts: &[&str]) -> String {
    let clients = scripts
        .iter()
        .map(|script| format!("[[client]]\nscript = '''\n{script}\n'''\n"));
    let clients: String = clients.collect();
    format!("title = \"test\"\n[database]\nsetup = '''\n{setup}\n'''\n{clients}")
}

/// What is found of a scenario that must not be alarming.
async fn must_be_serial(engine: TestEngine, text: &str) {
    let found = finding(engine, text).await;
    let data = FindingData::of(&found);
    let why = data.counterexample.and_then(|it| it.highlight);
    assert_eq!(data.anomalies["not_serial"], 0, "{text}\n{why:?}");
    assert!(found.tally.schedules > 1, "{text}");
}

async fn must_not_be_serial(engine: TestEngine, text: &str, expected: &str) {
    let data = FindingData::of(&finding(engine, text).await);
    let counterexample = data.counterexample.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(counterexample.verdict.verdict, "not_serial", "{text}");
    let words = counterexample.highlight.unwrap().words;
    assert!(words.contains(expected), "{words}");
}

const VOUCHER: &str = "CREATE TABLE voucher (id INTEGER PRIMARY KEY, used INTEGER NOT NULL);
CREATE TABLE log (id INTEGER PRIMARY KEY, who INTEGER);
INSERT INTO voucher VALUES (1, 0);";

/// No serial order lets B see what A takes back.
const TAKES_BACK: &str = "UPDATE voucher SET used = 1 WHERE id = 1;\n\
                          UPDATE voucher SET used = 0 WHERE id = 1;";

async fn a_client_that_declined_may_be_absent(engine: TestEngine) {
    let declines =
        "SELECT used FROM voucher WHERE id = 1; \\gset\n\\if :used\n\\q\n\\endif\n\\unset used";
    must_be_serial(engine, &scenario(VOUCHER, &[TAKES_BACK, declines])).await;
}

/// The commit has kept nothing, because nothing was written.
async fn a_client_that_has_only_committed_a_read_may_be_absent(engine: TestEngine) {
    let declines = "BEGIN; SELECT used FROM voucher WHERE id = 1; \\gset\nCOMMIT;\n\
                    \\if :used\n\\q\n\\endif\n\\unset used";
    must_be_serial(engine, &scenario(VOUCHER, &[TAKES_BACK, declines])).await;
}

async fn a_refused_client_may_be_absent(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    let script = |first: u8, second: u8| {
        format!(
            "BEGIN;\nUPDATE voucher SET used = used + 1 WHERE id = {first};\n\
             UPDATE voucher SET used = used + 1 WHERE id = {second};\nCOMMIT;"
        )
    };
    let text = scenario(&setup, &[&script(1, 2), &script(2, 1)]);
    must_be_serial(engine, &text).await;
    let found = finding(engine, &text).await;
    assert!(!found.tally.refused.is_empty());
}

/// A's second statement is refused where B came first. What its first one has written stays.
async fn a_client_that_failed_half_way_in_autocommit_is_never_absent(engine: TestEngine) {
    let a = "UPDATE voucher SET used = used + 1 WHERE id = 1;\n\
             INSERT INTO log (id, who) SELECT 7, used FROM voucher WHERE id = 1;";
    let b = "INSERT INTO log (id, who) VALUES (7, 0);";
    must_be_serial(engine, &scenario(VOUCHER, &[a, b])).await;
    // Both keep their first statement here, and the orders keep one of the second ones as well.
    let first = "UPDATE voucher SET used = used + 1 WHERE id = 1;\n\
                 SELECT used FROM voucher WHERE id = 1; \\gset\n\
                 INSERT INTO log (id, who) VALUES (:used, 0);";
    let text = scenario(VOUCHER, &[first, first]);
    let expected = "log has 1 row; it has 2 rows after A B and after B A";
    let data = FindingData::of(&finding(engine, &text).await);
    let highlight = data.counterexample.unwrap().highlight.unwrap();
    assert_eq!(highlight.words, expected);
}

async fn an_invariant_turns_the_serial_orders_off_unless_they_are_asked_for(engine: TestEngine) {
    let invariant = "[[invariant]]\nname = \"it counts\"\n\
                     sql = \"SELECT value > 0 FROM counter WHERE id = 1\"\n";
    let off = finding(engine, &format!("{LOST}{invariant}")).await;
    assert!(verdict(&off).starts_with("safe in all "), "{off:?}");
    let on = finding(engine, &format!("serial = true\n{LOST}{invariant}")).await;
    assert!(verdict(&on).starts_with("ends like no serial order in 4 "));
    let off = finding(engine, &format!("serial = false\n{LOST}")).await;
    assert!(verdict(&off).starts_with("safe in all "), "{off:?}");
}

async fn times_and_random_values_are_left_out(engine: TestEngine) {
    let (time, random) = match engine {
        TestEngine::MySql | TestEngine::MariaDb => ("DATETIME(6)", "UUID()"),
        TestEngine::Postgres => ("TIMESTAMP", "CAST(gen_random_uuid() AS VARCHAR)"),
        TestEngine::Sqlite => ("TEXT", "hex(randomblob(16))"),
    };
    let setup = format!(
        "CREATE TABLE event (id VARCHAR(40) PRIMARY KEY, at {time}, who VARCHAR(9));\n\
         CREATE TABLE note (event VARCHAR(40) REFERENCES event (id), who VARCHAR(9));\n\
         INSERT INTO event VALUES ('old', CURRENT_TIMESTAMP, 'old');"
    );
    let script = |who: &str| {
        format!(
            "INSERT INTO event VALUES ({random}, CURRENT_TIMESTAMP, '{who}');\n\
             SELECT id FROM event WHERE who = '{who}'; \\gset\n\
             INSERT INTO note VALUES (:id, '{who}');"
        )
    };
    let text = scenario(&setup, &[&script("a"), &script("b")]);
    must_be_serial(engine, &text).await;
    let explored = exploration(engine, &text, Options::default()).await;
    let assumptions = FindingData::of(&explored.findings[0])
        .assumptions
        .join("\n");
    let left_out = "differs between two runs of one serial order";
    assert!(assumptions.contains(left_out), "{assumptions}");
    assert!(assumptions.contains("event.at"), "{assumptions}");
}

fn random(engine: TestEngine) -> &'static str {
    match engine {
        TestEngine::MySql | TestEngine::MariaDb => "UUID()",
        TestEngine::Postgres => "CAST(gen_random_uuid() AS VARCHAR)",
        TestEngine::Sqlite => "hex(randomblob(16))",
    }
}

/// Which of the two it is depends on the schedule.
async fn what_one_of_two_alike_has_drawn_is_no_alarm(engine: TestEngine) {
    let script = format!(
        "UPDATE voucher SET used = 1 WHERE id = 1 AND used = 0;\n\\if :ROW_COUNT\n\
         SELECT {} AS ref; \\gset\n\\else\n\\q\n\\endif",
        random(engine)
    );
    let text = scenario(VOUCHER, &[&script]).replace("[[client]]", "[[client]]\ncount = 2");
    must_be_serial(engine, &text).await;
}

/// Each lane has another one, and runs go on in several lanes.
async fn what_the_set_up_has_drawn_is_no_alarm(engine: TestEngine) {
    let setup = format!(
        "CREATE TABLE one (id INTEGER PRIMARY KEY, token VARCHAR(64));\n\
         CREATE TABLE copy (who VARCHAR(9), token VARCHAR(64));\n\
         INSERT INTO one VALUES (1, {});",
        random(engine)
    );
    let script = |who: &str| {
        format!(
            "SELECT token FROM one; \\gset\nINSERT INTO copy VALUES ('{who}', :token);\n\
             INSERT INTO copy SELECT '{who}', token FROM one;"
        )
    };
    must_be_serial(engine, &scenario(&setup, &[&script("a"), &script("b")])).await;
}

/// The writer is right, and the reader has seen half of it.
async fn what_a_client_has_read_is_compared(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    let writer =
        "UPDATE voucher SET used = 1 WHERE id = 1;\nUPDATE voucher SET used = 1 WHERE id = 2;";
    let reader = "SELECT SUM(used) AS seen FROM voucher; \\gset";
    let text = scenario(&setup, &[writer, reader]);
    must_not_be_serial(
        engine,
        &text,
        "B.seen is 1; it is 2 after A B, and 0 after B A",
    )
    .await;
}

async fn what_a_client_still_holds_is_compared_and_what_it_has_unset_is_not(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    let writer =
        "UPDATE voucher SET used = 1 WHERE id = 1;\nUPDATE voucher SET used = 1 WHERE id = 2;";
    let reader = "SELECT SUM(used) AS seen FROM voucher; \\gset\n\\unset seen";
    must_be_serial(engine, &scenario(&setup, &[writer, reader])).await;
}

/// A run's connections may be others than those of the serial orders.
async fn the_numbers_of_connections_are_left_out(engine: TestEngine) {
    let number = match engine {
        TestEngine::Postgres => "pg_backend_pid()",
        _ => "CONNECTION_ID()",
    };
    let script = |id: u8| format!("UPDATE voucher SET used = {number} WHERE id = {id};");
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    must_be_serial(engine, &scenario(&setup, &[&script(1), &script(2)])).await;
}

/// Its first statement has met no row, and the deadlock has taken the others back.
async fn a_client_whose_changes_were_taken_back_may_be_absent(engine: TestEngine) {
    let setup = format!("{VOUCHER}\nINSERT INTO voucher VALUES (2, 0);");
    let script = |first: u8, second: u8| {
        format!(
            "UPDATE voucher SET used = 0 WHERE id = 99;\nBEGIN;\n\
             UPDATE voucher SET used = used + 1 WHERE id = {first};\n\
             UPDATE voucher SET used = used + 1 WHERE id = {second};\nCOMMIT;"
        )
    };
    must_be_serial(engine, &scenario(&setup, &[&script(1, 2), &script(2, 1)])).await;
}

/// InnoDB shows six digits of a FLOAT, and stores more.
async fn all_digits_of_a_float_are_compared(engine: TestEngine) {
    let setup = "CREATE TABLE account (id INT PRIMARY KEY, f FLOAT NOT NULL);\n\
                 INSERT INTO account VALUES (1, 1234567);";
    let script =
        "SELECT f + 0e0 AS f FROM account; \\gset\nUPDATE account SET f = :f + 1;\n\\unset f";
    must_not_be_serial(engine, &scenario(setup, &[script, script]), "account.f is").await;
}

/// Its name has the letter in it that quotes names.
async fn a_table_with_a_quote_in_its_name_is_brought_back(engine: TestEngine) {
    let name = match engine {
        TestEngine::MySql | TestEngine::MariaDb => "`a``b`",
        TestEngine::Postgres | TestEngine::Sqlite => "\"a\"\"b\"",
    };
    let setup = format!("CREATE TABLE {name} (n INT NOT NULL);\nINSERT INTO {name} VALUES (0);");
    let script = format!("UPDATE {name} SET n = n + 1;");
    let text = scenario(&setup, &[&script, &script]);
    let invariant = format!("[[invariant]]\nname = 'both'\nsql = '''SELECT n = 2 FROM {name}'''\n");
    let found = finding(engine, &format!("{text}{invariant}")).await;
    assert!(verdict(&found).starts_with("safe in all "), "{found:?}");
}

/// Both clients add to one of two rows, by chance.
async fn what_is_drawn_by_chance_is_no_alarm(engine: TestEngine) {
    let (drawn, meets) = match engine {
        TestEngine::MySql | TestEngine::MariaDb => {
            ("FLOOR(RAND() * 2)", "ON DUPLICATE KEY UPDATE n = n + 1")
        }
        TestEngine::Postgres => (
            "FLOOR(RANDOM() * 2)",
            "ON CONFLICT (id) DO UPDATE SET n = shard.n + 1",
        ),
        TestEngine::Sqlite => (
            "abs(random()) % 2",
            "ON CONFLICT (id) DO UPDATE SET n = shard.n + 1",
        ),
    };
    let setup = "CREATE TABLE shard (id INT PRIMARY KEY, n INT NOT NULL);";
    let script = format!("INSERT INTO shard VALUES ({drawn}, 1) {meets};");
    must_be_serial(engine, &scenario(setup, &[&script, &script])).await;
}

/// Without an invariant, a look at the tables shows what is wrong.
async fn a_counterexample_ends_with_a_look_at_the_tables(engine: TestEngine) {
    let explored = exploration(engine, LOST, Options::default()).await;
    let said = text(&Report::of(&explored));
    let look = match engine {
        TestEngine::MySql | TestEngine::MariaDb => "SELECT * FROM `counter`;",
        TestEngine::Postgres | TestEngine::Sqlite => "SELECT * FROM \"counter\";",
    };
    assert!(said.contains(&format!("-- In any:\n{look}")), "{said}");
}
