//! What is refused, and who is in the way.

use std::time::{Duration, Instant};

use racy::engine::{Copies, CopyError};

use super::SHOP;
use super::place::Place;
use crate::support::TestEngine;

on_engines!(
    innodb:
        an_idle_reader_is_named_and_the_rows_are_back,
        an_idle_reader_is_not_in_the_way_of_values,
        an_open_write_is_named,
        a_new_and_a_missing_table_are_refused,
        a_key_from_another_database_is_refused,
        what_is_not_innodb_is_refused,
        a_user_without_a_right_to_triggers_is_refused,
        a_user_of_one_database_copies_it,
        a_trigger_of_another_user_is_left_alone,
        a_refused_copy_leaves_nothing;
    mysql:
        an_event_is_refused;
    mariadb:
        old_rows_and_sequences_are_refused;
    sqlite:
        another_engine_is_refused;
);

/// A wait may last for a second, and the engine's answer for a moment.
const NO_HANG: Duration = Duration::from_secs(5);

async fn an_idle_reader_is_named_and_the_rows_are_back(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let before = place.rows_and_counters().await;
    let copies = Copies::take(&place.database).await.unwrap();
    let mut idle = place.session().await;
    idle.run("SET autocommit = 0; SELECT * FROM users")
        .await
        .unwrap();
    place
        .run("INSERT INTO users (name) VALUES ('dan'); DELETE FROM orders")
        .await;
    let began = Instant::now();
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert!(began.elapsed() < NO_HANG);
    let CopyError::Blocked { by, .. } = &refused else {
        panic!("{refused}");
    };
    let number = idle.number().await;
    assert!(by.iter().any(|it| it.connection == number), "{refused}");
    assert!(by.iter().all(|it| it.user == "root"), "{refused}");
    let names = "SELECT CAST(name AS CHAR) FROM users ORDER BY id";
    assert_eq!(place.texts(names).await, ["ann", "bob", "cleo"]);
    let orders = "SELECT CAST(COUNT(*) AS CHAR) FROM orders";
    assert_eq!(place.texts(orders).await, ["3"]);
    idle.run("ROLLBACK").await.unwrap();
    copies.bring_back(&place.database, None).await.unwrap();
    assert_eq!(place.rows_and_counters().await, before);
    idle.close().await;
}

async fn an_idle_reader_is_not_in_the_way_of_values(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let before = place.rows_and_counters().await;
    let copies = Copies::take(&place.database).await.unwrap();
    let mut idle = place.session().await;
    idle.run("SET autocommit = 0; SELECT * FROM orders")
        .await
        .unwrap();
    place.run("UPDATE orders SET total = 0").await;
    copies.bring_back(&place.database, None).await.unwrap();
    assert_eq!(place.rows_and_counters().await, before);
    idle.close().await;
}

async fn an_open_write_is_named(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let copies = Copies::take(&place.database).await.unwrap();
    place.run("UPDATE orders SET total = 0").await;
    let mut writer = place.session().await;
    writer
        .run("START TRANSACTION; UPDATE orders SET total = 1")
        .await
        .unwrap();
    let began = Instant::now();
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert!(began.elapsed() < NO_HANG);
    let number = writer.number().await;
    let named = format!("connection {number} of root at localhost");
    assert!(refused.to_string().contains(&named), "{refused}");
    writer.close().await;
}

async fn a_new_and_a_missing_table_are_refused(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let copies = Copies::take(&place.database).await.unwrap();
    place
        .run("CREATE TABLE more (id INT); DROP TABLE log")
        .await;
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema is not the one that was copied: table log is gone; table more is new"
    );
}

/// Why no copies are taken of a database that is set up in this way.
async fn refusal(engine: TestEngine, setup: &str) -> String {
    let place = Place::with(engine, setup).await;
    let refused = Copies::take(&place.database).await.unwrap_err().to_string();
    assert!(place.is_without_copies().await, "{refused}");
    refused
}

async fn a_key_from_another_database_is_refused(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let child = Place::with(engine, "SELECT 1").await;
    let key = format!(
        "CREATE TABLE child (id INT, FOREIGN KEY away (id) REFERENCES {}.users (id) \
         ON DELETE CASCADE)",
        place.name()
    );
    child.run(&key).await;
    for database in [&place.database, &child.database] {
        let refused = Copies::take(database).await.unwrap_err().to_string();
        assert!(refused.contains("leads to another database"), "{refused}");
    }
}

async fn what_is_not_innodb_is_refused(engine: TestEngine) {
    let refused = refusal(engine, "CREATE TABLE old (id INT) ENGINE = MyISAM").await;
    assert_eq!(
        refused,
        "the database cannot be brought back from copies of its rows: table old is kept by MyISAM \
         and not by InnoDB"
    );
}

async fn an_event_is_refused(engine: TestEngine) {
    let event = "CREATE EVENT tick ON SCHEDULE EVERY 1 DAY DO SET @a = 1";
    let refused = refusal(engine, event).await;
    assert!(refused.ends_with("event tick runs by itself"), "{refused}");
}

async fn old_rows_and_sequences_are_refused(engine: TestEngine) {
    let setup = "CREATE TABLE old (id INT) WITH SYSTEM VERSIONING; CREATE SEQUENCE numbers";
    let refused = refusal(engine, setup).await;
    assert!(
        refused.contains("table old keeps its old rows"),
        "{refused}"
    );
    assert!(
        refused.contains("sequence numbers counts by itself"),
        "{refused}"
    );
}

const TRIGGER: &str = "CREATE TRIGGER one AFTER INSERT ON orders FOR EACH ROW \
     INSERT INTO log (what) VALUES ('x')";

/// Why a user with these rights in the database does not copy it. None if that is done.
async fn refusal_of(place: &Place, rights: &str) -> Option<String> {
    let (name, user) = (place.name(), format!("u_{}", place.name()));
    let grant = format!("CREATE USER {user}; GRANT {rights} ON {name}.* TO {user}");
    place.run(&grant).await;
    let database = place.database_of(&user).await;
    let taken = Copies::take(&database).await;
    let refused = taken.as_ref().err().map(ToString::to_string);
    if let Ok(copies) = taken {
        copies.bring_back(&database, None).await.unwrap();
        copies.drop(&database).await.unwrap();
    }
    database.close().await;
    assert!(place.is_without_copies().await);
    place.run(&format!("DROP USER {user}")).await;
    refused
}

const RIGHTS: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES";

async fn a_user_without_a_right_to_triggers_is_refused(engine: TestEngine) {
    for setup in [SHOP.to_owned(), format!("{SHOP}; {TRIGGER}")] {
        let place = Place::with(engine, &setup).await;
        let refused = refusal_of(&place, RIGHTS).await.unwrap();
        // The engines refuse at different places.
        let says_why = ["TRIGGER", "binary logging"];
        assert!(says_why.iter().any(|it| refused.contains(it)), "{refused}");
    }
}

async fn a_user_of_one_database_copies_it(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let rights = format!("{RIGHTS}, TRIGGER");
    assert_eq!(refusal_of(&place, &rights).await, None);
}

async fn a_trigger_of_another_user_is_left_alone(engine: TestEngine) {
    let place = Place::with(engine, &format!("{SHOP}; {TRIGGER}")).await;
    let before = place.state().await;
    let rights = format!("{RIGHTS}, TRIGGER");
    assert!(refusal_of(&place, &rights).await.is_some());
    assert_eq!(place.state().await, before);
}

async fn a_refused_copy_leaves_nothing(engine: TestEngine) {
    let setup = "CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1); \
                 CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 2";
    let place = Place::with(engine, setup).await;
    let before = place.state().await;
    let mut idle = place.session().await;
    idle.run("SET autocommit = 0; SELECT * FROM t")
        .await
        .unwrap();
    let refused = Copies::take(&place.database).await.unwrap_err();
    assert!(matches!(refused, CopyError::Blocked { .. }), "{refused}");
    idle.close().await;
    assert_eq!(place.state().await, before);
    assert!(place.is_without_copies().await);
}

async fn another_engine_is_refused(engine: TestEngine) {
    let lab = engine.lab().await;
    let refused = Copies::take(&lab.database).await.unwrap_err();
    assert!(matches!(refused, CopyError::Engine(_)), "{refused}");
}
