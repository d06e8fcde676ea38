//! Exports: CSV files that several clients write, download and delete at the same time.

mod http;
mod janitor;
mod names;
mod processes;
mod writers;

use std::fs;

use racy::engine::Settings;
use racy::exhibits::exports::audit::Audit;
use racy::exhibits::exports::{Export, ExportRequest, FileName, Folder, Refusal, Strategy};
use racy::step::Unobserved;
use tempfile::TempDir;

use crate::support::service::{RunningService, settings};
use crate::support::stepper::Stepper;
use crate::support::{Lab, TestEngine};

const WANTED: ExportRequest = ExportRequest { account: 1 };

fn strategy(short_name: &str) -> &'static Strategy {
    Strategy::named(short_name).unwrap()
}

/// A database with this number of transactions on account 1, and a folder for exports.
async fn ground(engine: TestEngine, transactions: usize) -> (Lab, TempDir, Folder) {
    let settings = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(settings).await;
    insert(&lab, transactions).await;
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::at(temporary.path().join("exports"));
    folder.create().unwrap();
    (lab, temporary, folder)
}

async fn insert(lab: &Lab, transactions: usize) {
    let sql = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let rows: Vec<_> = (1..=transactions as i64)
        .map(|amount| [1, amount])
        .collect();
    for some in rows.chunks(500) {
        session.insert_rows("insert", sql, some).await.unwrap();
    }
    session.end().await;
}

async fn export(lab: &Lab, folder: &Folder, short_name: &str) -> Result<Export, Refusal> {
    let strategy = strategy(short_name);
    strategy
        .perform(&lab.database, folder, &WANTED, &Unobserved)
        .await
}

fn audit(folder: &Folder, name: &FileName) -> Audit {
    Audit::of(folder.open(name).unwrap().unwrap().into_file())
}

/// The names of the files in the folder, without lock files.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

/// Starts an export that parks before each step.
fn start_export(lab: &Lab, folder: &Folder, short_name: &str) -> Stepper<Result<Export, Refusal>> {
    let (database, folder, strategy) = (lab.database.clone(), folder.clone(), strategy(short_name));
    Stepper::start(
        move |gate| async move { strategy.perform(&database, &folder, &WANTED, &gate).await },
    )
}

async fn serve(lab: &Lab, folder: &Folder) -> RunningService {
    let settings = racy::http::Settings {
        exports: folder.clone(),
        ..settings()
    };
    RunningService::start_with(&lab.database, &settings).await
}
