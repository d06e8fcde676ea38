//! A database of PostgreSQL that an application has made, and what is in it.

use std::ops::Deref;

use racy::engine::{Address, Copies};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::support::TestEngine;
use crate::support::lab::Fresh;
use crate::support::made::Made;

/// The rows of each table as text, and how far each sequence is.
type Rows = Vec<(String, Vec<String>)>;

pub struct Place(Made);

/// A client's connection.
pub struct Session(pub PgConnection);

impl Deref for Place {
    type Target = Made;

    fn deref(&self) -> &Made {
        &self.0
    }
}

impl Place {
    pub async fn with(engine: TestEngine, setup: &str) -> Self {
        Self(Made::with(engine, setup).await)
    }

    pub async fn on(fresh: Fresh, setup: &str) -> Self {
        Self(Made::on(fresh, setup).await)
    }

    pub async fn session(&self) -> Session {
        let Address::Postgres(options) = &self.fresh.address else {
            panic!("only PostgreSQL has such sessions");
        };
        Session(options.connect().await.unwrap())
    }

    /// The texts in the only column.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.session().await.texts(sql).await
    }

    /// The rows of all tables, in the order in which a scan meets them.
    pub async fn rows_in_order(&self) -> Rows {
        const TABLES: &str = "SELECT CAST(c.oid AS regclass)::text FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'S', 'm') AND n.nspname NOT LIKE 'pg\\_%' \
               AND n.nspname NOT IN ('information_schema', 'racy_copy') ORDER BY 1";
        let mut session = self.session().await;
        let mut found = Vec::new();
        for table in session.texts(TABLES).await {
            let rows = if session.texts(&is_sequence(&table)).await.is_empty() {
                format!("SELECT CAST(it AS TEXT) FROM ONLY {table} it")
            } else {
                format!("SELECT last_value || ' ' || is_called FROM {table}")
            };
            let rows = session.texts(&rows).await;
            found.push((table, rows));
        }
        found
    }

    pub async fn rows(&self) -> Rows {
        let mut rows = self.rows_in_order().await;
        for (_, rows) in &mut rows {
            rows.sort();
        }
        rows
    }

    /// The rows, and what the catalogue says of relations, with their files, and of triggers.
    pub async fn state(&self) -> (Rows, Vec<String>) {
        const CATALOGUE: &str = "SELECT concat_ws('|', c.oid, relname, relfilenode, relnatts, \
                 relchecks, relhasrules, relhastriggers, relrowsecurity) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' \
             UNION ALL SELECT concat_ws('|', oid, tgname, tgrelid, tgenabled, tgfoid) \
             FROM pg_trigger \
             UNION ALL SELECT concat_ws('|', oid, conname, condeferred, convalidated) \
             FROM pg_constraint WHERE oid >= 16384 \
             UNION ALL SELECT concat_ws('|', oid, rulename, ev_enabled) \
             FROM pg_rewrite WHERE oid >= 16384 ORDER BY 1";
        (self.rows().await, self.texts(CATALOGUE).await)
    }

    /// Runs these statements between a copy and a return to it, and compares the ends.
    pub async fn comes_back_after(&self, run: &str) {
        let before = self.state().await;
        let copies = Copies::take(&self.database).await.unwrap();
        // The second time shows that nothing of the first one is left.
        for _ in 0..2 {
            self.run(run).await;
            assert_ne!(self.rows().await, before.0, "{run} changes nothing");
            copies.bring_back(&self.database, None).await.unwrap();
            assert_eq!(self.rows().await, before.0, "after {run}");
        }
        copies.drop(&self.database).await.unwrap();
        assert_eq!(self.state().await, before);
        assert!(self.is_without_copies().await);
    }

    pub async fn is_without_copies(&self) -> bool {
        let copies = "SELECT CAST(nspname AS TEXT) FROM pg_namespace WHERE nspname LIKE 'racy%'";
        self.texts(copies).await.is_empty()
    }
}

fn is_sequence(table: &str) -> String {
    let name = table.replace('\'', "''");
    format!(
        "SELECT 'yes' FROM pg_sequence WHERE seqrelid = CAST(CAST('{name}' AS regclass) AS oid)"
    )
}

impl Session {
    pub async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let run = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await;
        run.map(|_| ())
    }

    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut self.0)
            .await
            .unwrap()
    }

    /// The server's number for it.
    pub async fn number(&mut self) -> i64 {
        let number = "SELECT CAST(pg_backend_pid() AS TEXT)";
        self.texts(number).await[0].parse().unwrap()
    }

    pub async fn close(self) {
        self.0.close().await.unwrap();
    }
}
