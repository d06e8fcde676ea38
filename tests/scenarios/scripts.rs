//! Scripts that show what a reduced search must not miss.

use racy::engine::Isolation;

use super::generated::every_commit;
use crate::support::TestEngine;

/// A scenario on one engine at one level.
pub struct Script {
    pub engine: TestEngine,
    pub level: Isolation,
    pub setup: &'static str,
    pub clients: &'static [&'static str],
    /// What must hold after every commit. None if nothing is asked.
    pub watched: Option<&'static str>,
}

pub const MYSQL: TestEngine = TestEngine::MySql;
pub const MARIADB: TestEngine = TestEngine::MariaDb;
pub const POSTGRES: TestEngine = TestEngine::Postgres;
pub const COMMITTED: Isolation = Isolation::ReadCommitted;
pub const REPEATABLE: Isolation = Isolation::RepeatableRead;
pub const SERIALIZABLE: Isolation = Isolation::Serializable;

pub const THREE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
CREATE TABLE w (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
INSERT INTO t VALUES (1, 0);
INSERT INTO u VALUES (1, 0);
INSERT INTO w VALUES (1, 0);";

/// A script of these clients.
pub const fn script(
    engine: TestEngine,
    level: Isolation,
    setup: &'static str,
    clients: &'static [&'static str],
) -> Script {
    Script {
        engine,
        level,
        setup,
        clients,
        watched: None,
    }
}

impl Script {
    pub fn text(&self) -> String {
        let level = self.level.sql().to_lowercase().replace(' ', "-");
        let client = |script: &&str| {
            format!("[[client]]\nisolation = \"{level}\"\nscript = '''\n{script}\n'''\n")
        };
        let setup = self.setup;
        let clients: String = self.clients.iter().map(client).collect();
        let watched = self.watched.map_or_else(String::new, every_commit);
        format!(
            "title = \"rule\"\nserial = false\n[database]\nsetup = '''\n{setup}\n'''\n\
             {clients}{watched}"
        )
    }
}
