//! What PostgreSQL's catalogue says.

use racy::footprint::Rule;

use super::{Place, is_for, words};
use crate::support::TestEngine;

on_engines!(
    postgres:
        parts_of_a_table_are_one_thing,
        a_sequence_is_shared_by_two_tables,
        names_are_looked_up_as_the_engine_does,
        schemas_are_searched_in_their_order,
        operators_of_the_users_own_make_all_doubtful,
        what_a_table_calls_may_do_anything;
);

async fn parts_of_a_table_are_one_thing(engine: TestEngine) {
    let setup = [
        "CREATE TABLE whole (id INT, a INT) PARTITION BY LIST (id)",
        "CREATE TABLE part PARTITION OF whole FOR VALUES IN (1)",
        "CREATE TABLE base (id INT)",
        "CREATE TABLE heir (more INT) INHERITS (base)",
        "CREATE TABLE grandheir () INHERITS (heir)",
    ];
    let place = Place::with(engine, &setup).await;
    for (one, other) in [
        ("SELECT * FROM whole", "INSERT INTO part VALUES (1, 1)"),
        ("SELECT * FROM base", "DELETE FROM grandheir"),
        ("SELECT * FROM heir", "DELETE FROM grandheir"),
    ] {
        let (one, other) = (place.touches(one), place.touches(other));
        assert!(one.meets(&other).is_some(), "{one:?} {other:?}");
        let other = other.without(Rule::Partition);
        assert!(one.without(Rule::Partition).meets(&other).is_none());
    }
}

async fn a_sequence_is_shared_by_two_tables(engine: TestEngine) {
    let setup = [
        "CREATE SEQUENCE s",
        "CREATE TABLE t (id INT DEFAULT nextval('s'), a INT)",
        "CREATE TABLE u (id INT DEFAULT nextval('s'), b INT)",
        "CREATE TABLE v (id INT GENERATED ALWAYS AS IDENTITY, b INT)",
        "CREATE TABLE w (id SERIAL, b INT)",
    ];
    let place = Place::with(engine, &setup).await;
    for (sql, touched) in [
        ("INSERT INTO t (a) VALUES (1)", "w s, w t, w published"),
        ("INSERT INTO u (b) VALUES (1)", "w s, w u, w published"),
        (
            "INSERT INTO v (b) VALUES (1)",
            "w v, w v_id_seq, w published",
        ),
        (
            "INSERT INTO w (b) VALUES (1)",
            "w w, w w_id_seq, w published",
        ),
        ("UPDATE t SET a = 1", "w t, w published"),
        ("UPDATE t SET id = DEFAULT", "w s, w t, w published"),
        ("SELECT nextval('s')", "w s"),
        ("SELECT nextval('public.s'::regclass)", "w s"),
        ("SELECT currval('s')", "r s"),
        ("SELECT last_value FROM s", "r s"),
        ("SELECT nextval('s' || '')", "w published, w everything"),
    ] {
        assert_eq!(words(&place.touches(sql)), touched, "{sql}");
    }
}

async fn names_are_looked_up_as_the_engine_does(engine: TestEngine) {
    let setup = [
        "CREATE TABLE \"Mixed\" (id INT)",
        "CREATE TABLE mixed (id INT)",
        "CREATE SCHEMA other",
        "CREATE TABLE other.mixed (id INT)",
        "CREATE TABLE other.alone (id INT)",
    ];
    let place = Place::with(engine, &setup).await;
    for (sql, touched) in [
        ("SELECT id FROM \"Mixed\"", "r Mixed"),
        ("SELECT id FROM Mixed", "r mixed"),
        ("SELECT id FROM other.mixed", "r other.mixed"),
        ("SELECT id FROM public.mixed", "r mixed"),
        ("SELECT id FROM other.alone", "r other.alone"),
        ("SELECT id FROM alone", "r other.alone"),
    ] {
        assert_eq!(words(&place.touches(sql)), touched, "{sql}");
    }
    let missing = place.touches("SELECT id FROM elsewhere.mixed");
    assert!(words(&missing).contains("everything"), "{missing:?}");
}

async fn what_a_table_calls_may_do_anything(engine: TestEngine) {
    let setup = [
        "CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE sql IMMUTABLE AS 'SELECT a'",
        "CREATE TABLE by_default (id INT, a INT DEFAULT f(1))",
        "CREATE TABLE by_check (id INT, a INT CHECK (f(a) > 0))",
        "CREATE TABLE by_index (id INT, a INT)",
        "CREATE INDEX i ON by_index (f(a))",
        "CREATE TABLE by_column (id INT, a INT GENERATED ALWAYS AS (f(id)) STORED)",
        "CREATE TABLE by_policy (id INT, a INT)",
        "CREATE POLICY p ON by_policy USING (f(a) > 0)",
        "CREATE TABLE plain (id INT, a INT DEFAULT 1 CHECK (a > 0), \
         b VARCHAR(10) CHECK (lower(b) <> ''))",
        "CREATE VIEW by_view AS SELECT f(a) AS a FROM plain",
        "CREATE VIEW shown AS SELECT COALESCE(a, 1) AS a FROM plain WHERE id = ANY (ARRAY[1, 2])",
    ];
    let place = Place::with(engine, &setup).await;
    for table in [
        "by_default",
        "by_check",
        "by_index",
        "by_column",
        "by_policy",
    ] {
        let touches = place.touches(&format!("INSERT INTO {table} (id) VALUES (1)"));
        assert!(is_for(&touches, Rule::TableFunction), "{table} {touches:?}");
    }
    let policy = place.touches("SELECT a FROM by_policy");
    assert!(is_for(&policy, Rule::TableFunction), "{policy:?}");
    let view = place.touches("SELECT a FROM by_view");
    assert!(is_for(&view, Rule::UnknownFunction), "{view:?}");
    let plain = place.touches("INSERT INTO plain (id) VALUES (1)");
    assert_eq!(words(&plain), "w plain, w published");
    assert_eq!(
        words(&place.touches("SELECT a FROM shown")),
        "r plain, r shown"
    );
    let called = place.touches("SELECT p.f FROM plain p");
    assert!(is_for(&called, Rule::UnknownFunction), "{called:?}");
}

async fn schemas_are_searched_in_their_order(engine: TestEngine) {
    let setup = [
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (id INT)",
        "CREATE TABLE public.t (id INT)",
        "CREATE TABLE public.u (id INT)",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = other, public', \
         current_database()); END $$",
    ];
    let place = Place::with(engine, &setup).await;
    for (sql, touched) in [
        ("SELECT id FROM t", "r t"),
        ("SELECT id FROM public.t", "r public.t"),
        ("SELECT id FROM u", "r public.u"),
        ("SELECT id FROM other.t", "r t"),
    ] {
        assert_eq!(words(&place.touches(sql)), touched, "{sql}");
    }
}

async fn operators_of_the_users_own_make_all_doubtful(engine: TestEngine) {
    let setup = [
        "CREATE TABLE t (id INT)",
        "CREATE FUNCTION f(a INT, b INT) RETURNS BOOLEAN LANGUAGE sql AS 'SELECT a > b'",
        "CREATE OPERATOR === (LEFTARG = INT, RIGHTARG = INT, FUNCTION = f)",
    ];
    let place = Place::with(engine, &setup).await;
    let touches = place.touches("SELECT id FROM t WHERE id === 1");
    assert!(is_for(&touches, Rule::NotUnderstood), "{touches:?}");
}
