//! PostgreSQL: what is refused, and who is in the way.

use std::time::{Duration, Instant};

use racy::engine::{Copies, CopyError};

use super::SHOP;
use super::place::Place;
use crate::support::TestEngine;

on_engines!(
    postgres:
        an_idle_reader_is_not_in_the_way,
        an_open_write_is_named_with_its_statement,
        a_locked_row_is_named,
        a_new_and_a_missing_table_are_refused,
        a_refreshed_view_is_refused,
        what_copies_do_not_bring_back_is_refused,
        rows_that_their_constraint_refuses_are_refused,
        hidden_rows_are_refused,
        a_user_without_the_right_is_refused_before_anything_changes,
        a_user_with_a_grant_copies_the_database,
        a_user_without_the_right_copies_what_nothing_acts_on,
        a_copy_that_has_to_wait_leaves_nothing;
);

/// A wait may last for a second, and the engine's answer for a moment.
const NO_HANG: Duration = Duration::from_secs(5);

async fn an_idle_reader_is_not_in_the_way(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let before = place.rows().await;
    let mut idle = place.session().await;
    idle.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM users, orders, log")
        .await
        .unwrap();
    let copies = Copies::take(&place.database).await.unwrap();
    place
        .run("DELETE FROM users; INSERT INTO log (what) VALUES ('x')")
        .await;
    copies.bring_back(&place.database, None).await.unwrap();
    assert_eq!(place.rows().await, before);
    copies.drop(&place.database).await.unwrap();
    idle.run("COMMIT").await.unwrap();
    idle.close().await;
}

/// Why rows do not come back while this transaction is open. They do afterwards.
async fn refusal_beside(place: &Place, statement: &str) -> (String, i64) {
    let before = place.rows().await;
    let copies = Copies::take(&place.database).await.unwrap();
    place.run("UPDATE orders SET total = 0").await;
    let mut other = place.session().await;
    let number = other.number().await;
    other.run(&format!("BEGIN; {statement}")).await.unwrap();
    let began = Instant::now();
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert!(began.elapsed() < NO_HANG);
    assert!(matches!(refused, CopyError::Blocked { .. }), "{refused}");
    other.run("ROLLBACK").await.unwrap();
    other.close().await;
    copies.bring_back(&place.database, None).await.unwrap();
    assert_eq!(place.rows().await, before);
    (refused.to_string(), number)
}

async fn an_open_write_is_named_with_its_statement(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    // What is inserted there nobody else sees yet, and it would come after all.
    let statement = "INSERT INTO log (what) VALUES ('late')";
    let (refused, number) = refusal_beside(&place, statement).await;
    assert!(
        refused.contains(&format!("connection {number} of ")),
        "{refused}"
    );
    assert!(
        refused.contains("RowExclusiveLock on table log"),
        "{refused}"
    );
    assert!(refused.contains("idle in transaction"), "{refused}");
    assert!(refused.contains(statement), "{refused}");
}

async fn a_locked_row_is_named(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let statement = "SELECT * FROM orders WHERE id = 1 FOR UPDATE";
    let (refused, number) = refusal_beside(&place, statement).await;
    assert!(
        refused.contains(&format!("connection {number} of ")),
        "{refused}"
    );
    assert!(
        refused.contains("RowShareLock on table orders"),
        "{refused}"
    );
}

async fn a_new_and_a_missing_table_are_refused(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let copies = Copies::take(&place.database).await.unwrap();
    place
        .run("CREATE TABLE more (id INT); DROP TABLE log; CREATE SEQUENCE numbers")
        .await;
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema is not the one that was copied: sequence log_id_seq is gone; table log is gone; \
         sequence numbers is new; table more is new"
    );
}

async fn a_refreshed_view_is_refused(engine: TestEngine) {
    let views = "CREATE MATERIALIZED VIEW sums AS SELECT user_id, sum(total) FROM orders GROUP BY 1; \
         CREATE MATERIALIZED VIEW never AS SELECT 1 AS one WITH NO DATA";
    let place = Place::with(engine, &format!("{SHOP}; {views}")).await;
    let copies = Copies::take(&place.database).await.unwrap();
    place.run("UPDATE orders SET total = 0").await;
    copies.bring_back(&place.database, None).await.unwrap();
    place
        .run("UPDATE orders SET total = 0; REFRESH MATERIALIZED VIEW sums")
        .await;
    let refused = copies.bring_back(&place.database, None).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("materialised view sums was refreshed"),
        "{refused}"
    );
}

/// Why no copies are taken of a database that is set up in this way.
async fn refusal(engine: TestEngine, setup: &str) -> String {
    let place = Place::with(engine, setup).await;
    let refused = Copies::take(&place.database).await.unwrap_err();
    assert!(matches!(refused, CopyError::Refused(_)), "{refused}");
    assert!(place.is_without_copies().await, "{refused}");
    refused.to_string()
}

async fn what_copies_do_not_bring_back_is_refused(engine: TestEngine) {
    const TRIGGER: &str = "CREATE TABLE t (id INT); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
         CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ";
    for (setup, words) in [
        (
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w; \
             CREATE FOREIGN TABLE away (id INT) SERVER far",
            "table away is kept by another server, far",
        ),
        (
            "CREATE SEQUENCE numbers CACHE 20",
            "sequence numbers is counted ahead by each connection (CACHE 20)",
        ),
        (
            "SELECT lo_create(0)",
            "1 large objects are kept outside of tables",
        ),
        (
            "CREATE TABLE nothing ()",
            "table nothing has no column that can be written",
        ),
        (
            &format!("{TRIGGER} ALTER TABLE t ENABLE ALWAYS TRIGGER one"),
            "trigger one of table t acts always (ENABLE ALWAYS)",
        ),
        (
            &format!("{TRIGGER} ALTER TABLE t ENABLE REPLICA TRIGGER one"),
            "trigger one of table t acts always (ENABLE REPLICA)",
        ),
        (
            "CREATE TABLE t (id INT); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING; \
             ALTER TABLE t ENABLE ALWAYS RULE r",
            "rule r of table t acts always (ENABLE ALWAYS)",
        ),
    ] {
        let refused = refusal(engine, setup).await;
        let (_, reasons) = refused.split_once("of its rows: ").unwrap();
        assert_eq!(reasons, words);
    }
}

async fn rows_that_their_constraint_refuses_are_refused(engine: TestEngine) {
    let setup = "CREATE TABLE t (n INT); INSERT INTO t VALUES (-1); \
         ALTER TABLE t ADD CONSTRAINT above CHECK (n > 0) NOT VALID";
    let refused = refusal(engine, setup).await;
    assert!(
        refused.ends_with("constraint above of table t refuses rows that are there (NOT VALID)"),
        "{refused}"
    );
    let place = Place::with(engine, &format!("{setup}; UPDATE t SET n = 1 WHERE n < 0")).await;
    place.comes_back_after("UPDATE t SET n = 2").await;
}

/// The outcome for a user of these rights, who is then dropped.
async fn outcome_for(place: &Place, rights: &str) -> Result<(), CopyError> {
    let user = format!("u_{}", place.name());
    let (name, is_there) = (place.name(), rights.replace("{user}", &user));
    place
        .run(&format!(
            "CREATE ROLE {user} LOGIN; GRANT CREATE ON DATABASE {name} TO {user}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}; \
             GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {user}; {is_there}"
        ))
        .await;
    let database = place.database_of(&user).await;
    let before = place.rows().await;
    let outcome = match Copies::take(&database).await {
        Ok(copies) => {
            place.run("DELETE FROM users").await;
            copies.bring_back(&database, None).await.unwrap();
            assert_eq!(place.rows().await, before);
            copies.drop(&database).await
        }
        Err(refused) => Err(refused),
    };
    database.close().await;
    assert!(place.is_without_copies().await);
    place
        .run(&format!("DROP OWNED BY {user}; DROP ROLE {user}"))
        .await;
    outcome
}

async fn a_user_without_the_right_is_refused_before_anything_changes(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let before = place.state().await;
    let refused = outcome_for(&place, "SELECT 1")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("may not set session_replication_role"),
        "{refused}"
    );
    let refused = outcome_for(&place, "REVOKE INSERT ON log FROM {user}").await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("table log may not be read and written by user u_"),
        "{refused}"
    );
    assert_eq!(place.state().await, before);
}

async fn a_user_with_a_grant_copies_the_database(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let grant = "GRANT SET ON PARAMETER session_replication_role TO {user}";
    outcome_for(&place, grant).await.unwrap();
}

async fn a_user_without_the_right_copies_what_nothing_acts_on(engine: TestEngine) {
    let setup = "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT); \
         INSERT INTO users (name) VALUES ('ann')";
    let place = Place::with(engine, setup).await;
    outcome_for(&place, "SELECT 1").await.unwrap();
}

async fn hidden_rows_are_refused(engine: TestEngine) {
    let setup = format!(
        "{SHOP}; ALTER TABLE log ENABLE ROW LEVEL SECURITY; ALTER TABLE log FORCE ROW LEVEL SECURITY"
    );
    let place = Place::with(engine, &setup).await;
    let grant = "GRANT SET ON PARAMETER session_replication_role TO {user}";
    let refused = outcome_for(&place, grant).await.unwrap_err().to_string();
    assert!(
        refused.contains("table log hides rows from user u_"),
        "{refused}"
    );
    // A superuser sees them.
    place
        .comes_back_after("INSERT INTO log (what) VALUES ('x')")
        .await;
}

async fn a_copy_that_has_to_wait_leaves_nothing(engine: TestEngine) {
    let place = Place::with(engine, SHOP).await;
    let before = place.state().await;
    let mut other = place.session().await;
    other.run("BEGIN; LOCK TABLE users").await.unwrap();
    let refused = Copies::take(&place.database).await.unwrap_err();
    let number = other.number().await;
    assert!(matches!(refused, CopyError::Blocked { .. }), "{refused}");
    assert!(
        refused.to_string().contains(&number.to_string()),
        "{refused}"
    );
    other.close().await;
    assert_eq!(place.state().await, before);
    assert!(place.is_without_copies().await);
}
