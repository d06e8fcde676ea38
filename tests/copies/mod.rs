//! Copies of a database that others have made, and what they bring back.

mod limits;
pub mod place;
pub mod postgres;

use racy::engine::{Copies, CopyError};

use crate::support::TestEngine;
use place::Place;

on_engines!(
    innodb:
        rows_that_were_inserted_changed_or_deleted_are_brought_back,
        what_a_foreign_key_has_deleted_is_brought_back,
        keys_in_a_circle_are_brought_back,
        triggers_keep_still_and_are_the_same_afterwards,
        a_trigger_acts_for_all_others_while_there_are_copies,
        generated_keys_are_counted_as_before,
        generated_columns_are_brought_back,
        a_table_without_a_key_has_its_rows_as_often_as_before,
        every_type_of_value_is_brought_back,
        a_partitioned_table_and_a_search_index_are_brought_back,
        values_of_a_large_table_are_brought_back,
        thirty_tables_are_brought_back,
        only_what_the_written_tables_reach_is_looked_at,
        a_deleted_row_locks_nothing_in_the_next_run,
        what_was_broken_off_is_done_again,
        copies_of_a_killed_process_are_found_and_used,
        an_unfinished_copy_is_only_dropped;
);

const SHOP: &str = "CREATE TABLE users (id INT PRIMARY KEY AUTO_INCREMENT, \
         name VARCHAR(40) NOT NULL UNIQUE, seen TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP); \
     CREATE TABLE orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, user_id INT NOT NULL, \
         total DECIMAL(10, 2) NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id) \
         ON DELETE CASCADE); \
     CREATE TABLE log (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(80)); \
     INSERT INTO users (id, name) VALUES (1, 'ann'), (2, 'bob'), (5, 'cleo'); \
     INSERT INTO orders (user_id, total) VALUES (1, 10), (1, 20), (2, 30)";

/// Runs these statements between a copy and a return to it, and compares the ends.
async fn comes_back_after(engine: TestEngine, setup: &str, run: &str) {
    let place = Place::with(engine, setup).await;
    let before = place.state().await;
    let copies = Copies::take(&place.database).await.unwrap();
    // The second time shows that nothing of the first one is left.
    for _ in 0..2 {
        place.run(run).await;
        copies.bring_back(&place.database, None).await.unwrap();
        assert_eq!(place.rows_and_counters().await, before.0);
    }
    copies.drop(&place.database).await.unwrap();
    assert_eq!(place.state().await, before);
    assert!(place.is_without_copies().await);
}

async fn rows_that_were_inserted_changed_or_deleted_are_brought_back(engine: TestEngine) {
    let run = "INSERT INTO users (name) VALUES ('dan'); UPDATE users SET name = 'ANN' WHERE id = 1; \
               UPDATE users SET name = 'x' WHERE id = 2; UPDATE users SET name = 'bob' WHERE id = 5; \
               DELETE FROM orders WHERE total = 10; UPDATE orders SET total = total + 1; \
               UPDATE orders SET id = id + 10";
    comes_back_after(engine, SHOP, run).await;
}

async fn what_a_foreign_key_has_deleted_is_brought_back(engine: TestEngine) {
    comes_back_after(engine, SHOP, "DELETE FROM users WHERE id = 1").await;
}

async fn keys_in_a_circle_are_brought_back(engine: TestEngine) {
    let setup = "CREATE TABLE teams (id INT PRIMARY KEY, head INT NULL); \
         CREATE TABLE people (id INT PRIMARY KEY, team INT NULL, boss INT NULL, \
             FOREIGN KEY (team) REFERENCES teams (id) ON DELETE CASCADE, \
             FOREIGN KEY (boss) REFERENCES people (id) ON DELETE SET NULL); \
         ALTER TABLE teams ADD FOREIGN KEY (head) REFERENCES people (id) ON DELETE SET NULL; \
         INSERT INTO teams VALUES (1, NULL), (2, NULL); \
         INSERT INTO people VALUES (1, 1, NULL), (2, 1, 1), (3, 2, 1); \
         UPDATE teams SET head = id";
    comes_back_after(engine, setup, "DELETE FROM people WHERE id = 1").await;
    comes_back_after(engine, setup, "DELETE FROM teams WHERE id = 1").await;
}

/// A trigger that changes what is written, two that write elsewhere, one of them first though it is
/// the younger, and one that refuses.
const TRIGGERS: &str = "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW \
         SET NEW.total = NEW.total * 2; \
     CREATE TRIGGER one AFTER INSERT ON orders FOR EACH ROW \
         INSERT INTO log (what) VALUES (CONCAT('one \\'', NEW.id)) /* the end */; \
     CREATE TRIGGER two AFTER INSERT ON orders FOR EACH ROW PRECEDES one \
         BEGIN DECLARE n INT; SET n = NEW.id; INSERT INTO log (what) VALUES (n); END; \
     CREATE TRIGGER kept BEFORE DELETE ON orders FOR EACH ROW \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'orders are képt'; \
     CREATE TRIGGER renamed AFTER UPDATE ON users FOR EACH ROW \
         UPDATE orders SET total = total + 1 WHERE user_id = NEW.id";

async fn triggers_keep_still_and_are_the_same_afterwards(engine: TestEngine) {
    let run = "INSERT INTO orders (user_id, total) VALUES (1, 7); \
               UPDATE users SET name = 'new' WHERE id = 2";
    comes_back_after(engine, &format!("{SHOP}; {TRIGGERS}"), run).await;
}

async fn a_trigger_acts_for_all_others_while_there_are_copies(engine: TestEngine) {
    let place = Place::with(engine, &format!("{SHOP}; {TRIGGERS}")).await;
    let _copies = Copies::take(&place.database).await.unwrap();
    place
        .run("INSERT INTO orders (user_id, total) VALUES (1, 7)")
        .await;
    let total = "SELECT CAST(total AS CHAR) FROM orders WHERE id = 4";
    assert_eq!(place.texts(total).await, ["14.00"]);
    let log = "SELECT CAST(what AS CHAR) FROM log ORDER BY id";
    assert_eq!(place.texts(log).await, ["4", "one '4"]);
}

async fn generated_keys_are_counted_as_before(engine: TestEngine) {
    let setup = format!("{SHOP}; INSERT INTO log (id) VALUES (70); DELETE FROM log");
    let run = "START TRANSACTION; INSERT INTO users (name) VALUES ('gone'); ROLLBACK; \
               INSERT INTO log (what) VALUES ('kept')";
    let place = Place::with(engine, &setup).await;
    let copies = Copies::take(&place.database).await.unwrap();
    for _ in 0..2 {
        place.run(run).await;
        copies.bring_back(&place.database, None).await.unwrap();
        let next = place
            .database
            .insert("INSERT INTO users (name) VALUES ('next')", &[]);
        assert_eq!(next.await.unwrap(), 6);
        let next = place
            .database
            .insert("INSERT INTO log (what) VALUES ('next')", &[]);
        assert_eq!(next.await.unwrap(), 71);
        copies.bring_back(&place.database, None).await.unwrap();
    }
}

async fn generated_columns_are_brought_back(engine: TestEngine) {
    let setup = "CREATE TABLE goods (id INT PRIMARY KEY, price INT, \
             gross INT AS (price * 2) VIRTUAL, net INT AS (price * 3) STORED, KEY (gross)); \
         INSERT INTO goods (id, price) VALUES (1, 10), (2, 20)";
    let run = "UPDATE goods SET price = price + 1; INSERT INTO goods (id, price) VALUES (3, 1)";
    comes_back_after(engine, setup, run).await;
    comes_back_after(engine, setup, "UPDATE goods SET price = 0 WHERE id = 1").await;
}

async fn a_table_without_a_key_has_its_rows_as_often_as_before(engine: TestEngine) {
    let setup = "CREATE TABLE hits (page VARCHAR(20), note TEXT); \
         INSERT INTO hits VALUES ('a', 'x'), ('a', 'x'), ('b', NULL)";
    for run in [
        "DELETE FROM hits WHERE page = 'a' LIMIT 1",
        "INSERT INTO hits VALUES ('b', NULL)",
        "UPDATE hits SET page = 'B' WHERE page = 'b'",
        "DELETE FROM hits WHERE page = 'a' LIMIT 1; INSERT INTO hits VALUES ('b', NULL)",
    ] {
        comes_back_after(engine, setup, run).await;
    }
}

async fn every_type_of_value_is_brought_back(engine: TestEngine) {
    let setup = "SET sql_mode = ''; CREATE TABLE t (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, \
             j JSON, g GEOMETRY, b BIT(5), e ENUM('a', 'b'), s SET('x', 'y'), o LONGBLOB, \
             y YEAR, f FLOAT, d DOUBLE, c CHAR(5), v VARBINARY(9), h DATETIME(6), z DATE, \
             i TIME(3), l LONGTEXT, u BIGINT UNSIGNED); \
         INSERT INTO t VALUES ('a', '[1.0]', POINT(1, 2), 5, 'b', 'x,y', REPEAT('o', 40000), 2020, \
             1.1, 1.1, 'c ', 'v ', '2020-01-01 10:00:00.123456', '0000-00-00', '-01:02:03.5', \
             REPEAT('l', 40000), 18446744073709551615), \
             ('A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
             NULL, NULL, NULL)";
    for run in [
        "DELETE FROM t",
        "UPDATE t SET j = '[1]' WHERE id = 'a'",
        "UPDATE t SET g = POINT(1, 3), b = 4, e = 'a', s = 'x', y = 2021, f = 1.2 WHERE id = 'a'",
        "UPDATE t SET o = '', l = 'L', v = 'v', u = NULL, i = NULL, h = '2020-01-01 10:00:00'",
        "UPDATE t SET o = '', z = '2020-01-01' WHERE id = 'A'",
    ] {
        comes_back_after(engine, setup, run).await;
    }
}

async fn a_partitioned_table_and_a_search_index_are_brought_back(engine: TestEngine) {
    let setup = "CREATE TABLE parts (id INT AUTO_INCREMENT PRIMARY KEY, n INT) \
             PARTITION BY HASH (id) PARTITIONS 3; INSERT INTO parts (n) VALUES (1), (2), (3); \
         CREATE TABLE texts (id INT PRIMARY KEY, body TEXT, FULLTEXT (body)); \
         INSERT INTO texts VALUES (1, 'some words'), (2, 'other words')";
    let run = "INSERT INTO parts (n) VALUES (4); DELETE FROM parts WHERE n = 1; \
               UPDATE texts SET body = 'nothing' WHERE id = 1";
    comes_back_after(engine, setup, run).await;
}

/// More rows than are filled into a truncated table.
const LARGE: &str = "CREATE TABLE large (id INT PRIMARY KEY AUTO_INCREMENT, code INT UNIQUE, \
         note TEXT, changed TIMESTAMP(6) NULL ON UPDATE CURRENT_TIMESTAMP(6)); \
     INSERT INTO large (code, note) WITH RECURSIVE n (i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, 'n' FROM n; \
     INSERT INTO large (code, note) SELECT code + 1000, note FROM large; \
     INSERT INTO large (code, note) SELECT code + 3000, note FROM large";

async fn values_of_a_large_table_are_brought_back(engine: TestEngine) {
    for run in [
        "UPDATE large SET note = 'changed' WHERE id = 7",
        "UPDATE large SET code = 99999 WHERE id = 7; UPDATE large SET code = 7 WHERE id = 8",
        "DELETE FROM large WHERE id < 5; INSERT INTO large (code) VALUES (88888)",
        "START TRANSACTION; INSERT INTO large (code) VALUES (88888); ROLLBACK",
    ] {
        comes_back_after(engine, LARGE, run).await;
    }
}

async fn thirty_tables_are_brought_back(engine: TestEngine) {
    let tables = (0..30).map(|number| {
        let parent = if number == 0 { 0 } else { number - 1 };
        format!(
            "CREATE TABLE t{number} (id INT PRIMARY KEY AUTO_INCREMENT, parent INT NULL, \
                 code VARCHAR(20) UNIQUE, note TEXT, \
                 FOREIGN KEY (parent) REFERENCES t{parent} (id) ON DELETE CASCADE); \
             INSERT INTO t{number} VALUES (1, 1, 'one', 'n'), (2, 1, 'two', 'n'), (3, 2, 'x', 'n')"
        )
    });
    let setup = tables.collect::<Vec<_>>().join("; ");
    let run = "DELETE FROM t4 WHERE id = 2; INSERT INTO t20 (parent) VALUES (1); \
               UPDATE t29 SET note = 'changed'";
    comes_back_after(engine, &setup, run).await;
}

async fn only_what_the_written_tables_reach_is_looked_at(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let before = place.rows_and_counters().await;
    let copies = Copies::take(&place.database).await.unwrap();
    place
        .run("DELETE FROM users; INSERT INTO log (what) VALUES ('x')")
        .await;
    let log = "SELECT CAST(what AS CHAR) FROM log";
    place.bring_back_after(&copies, &["USERS"]).await;
    assert_eq!(place.texts(log).await, ["x"]);
    place.bring_back_after(&copies, &["a_view"]).await;
    assert_eq!(place.rows_and_counters().await, before);
}

async fn a_deleted_row_locks_nothing_in_the_next_run(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let copies = Copies::take(&place.database).await.unwrap();
    for _ in 0..3 {
        place.run("INSERT INTO users (name) VALUES ('dan')").await;
        copies.bring_back(&place.database, None).await.unwrap();
        // A gap may be locked twice, and what is left of a deleted row may not.
        let (mut one, mut other) = (place.session().await, place.session().await);
        let locked = "START TRANSACTION; SELECT id FROM users WHERE id = 6 FOR UPDATE NOWAIT";
        one.run(locked).await.unwrap();
        other.run(locked).await.unwrap();
    }
}

async fn what_was_broken_off_is_done_again(engine: TestEngine) {
    let run = "SET foreign_key_checks = 0; TRUNCATE users; TRUNCATE orders; \
               INSERT INTO orders SELECT * FROM racy_copy_of_1";
    comes_back_after(engine, SHOP, run).await;
}

async fn copies_of_a_killed_process_are_found_and_used(engine: TestEngine) {
    let place = Place::with(engine, &format!("{SHOP}; {TRIGGERS}")).await;
    let before = place.state().await;
    let left = Copies::left_behind(&place.database).await.unwrap();
    assert!(left.is_empty());
    drop(Copies::take(&place.database).await.unwrap());
    place
        .run("UPDATE users SET name = 'changed' WHERE id = 1; DROP TRIGGER two")
        .await;
    let refused = Copies::take(&place.database).await.unwrap_err();
    assert!(matches!(refused, CopyError::Taken { .. }), "{refused}");
    let left = place.left_behind().await;
    assert_eq!(left.process, Some(std::process::id()));
    assert_eq!(left.tables, ["log", "orders", "users"]);
    let copies = left.into_copies();
    copies.bring_back(&place.database, None).await.unwrap();
    copies.drop(&place.database).await.unwrap();
    assert_eq!(place.state().await, before);
}

async fn an_unfinished_copy_is_only_dropped(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    drop(Copies::take(&place.database).await.unwrap());
    place
        .run("DELETE FROM racy_copy_note WHERE entry LIKE '%Complete%'")
        .await;
    let left = place.left_behind().await;
    assert!(!left.is_complete);
    let copies = left.into_copies();
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert!(matches!(refused, CopyError::Unfinished), "{refused}");
    copies.drop(&place.database).await.unwrap();
    assert!(place.is_without_copies().await);
}
