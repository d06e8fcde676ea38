//! A database that an application has made, and what is in it.

use std::ops::Deref;

use racy::engine::Address;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection, Row as _};

use crate::support::TestEngine;
use crate::support::lab::Fresh;
use crate::support::made::Made;

/// The rows of each table as text, and its definition, which has its counter.
type Rows = Vec<(String, String, Vec<String>)>;

pub struct Place(Made);

/// A client's connection.
pub struct Session(MySqlConnection);

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
        let Address::MySql(options) = &self.fresh.address else {
            panic!("only MySQL and MariaDB have such sessions");
        };
        Session(options.connect().await.unwrap())
    }

    /// The texts in the only column.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.database.rows(sql, &[]).await.unwrap();
        rows.iter().map(|it| it.text(0).unwrap()).collect()
    }

    pub async fn rows_and_counters(&self) -> Rows {
        let tables = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' \
               AND table_name NOT LIKE 'racy%' ORDER BY table_name";
        let mut session = self.session().await;
        let mut found = Vec::new();
        for table in self.texts(tables).await {
            let definition = session.second(&format!("SHOW CREATE TABLE {table}")).await;
            let columns = format!(
                "SELECT CAST(CONCAT('COALESCE(HEX(', column_name, '), ''-'')') AS CHAR) \
                 FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = '{table}' \
                 ORDER BY ordinal_position"
            );
            let columns = self.texts(&columns).await.join(", ");
            let rows = format!("SELECT CAST(CONCAT_WS(',', {columns}) AS CHAR) FROM {table}");
            let mut rows = self.texts(&rows).await;
            rows.sort();
            found.push((table, definition, rows));
        }
        found
    }

    /// The rows, the counters and the triggers.
    pub async fn state(&self) -> (Rows, Vec<String>) {
        let triggers = "SELECT CAST(CONCAT_WS('|', trigger_name, event_manipulation, \
                 event_object_table, action_order, action_statement, action_timing, sql_mode, \
                 definer, character_set_client, collation_connection, database_collation) AS CHAR) \
             FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1";
        (self.rows_and_counters().await, self.texts(triggers).await)
    }

    pub async fn is_without_copies(&self) -> bool {
        let copies = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name LIKE 'racy%'";
        self.texts(copies).await.is_empty()
    }
}

impl Session {
    pub async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let run = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await;
        run.map(|_| ())
    }

    /// The text in the second column of the first row.
    async fn second(&mut self, sql: &str) -> String {
        let row = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_one(&mut self.0)
            .await;
        row.unwrap().try_get(1).unwrap()
    }

    /// The server's number for it.
    pub async fn number(&mut self) -> i64 {
        let number = "SELECT CAST(CONNECTION_ID() AS SIGNED)";
        sqlx::query_scalar(number)
            .fetch_one(&mut self.0)
            .await
            .unwrap()
    }

    pub async fn close(self) {
        self.0.close().await.unwrap();
    }
}
