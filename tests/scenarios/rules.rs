//! Each rule of the reduction is needed: without it, a reduced search of a script misses an end.

use racy::engine::{Isolation, Settings};
use racy::explore::{self, Ablation, Reduction};
use racy::footprint::Rule;

use super::ends::{Ground, without};
use super::scripts::{COMMITTED, MYSQL, POSTGRES, REPEATABLE, SERIALIZABLE, Script, THREE, script};
use crate::support::TestEngine;
use Shown::{By, Never};

on_engines!(
    mysql: each_rule_has_a_script_that_fails_without_it;
    postgres: each_rule_has_a_script_that_fails_without_it;
);

/// How it is shown that a rule is needed.
enum Shown {
    /// By this script.
    By(Script),
    /// By none, for this reason.
    Never(&'static str),
}

/// Lists the scripts. A rule that is not in it does not compile.
macro_rules! shown {
    ($($rule:ident: $shown:expr,)+) => {
        const SHOWN: &[(Rule, Shown)] = &[$((Rule::$rule, $shown)),+];
        const _: fn(Rule) = |rule| match rule {
            $(Rule::$rule => (),)+
        };
    };
}

const ONE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
INSERT INTO t VALUES (1, 0);";

const FAMILY: &str = "CREATE TABLE par (id INTEGER PRIMARY KEY);
CREATE TABLE chi (id INTEGER PRIMARY KEY, r INTEGER,
    FOREIGN KEY (r) REFERENCES par (id) ON DELETE CASCADE);
INSERT INTO par VALUES (1), (2);
INSERT INTO chi VALUES (1, 1);";

/// A script of these clients.
const fn by(
    engine: TestEngine,
    level: Isolation,
    setup: &'static str,
    clients: &'static [&'static str],
) -> Shown {
    By(script(engine, level, setup, clients))
}

shown! {
    Named: by(POSTGRES, COMMITTED, ONE, &[
        "SELECT v FROM t; \\gset",
        "UPDATE t SET v = 1;",
    ]),
    LockingRead: by(MYSQL, COMMITTED, ONE, &[
        "BEGIN; SELECT v FROM t FOR UPDATE; \\gset\nCOMMIT;",
        "BEGIN; SELECT v FROM t FOR UPDATE SKIP LOCKED; \\gset\nCOMMIT;",
    ]),
    WritingStatement: Never(
        "it locks in share mode what it reads, if at all: only a statement that writes or locks can \
         notice it, and such a statement meets the read by itself. With a clause that locks, \
         LockingRead holds",
    ),
    SerializableRead: Never(
        "the lock is shared: only a statement that writes or locks can notice it, and such a \
         statement meets the read by itself",
    ),
    // Where the first client's read comes last, the second one fails at its commit. Otherwise it
    // fails at its own read, which touches another table.
    SerializableConflict: by(POSTGRES, SERIALIZABLE,
        "CREATE TABLE t (v INTEGER);
        CREATE TABLE u (v INTEGER);
        CREATE TABLE w (v INTEGER);
        CREATE SEQUENCE num;
        INSERT INTO t VALUES (0);
        INSERT INTO u VALUES (0);
        INSERT INTO w VALUES (0);", &[
        "BEGIN; SELECT t.v + w.v AS v FROM t, w; \\gset\nCOMMIT;",
        "BEGIN; UPDATE t SET v = 1; SELECT v, nextval('num') AS n FROM u; \\gset\nCOMMIT;",
        "WITH also AS (UPDATE w SET v = 1) UPDATE u SET v = nextval('num');",
    ]),
    // Only if the last client commits before the second one, the first one has to fail.
    SerializableEnd: by(POSTGRES, SERIALIZABLE, THREE, &[
        "BEGIN; UPDATE t SET v = 1; SELECT v FROM u; \\gset\nCOMMIT;",
        "INSERT INTO w SELECT id + 1, v FROM t;",
        "UPDATE u SET v = 1;",
    ]),
    Snapshot: by(MYSQL, REPEATABLE, THREE, &[
        "BEGIN; SELECT v FROM t; \\gset a_\nSELECT v FROM u; \\gset\nCOMMIT;",
        "UPDATE u SET v = 1;",
    ]),
    Publication: by(MYSQL, REPEATABLE, THREE, &[
        "BEGIN; SELECT v FROM t; \\gset a_\nSELECT v FROM u; \\gset\nCOMMIT;",
        "UPDATE u SET v = 1;",
    ]),
    TransactionEnd: by(MYSQL, COMMITTED, ONE, &[
        "BEGIN; UPDATE t SET v = 1; COMMIT;",
        "SELECT v FROM t FOR UPDATE SKIP LOCKED; \\gset",
    ]),
    Parent: by(MYSQL, COMMITTED, FAMILY, &[
        "BEGIN; INSERT INTO chi VALUES (2, 1); COMMIT;",
        "BEGIN; SELECT id FROM par WHERE id = 1 FOR UPDATE SKIP LOCKED; \\gset\nCOMMIT;",
    ]),
    Child: by(MYSQL, COMMITTED, FAMILY, &[
        "SELECT COUNT(*) AS n FROM chi; \\gset",
        "DELETE FROM par WHERE id = 1;",
    ]),
    View: by(POSTGRES, COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        CREATE VIEW seen AS SELECT v FROM t;", &[
        "SELECT v FROM seen; \\gset",
        "UPDATE t SET v = 1;",
    ]),
    Partition: by(POSTGRES, COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (9);
        INSERT INTO t VALUES (1, 0);", &[
        "SELECT v FROM low; \\gset",
        "UPDATE t SET v = 1;",
    ]),
    Sequence: by(POSTGRES, COMMITTED,
        "CREATE SEQUENCE num;
        CREATE TABLE t (id INTEGER DEFAULT nextval('num'), v INTEGER);
        CREATE TABLE u (id INTEGER DEFAULT nextval('num'), v INTEGER);", &[
        "INSERT INTO t (v) VALUES (0);",
        "INSERT INTO u (v) VALUES (0);",
    ]),
    Trigger: by(MYSQL, COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        INSERT INTO u VALUES (1, 0);
        CREATE TRIGGER follow AFTER UPDATE ON t FOR EACH ROW UPDATE u SET v = 1;", &[
        "SELECT v FROM u; \\gset",
        "UPDATE t SET v = 1;",
    ]),
    TableFunction: by(POSTGRES, COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        CREATE FUNCTION latest() RETURNS INTEGER LANGUAGE sql AS 'SELECT MAX(v) FROM t';
        CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER DEFAULT latest());", &[
        "INSERT INTO u (id) VALUES (1);",
        "UPDATE t SET v = 1;",
    ]),
    UnknownFunction: by(POSTGRES, COMMITTED,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 0);
        CREATE FUNCTION latest() RETURNS INTEGER LANGUAGE sql AS 'SELECT MAX(v) FROM t';", &[
        "SELECT latest() AS v; \\gset",
        "UPDATE t SET v = 1;",
    ]),
    Schema: by(MYSQL, COMMITTED, ONE, &[
        "SELECT COUNT(*) AS n FROM t; \\gset",
        "TRUNCATE TABLE t;",
    ]),
    Autocommit: by(MYSQL, COMMITTED, ONE, &[
        "SET autocommit = 0; UPDATE t SET v = 1; SET autocommit = 1;",
        "SELECT v FROM t FOR UPDATE SKIP LOCKED; \\gset",
    ]),
    WatchedCommit: By(Script {
        engine: POSTGRES,
        level: COMMITTED,
        setup: THREE,
        clients: &[
            "UPDATE t SET v = 1; UPDATE t SET v = 0;",
            "UPDATE u SET v = 1; UPDATE u SET v = 0;",
        ],
        watched: Some("SELECT (SELECT v FROM t) + (SELECT v FROM u) < 2"),
    }),
    Notification: Never("a script cannot wait for a notification, and none is in any table"),
    // PostgreSQL knows this statement, and the parser does not.
    NotUnderstood: by(POSTGRES, COMMITTED, ONE, &[
        "TABLE t; \\gset",
        "UPDATE t SET v = 1;",
    ]),
}

/// While one of them waits, "lock t" and "lock u" are not independent: the one that comes last
/// closes the circle, and is refused.
const WAITS: Script = Script {
    engine: POSTGRES,
    level: COMMITTED,
    setup: THREE,
    clients: &[
        "BEGIN; UPDATE t SET v = 1; UPDATE u SET v = 1; COMMIT;",
        "BEGIN; UPDATE u SET v = 2; UPDATE t SET v = 2; COMMIT;",
    ],
    watched: None,
};

async fn each_rule_has_a_script_that_fails_without_it(engine: TestEngine) {
    let by_rules = SHOWN.iter().filter_map(|(rule, shown)| match shown {
        By(script) => Some((Ablation::Rule(*rule), script)),
        Never(reason) => {
            assert!(!reason.is_empty());
            None
        }
    });
    let all = by_rules.chain([(Ablation::Waits, &WAITS)]);
    let settings = Settings {
        connections: 40,
        ..Settings::default()
    };
    let lab = engine.lab_with(explore::settings(&settings)).await;
    let mut wrong = Vec::new();
    for clients in [2, 3] {
        let ground = Ground::on(&lab.database, clients).await;
        let of_them = all.clone().filter(|(_, it)| it.engine == engine);
        for (ablation, script) in of_them.filter(|(_, it)| it.clients.len() == clients) {
            let text = script.text();
            let with = ground.compare(&text, Reduction::default()).await;
            if !with.is_same() {
                wrong.push(format!("{ablation:?} is there: {with:?}"));
            }
            let compared = ground.compare(&text, without(ablation)).await;
            if !compared.has_missed() {
                wrong.push(format!("{ablation:?} is left out: {compared:?}"));
            }
        }
        ground.close().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
