//! An export as the explorer sees it: clients that export an account of two transactions, each run in a folder of its
//! own; and one that downloads meanwhile.

use std::sync::Arc;

use tempfile::TempDir;

use super::audit::Audit;
use super::file::blocking;
use super::{
    ANOMALIES, BROKEN_EXPORT, Download, Export, ExportRequest, FileName, Folder, MIXED_EXPORT,
    Refusal, STRATEGIES, Strategy,
};
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::card::Expectation;
use crate::exhibits::deposits::explored::{is_unmistakable, open_accounts, remove_accounts};
use crate::explore::{Cast, Client, Ended, Moment, Pending, Subject, Trace, refusal};
use crate::step::{Action, Effect, Unobserved};
use crate::verdict::{Anomaly, Outcome, Verdict};

/// A strategy with the clients that race: only such as export, or one that downloads as well.
#[derive(Debug)]
pub struct Explored {
    name: &'static str,
    /// The strategy.
    pub strategy: &'static Strategy,
    /// Whether client A downloads.
    with_reader: bool,
}

/// All that is explored of exports.
pub static EXPLORED: [Explored; 8] = [
    Explored::writers(0),
    Explored::with_reader(0, "exports/shared_file, reader"),
    Explored::writers(1),
    Explored::with_reader(1, "exports/file_lock, reader"),
    Explored::writers(2),
    Explored::with_reader(2, "exports/unique_file, reader"),
    Explored::writers(3),
    Explored::with_reader(3, "exports/atomic_rename, reader"),
];

/// Each account has so many transactions.
const ROWS: i64 = 2;

impl Explored {
    const fn writers(number: usize) -> Self {
        let strategy = &STRATEGIES[number];
        Self {
            name: strategy.name,
            strategy,
            with_reader: false,
        }
    }

    const fn with_reader(number: usize, name: &'static str) -> Self {
        Self {
            name,
            strategy: &STRATEGIES[number],
            with_reader: true,
        }
    }

    /// What its schedules of two clients lead to on this engine.
    pub fn expected_on(&self, engine: &Engine) -> Option<&'static Expectation> {
        match self.with_reader {
            false => self.strategy.card.expected_on(engine),
            true => Expectation::on(engine, self.strategy.with_reader),
        }
    }
}

impl Subject for Explored {
    fn name(&self) -> &'static str {
        self.name
    }

    fn anomalies(&self) -> &'static [&'static Anomaly] {
        &ANOMALIES
    }

    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(open(database, count))
    }

    fn look(&self) -> &'static str {
        "-- The rest is in the file: GET /exports/transactions.csv/audit"
    }

    fn set_up(&self) -> &'static str {
        "UPDATE accounts SET balance = 0, opening_balance = 0 WHERE id = 1;\n\
         DELETE FROM transactions WHERE account_id = 1;\n\
         INSERT INTO transactions (account_id, amount) VALUES (1, 100);\n\
         INSERT INTO transactions (account_id, amount) VALUES (1, 100);"
    }

    fn is_unmistakable(&self, stake: i64) -> bool {
        is_unmistakable(stake)
    }

    /// The instances share nothing but the folder, so that it makes no difference how many there are.
    fn cast(&self, _instances: usize) -> Arc<dyn Cast> {
        Arc::new(Exporters {
            strategy: self.strategy,
            with_reader: self.with_reader,
            place: place(),
        })
    }

    fn judge<'a>(
        &'a self,
        _database: &'a Database,
        _stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(std::future::ready(Ok(judge(ended))))
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(remove_accounts(database, stakes))
    }

    fn clients_are_alike(&self) -> bool {
        !self.with_reader
    }

    fn promises_safety(&self, engine: &Engine, _instances: usize) -> bool {
        self.expected_on(engine).is_some_and(Expectation::is_safe)
    }

    /// At the end of whoever has got what is wrong.
    fn moment(&self, trace: &Trace, ended: &[Ended]) -> Option<Moment> {
        let last_of = |client: Client| trace.rows.iter().rposition(|row| row.client == client);
        let spoiled = Client::first(ended.len()).filter_map(|client| {
            let saw = ended[client.index()].saw?;
            Some((last_of(client)?, client, saw))
        });
        let (row, client, saw) = spoiled.min_by_key(|(row, ..)| *row)?;
        let has_got = match self.with_reader && client.index() == 0 {
            true => "has downloaded",
            false => "is told that it is ready, and it is",
        };
        Some(Moment {
            row,
            words: format!("{client} {has_got} a {}", saw.title),
        })
    }
}

/// By what the clients have got, the worst first.
fn judge(ended: &[Ended]) -> Verdict {
    if let Some(anomaly) = ended.iter().filter_map(|it| it.saw).min() {
        Verdict::Anomaly(anomaly)
    } else if let Some(fault) = refusal(ended) {
        Verdict::Refused(fault.kind)
    } else if ended.iter().any(|it| it.outcome != Outcome::Applied) {
        Verdict::Declined
    } else {
        Verdict::Safe
    }
}

async fn open(database: &Database, count: usize) -> Result<Vec<i64>, Fault> {
    let accounts = open_accounts(database, count).await?;
    let mut rows = Vec::new();
    for account in &accounts {
        rows.extend([[*account, 100]; ROWS as usize]);
    }
    let mut session = database.session(&Unobserved).await?;
    let sql = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
    let inserted = session.insert_rows("insert transactions", sql, &rows).await;
    session.end().await;
    inserted.map(|()| accounts)
}

/// The clients of one run, and the folder in which they meet. It is removed with them.
#[derive(Debug)]
struct Exporters {
    strategy: &'static Strategy,
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

impl Cast for Exporters {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        Box::pin(async move {
            let (_temporary, folder) = match &self.place {
                Ok(place) => place,
                Err(fault) => return refused(Some(fault.clone())),
            };
            let wanted = ExportRequest { account: stake };
            match self.with_reader && client.index() == 0 {
                true => read(session, self.strategy, folder, &wanted).await,
                false => write(session, self.strategy, folder, &wanted).await,
            }
        })
    }
}

/// Exports, and audits what there is at the moment at which it is said to be ready. Nobody else moves meanwhile.
async fn write(
    session: Session<'_>,
    strategy: &Strategy,
    folder: &Folder,
    wanted: &ExportRequest,
) -> Ended {
    match strategy.perform_in(session, folder, wanted).await {
        Ok(export) => match audit(folder, &export).await {
            Ok(saw) => applied(saw),
            Err(fault) => refused(Some(fault)),
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
    Ok(verdict(audit.as_ref()))
}

/// Downloads as the service does, in two pieces, what it has exported before the run; and audits what it has got.
async fn read(
    mut session: Session<'_>,
    strategy: &Strategy,
    folder: &Folder,
    wanted: &ExportRequest,
) -> Ended {
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
        Ok(bytes) => applied(verdict(bytes.map(|bytes| Audit::of(&bytes[..])).as_ref())),
        Err(fault) => refused(Some(fault)),
    }
}

/// What was downloaded; none where there was no such file.
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
            // The connection breaks off. What has come of it is what there is.
            break;
        };
        bytes.extend(piece);
        download = rest;
    }
    Ok(Some(bytes))
}

/// The next piece; none where the file has become too short for it.
fn piece(mut download: Download, most: usize) -> (Download, Option<Vec<u8>>) {
    let piece = download.read(most).ok();
    (download, piece)
}

fn verdict(audit: Option<&Audit>) -> Option<&'static Anomaly> {
    match audit {
        Some(audit) if audit.is_mixed() => Some(&MIXED_EXPORT),
        Some(audit) if audit.is_right() => None,
        _ => Some(&BROKEN_EXPORT),
    }
}

fn applied(saw: Option<&'static Anomaly>) -> Ended {
    Ended {
        outcome: Outcome::Applied,
        fault: None,
        saw,
    }
}

fn not_made(refusal: Refusal) -> Ended {
    match refusal {
        Refusal::Fault(fault) => refused(Some(fault)),
        Refusal::UnknownAccount => refused(None),
    }
}

fn refused(fault: Option<Fault>) -> Ended {
    Ended {
        outcome: Outcome::Refused,
        fault,
        saw: None,
    }
}
