//! What one statement touches by itself.

use racy::footprint::Rule;

use super::{Place, TABLES, is_for, words};
use crate::support::TestEngine;

on_engines!(
    servers:
        tables_are_read_and_written_by_their_names,
        a_view_is_what_is_beneath_it,
        a_foreign_key_leads_to_parents_and_children,
        a_trigger_may_do_anything,
        what_is_not_understood_meets_everything;
    mariadb: a_sequence_of_mariadb_is_a_table;
);

async fn tables_are_read_and_written_by_their_names(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    for (sql, touched) in [
        ("SELECT a FROM t", "r t"),
        (
            "SELECT COUNT(*) AS n, MAX(a) FROM t WHERE a IN (1, 2)",
            "r t",
        ),
        ("SELECT 1", ""),
        ("SELECT a FROM t JOIN u ON u.id = t.id", "r t, r u"),
        ("SELECT a FROM t WHERE id IN (SELECT b FROM u)", "r t, r u"),
        ("WITH x AS (SELECT a FROM t) SELECT * FROM x", "r t"),
        ("SELECT a FROM t FOR UPDATE", "w t"),
        ("UPDATE t SET a = a + 1 WHERE id = 1", "w t, w published"),
        (
            "INSERT INTO t (id, a) VALUES (1, 2), (3, 4)",
            "w t, w published",
        ),
        (
            "INSERT INTO t (id, a) SELECT id, b FROM u",
            "w t, w u, w published",
        ),
        (
            "DELETE FROM t WHERE id = (SELECT MAX(b) FROM u)",
            "w t, w u, w published",
        ),
    ] {
        assert_eq!(words(&place.touches(sql)), touched, "{sql}");
    }
    assert!(is_for(
        &place.touches("SELECT a FROM t FOR UPDATE"),
        Rule::LockingRead
    ));
    let copied = place.touches("INSERT INTO t (id, a) SELECT id, b FROM u");
    assert_eq!(
        words(&copied.without(Rule::WritingStatement)),
        "w t, r u, w published"
    );
}

async fn a_view_is_what_is_beneath_it(engine: TestEngine) {
    let views = [
        TABLES[0],
        TABLES[1],
        "CREATE VIEW one AS SELECT id, a FROM t",
        "CREATE VIEW two AS SELECT one.a FROM one JOIN u ON u.id = one.id",
    ];
    let place = Place::with(engine, &views).await;
    let read = place.touches("SELECT a FROM two");
    assert_eq!(words(&read), "r one, r t, r two, r u");
    assert_eq!(words(&read.without(Rule::View)), "r two");
    let written = place.touches("UPDATE one SET a = 1");
    assert_eq!(words(&written), "w one, w t, w published");
}

async fn a_foreign_key_leads_to_parents_and_children(engine: TestEngine) {
    let tables = [
        "CREATE TABLE p (id INT PRIMARY KEY, x INT)",
        "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) \
         ON DELETE CASCADE)",
        "CREATE TABLE g (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id))",
        "CREATE TABLE h (id INT PRIMARY KEY, g INT, FOREIGN KEY (g) REFERENCES g (id))",
    ];
    let place = Place::with(engine, &tables).await;
    for (sql, touched) in [
        ("INSERT INTO c VALUES (1, 1)", "w c, w p, w published"),
        ("UPDATE p SET x = 1", "w p, w published"),
        ("UPDATE p SET id = 1", "w c, w g, w p, w published"),
        ("DELETE FROM p", "w c, w g, w p, w published"),
        ("DELETE FROM h", "w g, w h, w published"),
        ("SELECT x FROM p", "r p"),
    ] {
        assert_eq!(words(&place.touches(sql)), touched, "{sql}");
    }
    let delete = place.touches("DELETE FROM p");
    assert_eq!(words(&delete.without(Rule::Child)), "w p, w published");
}

async fn a_trigger_may_do_anything(engine: TestEngine) {
    let mut setup = TABLES.to_vec();
    if engine == TestEngine::Postgres {
        setup.extend([
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             DELETE FROM u; RETURN NEW; END $$",
            "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE RULE y AS ON DELETE TO u DO ALSO DELETE FROM t",
        ]);
    } else {
        setup.push("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW DELETE FROM u");
    }
    let place = Place::with(engine, &setup).await;
    let written = place.touches("INSERT INTO t VALUES (1, 1)");
    assert!(is_for(&written, Rule::Trigger), "{written:?}");
    assert_eq!(words(&written.without(Rule::Trigger)), "w t, w published");
    assert_eq!(words(&place.touches("SELECT a FROM t")), "r t");
    let ruled = place.touches("DELETE FROM u");
    assert_eq!(
        is_for(&ruled, Rule::Trigger),
        engine == TestEngine::Postgres
    );
}

async fn what_is_not_understood_meets_everything(engine: TestEngine) {
    let place = Place::with(engine, &TABLES).await;
    for (sql, rule) in [
        ("SELECT a FROM missing", Rule::NotUnderstood),
        (
            "SELECT * FROM information_schema.tables",
            Rule::NotUnderstood,
        ),
        ("SELECT a FROM t ORDER", Rule::NotUnderstood),
        ("SELECT my_function() FROM t", Rule::UnknownFunction),
        ("TRUNCATE TABLE t", Rule::Schema),
        ("CALL p()", Rule::NotUnderstood),
        ("EXPLAIN SELECT a FROM t", Rule::NotUnderstood),
    ] {
        let touches = place.touches(sql);
        assert!(words(&touches).contains("everything"), "{sql} {touches:?}");
        assert!(is_for(&touches, rule), "{sql} {touches:?}");
    }
    // A word that is a table's name counts, whatever it is.
    let alias = place.touches("SELECT t.a AS u FROM t");
    assert_eq!(words(&alias), "r t, w u");
}

async fn a_sequence_of_mariadb_is_a_table(engine: TestEngine) {
    let setup = [
        "CREATE SEQUENCE s",
        "CREATE TABLE t (id INT PRIMARY KEY DEFAULT nextval(s), a INT)",
        "CREATE TABLE u (id INT PRIMARY KEY DEFAULT (NEXT VALUE FOR s), b INT)",
    ];
    let place = Place::with(engine, &setup).await;
    for (sql, touched) in [
        ("SELECT nextval(s)", "w s"),
        ("SELECT NEXT VALUE FOR s", "w s"),
        (
            "INSERT INTO u (id, b) VALUES (NEXT VALUE FOR s, 1)",
            "w s, w u, w published",
        ),
        ("INSERT INTO t (a) VALUES (1)", "w s, w t, w published"),
        ("INSERT INTO u (b) VALUES (1)", "w s, w u, w published"),
    ] {
        assert_eq!(words(&place.touches(sql)), touched, "{sql}");
    }
}
