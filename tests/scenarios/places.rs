//! Where a scenario runs: in a database of its own, unless it is told to run in place.

use super::{broken, exploration, explored_on, finding, subject};
use crate::support::TestEngine;
use racy::engine::{Isolation, Settings};
use racy::explore;
use racy::scenarios::Options;

on_engines!(
    every:
        a_mistake_in_the_set_up_names_its_line,
        what_is_false_without_a_race_is_no_finding,
        a_level_that_the_engine_lacks_leaves_the_scenario_out,
        what_the_engine_says_of_a_script_is_told_before_any_race;
    servers: a_level_of_one_scenario_does_not_reach_the_next_one;
    innodb: another_database_is_not_touched;
    sqlite: another_file_is_not_touched;
);

async fn a_mistake_in_the_set_up_names_its_line(engine: TestEngine) {
    let text = r#"
title = "x"
[database]
setup = """
CREATE TABLE a (id INTEGER PRIMARY KEY);
INSERT INTO missing VALUES (1);
"""
[[client]]
script = "SELECT id FROM a;"
"#;
    let said = broken(engine, text).await;
    assert!(said.starts_with("test.toml:6:1, on "), "{said}");
    assert!(said.contains("missing"), "{said}");
}

async fn what_is_false_without_a_race_is_no_finding(engine: TestEngine) {
    let text = |invariant: &str| {
        format!(
            r#"
title = "x"
[database]
setup = "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);"
[[client]]
count = 2
script = "DELETE FROM a WHERE id = 1;"
[[invariant]]
name = "the row"
sql = "{invariant}"
"#
        )
    };
    let always = text("SELECT COUNT(*) = 7 FROM a") + "when = 'every-commit'\n";
    let said = broken(engine, &always).await;
    assert!(said.contains("does not hold after the set-up"), "{said}");
    let said = broken(engine, &text("SELECT COUNT(*) = 1 FROM a")).await;
    assert!(
        said.contains("false without any race (A, then B)"),
        "{said}"
    );
    let said = broken(engine, &text("SELECT NULL FROM a WHERE id = 99")).await;
    assert!(said.contains("returned no row"), "{said}");
    let said = broken(engine, &text("SELECT MAX(id) > 1 FROM a WHERE id = 99")).await;
    assert!(said.contains("is NULL"), "{said}");
}

async fn a_level_that_the_engine_lacks_leaves_the_scenario_out(engine: TestEngine) {
    let level = match engine {
        TestEngine::Sqlite => "read-committed",
        TestEngine::Postgres => "read-uncommitted",
        TestEngine::MySql | TestEngine::MariaDb => return,
    };
    let text = format!(
        "title = 'x'\n[[client]]\nisolation = '{level}'\nscript = 'SELECT COUNT(*) FROM missing;'"
    );
    let explored = exploration(engine, &text, Options::default()).await;
    assert!(explored.findings.is_empty());
    let said = explored.missing.join("\n");
    assert!(said.contains("has no level"), "{said}");
}

async fn another_database_is_not_touched(engine: TestEngine) {
    for script in [
        "INSERT INTO mysql.user (user) VALUES ('x');",
        "USE mysql;",
        "DROP DATABASE mysql;",
    ] {
        let text = format!("title = 'x'\n[[client]]\nscript = \"{script}\"");
        let said = broken(engine, &text).await;
        assert!(
            said.contains("is not the scenario's own"),
            "{script}: {said}"
        );
    }
}

async fn another_file_is_not_touched(engine: TestEngine) {
    let text = "title = 'x'\n[[client]]\nscript = \"ATTACH 'other.sqlite' AS other;\"";
    let said = broken(engine, text).await;
    assert!(said.contains("ATTACH reaches another file"), "{said}");
}

async fn a_level_of_one_scenario_does_not_reach_the_next_one(engine: TestEngine) {
    let text = |level: &str| {
        format!(
            r#"
title = "x"
[database]
setup = "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO a VALUES (1, 0);"
[[client]]
count = 2
{level}
script = '''
BEGIN;
SELECT n FROM a WHERE id = 1; \gset
UPDATE a SET n = :n + 1 WHERE id = 1;
COMMIT;
'''
[[invariant]]
name = "no update is lost"
sql = "SELECT n = :acknowledged FROM a"
"#
        )
    };
    let settings = Settings {
        connections: 20,
        isolation: Some(Isolation::Serializable),
        ..Settings::default()
    };
    let lab = engine.lab_with(explore::settings(&settings)).await;
    let scenarios = ["isolation = 'read-committed'", ""];
    let subjects = scenarios.map(|level| subject(&text(level), Options::default()));
    let explored = explored_on(&lab.database, subjects.into()).await;
    let findings = explored.findings.iter();
    let go_wrong: Vec<_> = findings.map(|it| it.tally.anomalies() > 0).collect();
    assert_eq!(go_wrong, [true, false]);
}

async fn what_the_engine_says_of_a_script_is_told_before_any_race(engine: TestEngine) {
    let text = r#"
title = "x"
[database]
setup = "CREATE TABLE a (id INTEGER PRIMARY KEY);"
[[client]]
script = '''
SELECT id FROM a;
SELEC id FROM a;
'''
"#;
    let said = broken(engine, text).await;
    assert!(said.contains("without any race"), "{said}");
    assert!(said.contains("line 8"), "{said}");
    let fine = text.replace("SELEC id", "SELECT id");
    assert_eq!(finding(engine, &fine).await.tally.schedules, 1);
}
