//! The records of runs and explorations, in the lab's database. So any replica shows them, and
//! they outlive the service.
//!
//! The newest 500 are kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::id::RecordId;
use crate::console::record::State;
use crate::engine::{Database, Fault, FaultKind, Flavour, Row, Value};

/// How many records are kept.
pub const MOST_RECORDS: i64 = 500;

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A burst of requests.
    Run,
    /// An exploration of schedules.
    Exploration,
}

impl Kind {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Exploration => "exploration",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Run, Self::Exploration]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub id: RecordId,
    /// What it is of.
    pub kind: Kind,
    /// How far it is. [`State::Failed`] if the service that ran it is gone.
    pub state: State,
    /// What was asked for.
    pub plan: Json,
    /// How far it is: at least `text`, a line for people. Of a failure it has `error`.
    pub progress: Json,
    /// Whether a visitor has asked to stop it.
    pub stop_asked: bool,
    /// What came of it, as JSON. None until it is over, in a list, and if it failed.
    pub record: Option<String>,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
}

impl Stored {
    /// The line for people that says how far it is, or what came of it.
    pub fn text(&self) -> &str {
        self.progress["text"].as_str().unwrap_or_default()
    }

    /// Why it failed. None if it did not.
    pub fn error(&self) -> Option<&str> {
        self.progress["error"].as_str()
    }
}

/// Whether a record was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is new, and the caller runs it.
    New,
    /// There is a record of that name already, so that nothing is to be run.
    Already,
}

/// The records.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

/// The engine's clock, in milliseconds since 1970.
const NOW: &str = "CAST(UNIX_TIMESTAMP() AS SIGNED) * 1000";

/// What is said of a record whose service is gone.
const BROKE_OFF: &str = "broke off: the service that ran it is gone";

impl Store {
    /// The records in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// How often a service says that a record still runs. None on SQLite: there, each write of the
    /// service's own would be a conflict for the transactions that race.
    pub fn heartbeat(&self) -> Option<Duration> {
        (self.database.engine().flavour != Flavour::Sqlite).then_some(Duration::from_secs(1))
    }

    /// After which silence a record counts as broken off.
    fn longest_silence(&self) -> Duration {
        match self.heartbeat() {
            Some(_) => Duration::from_secs(10),
            // Longer than a run may take: a minute for the release, and one for the last answer.
            None => Duration::from_secs(150),
        }
    }

    /// Adds a record that runs from now on, and removes the oldest ones beyond those kept.
    pub async fn insert(&self, id: &RecordId, kind: Kind, plan: &Json) -> Result<Inserted, Fault> {
        let insert = format!(
            "INSERT INTO console_records \
             (id, kind, plan, state, progress, stop_asked, created_at, updated_at) \
             VALUES (?, ?, ?, 'running', '{{}}', 0, ?, {NOW})"
        );
        let plan = plan.to_string();
        let values: [Value<'_>; 4] = [
            id.as_str().into(),
            kind.name().into(),
            plan.as_str().into(),
            now_ms().into(),
        ];
        match self.database.execute(&insert, &values).await {
            Ok(_) => {
                self.remove_the_oldest().await?;
                Ok(Inserted::New)
            }
            Err(fault) if fault.kind == FaultKind::UniqueViolation => Ok(Inserted::Already),
            Err(fault) => Err(fault),
        }
    }

    async fn remove_the_oldest(&self) -> Result<(), Fault> {
        let select = "SELECT created_at FROM console_records ORDER BY created_at DESC \
                      LIMIT 1 OFFSET ?";
        let rows = self.database.rows(select, &[MOST_RECORDS.into()]).await?;
        if let Some(row) = rows.first() {
            let delete = format!(
                "DELETE FROM console_records WHERE created_at <= ? \
                 AND (state <> 'running' OR updated_at < {NOW} - 600000)"
            );
            let values = [row.integer(0)?.into()];
            self.database.execute(&delete, &values).await?;
        }
        Ok(())
    }

    /// Says that a record still runs, and how far it is.
    pub async fn progress(&self, id: &RecordId, progress: &Json) -> Result<(), Fault> {
        let update = format!(
            "UPDATE console_records SET progress = ?, updated_at = {NOW} \
             WHERE id = ? AND state = 'running'"
        );
        let progress = progress.to_string();
        let values = [progress.as_str().into(), id.as_str().into()];
        self.database.execute(&update, &values).await?;
        Ok(())
    }

    /// Ends a record. `record` is None if nothing came of it.
    pub async fn end(
        &self,
        id: &RecordId,
        state: State,
        progress: &Json,
        record: Option<&str>,
    ) -> Result<(), Fault> {
        let update = format!(
            "UPDATE console_records SET state = ?, progress = ?, record = NULLIF(?, ''), \
             updated_at = {NOW} WHERE id = ? AND state = 'running'"
        );
        let progress = progress.to_string();
        let record = record.unwrap_or_default();
        let values = [state.name(), &progress, record, id.as_str()].map(Value::from);
        self.database.execute(&update, &values).await?;
        Ok(())
    }

    /// Ends a record that failed, and says why.
    pub async fn fail(&self, id: &RecordId, error: &str) -> Result<(), Fault> {
        let progress = json!({ "text": error, "error": error });
        self.end(id, State::Failed, &progress, None).await
    }

    /// Asks to stop a record, whichever replica runs it. Returns whether it was running.
    pub async fn ask_to_stop(&self, id: &RecordId) -> Result<bool, Fault> {
        let update = "UPDATE console_records SET stop_asked = 1 WHERE id = ? AND state = 'running'";
        let values = [id.as_str().into()];
        Ok(self.database.execute(update, &values).await? > 0)
    }

    /// Whether a visitor has asked to stop a record.
    pub async fn is_stop_asked(&self, id: &RecordId) -> Result<bool, Fault> {
        let select = "SELECT stop_asked FROM console_records WHERE id = ?";
        let rows = self.database.rows(select, &[id.as_str().into()]).await?;
        rows.first()
            .map_or(Ok(false), |row| Ok(row.integer(0)? != 0))
    }

    /// A record. None if there is none of that name.
    pub async fn find(&self, id: &RecordId) -> Result<Option<Stored>, Fault> {
        let select = format!(
            "SELECT {} FROM console_records WHERE id = ?",
            columns("record")
        );
        let rows = self.database.rows(&select, &[id.as_str().into()]).await?;
        rows.first().map(|row| self.read(row)).transpose()
    }

    /// How far a record is, without what came of it.
    pub async fn glance(&self, id: &RecordId) -> Result<Option<Stored>, Fault> {
        let select = format!("SELECT {} FROM console_records WHERE id = ?", columns("''"));
        let rows = self.database.rows(&select, &[id.as_str().into()]).await?;
        rows.first().map(|row| self.read(row)).transpose()
    }

    /// At most `limit` records of one kind, the newest first, without what came of them.
    pub async fn recent(&self, kind: Kind, limit: i64) -> Result<Vec<Stored>, Fault> {
        let select = format!(
            "SELECT {} FROM console_records WHERE kind = ? ORDER BY created_at DESC LIMIT ?",
            columns("''")
        );
        let values = [kind.name().into(), limit.into()];
        let rows = self.database.rows(&select, &values).await?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    fn read(&self, row: &Row) -> Result<Stored, Fault> {
        let unreadable = |what: &str| Fault::other(format!("console_records: {what}"));
        let json = |column| {
            let text: String = row.text(column)?;
            serde_json::from_str(&text).map_err(|error| unreadable(&error.to_string()))
        };
        let record = row.text(6)?;
        let silent_ms = u64::try_from(row.integer(8)?).unwrap_or(0);
        let stored = Stored {
            id: row.text(0)?.parse().map_err(unreadable)?,
            kind: Kind::named(&row.text(1)?).ok_or_else(|| unreadable("kind"))?,
            state: State::named(&row.text(2)?).ok_or_else(|| unreadable("state"))?,
            plan: json(3)?,
            progress: json(4)?,
            stop_asked: row.integer(5)? != 0,
            record: (!record.is_empty()).then_some(record),
            created_at: row.integer(7)?,
        };
        let broke_off = stored.state == State::Running
            && Duration::from_millis(silent_ms) > self.longest_silence();
        Ok(if broke_off {
            Stored {
                state: State::Failed,
                progress: json!({ "text": BROKE_OFF, "error": BROKE_OFF }),
                ..stored
            }
        } else {
            stored
        })
    }
}

/// The columns of a record as they are read. The last one is for how long nothing was heard of it.
fn columns(record: &str) -> String {
    format!(
        "id, kind, state, plan, progress, stop_asked, COALESCE({record}, ''), created_at, \
         CAST({NOW} - updated_at AS SIGNED)"
    )
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
