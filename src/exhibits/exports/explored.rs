//! An export as the explorer runs it: clients that export an account of two transactions, each run
//! in a folder of its own, or one client that downloads while the others export.

use std::sync::Arc;

use tempfile::TempDir;

use super::audit::Audit;
use super::{
    ANOMALIES, BROKEN_EXPORT, Download, Export, ExportRequest, FileName, Folder, MIXED_EXPORT,
    Refusal, STRATEGIES, Strategy,
};
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::card::Card;
use crate::exhibits::files::blocking;
use crate::exhibits::{AccountFixtures, Exhibit, Setting, Specimen};
use crate::explore::{
    About, Client, ClientResult, Clients, Fixture, Fixtures, Highlight, InSession, Judge,
    Judgement, Pending, Subject, Trace, verdict_of,
};
use crate::step::{Action, Effect, Unobserved};
use crate::verdict::Anomaly;

/// The exhibit, for listings.
pub static EXHIBIT: Exhibit = Exhibit {
    name: "exports",
    anomalies: &ANOMALIES,
    specimens: || STRATEGIES.iter().map(|it| it as &dyn Specimen).collect(),
};

/// The client that downloads while the others export.
const READER: &str = "reader";

/// The number of transactions of each account.
const ROWS: usize = 2;

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
        vec![
            Setting::alone(self.card.expected),
            Setting::beside(READER, self.with_reader),
        ]
    }

    fn subject(&self, setting: &Setting) -> Subject {
        let strategy = *self;
        let with_reader = setting.beside.is_some();
        Subject {
            about: About {
                name: setting.name_of(self).into(),
                source_file: Some(self.card().file),
                anomalies: ANOMALIES.into(),
                nothing: "lost",
                setup_sql: "UPDATE accounts SET balance = 0, opening_balance = 0 WHERE id = 1;\n\
                     DELETE FROM transactions WHERE account_id = 1;\n\
                     INSERT INTO transactions (account_id, amount) VALUES (1, 100);\n\
                     INSERT INTO transactions (account_id, amount) VALUES (1, 100);"
                    .into(),
                inspect_sql: "-- The rest is in the file: GET /exports/transactions.csv/audit"
                    .into(),
                clients_are_alike: !with_reader,
                // The instances share nothing but the folder.
                shares_memory: false,
                scenario: None,
            },
            fixtures: Fixtures::Rows(Arc::new(AccountFixtures {
                transactions: ROWS,
                ..AccountFixtures::default()
            })),
            clients: Arc::new(move |_instances| -> Arc<dyn Clients> {
                Arc::new(Exporters {
                    strategy,
                    with_reader,
                    place: place(),
                })
            }),
            rehearsal: None,
            judge: Arc::new(FileJudge { setting: *setting }),
        }
    }
}

/// Judges by the files that the clients have got.
#[derive(Debug)]
struct FileJudge {
    setting: Setting,
}

impl Judge for FileJudge {
    fn judge<'a>(
        &'a self,
        _database: &'a Database,
        _fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        let worst = results.iter().filter_map(|it| it.saw).min();
        Box::pin(std::future::ready(Ok(verdict_of(worst, results).into())))
    }

    /// The last row of the first client that has got a file with something wrong.
    fn highlight(
        &self,
        trace: &Trace,
        results: &[ClientResult],
        _anomaly: &'static Anomaly,
    ) -> Option<Highlight> {
        let last_of = |client: Client| trace.rows.iter().rposition(|row| row.client == client);
        let spoiled = Client::first(results.len()).filter_map(|client| {
            let saw = results[client.index()].saw?;
            Some((last_of(client)?, client, saw))
        });
        let (row, client, saw) = spoiled.min_by_key(|(row, ..)| *row)?;
        let has_got = if self.setting.beside.is_some() && client.index() == 0 {
            "has downloaded"
        } else {
            "is told that it is ready, and it is"
        };
        Some(Highlight {
            row,
            words: format!("{client} {has_got} a {}", saw.title),
        })
    }

    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.setting.promises_safety(engine, instances)
    }
}

/// The clients of one run, and the folder in which they meet. The folder is removed with them.
#[derive(Debug)]
struct Exporters {
    strategy: Strategy,
    with_reader: bool,
    place: Result<(TempDir, Folder), Fault>,
}

/// A folder in which each row is a chunk.
fn place() -> Result<(TempDir, Folder), Fault> {
    let temporary = tempfile::Builder::new().prefix("racy_explore_").tempdir();
    let temporary = temporary.map_err(|error| Fault::of_file("the explorer's folder", &error))?;
    let folder = Folder::at(temporary.path()).with_chunks_of(1);
    Ok((temporary, folder))
}

impl InSession for Exporters {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        Box::pin(async move {
            let (_temporary, folder) = match &self.place {
                Ok(place) => place,
                Err(fault) => return ClientResult::refused(Some(fault.clone())),
            };
            let wanted = ExportRequest {
                account: fixture.id(),
            };
            if self.with_reader && client.index() == 0 {
                read(session, &self.strategy, folder, &wanted).await
            } else {
                write(session, &self.strategy, folder, &wanted).await
            }
        })
    }
}

/// Exports, and audits the file at the moment at which it is said to be ready. No other client
/// moves meanwhile.
async fn write(
    session: Session<'_>,
    strategy: &Strategy,
    folder: &Folder,
    wanted: &ExportRequest,
) -> ClientResult {
    match strategy.perform_in(session, folder, wanted).await {
        Ok(export) => match audit(folder, &export).await {
            Ok(saw) => saw_in(saw),
            Err(fault) => ClientResult::refused(Some(fault)),
        },
        Err(refusal) => not_made(refusal),
    }
}

async fn audit(folder: &Folder, export: &Export) -> Result<Option<&'static Anomaly>, Fault> {
    let (folder, name) = (folder.clone(), export.file.clone());
    let audit = move || {
        let download = folder.open(&name)?;
        Ok(download.map(|download| Audit::of(download.into_file())))
    };
    let audit = blocking("the export could not be opened", audit).await?;
    Ok(anomaly_of(audit.as_ref()))
}

/// Downloads in two pieces, as the service does, what it has exported before the run, and audits
/// it.
async fn read(
    mut session: Session<'_>,
    strategy: &Strategy,
    folder: &Folder,
    wanted: &ExportRequest,
) -> ClientResult {
    let gate = session.swap_observer(&Unobserved);
    let earlier = (strategy.export)(&mut session, folder, wanted).await;
    session.swap_observer(gate);
    let name = match earlier {
        Ok(export) => export.file,
        Err(refusal) => return not_made(refusal),
    };
    let downloaded = download(&mut session, folder, &name).await;
    session.end().await;
    match downloaded {
        Ok(bytes) => saw_in(anomaly_of(
            bytes.map(|bytes| Audit::of(&bytes[..])).as_ref(),
        )),
        Err(fault) => ClientResult::refused(Some(fault)),
    }
}

/// What was downloaded. None if there was no such file.
async fn download(
    s: &mut Session<'_>,
    folder: &Folder,
    name: &FileName,
) -> Result<Option<Vec<u8>>, Fault> {
    let open = {
        let (folder, name) = (folder.clone(), name.clone());
        move || folder.open(&name)
    };
    let step = (Action::Read, "open to read", Effect::Reads);
    let open = blocking("the export could not be opened", open);
    let Some(mut download) = s.outside(step, [], open).await? else {
        return Ok(None);
    };
    let half = usize::try_from(download.length().div_ceil(2)).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    while download.left() > 0 {
        let step = (Action::Read, "read a half", Effect::Reads);
        let read = blocking("the export could not be read", move || {
            Ok(piece(download, half))
        });
        let (rest, piece) = s.outside(step, [], read).await?;
        let Some(piece) = piece else {
            // The connection breaks off. The client keeps what has come so far.
            break;
        };
        bytes.extend(piece);
        download = rest;
    }
    Ok(Some(bytes))
}

/// The next piece. None if the file has become too short for it.
fn piece(mut download: Download, most: usize) -> (Download, Option<Vec<u8>>) {
    let piece = download.read(most).ok();
    (download, piece)
}

fn anomaly_of(audit: Option<&Audit>) -> Option<&'static Anomaly> {
    match audit {
        Some(audit) if audit.is_mixed() => Some(&MIXED_EXPORT),
        Some(audit) if audit.is_right() => None,
        _ => Some(&BROKEN_EXPORT),
    }
}

fn saw_in(saw: Option<&'static Anomaly>) -> ClientResult {
    ClientResult {
        saw,
        ..ClientResult::APPLIED
    }
}

fn not_made(refusal: Refusal) -> ClientResult {
    match refusal {
        Refusal::Fault(fault) => ClientResult::refused(Some(fault)),
        Refusal::UnknownAccount => ClientResult::refused(None),
    }
}
