//! What a statement touches, worked out with the catalogue of a real engine.

mod postgres;
mod statements;
mod transactions;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use racy::engine::{
    Database, Isolation, SessionFacts, Settings, StatementReader, Tracker, UserStatement,
};
use racy::footprint::{Access, Footprint, Rule, Thing};
use racy::step::{Observer, Parked, Record, Step, Unobserved};

use crate::support::TestEngine;

/// A database with tables of a test's, and what reads its statements.
struct Place {
    database: Database,
    reader: Arc<StatementReader>,
}

impl Place {
    async fn with(engine: TestEngine, setup: &[&str]) -> Self {
        Self::with_settings(engine, setup, Settings::default()).await
    }

    async fn with_settings(engine: TestEngine, setup: &[&str], settings: Settings) -> Self {
        let fresh = engine.fresh().await;
        let settings = Settings {
            connections: 2,
            ..settings
        };
        let database = Database::connect(&fresh.address, &settings).await.unwrap();
        let flavour = database.engine().flavour;
        let mut session = database.session(&Unobserved).await.unwrap();
        for sql in setup {
            let statement = UserStatement::new(*sql, flavour);
            let done = session.verbatim("set-up", &statement).await;
            done.unwrap_or_else(|fault| panic!("{sql}: {fault}"));
        }
        session.close().await;
        // What the set-up has set for the database holds for new connections.
        database.close().await;
        let database = Database::connect(&fresh.address, &settings).await.unwrap();
        let reader = StatementReader::open(&database, &[]).await.unwrap();
        Self {
            reader: Arc::new(reader.unwrap()),
            database,
        }
    }

    fn client(&self) -> Tracker {
        Tracker::new(Arc::clone(&self.reader), false)
    }

    fn statement(&self, sql: &str) -> UserStatement {
        UserStatement::new(sql, self.database.engine().flavour)
    }

    /// What this statement of a new client touches in autocommit.
    fn touches(&self, sql: &str) -> Footprint {
        let now = session_facts(Isolation::ReadCommitted, false);
        self.client().before(&self.statement(sql), now)
    }

    /// What the last of these statements touches, which are run in one session.
    async fn touches_at(&self, level: Isolation, script: &[&str]) -> Footprint {
        self.steps_at(level, script).await.pop().unwrap_or_default()
    }

    /// What the steps of these statements touch, and at last the disconnect's, if it is a step.
    async fn steps_at(&self, level: Isolation, script: &[&str]) -> Vec<Footprint> {
        let seen = Seen::default();
        let mut session = self.database.session(&seen).await.unwrap();
        session.set_level(level).await.unwrap();
        session.track(Arc::clone(&self.reader), false);
        for sql in script.iter().filter(|it| **it != DISCONNECT) {
            // What is refused may be a part of the test.
            let _ = session.verbatim("step", &self.statement(sql)).await;
        }
        if script.last() == Some(&DISCONNECT) {
            session.disconnect("disconnect").await.unwrap();
        }
        session.close().await;
        seen.0.into_inner().unwrap()
    }
}

/// Notes what each step touches.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<Footprint>>);

impl Observer for Seen {
    fn before<'a>(&'a self, _step: &'a Step) -> Parked<'a> {
        Box::pin(std::future::ready(()))
    }

    fn after(&self, record: &Record) {
        let footprint = record.step.footprint.as_deref().cloned();
        let footprint = footprint.expect("every step has a footprint");
        self.0.lock().unwrap().push(footprint);
    }
}

/// Stands for the end of a session in a script.
const DISCONNECT: &str = "-- disconnect";

fn session_facts(level: Isolation, is_open: bool) -> SessionFacts {
    SessionFacts {
        level,
        is_open,
        autocommit_is_off: false,
        holds_locks: false,
    }
}

/// A footprint in words, each thing with the strongest access.
fn words(footprint: &Footprint) -> String {
    let mut words = String::new();
    let mut touches: Vec<_> = footprint.touches().collect();
    touches.sort_by_key(|it| (it.thing.clone(), std::cmp::Reverse(it.access)));
    touches.dedup_by_key(|it| it.thing.clone());
    for touch in touches {
        let access = match touch.access {
            Access::Reads => "r",
            Access::Writes => "w",
        };
        let thing = match &touch.thing {
            Thing::Table(name) => name.as_str(),
            Thing::Published => "published",
            Thing::Everything => "everything",
        };
        let _ = write!(words, "{access} {thing}, ");
    }
    words.trim_end_matches(", ").to_owned()
}

fn is_for(footprint: &Footprint, rule: Rule) -> bool {
    footprint.touches().any(|it| it.rule == rule)
}

const TABLES: [&str; 2] = [
    "CREATE TABLE t (id INT PRIMARY KEY, a INT)",
    "CREATE TABLE u (id INT PRIMARY KEY, b INT)",
];
