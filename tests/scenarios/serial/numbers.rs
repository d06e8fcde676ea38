//! Numbers that the engine draws, and the columns that refer to them.

use super::{must_be_serial, must_not_be_serial, scenario};
use crate::support::TestEngine;

on_engines!(
    every:
        numbers_that_the_engine_draws_are_compared_up_to_a_renaming,
        a_child_that_hangs_on_the_wrong_parent_is_found;
    servers:
        numbers_of_the_clients_own_are_compared_as_they_are,
        numbers_from_sequences_are_compared_up_to_a_renaming;
    innodb: counters_are_moved_from_where_they_are;
    postgres: a_number_that_was_drawn_and_captured_is_not_compared;
    sqlite:
        a_reference_may_be_spelled_in_another_case,
        a_number_of_the_beginning_may_be_drawn_again,
        a_number_that_was_drawn_and_captured_is_not_compared;
);

/// Two tables that number their rows, with a child of the first.
fn numbered(engine: TestEngine) -> String {
    let id = match engine {
        TestEngine::MySql | TestEngine::MariaDb => "INT AUTO_INCREMENT PRIMARY KEY",
        TestEngine::Postgres => "SERIAL PRIMARY KEY",
        TestEngine::Sqlite => "INTEGER PRIMARY KEY",
    };
    format!(
        "CREATE TABLE one (id {id}, who VARCHAR(9));\n\
         CREATE TABLE two (id {id}, who VARCHAR(9));\n\
         CREATE TABLE child (one_id INTEGER REFERENCES one (id), who VARCHAR(9), \
         FOREIGN KEY (one_id) REFERENCES one (id));\n\
         INSERT INTO one (who) VALUES ('first');"
    )
}

async fn numbers_that_the_engine_draws_are_compared_up_to_a_renaming(engine: TestEngine) {
    let a = "INSERT INTO one (who) VALUES ('a');\nINSERT INTO two (who) VALUES ('a');\n\
             INSERT INTO child SELECT id, 'a' FROM one WHERE who = 'a';";
    let b = "INSERT INTO two (who) VALUES ('b');\nINSERT INTO one (who) VALUES ('b');\n\
             INSERT INTO child SELECT id, 'b' FROM one WHERE who = 'b';";
    must_be_serial(engine, &scenario(&numbered(engine), &[a, b])).await;
}

/// Each hangs its child on the row that came last, which may be the other client's.
async fn a_child_that_hangs_on_the_wrong_parent_is_found(engine: TestEngine) {
    let script = |who: &str| {
        format!(
            "INSERT INTO one (who) VALUES ('{who}');\n\
             INSERT INTO child SELECT MAX(id), '{who}' FROM one;"
        )
    };
    let text = scenario(&numbered(engine), &[&script("a"), &script("b")]);
    must_not_be_serial(engine, &text, "rows refer to other rows than after A B").await;
}

/// The numbers are the clients' own here, although the engine could draw them.
async fn numbers_of_the_clients_own_are_compared_as_they_are(engine: TestEngine) {
    let script = |who: &str| {
        format!(
            "SELECT COUNT(*) AS n FROM one; \\gset\n\
             INSERT INTO one (id, who) VALUES (:n + {}, '{who}');\n\\unset n",
            if who == "a" { 10 } else { 20 }
        )
    };
    let text = scenario(&numbered(engine), &[&script("a"), &script("b")]);
    must_not_be_serial(engine, &text, "one").await;
}

/// The default of a column draws from a sequence, where the engine has sequences.
async fn numbers_from_sequences_are_compared_up_to_a_renaming(engine: TestEngine) {
    let (sequences, draws) = match engine {
        TestEngine::MySql => ("", ["AUTO_INCREMENT"; 2]),
        TestEngine::MariaDb => (
            "CREATE SEQUENCE s;\nCREATE SEQUENCE r;\n",
            ["DEFAULT NEXTVAL(s)", "DEFAULT NEXTVAL(r)"],
        ),
        TestEngine::Postgres | TestEngine::Sqlite => (
            "CREATE SEQUENCE s;\nCREATE SEQUENCE r;\n",
            ["DEFAULT nextval('s')", "DEFAULT nextval('r')"],
        ),
    };
    let table = |name: &str, draws: &str| {
        format!("CREATE TABLE {name} (id INTEGER PRIMARY KEY {draws}, who VARCHAR(9));\n")
    };
    let setup = format!(
        "{sequences}{}{}",
        table("one", draws[0]),
        table("two", draws[1])
    );
    let into = |table: &str, who: &str| format!("INSERT INTO {table} (who) VALUES ('{who}');\n");
    let one = into("one", "a") + &into("two", "a");
    let other = into("two", "b") + &into("one", "b");
    must_be_serial(engine, &scenario(&setup, &[&one, &other])).await;
}

/// The tables' counters are ahead of their rows, each as far as the second pass would move it.
async fn counters_are_moved_from_where_they_are(engine: TestEngine) {
    let table = |name: &str, next: u8| {
        format!(
            "CREATE TABLE {name} (id INT AUTO_INCREMENT PRIMARY KEY, who VARCHAR(9)) \
             AUTO_INCREMENT = {next};\n"
        )
    };
    let setup = [("a", 6), ("b", 8), ("c", 10), ("d", 12)].map(|(name, next)| table(name, next));
    let into = |table: &str, who: &str| format!("INSERT INTO {table} (who) VALUES ('{who}');\n");
    let one = into("c", "a") + &into("d", "a");
    let other = into("d", "b") + &into("c", "b");
    must_be_serial(engine, &scenario(&setup.concat(), &[&one, &other])).await;
}

async fn a_number_that_was_drawn_and_captured_is_not_compared(engine: TestEngine) {
    let script = |one: &str, two: &str, who: &str| {
        format!(
            "INSERT INTO {one} (who) VALUES ('{who}') RETURNING id AS {one}; \\gset\n\
             INSERT INTO {two} (who) VALUES ('{who}') RETURNING id AS {two}; \\gset"
        )
    };
    let clients = [script("one", "two", "a"), script("two", "one", "b")];
    let text = scenario(&numbered(engine), &[&clients[0], &clients[1]]);
    must_be_serial(engine, &text).await;
}

/// SQLite takes no notice of the case of names.
async fn a_reference_may_be_spelled_in_another_case(engine: TestEngine) {
    let setup = numbered(engine).replace("REFERENCES one (id)", "REFERENCES ONE (ID)");
    let a = "INSERT INTO one (who) VALUES ('a');\n\
             INSERT INTO child SELECT id, 'a' FROM one WHERE who = 'a';";
    let b = "INSERT INTO two (who) VALUES ('b');\nINSERT INTO one (who) VALUES ('b');\n\
             INSERT INTO child SELECT id, 'b' FROM one WHERE who = 'b';";
    must_be_serial(engine, &scenario(&setup, &[a, b])).await;
}

/// SQLite draws the largest number and one. That may be the number of a row that was deleted.
async fn a_number_of_the_beginning_may_be_drawn_again(engine: TestEngine) {
    let setup = format!(
        "{}\nINSERT INTO one (who) VALUES ('second');",
        numbered(engine)
    );
    let a = "DELETE FROM one WHERE id = 2;\nINSERT INTO one (who) VALUES ('a');";
    let b = "INSERT INTO one (who) VALUES ('b');";
    must_be_serial(engine, &scenario(&setup, &[a, b])).await;
}
