//! What an engine answers to a statement of a user's, read as the engine's own client shows it.
//!
//! The statement goes by the protocol that prepares nothing. In it MySQL and PostgreSQL return
//! every value as the text that their own clients print. SQLite turns its values into texts itself.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::mysql::MySqlValueRef;
use sqlx::postgres::PgValueRef;
use sqlx::sqlite::SqliteValueRef;
use sqlx::{
    AssertSqlSafe, Decode, Either, Executor as _, MySql, MySqlConnection, PgConnection, Postgres,
    Row, SqlSafeStr as _, Sqlite, SqliteConnection, Statement as _, Type, TypeInfo as _,
    ValueRef as _,
};
use tokio::time::{Instant, sleep};

use super::unlocked::Reading;
use super::{ConnectionId, Database, Fault, FaultKind, Flavour, Isolation};
use crate::answer::{Answer, Datum, DatumKind};

/// The pause between two questions to an engine that could not answer yet.
const PAUSE: Duration = Duration::from_millis(2);

impl Database {
    /// Asks a question of a user's, in a transaction of its own at READ COMMITTED. It may not
    /// write.
    pub async fn ask_apart(&self, sql: &str) -> Result<Answer, Fault> {
        // The line break ends a comment at the end of the question.
        let question = match self.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => format!(
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ ONLY; {sql}\n; \
                 COMMIT"
            ),
            Flavour::Postgres => {
                format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; {sql}\n; COMMIT")
            }
            Flavour::Sqlite => sql.to_owned(),
        };
        let mut connection = self.connection().await?;
        let deadline = Instant::now() + self.settings.lock_wait();
        loop {
            match connection.answer(&question).await {
                // SQLite does not wait for a connection that tidies up when it is closed.
                Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                    sleep(PAUSE).await;
                }
                answered => {
                    let answer = answered?;
                    connection.give_back();
                    return Ok(answer);
                }
            }
        }
    }
}

impl Database {
    /// Runs statements of a user's on a connection that is closed afterwards: they may set
    /// something for their session.
    pub async fn run_apart(&self, sql: &str) -> Result<(), Fault> {
        let mut connection = self.connection().await?;
        connection.command(sql).await?;
        connection.hang_up().await;
        Ok(())
    }

    /// The isolation level of a session that sets none, as the server says it.
    pub async fn level_of_new_sessions(&self) -> Result<Isolation, Fault> {
        /// MariaDB had another name for it before 11.1.
        const OF_INNODB: &[&str] = &[
            "SELECT CAST(@@GLOBAL.transaction_isolation AS CHAR)",
            "SELECT CAST(@@GLOBAL.tx_isolation AS CHAR)",
        ];
        /// What the configuration, the database and the role say: this session has set another.
        const OF_POSTGRES: &[&str] =
            &["SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_isolation'"];
        let asked = if self.engine.flavour == Flavour::Postgres {
            OF_POSTGRES
        } else {
            OF_INNODB
        };
        let mut last = None;
        for asked in asked {
            match self.rows(asked, &[]).await {
                Ok(rows) => {
                    let level = rows.first().map(|row| row.text(0)).transpose()?;
                    let level = level.and_then(|it| it.to_lowercase().parse().ok());
                    return level.ok_or_else(|| Fault::other("the server names no level"));
                }
                Err(fault) => last = Some(fault),
            }
        }
        Err(last.unwrap_or_else(|| Fault::other("the server names no level")))
    }

    /// Whether statements of a session that sets nothing commit by themselves, as the server says
    /// it.
    pub async fn autocommit_of_new_sessions(&self) -> Result<bool, Fault> {
        if !self.engine.flavour.is_innodb() {
            return Ok(true);
        }
        let rows = self.rows("SELECT CAST(@@GLOBAL.autocommit AS CHAR)", &[]);
        let value = rows.await?.first().map(|row| row.text(0)).transpose()?;
        Ok(value.as_deref() != Some("0"))
    }

    /// The other databases that a statement could name, that of the users' rights among them. Empty
    /// where a connection is in one database for good.
    pub async fn other_databases(&self) -> Result<Vec<String>, Fault> {
        const OTHERS: &str = "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
             WHERE schema_name NOT IN (DATABASE(), 'information_schema', 'performance_schema')";
        match self.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => {
                let rows = self.rows(OTHERS, &[]).await?;
                rows.iter().map(|row| row.text(0)).collect()
            }
            Flavour::Postgres | Flavour::Sqlite => Ok(Vec::new()),
        }
    }

    /// Waits until the server has ended this connection, and with it all that was open on it. A
    /// client whose connection was cut off learns it earlier than the others.
    ///
    /// # Errors
    /// [`FaultKind::Unavailable`] if that takes too long.
    pub async fn until_gone(&self, connection: ConnectionId) -> Result<(), Fault> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let deadline = Instant::now() + PATIENCE;
        while self.lists(connection).await? {
            if Instant::now() >= deadline {
                let late = format!("connection {connection} was cut off and is still there");
                return Err(Fault::unavailable(late));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Whether the server has this connection in its list.
    pub async fn lists(&self, connection: ConnectionId) -> Result<bool, Fault> {
        let sql = match self.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => {
                "SELECT 1 FROM information_schema.processlist WHERE id = ?"
            }
            Flavour::Postgres => "SELECT CAST(1 AS BIGINT) FROM pg_stat_activity WHERE pid = ?",
            Flavour::Sqlite => return Ok(false),
        };
        let reading = Reading::begin();
        loop {
            let rows = self.rows(sql, &[connection.0.into()]).await;
            if let Some(rows) = reading.done(rows).await? {
                return Ok(!rows.is_empty());
            }
        }
    }
}

/// A connection that can be asked anything.
pub(super) trait Answers {
    /// Runs one statement as it is.
    fn answer(&mut self, sql: &str) -> impl Future<Output = Result<Answer, Fault>> + Send;

    /// The values of all rows that one statement returns.
    fn all_data(
        &mut self,
        sql: &str,
    ) -> impl Future<Output = Result<Vec<Vec<Datum>>, Fault>> + Send;

    /// The names of the columns that this statement returns. It is prepared, and not run.
    fn columns_of(&mut self, sql: &str) -> impl Future<Output = Result<Vec<String>, Fault>> + Send;
}

macro_rules! answers {
    ($connection:ty, $datum:path) => {
        impl Answers for $connection {
            async fn answer(&mut self, sql: &str) -> Result<Answer, Fault> {
                let mut answer = Answer::default();
                let mut affected = 0;
                let mut returned = 0;
                let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(self);
                while let Some(result) = results.try_next().await? {
                    match result {
                        Either::Left(done) => affected = done.rows_affected(),
                        Either::Right(row) => {
                            returned += 1;
                            if answer.columns.is_empty() {
                                answer.columns = names_of(row.columns());
                            }
                            if answer.rows.len() < Answer::MOST_ROWS {
                                answer.rows.push(data_of(&row, $datum)?);
                            }
                        }
                    }
                }
                answer.row_count = if returned > 0 { returned } else { affected };
                Ok(answer)
            }

            async fn all_data(&mut self, sql: &str) -> Result<Vec<Vec<Datum>>, Fault> {
                let mut rows = Vec::new();
                let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(self);
                while let Some(row) = results.try_next().await? {
                    rows.push(data_of(&row, $datum)?);
                }
                Ok(rows)
            }

            async fn columns_of(&mut self, sql: &str) -> Result<Vec<String>, Fault> {
                let statement = self
                    .prepare(AssertSqlSafe(sql.to_owned()).into_sql_str())
                    .await?;
                Ok(names_of(statement.columns()))
            }
        }
    };
}

answers!(MySqlConnection, of_mysql);
answers!(PgConnection, of_postgres);
answers!(SqliteConnection, of_sqlite);

pub(super) fn names_of(columns: &[impl sqlx::Column]) -> Vec<String> {
    columns.iter().map(|it| it.name().to_owned()).collect()
}

pub(super) fn data_of<'r, R: Row, V>(
    row: &'r R,
    datum: fn(V) -> Result<Datum, sqlx::error::BoxDynError>,
) -> Result<Vec<Datum>, Fault>
where
    V: 'r,
    usize: sqlx::ColumnIndex<R>,
    R::Database: sqlx::Database<ValueRef<'r> = V>,
{
    let values = (0..row.len()).map(|index| {
        let value = row.try_get_raw(index)?;
        Ok(datum(value).map_err(sqlx::Error::Decode)?)
    });
    values.collect()
}

pub(super) type Read = Result<Datum, sqlx::error::BoxDynError>;

pub(super) fn of_mysql(value: MySqlValueRef<'_>) -> Read {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let type_info = value.type_info().into_owned();
    // The driver names a text with a collation such as utf8mb4_bin like one of bytes.
    let is_text = <str as Type<MySql>>::compatible(&type_info);
    let name = type_info.name().to_owned();
    let bytes = <&[u8] as Decode<MySql>>::decode(value)?;
    let kind = match name.trim_end_matches(" UNSIGNED") {
        _ if is_text => DatumKind::Text,
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "BOOLEAN" | "DECIMAL"
        | "FLOAT" | "DOUBLE" | "YEAR" => DatumKind::Number,
        "DATE" | "TIME" | "DATETIME" | "TIMESTAMP" | "JSON" => {
            DatumKind::Typed(name.to_lowercase())
        }
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BIT"
        | "GEOMETRY" => DatumKind::Bytes,
        _ => DatumKind::Text,
    };
    Ok(of_bytes(bytes, kind))
}

pub(super) fn of_postgres(value: PgValueRef<'_>) -> Read {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let name = value.type_info().name().to_lowercase();
    let text = <&str as Decode<Postgres>>::decode(value)?;
    let kind = match name.as_str() {
        "int2" | "int4" | "int8" | "oid" | "numeric" | "float4" | "float8" => DatumKind::Number,
        "bool" => DatumKind::Boolean,
        "bytea" => {
            return Ok(Datum::Value {
                text: text.trim_start_matches("\\x").to_owned(),
                kind: DatumKind::Bytes,
            });
        }
        "text" | "varchar" | "bpchar" | "char" | "name" | "unknown" | "void" | "record" | "?" => {
            DatumKind::Text
        }
        _ => DatumKind::Typed(name),
    };
    Ok(Datum::Value {
        text: text.to_owned(),
        kind,
    })
}

pub(super) fn of_sqlite(value: SqliteValueRef<'_>) -> Read {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let kind = match value.type_info().name() {
        "INTEGER" | "REAL" => DatumKind::Number,
        "BLOB" => {
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value)?;
            return Ok(of_bytes(bytes, DatumKind::Bytes));
        }
        _ => DatumKind::Text,
    };
    let text = <&str as Decode<Sqlite>>::decode(value)?;
    Ok(Datum::Value {
        text: text.to_owned(),
        kind,
    })
}

/// A value of these bytes. Those that are no text are shown as hexadecimal digits.
fn of_bytes(bytes: &[u8], kind: DatumKind) -> Datum {
    match std::str::from_utf8(bytes) {
        Ok(text) if kind != DatumKind::Bytes => Datum::Value {
            text: text.to_owned(),
            kind,
        },
        _ => Datum::Value {
            text: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            kind: DatumKind::Bytes,
        },
    }
}
