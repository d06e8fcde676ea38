//! The explorer where it sees too little, or has too few connections or rights: it says so, and
//! what it says of schedules stays true.

use std::process::Output;
use std::sync::OnceLock;

use racy::engine::LaneKind;
use racy::engine::Settings;
use racy::engine::local::LocalServer;
use racy::exhibits::deposits::Strategy;
use racy::explore::report::FindingData;
use racy::explore::{self, Plan, RunError, Stop};
use tokio::sync::{Mutex, MutexGuard};

use crate::commands::{output, text};
use crate::support::explored::{ALL, subject};
use crate::support::lab::{Fresh, left_by_explorers, run_at, start};
use crate::support::process::racy;
use crate::support::{Lab, TestEngine};

on_engines!(
    servers:
        a_user_with_few_connections_has_fewer_runs_at_once,
        too_few_connections_for_one_run_are_told;
    innodb:
        a_user_who_may_only_create_databases_leaves_none_behind,
        a_user_who_may_not_see_who_waits_is_told_which_right_is_missing;
    mysql:
        a_mysql_that_does_not_show_waits_is_not_explored_until_it_does,
        a_wait_that_is_not_seen_is_counted_as_that_and_not_as_a_refusal;
    mariadb:
        a_server_with_few_connections_has_fewer_runs_at_once;
);

/// A server whose global settings may be changed, and whose databases may be counted, by one test
/// at a time.
struct Alone {
    server: &'static LocalServer,
    fresh: Fresh,
    _turn: MutexGuard<'static, ()>,
}

impl Alone {
    async fn on(engine: TestEngine) -> Self {
        static MYSQL: OnceLock<LocalServer> = OnceLock::new();
        static MARIADB: OnceLock<LocalServer> = OnceLock::new();
        static TURNS: [Mutex<()>; 2] = [Mutex::const_new(()), Mutex::const_new(())];
        let (server, turns) = match engine {
            TestEngine::MySql => (&MYSQL, &TURNS[0]),
            TestEngine::MariaDb => (&MARIADB, &TURNS[1]),
            TestEngine::Postgres | TestEngine::Sqlite => panic!("InnoDB alone"),
        };
        let turn = turns.lock().await;
        let server = server.get_or_init(|| start(engine.binary()));
        Self {
            server,
            fresh: Fresh::on(server).await,
            _turn: turn,
        }
    }

    async fn run(&self, sql: &str) {
        run_at(&self.fresh.address, sql).await;
    }

    fn url_of(&self, user: &str) -> String {
        url_of(user, self.server, &self.fresh)
    }
}

fn url_of(user: &str, server: &LocalServer, fresh: &Fresh) -> String {
    let url = server.url(&fresh.name);
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, rest) = rest.split_once('@').unwrap();
    format!("{scheme}://{user}@{rest}")
}

async fn explore(strategy: &str, url: &str) -> Output {
    output(racy(&["explore", strategy, "--database-url", url])).await
}

/// With what it said and printed.
fn assert_ended(output: &Output, status: i32, words: &[&str]) {
    let all = text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(status), "{all}");
    for words in words {
        assert!(all.contains(words), "{words:?} is not in {all}");
    }
}

/// The URL of a fresh database, for a user with all rights in it and this number of connections.
async fn user_with(connections: u32, engine: TestEngine) -> String {
    let server = engine.server().unwrap();
    let fresh = engine.fresh().await;
    let user = format!("few_{}", fresh.name);
    let make = match engine {
        TestEngine::Postgres => format!(
            "CREATE ROLE {user} LOGIN CONNECTION LIMIT {connections}; \
             GRANT CREATE ON DATABASE {} TO {user}",
            fresh.name
        ),
        _ => format!(
            "CREATE USER {user}@localhost; GRANT ALL ON *.* TO {user}@localhost; \
             ALTER USER {user}@localhost WITH MAX_USER_CONNECTIONS {connections}"
        ),
    };
    run_at(&fresh.address, &make).await;
    url_of(&user, server, &fresh)
}

async fn a_user_with_few_connections_has_fewer_runs_at_once(engine: TestEngine) {
    let url = user_with(6, engine).await;
    let limit = match engine {
        TestEngine::Postgres => "1 instead of 8 runs at once: the role's CONNECTION LIMIT allows 6",
        _ => "1 instead of 8 runs at once: max_user_connections allows 6",
    };
    let found = explore("row_locking_atomic_long_delay", &url).await;
    assert_ended(&found, 0, &[limit, "safe in all"]);
}

async fn too_few_connections_for_one_run_are_told(engine: TestEngine) {
    let url = user_with(3, engine).await;
    let found = explore("row_locking_atomic_long_delay", &url).await;
    assert_ended(
        &found,
        2,
        &["2 clients need 4 connections", "allows 3 connections"],
    );
}

async fn a_user_who_may_only_create_databases_leaves_none_behind(engine: TestEngine) {
    let alone = Alone::on(engine).await;
    let user = format!("creator_{}", alone.fresh.name);
    alone
        .run(&format!(
            "CREATE USER {user}@localhost; GRANT CREATE, PROCESS ON *.* TO {user}@localhost; \
             GRANT ALL ON {}.* TO {user}@localhost",
            alone.fresh.name
        ))
        .await;
    if engine == TestEngine::MySql {
        let look = format!("GRANT SELECT ON performance_schema.* TO {user}@localhost");
        alone.run(&look).await;
    }
    let found = explore("non_atomic_no_delay", &alone.url_of(&user)).await;
    assert_ended(&found, 2, &["none could be made", "GRANT ALL ON"]);
    assert_eq!(left_by_explorers(&alone.fresh.address).await, [""; 0]);
}

async fn a_user_who_may_not_see_who_waits_is_told_which_right_is_missing(engine: TestEngine) {
    let server = engine.server().unwrap();
    let fresh = engine.fresh().await;
    let user = format!("blind_{}", fresh.name);
    let make = format!(
        "CREATE USER {user}@localhost; GRANT ALL ON {}.* TO {user}@localhost; \
         GRANT ALL ON `racy\\_explore\\_%`.* TO {user}@localhost",
        fresh.name
    );
    run_at(&fresh.address, &make).await;
    let right = match engine {
        TestEngine::MySql => "the user needs GRANT SELECT ON performance_schema.*",
        _ => "the user needs GRANT PROCESS ON *.*",
    };
    let found = explore("advisory_lock", &url_of(&user, server, &fresh)).await;
    assert_ended(
        &found,
        2,
        &[
            "the engine does not show which connections wait for a lock",
            right,
        ],
    );
}

/// What explores where a wait of this sort is not seen, and what it is told to switch on.
const SWITCHED_OFF: [(&str, &str, &str); 2] = [
    (
        "UPDATE performance_schema.setup_instruments SET enabled = 'NO' \
         WHERE name = 'wait/lock/metadata/sql/mdl'",
        "UPDATE performance_schema.setup_instruments SET enabled = 'YES' \
         WHERE name = 'wait/lock/metadata/sql/mdl'",
        "a wait for a named lock was made and not seen",
    ),
    (
        "UPDATE performance_schema.setup_consumers SET enabled = 'NO' \
         WHERE name = 'global_instrumentation'",
        "UPDATE performance_schema.setup_consumers SET enabled = 'YES' \
         WHERE name = 'global_instrumentation'",
        "was made and not seen",
    ),
];

async fn a_mysql_that_does_not_show_waits_is_not_explored_until_it_does(engine: TestEngine) {
    let alone = Alone::on(engine).await;
    for (off, on, not_seen) in SWITCHED_OFF {
        alone.run(off).await;
        let blind = explore("advisory_lock", &alone.url_of("root")).await;
        alone.run(on).await;
        assert_ended(&blind, 2, &[not_seen, on]);
    }
    let seeing = explore("advisory_lock", &alone.url_of("root")).await;
    assert_ended(&seeing, 0, &["safe in all 66 schedules of 2 clients"]);
    assert_eq!(alone.fresh.tables_and_leftovers().await, [""; 0]);
    assert_eq!(left_by_explorers(&alone.fresh.address).await, [""; 0]);
}

/// The first wait was seen, and a later one is not.
async fn a_wait_that_is_not_seen_is_counted_as_that_and_not_as_a_refusal(engine: TestEngine) {
    let alone = Alone::on(engine).await;
    let (off, on, _) = SWITCHED_OFF[0];
    let settings = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = Lab::at(Fresh::on(alone.server).await, settings).await;
    let lanes = lab.database.lanes(2, 1, LaneKind::Rows).await.unwrap();
    alone.run(off).await;
    let plan = Plan {
        schedules: ALL,
        clients: 2,
        instances: 1,
        limit: None,
        counterexample_first: false,
    };
    let strategy = Strategy::named("advisory_lock").unwrap();
    let (finding, ended) = explore::explore(
        &lanes.lanes,
        &subject(strategy),
        &plan,
        &Stop::default(),
        &|_, _| (),
    )
    .await;
    alone.run(on).await;
    let error = ended.unwrap_err();
    assert!(matches!(error, RunError::WaitNotSeen { .. }), "{error}");
    assert_eq!(
        (finding.waits_not_seen, finding.tally.turned_away()),
        (1, 0)
    );
    assert!(!finding.is_exhaustive());
    let verdict = FindingData::of(&finding).verdict;
    let words = "of 1 run more the wait for a lock was not seen, which says nothing";
    assert!(verdict.ends_with(words), "{verdict}");
}

async fn a_server_with_few_connections_has_fewer_runs_at_once(engine: TestEngine) {
    let alone = Alone::on(engine).await;
    alone.run("SET GLOBAL max_connections = 12").await;
    let found = explore("row_locking_atomic_long_delay", &alone.url_of("root")).await;
    alone.run("SET GLOBAL max_connections = 151").await;
    let fewer = "instead of 8 runs at once: max_connections allows 12 connections";
    assert_ended(
        &found,
        0,
        &[fewer, "and 3 are left to others", "safe in all"],
    );
    assert_eq!(alone.fresh.tables_and_leftovers().await, [""; 0]);
    assert_eq!(left_by_explorers(&alone.fresh.address).await, [""; 0]);
}
