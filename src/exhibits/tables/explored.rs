//! A table as the explorer runs it: each run has one of its own, in which clients append a record
//! each, one reads while the others append, or one is killed.

use std::sync::Arc;

use super::audit::Audit;
use super::disk::{Table, Unreadable};
use super::fixtures::Ground;
use super::runs::{Cast, TableClients};
use super::{ANOMALIES, BROKEN_TABLE, LOST_APPEND, READERS, Reader, STRATEGIES, Strategy};
use crate::engine::{Database, Engine, Fault};
use crate::exhibits::card::Card;
use crate::exhibits::files::blocking;
use crate::exhibits::{Exhibit, Setting, Specimen};
use crate::explore::{
    About, ClientResult, Clients, Fixture, Fixtures, Judge, Judgement, Pending, StoredValue,
    Subject, verdict_of,
};
use crate::verdict::Anomaly;

/// The exhibit, for listings.
pub static EXHIBIT: Exhibit = Exhibit {
    name: "tables",
    anomalies: &ANOMALIES,
    specimens: || {
        let appends = STRATEGIES.iter().map(|it| it as &dyn Specimen);
        appends
            .chain(READERS.iter().map(|it| it as &dyn Specimen))
            .collect()
    },
};

/// The strategy whose clients append while a reader of this exhibit reads.
const WRITER: Strategy = STRATEGIES[3];

/// The client that reads while the others append.
const READER: &str = "reader";

/// The writer that is killed.
const KILLED: &str = "killed";

/// The writer that removes what is old.
const EXPIRY: &str = "expiry";

/// The client that appends to the other client's partition.
const RIVAL: &str = "rival";

impl Specimen for Strategy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn full_name(&self) -> &'static str {
        self.full_name
    }

    fn card(&self) -> &'static Card {
        self.card
    }

    fn settings(&self) -> Vec<Setting> {
        let alone = Setting {
            expected_apart: self.apart,
            ..Setting::alone(self.card.expected)
        };
        let rival = self.same_partition.map(|it| Setting::beside(RIVAL, it));
        let others = [
            Setting::beside(READER, self.with_reader),
            Setting::beside(KILLED, self.killed),
        ];
        let expiry = self.with_expiry.map(|it| Setting::beside(EXPIRY, it));
        let all = [alone].into_iter().chain(rival).chain(others);
        all.chain(expiry).collect()
    }

    fn subject(&self, setting: &Setting) -> Subject {
        let cast = match setting.beside {
            Some(READER) => Cast::ReaderAndWriters(READERS[1], *self),
            Some(KILLED) => Cast::KilledAndKillers(*self),
            Some(EXPIRY) => Cast::WriterAndExpiries(*self),
            Some(RIVAL) => Cast::Rivals(*self),
            _ => Cast::Writers(*self),
        };
        subject(self, setting, *self, cast)
    }
}

impl Specimen for Reader {
    fn name(&self) -> &'static str {
        self.name
    }

    fn full_name(&self) -> &'static str {
        self.full_name
    }

    fn card(&self) -> &'static Card {
        self.card
    }

    fn reads(&self) -> bool {
        true
    }

    fn settings(&self) -> Vec<Setting> {
        let expiry = self.with_expiry.map(|it| Setting::beside(EXPIRY, it));
        let alone = Setting::alone(self.card.expected);
        [alone].into_iter().chain(expiry).collect()
    }

    fn subject(&self, setting: &Setting) -> Subject {
        let cast = match setting.beside {
            Some(EXPIRY) => Cast::ReaderAndExpiries(*self, WRITER),
            _ => Cast::ReaderAndWriters(*self, WRITER),
        };
        subject(self, setting, WRITER, cast)
    }
}

fn subject(specimen: &dyn Specimen, setting: &Setting, writer: Strategy, cast: Cast) -> Subject {
    let ground = Arc::new(Ground::of(writer, cast.commits_before()));
    let place = Arc::clone(&ground);
    Subject {
        about: About {
            name: setting.name_of(specimen).into(),
            source_file: Some(specimen.card().file),
            anomalies: ANOMALIES.into(),
            nothing: "lost",
            setup_sql: "-- Nothing: each run has a table of its own, with its first records."
                .into(),
            inspect_sql: "-- It is in the files: GET /tables/<name>/audit".into(),
            clients_are_alike: cast.is_alike(),
            shares_memory: setting.expected_apart.is_some(),
            scenario: None,
        },
        fixtures: Fixtures::Rows(Arc::clone(&ground) as _),
        clients: Arc::new(move |instances| -> Arc<dyn Clients> {
            Arc::new(TableClients::of(cast, &place, instances))
        }),
        rehearsal: None,
        judge: Arc::new(FolderJudge {
            setting: *setting,
            ground,
            leaves_out_the_first: matches!(cast, Cast::KilledAndKillers(_)),
        }),
    }
}

/// Judges by what is in the folder in the end, and by what the clients have read.
#[derive(Debug)]
struct FolderJudge {
    setting: Setting,
    ground: Arc<Ground>,
    /// Whether client A was killed: what became of it is no refusal.
    leaves_out_the_first: bool,
}

impl Judge for FolderJudge {
    fn judge<'a>(
        &'a self,
        _database: &'a Database,
        fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let table = self.ground.table(fixture.id())?;
            let found = anomaly_in(table).await?;
            let saw = results.iter().filter_map(|it| it.saw).min();
            let worst = found.into_iter().chain(saw).min();
            let judged = &results[usize::from(self.leaves_out_the_first)..];
            Ok(verdict_of(worst, judged).into())
        })
    }

    fn look<'a>(
        &'a self,
        _database: &'a Database,
        fixture: Fixture,
    ) -> Option<Pending<'a, Result<Vec<StoredValue>, Fault>>> {
        Some(Box::pin(async move {
            let table = self.ground.table(fixture.id())?;
            let look = blocking("the table could not be read", move || Ok(table.current()));
            Ok(match look.await? {
                Ok(current) => vec![
                    StoredValue::new("version", current.metadata.version),
                    StoredValue::new("records", current.metadata.rows),
                ],
                Err(why) => vec![StoredValue::new("current", why)],
            })
        }))
    }

    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.setting.promises_safety(engine, instances)
    }
}

/// What is wrong with the table.
async fn anomaly_in(table: Table) -> Result<Option<&'static Anomaly>, Fault> {
    let audit = move || Ok(Audit::of(&table));
    match blocking("the table could not be audited", audit).await? {
        Ok(audit) if !audit.is_readable() => Ok(Some(&BROKEN_TABLE)),
        Ok(audit) if audit.has_lost() => Ok(Some(&LOST_APPEND)),
        Ok(_) => Ok(None),
        Err(Unreadable::Fault(fault)) => Err(fault),
        Err(_) => Ok(Some(&BROKEN_TABLE)),
    }
}
