//! A database that an application has made, and the copies of it.

use std::collections::BTreeSet;

use racy::engine::{Address, Copies, Database, Leftover, Settings};

use super::TestEngine;
use super::lab::{Fresh, run_at};

pub struct Made {
    pub database: Database,
    pub fresh: Fresh,
}

impl Made {
    pub async fn with(engine: TestEngine, setup: &str) -> Self {
        Self::on(engine.fresh().await, setup).await
    }

    pub async fn on(fresh: Fresh, setup: &str) -> Self {
        run_at(&fresh.address, setup).await;
        let settings = Settings {
            // A second one is never needed.
            connections: 1,
            ..Settings::default()
        };
        let database = Database::connect(&fresh.address, &settings).await.unwrap();
        Self { database, fresh }
    }

    /// The name of its database.
    pub fn name(&self) -> &str {
        &self.fresh.name
    }

    pub async fn run(&self, sql: &str) {
        run_at(&self.fresh.address, sql).await;
    }

    /// The same database for another user.
    pub async fn database_of(&self, user: &str) -> Database {
        let address = match &self.fresh.address {
            Address::MySql(options) => Address::MySql(Box::new((**options).clone().username(user))),
            Address::Postgres(options) => {
                Address::Postgres(Box::new((**options).clone().username(user)))
            }
            Address::Sqlite(_) => panic!("SQLite has no users"),
        };
        Database::connect(&address, &Settings::default())
            .await
            .unwrap()
    }

    /// Brings back what clients have changed that have written these tables alone.
    pub async fn bring_back_after(&self, copies: &Copies, written: &[&str]) {
        let written: BTreeSet<_> = written.iter().map(ToString::to_string).collect();
        let brought = copies.bring_back(&self.database, Some(&written)).await;
        brought.unwrap();
    }

    /// The only copies that a process has left behind here.
    pub async fn left_behind(&self) -> Leftover {
        let mut left = Copies::left_behind(&self.database).await.unwrap();
        assert_eq!(left.len(), 1);
        left.remove(0)
    }
}
