//! Scripts of which a reduced search has once missed an end. Each is compared with a search of all
//! schedules.

use racy::engine::Settings;
use racy::explore::{self, Reduction};

use super::ends::{Comparison, Ground};
use super::scripts::{COMMITTED, MARIADB, MYSQL, POSTGRES, REPEATABLE, Script, THREE, script};
use crate::support::TestEngine;

on_engines!(
    servers: no_end_is_missed;
);

const SCRIPTS: &[Script] = &[
    // PREPARE takes the snapshot.
    script(
        POSTGRES,
        REPEATABLE,
        THREE,
        &[
            "BEGIN; PREPARE p AS SELECT 1; SELECT v FROM t; \\gset\nCOMMIT;",
            "UPDATE t SET v = 1;",
        ],
    ),
    // TRUNCATE ends the transaction, and the next read takes another snapshot.
    script(
        MYSQL,
        REPEATABLE,
        THREE,
        &[
            "SET autocommit = 0; SELECT v AS a FROM t; \\gset\nTRUNCATE TABLE w; \
         SELECT v AS c FROM u; \\gset\nSELECT v AS b FROM t; \\gset",
            "SELECT COUNT(*) AS n FROM w; \\gset\nUPDATE t SET v = 1;",
        ],
    ),
    // The refusal of a deadlock ends the transaction.
    script(
        MYSQL,
        REPEATABLE,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        CREATE TABLE x (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        CREATE TABLE y (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        INSERT INTO u VALUES (1, 0);
        INSERT INTO x VALUES (1, 0);
        INSERT INTO y VALUES (1, 0);",
        &[
            "SET autocommit = 0; SELECT v AS a FROM t; \\gset\nUPDATE x SET v = 1; \
         UPDATE y SET v = 1; \\if :ERROR\n\\set f :FAULT\n\\endif\nSELECT v AS c FROM u; \\gset\n\
         SELECT v AS b FROM t; \\gset\nCOMMIT;",
            "BEGIN; UPDATE y SET v = 2; UPDATE x SET v = 2; COMMIT; UPDATE t SET v = 9;",
        ],
    ),
    // A function may set the level of the transactions to come.
    script(
        POSTGRES,
        COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        INSERT INTO u VALUES (1, 0);
        CREATE FUNCTION careful() RETURNS INTEGER LANGUAGE plpgsql AS $$ BEGIN
            SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ;
            RETURN 1;
        END $$;",
        &[
            "SELECT careful(); SELECT v AS a FROM u; \\gset\nBEGIN; SELECT v AS c FROM t; \\gset\n\
         SELECT v AS b FROM u; \\gset\nCOMMIT;",
            "UPDATE u SET v = 1;",
        ],
    ),
    script(
        POSTGRES,
        COMMITTED,
        THREE,
        &[
            "UPDATE pg_settings SET setting = 'repeatable read' \
         WHERE name = 'default_transaction_isolation'; SELECT v AS a FROM u; \\gset\n\
         BEGIN; SELECT v AS c FROM t; \\gset\nSELECT v AS b FROM u; \\gset\nCOMMIT;",
            "UPDATE u SET v = 1;",
        ],
    ),
    // A second BEGIN warns, and sets the level.
    script(
        POSTGRES,
        COMMITTED,
        THREE,
        &[
            "BEGIN; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v AS a FROM t; \\gset\n\
         SELECT v AS b FROM u; \\gset\nCOMMIT;",
            "UPDATE u SET v = 1;",
        ],
    ),
    // It makes a table.
    script(
        POSTGRES,
        COMMITTED,
        THREE,
        &[
            "WITH x AS (INSERT INTO t VALUES (2, 0) RETURNING id) SELECT id INTO made FROM x;",
            "WITH x AS (INSERT INTO u VALUES (2, 0) RETURNING id) SELECT id INTO made FROM x;",
        ],
    ),
    // The column holds the name of the sequence.
    script(
        POSTGRES,
        COMMITTED,
        "CREATE SEQUENCE num;
        CREATE SEQUENCE other;
        CREATE TABLE conf (num TEXT);
        INSERT INTO conf VALUES ('other');",
        &[
            "SELECT nextval(num::regclass) AS n FROM conf; \\gset",
            "SELECT nextval('other') AS n; \\gset",
        ],
    ),
    // A domain checks its values with a function.
    script(
        POSTGRES,
        COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        CREATE FUNCTION low(n INTEGER) RETURNS BOOLEAN LANGUAGE sql AS 'SELECT v < 1 FROM t';
        CREATE DOMAIN dom AS INTEGER CHECK (low(VALUE));",
        &[
            "BEGIN; SELECT CAST(1 AS dom) AS n; \\gset\nCOMMIT;",
            "UPDATE t SET v = 1;",
        ],
    ),
    // PostgreSQL does not fold this letter.
    script(
        POSTGRES,
        COMMITTED,
        "CREATE TABLE \"Ä\" (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        CREATE TABLE \"ä\" (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO \"Ä\" VALUES (1, 1);",
        &["UPDATE Ä SET v = v + 1;", "UPDATE \"Ä\" SET v = v * 2;"],
    ),
    // The lock outlives the statement, and nothing that touches a table follows.
    script(
        MYSQL,
        COMMITTED,
        THREE,
        &[
            "DO GET_LOCK('a', 1); START TRANSACTION; SAVEPOINT s; COMMIT;",
            "SELECT GET_LOCK('a', 0) AS got; \\gset",
        ],
    ),
    // It runs another statement.
    script(
        MARIADB,
        COMMITTED,
        THREE,
        &[
            "SELECT v AS a FROM u; \\gset\nSET STATEMENT max_statement_time = 10 FOR UPDATE t SET v = 5;",
            "UPDATE t SET v = v + 1;",
        ],
    ),
    // MariaDB carries this comment out.
    script(
        MARIADB,
        COMMITTED,
        "CREATE TABLE par (id INTEGER PRIMARY KEY, a INTEGER NOT NULL);
        CREATE TABLE chi (id INTEGER PRIMARY KEY, r INTEGER,
            FOREIGN KEY (r) REFERENCES par (id) ON UPDATE CASCADE);
        INSERT INTO par VALUES (1, 0);
        INSERT INTO chi VALUES (1, 1);",
        &[
            "UPDATE par SET a = 1 /*M! , id = 2 */ WHERE id = 1;",
            "SELECT r FROM chi WHERE id = 1; \\gset",
        ],
    ),
    // BEGIN commits what is open. If that is nothing, no invariant is asked.
    Script {
        watched: Some("SELECT v = 1 FROM t"),
        ..script(
            MYSQL,
            COMMITTED,
            THREE,
            &[
                "BEGIN; UPDATE t SET v = 1; COMMIT;",
                "BEGIN; UPDATE u SET v = 1; COMMIT; UPDATE u SET v = 2;",
            ],
        )
    },
];

async fn no_end_is_missed(engine: TestEngine) {
    let settings = Settings {
        connections: 40,
        ..Settings::default()
    };
    let lab = engine.lab_with(explore::settings(&settings)).await;
    let ground = Ground::on(&lab.database, 2).await;
    let mut wrong = Vec::new();
    for script in SCRIPTS.iter().filter(|it| it.engine == engine) {
        let text = script.text();
        let compared = ground.compare(&text, Reduction::default()).await;
        let has_ends = matches!(compared, Comparison::Same { ends, .. } if ends > 1);
        if !has_ends {
            wrong.push(format!("{text}\n{compared:#?}"));
        }
    }
    ground.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
