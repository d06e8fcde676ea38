//! Statements against a catalogue that is made here. Real ones are in `tests/scenarios`.

use super::catalogue::Catalogue;
use super::evidence::Evidence;
use super::facts::{Facts, ForeignKey, Relation, RelationKind};
use super::parsed::parsed;
use super::settings::{Setting, setting};
use super::understood::Understood;
use crate::engine::statement::tokens;
use crate::engine::{Flavour, UserStatement};
use crate::footprint::{Access, Rule, Thing};

/// Tables `p`, its child `c`, `t`, and a sequence `s` of `t`.
fn catalogue(flavour: Flavour) -> Catalogue {
    let relation = |name: &str, kind| Relation::new("here".to_owned(), name.to_owned(), kind);
    let facts = Facts {
        relations: vec![
            relation("p", RelationKind::Table),
            relation("c", RelationKind::Table),
            relation("t", RelationKind::Table),
            relation("s", RelationKind::Sequence),
        ],
        sequences: vec![(2, 3)],
        keys: vec![ForeignKey {
            child: 1,
            parent: 0,
            column: Some("id".to_owned()),
            cascades: false,
        }],
        schemas: vec!["here".to_owned()],
        ..Facts::default()
    };
    Catalogue::of(facts, flavour)
}

fn understood(sql: &str, flavour: Flavour) -> Understood {
    Understood::of(&UserStatement::new(sql, flavour), &catalogue(flavour))
}

/// What is read, and what is written: `r t, w u`.
fn words(understood: &Understood) -> String {
    let things = ["p", "c", "t", "s"].into_iter().filter_map(|name| {
        let touches = understood.touches.touches();
        let of_it = touches.filter(|it| it.thing == Thing::Table(name.to_owned()));
        let access = of_it.map(|it| it.access).max()?;
        let letter = if access == Access::Reads { "r" } else { "w" };
        Some(format!("{letter} {name}"))
    });
    let mut words: Vec<_> = things.collect();
    let mut touches = understood.touches.touches();
    if touches.any(|it| it.thing == Thing::Everything) {
        words.push("everything".to_owned());
    }
    words.join(", ")
}

use Flavour::{MariaDb, MySql, Postgres};

#[rustfmt::skip]
const TOUCHED: &[(&str, Flavour, &str)] = &[
    ("SELECT * FROM t, p WHERE t.id = p.id", MySql, "r p, r t"),
    ("SELECT * FROM (SELECT id FROM t) x (a)", Postgres, "r t"),
    ("SELECT * FROM t UNION ALL (SELECT * FROM c)", MySql, "r c, r t"),
    ("WITH RECURSIVE x (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT * FROM x", Postgres,
     ""),
    ("WITH t AS (SELECT id FROM p) SELECT * FROM t", Postgres, "r p, r t"),
    ("SELECT generate_series FROM generate_series(1, 3)", Postgres, ""),
    ("SELECT * FROM unknown_function(1)", Postgres, "everything"),
    ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM p)", MySql, "r p, r t"),
    ("SELECT id::NUMERIC(10, 2), CAST(id AS DECIMAL(3, 1)) FROM t", Postgres, "r t"),
    ("SELECT id FROM t FOR NO KEY UPDATE", Postgres, "w t"),
    ("SELECT id FROM t FOR KEY SHARE OF t", Postgres, "w t"),
    ("SELECT id FROM t FOR UPDATE OF t, t NOWAIT", MySql, "w t"),
    ("SELECT id FROM t FOR UPDATE SKIP LOCKED", MySql, "w t"),
    ("SELECT id FROM t FOR UPDATE SKIP LOCKED", Postgres, "w t, everything"),
    ("UPDATE t SET a = 1 WHERE id = (SELECT id FROM t FOR UPDATE SKIP LOCKED)", Postgres,
     "w t, everything"),
    ("SELECT id FROM t LOCK IN SHARE MODE", MySql, "w t"),
    ("SELECT GET_LOCK('a', 1)", MySql, "everything"),
    ("SELECT pg_advisory_lock(1)", Postgres, "everything"),
    ("SELECT SLEEP(1)", MySql, "everything"),
    ("SELECT NOW(), UUID(), RAND(), LAST_INSERT_ID(), @x", MySql, ""),
    ("SELECT id INTO @x FROM t", MySql, "w t"),
    ("TABLE t", Postgres, "everything"),
    ("INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", Postgres, "w t, w s"),
    ("INSERT INTO t SET id = 1", MySql, "w t, w s"),
    ("INSERT IGNORE INTO c (id) VALUES (1), (2)", MySql, "w p, w c"),
    ("INSERT INTO c AS x (id) VALUES (1) RETURNING x.id", Postgres, "w p, w c"),
    ("INSERT INTO p (id, a) VALUES (1, 2)", MySql, "w p"),
    ("INSERT INTO p VALUES (1, 2) ON DUPLICATE KEY UPDATE a = VALUES(a)", MySql, "w p"),
    ("INSERT INTO p VALUES (1, 2) AS n ON DUPLICATE KEY UPDATE a = n.a", MySql, "w p"),
    ("INSERT INTO p VALUES (1, 2) ON DUPLICATE KEY UPDATE id = 3", MySql, "w p, w c"),
    ("REPLACE INTO p VALUES (1, 2)", MySql, "w p, w c"),
    ("UPDATE p SET a = 1", MySql, "w p"),
    ("UPDATE p x SET x.id = 1", MySql, "w p, w c"),
    ("UPDATE p SET (a, id) = (1, 2)", Postgres, "w p, w c"),
    ("UPDATE p JOIN t ON t.id = p.id SET p.a = t.a", MySql, "w p, w t"),
    ("UPDATE p SET a = t.a FROM t WHERE t.id = p.id", Postgres, "w p, w t"),
    ("DELETE x FROM p x JOIN t ON t.id = x.id", MySql, "w p, w c, w t, w s, everything"),
    ("DELETE FROM p USING t WHERE t.id = p.id", Postgres, "w p, w c, w t"),
    ("DELETE FROM t ORDER BY id LIMIT 1", MySql, "w t, w s"),
    ("WITH d AS (DELETE FROM c RETURNING id) INSERT INTO t SELECT id FROM d", Postgres,
     "w p, w c, w t, w s"),
    ("MERGE INTO t USING p ON t.id = p.id WHEN MATCHED THEN UPDATE SET a = 1", Postgres,
     "w p, w t, w s"),
    ("SELECT NEXTVAL(s)", MariaDb, "w s"),
    ("SELECT PREVIOUS VALUE FOR s", MariaDb, "r s"),
    ("SELECT nextval('\"s\"')", Postgres, "w s"),
    ("SELECT setval('here.s', 1)", Postgres, "w s"),
    ("LOCK TABLE t, c IN SHARE MODE", Postgres, "w c, w t"),
    ("LOCK TABLE t NOWAIT", Postgres, "everything"),
    ("LOCK TABLES t WRITE", MySql, "everything"),
    ("NOTIFY x", Postgres, "everything"),
    ("LISTEN x", Postgres, "everything"),
    ("SET CONSTRAINTS ALL IMMEDIATE", Postgres, "everything"),
    ("SET @a = (SELECT MAX(id) FROM t)", MySql, "everything"),
    ("EXPLAIN ANALYZE DELETE FROM t", Postgres, "everything"),
    ("EXECUTE x", Postgres, "everything"),
    ("SELECT 1; DELETE FROM t", Postgres, "everything"),
    ("/*!50000 DELETE FROM p */", MySql, "w p, w c"),
    ("SELECT id FROM there.t", MySql, "everything"),
    ("SELECT p FROM t", MySql, "w p, w c, r t"),
    ("SELECT 'p' FROM t -- p", Postgres, "r t"),
];

#[test]
fn the_tables_of_a_statement_are_found() {
    let wrong = TOUCHED.iter().filter_map(|(sql, flavour, touched)| {
        let found = words(&understood(sql, *flavour));
        (found != *touched).then(|| format!("{sql} on {flavour}: {found}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_further_table_of_a_change_counts_as_written() {
    let copied = understood("INSERT INTO t SELECT id FROM p", MySql).touches;
    let reads = |name: &str| {
        let left = copied.without(Rule::WritingStatement);
        let touches: Vec<_> = left.touches().cloned().collect();
        touches
            .iter()
            .filter(|it| it.thing == Thing::Table(name.to_owned()))
            .all(|it| it.access == Access::Reads)
    };
    assert!(reads("p"));
    assert!(!reads("t"));
}

#[test]
fn a_setting_that_changes_what_is_read_is_noticed() {
    for (sql, flavour, expected) in [
        ("SET @a = 1, @b = 2", MySql, Setting::OfTheClient),
        ("SET NAMES utf8mb4", MySql, Setting::OfTheClient),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            MySql,
            Setting::OfTheClient,
        ),
        (
            "SET @@session.foreign_key_checks = 0",
            MySql,
            Setting::OfTheClient,
        ),
        ("SET foreign_key_checks = 0", MySql, Setting::OfTheClient),
        ("SET sql_mode = 'ANSI_QUOTES'", MySql, Setting::Decisive),
        ("SET @a = 1, sql_mode = ''", MySql, Setting::Decisive),
        ("SET @@sql_mode = ''", MySql, Setting::Decisive),
        ("USE other", MySql, Setting::Decisive),
        (
            "SET LOCAL lock_timeout = '1s'",
            Postgres,
            Setting::OfTheClient,
        ),
        ("SET TRANSACTION SNAPSHOT 'a'", Postgres, Setting::Decisive),
        ("SET search_path TO a, b", Postgres, Setting::Decisive),
        ("RESET ALL", Postgres, Setting::Decisive),
        ("DISCARD ALL", Postgres, Setting::Decisive),
        ("SHOW search_path", Postgres, Setting::OfTheClient),
    ] {
        let statement = UserStatement::new(sql, flavour);
        let words = tokens(sql, flavour);
        let found = setting(&words, &statement.keyword(flavour));
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn only_some_answers_show_that_a_row_was_read() {
    for (sql, expected) in [
        ("SELECT id FROM t WHERE id = 1", Evidence::AnyRow),
        ("SELECT t.* FROM t JOIN p ON p.id = t.id", Evidence::AnyRow),
        ("SELECT COUNT(*) FROM t WHERE id = 1", Evidence::AnyValue),
        ("SELECT MAX(id) AS n FROM t", Evidence::AnyAnswer),
        ("SELECT 1 FROM t WHERE id = 1", Evidence::Nothing),
        ("SELECT 7, COUNT(*) FROM t WHERE id = 1", Evidence::Nothing),
        ("SELECT id FROM t UNION SELECT 1", Evidence::Nothing),
        ("SELECT id FROM (SELECT 1 AS id) x", Evidence::Nothing),
        ("SELECT id FROM t LIMIT 0", Evidence::AnyRow),
        ("SELECT COUNT(*) FROM t LIMIT 0", Evidence::AnyValue),
    ] {
        assert_eq!(parsed(sql, MySql).unwrap().evidence, expected, "{sql}");
    }
}

/// What the parser and its tree need of the stack grows with each level of an expression.
#[test]
fn a_long_expression_does_not_end_the_program() {
    let long = |terms: usize| format!("SELECT id FROM t WHERE id = 0{}", " + 1".repeat(terms));
    for terms in [10, 100, 900, 5000] {
        let sql = long(terms);
        let parse = move || parsed(&sql, MySql).is_some();
        // As small as a thread of a server may be.
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(parse);
        assert_eq!(thread.unwrap().join().unwrap(), terms < 1000, "{terms}");
    }
}
