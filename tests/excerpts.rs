//! Tables that are written down as SQL are made again by it, as they were.

use racy::engine::{Database, Excerpt, Settings};

use crate::support::TestEngine;
use crate::support::lab::{Fresh, run_at};

on_engines!(
    servers:
        tables_are_made_again_with_their_rows,
        what_is_not_made_again_is_told,
        routines_are_named;
    postgres:
        what_tables_of_postgres_need_is_made_with_them,
        what_tables_of_postgres_need_and_cannot_have_is_told;
);

/// No more rows of a table are written down.
const MOST_ROWS: usize = 3;

const INNODB: &str = "
CREATE TABLE child (
  id INT AUTO_INCREMENT PRIMARY KEY,
  parent INT NOT NULL,
  doubled INT GENERATED ALWAYS AS (parent * 2) STORED,
  FOREIGN KEY (parent) REFERENCES parent (a)
);
CREATE TABLE parent (
  a INT PRIMARY KEY, t TEXT, d DECIMAL(10, 2), f FLOAT, b BLOB, j JSON, e ENUM('x', 'it''s'),
  s DATETIME(6), n BIT(4), UNIQUE KEY by_e (e), KEY by_d (d DESC)
);
INSERT INTO parent VALUES
  (0, 'it''s \\\\ ', -1.50, 0.1, X'00ff', '{\"a\": 1}', 'x', '2026-01-02 03:04:05.6', b'101'),
  (7, NULL, NULL, NULL, NULL, NULL, 'it''s', NULL, NULL);
INSERT INTO child (parent) VALUES (7), (0), (7);
DELETE FROM child WHERE id = 3;
";

const POSTGRES: &str = "
CREATE TYPE mood AS ENUM ('x', 'it''s');
CREATE TABLE parent (
  a INT PRIMARY KEY, t TEXT, d NUMERIC(10, 2) CHECK (d < 5), f REAL, b BYTEA, j JSONB,
  e mood DEFAULT 'x', s TIMESTAMPTZ, l INT[], UNIQUE (e)
);
CREATE INDEX by_d ON parent (d DESC) WHERE t IS NOT NULL;
CREATE TABLE child (
  id SERIAL PRIMARY KEY,
  number INT GENERATED ALWAYS AS IDENTITY,
  parent INT NOT NULL REFERENCES parent (a),
  doubled INT GENERATED ALWAYS AS (parent * 2) STORED
);
CREATE TABLE \"a child\" (parent INT REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent VALUES
  (0, 'it''s \\ ', -1.50, 0.1, '\\x00ff', '{\"a\": 1}', 'x', '2026-01-02 03:04:05.6+00', '{1,2}'),
  (7, NULL, NULL, NULL, NULL, NULL, 'it''s', NULL, NULL);
INSERT INTO child (parent) VALUES (7), (0), (7);
DELETE FROM child WHERE id = 3;
";

async fn open(fresh: &Fresh) -> Database {
    let settings = Settings {
        connections: 2,
        ..Settings::default()
    };
    Database::connect(&fresh.address, &settings).await.unwrap()
}

/// The statements that make all tables.
fn statements(excerpt: &Excerpt, engine: TestEngine) -> String {
    let tables = &excerpt.tables;
    let made = tables.iter().flat_map(|it| it.make.iter().chain(&it.fill));
    let finish = tables.iter().flat_map(|it| &it.finish);
    let begin = match engine {
        TestEngine::MySql | TestEngine::MariaDb => {
            "SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n"
        }
        TestEngine::Postgres | TestEngine::Sqlite => "",
    };
    let before = Excerpt::before(&tables.iter().collect::<Vec<_>>());
    let rest = made.chain(finish).map(String::as_str);
    let all = before.into_iter().chain(rest);
    all.fold(begin.to_owned(), |text, it| text + it + ";\n")
}

async fn tables_are_made_again_with_their_rows(engine: TestEngine) {
    let (original, copy) = (engine.fresh().await, engine.fresh().await);
    let tables = match engine {
        TestEngine::Postgres => POSTGRES.to_owned(),
        _ => format!("SET foreign_key_checks = 0; {INNODB}"),
    };
    run_at(&original.address, &tables).await;
    let original = open(&original).await;
    let excerpt = original.excerpt(MOST_ROWS).await.unwrap();
    let parents: Vec<_> = excerpt.tables.iter().map(|it| it.parents.clone()).collect();
    let children = parents.len() - 1;
    assert!(
        parents[..children].iter().all(|it| *it == ["parent"]),
        "{parents:?}"
    );
    run_at(&copy.address, &statements(&excerpt, engine)).await;
    let copy = open(&copy).await;
    assert_eq!(copy.excerpt(MOST_ROWS).await.unwrap(), excerpt);
    let layout = original.layout().await.unwrap();
    assert_eq!(copy.layout().await.unwrap().tables, layout.tables);
    let rows = copy.contents(&layout).await.unwrap();
    assert_eq!(rows, original.contents(&layout).await.unwrap());
    assert!(rows.tables.iter().any(|it| it.rows.len() == 2));
}

async fn what_is_not_made_again_is_told(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let trigger = match engine {
        TestEngine::Postgres => {
            "CREATE FUNCTION f() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER late BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"
        }
        _ => "CREATE TRIGGER late BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = 1",
    };
    let tables = format!(
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3), (4); \
         CREATE VIEW v AS SELECT a FROM t; {trigger}"
    );
    run_at(&fresh.address, &tables).await;
    let excerpt = open(&fresh).await.excerpt(MOST_ROWS).await.unwrap();
    let [table, view] = excerpt.tables.as_slice() else {
        panic!("{excerpt:?}");
    };
    assert_eq!((table.rows, table.has_more_rows), (MOST_ROWS, true));
    assert_eq!(table.left_out, ["t has a trigger, late"]);
    assert_eq!(view.left_out, ["v is a view"]);
    assert!(view.make.is_empty());
}

async fn routines_are_named(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let routines = match engine {
        TestEngine::Postgres => {
            "CREATE FUNCTION pay() RETURNS INT LANGUAGE sql AS 'SELECT 1'; \
             CREATE FUNCTION of_a_trigger() RETURNS TRIGGER LANGUAGE plpgsql \
               AS 'BEGIN RETURN NEW; END'"
        }
        _ => "CREATE PROCEDURE pay() SELECT 1",
    };
    run_at(&fresh.address, routines).await;
    let excerpt = open(&fresh).await.excerpt(MOST_ROWS).await.unwrap();
    assert_eq!(excerpt.routines, ["pay"]);
}

const NEEDS: &str = "
CREATE EXTENSION citext;
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('x', 'it''s');
CREATE DOMAIN cents AS INT DEFAULT 0 CHECK (VALUE >= -5);
CREATE DOMAIN tag AS TEXT COLLATE \"C\" NOT NULL;
CREATE TYPE place AS (street tag, cost cents);
CREATE TYPE span AS RANGE (SUBTYPE = date);
CREATE SEQUENCE shop.numbers INCREMENT 3;
CREATE TABLE \"Odd \"\"Name\" (
  id INT GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME keys START 10 INCREMENT 5 CACHE 2 CYCLE)
    PRIMARY KEY,
  down SMALLINT GENERATED ALWAYS AS IDENTITY (INCREMENT -1 MINVALUE -9 MAXVALUE -2 START -3),
  mail citext UNIQUE, c TEXT COLLATE \"C\" NOT NULL, b BIT(3), bs BIT(3)[], v VARBIT(5),
  p place, s span, ch CHAR(3), i INTERVAL, r REAL, n INT DEFAULT nextval('shop.numbers'),
  ms shop.mood[]
);
CREATE INDEX by_c ON \"Odd \"\"Name\" (lower(c));
CREATE TABLE shop.orders (
  id SERIAL PRIMARY KEY, odd INT REFERENCES \"Odd \"\"Name\", mood shop.mood DEFAULT 'x'
);
CREATE INDEX by_mood ON shop.orders (mood DESC);
INSERT INTO \"Odd \"\"Name\" (mail, c, b, bs, v, p, s, ch, i, r, ms) VALUES
  ('A@b', 'c', B'101', '{101,111}', B'1101', ROW ('a \"q\"', 5), '[2026-01-01,2026-02-01)', 'ab',
   '1 day', 0.1, '{x,\"it''s\"}'),
  (NULL, 'd', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL);
INSERT INTO shop.orders (odd, mood) VALUES (15, 'it''s');
";

async fn what_tables_of_postgres_need_is_made_with_them(engine: TestEngine) {
    let (original, copy) = (engine.fresh().await, engine.fresh().await);
    run_at(&original.address, NEEDS).await;
    let excerpt = open(&original).await.excerpt(MOST_ROWS).await.unwrap();
    let [odd, orders] = excerpt.tables.as_slice() else {
        panic!("{excerpt:?}");
    };
    assert_eq!((odd.name.as_str(), odd.rows), ("Odd \"Name", 2));
    assert_eq!(odd.needs, ["\"Odd \"\"Name\" needs the extension citext"]);
    assert_eq!(orders.parents, ["Odd \"Name"]);
    for column in [
        "id integer NOT NULL GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME keys INCREMENT BY 5 \
         START WITH 10 CACHE 2 CYCLE),",
        "down smallint NOT NULL GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 MINVALUE -9 \
         MAXVALUE -2 START WITH -3),",
        "c text COLLATE \"C\" NOT NULL,",
        "bs bit(3)[],",
    ] {
        assert!(odd.make[0].contains(column), "{column}\n{}", odd.make[0]);
    }
    let filled = odd.fill.as_ref().unwrap();
    assert!(filled.contains("'101', '{101,111}', '1101', "), "{filled}");
    assert!(orders.make[0].starts_with("CREATE TABLE shop.orders ("));
    assert_eq!(excerpt.beginning, None);
    run_at(&copy.address, &statements(&excerpt, engine)).await;
    assert_eq!(open(&copy).await.excerpt(MOST_ROWS).await.unwrap(), excerpt);
}

async fn what_tables_of_postgres_need_and_cannot_have_is_told(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let tables = "CREATE FUNCTION code(INT) RETURNS INT IMMUTABLE LANGUAGE sql AS 'SELECT 1'; \
         CREATE DOMAIN coded AS INT CHECK (code(VALUE) = 1); \
         CREATE COLLATION mine FROM \"C\"; \
         CREATE TABLE a (n coded, m INT DEFAULT code(1), t TEXT COLLATE mine); \
         CREATE TABLE b (whole a); \
         CREATE TABLE c () INHERITS (a); \
         ALTER TABLE b ENABLE ROW LEVEL SECURITY; \
         CREATE RULE silent AS ON DELETE TO b DO INSTEAD NOTHING; \
         CREATE INDEX coded_index ON c (code(m))";
    run_at(&fresh.address, tables).await;
    let excerpt = open(&fresh).await.excerpt(MOST_ROWS).await.unwrap();
    let told: Vec<_> = excerpt
        .tables
        .iter()
        .map(|it| (it.missing.join(", "), it.left_out.join(", ")))
        .collect();
    let expected = [
        (
            "a calls the function code(integer), a uses the collation mine",
            "a is inherited by c",
        ),
        (
            "b has a column of the type a, b calls the function code(integer)",
            "b has a rule, silent, b has row-level security",
        ),
        (
            "c calls the function code(integer), c uses the collation mine",
            "c inherits from a",
        ),
    ];
    let expected = expected.map(|(missing, left_out)| (missing.to_owned(), left_out.to_owned()));
    assert_eq!(told, expected);
}
