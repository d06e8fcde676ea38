//! Tables that are written down as SQL are made again by it, as they were.

use racy::engine::{Database, Excerpt, Settings};

use crate::support::TestEngine;
use crate::support::lab::{Fresh, run_at};

on_engines!(
    servers:
        tables_are_made_again_with_their_rows,
        what_is_not_made_again_is_told;
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
    let all = excerpt.before.iter().chain(made).chain(finish);
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
