//! Exports to one file at the same time, step by step.

use std::fs::{self, File};

use racy::engine::{FaultKind, FileLock};
use racy::exhibits::exports::audit::Audit;
use racy::exhibits::exports::{FileName, Refusal, STRATEGIES};

use super::{audit, export, ground, names, serve, start_export};
use crate::support::TestEngine;
use crate::support::service::problem;

on_engines!(
    every:
        an_export_has_every_transaction_in_order,
        two_writers_mix_their_rows_in_one_file,
        a_wait_for_the_lock_file_has_an_end,
        a_wait_for_the_lock_file_is_a_step_of_the_timeline;
);

async fn an_export_has_every_transaction_in_order(engine: TestEngine) {
    let (lab, _temporary, folder) = ground(engine, 2500).await;
    for strategy in &STRATEGIES {
        let export = export(&lab, &folder, strategy.name).await.unwrap();
        let found = audit(&folder, &export.file);
        assert!(found.is_right(), "{}: {found:?}", strategy.name);
        assert_eq!((export.rows, found.rows), (2500, 2500));
        assert_eq!(found.exports, [export.export].into());
        let file = fs::read_to_string(folder.path().join(export.file.as_str())).unwrap();
        assert_eq!(file.len() as u64, export.bytes);
        let amounts = file
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').nth(4));
        let amounts: Vec<i64> = amounts.filter_map(|amount| amount.parse().ok()).collect();
        assert_eq!(amounts, (1..=2500).collect::<Vec<_>>(), "{}", strategy.name);
    }
    assert_eq!(
        names(&folder).len(),
        2,
        "the shared one, and the unique one"
    );
}

async fn two_writers_mix_their_rows_in_one_file(engine: TestEngine) {
    let (lab, _temporary, folder) = ground(engine, 2).await;
    let folder = folder.with_chunks_of(1);
    let mut first = start_export(&lab, &folder, "shared_file");
    first.go_to("write row").await;
    first.go().await;
    first.go_to("write row").await;
    let second = export(&lab, &folder, "shared_file").await.unwrap();
    let first = first.finish().await.unwrap();
    assert_eq!(first.file, second.file, "both are told that it is there");
    let found = audit(&folder, &first.file);
    assert!(found.is_mixed());
    assert_eq!(found.exports, [first.export, second.export].into());
}

async fn a_wait_for_the_lock_file_has_an_end(engine: TestEngine) {
    let (lab, _temporary, folder) = ground(engine, 2).await;
    let lock = folder.path().join("transactions.csv.lock");
    let held = FileLock::try_take(&lock).unwrap().unwrap();
    let refused = export(&lab, &folder, "file_lock").await.unwrap_err();
    let Refusal::Fault(fault) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(fault.kind, FaultKind::LockTimeout);
    assert_eq!(names(&folder), [] as [&str; 0]);
    drop(held);
    assert!(export(&lab, &folder, "file_lock").await.is_ok());
}

async fn a_wait_for_the_lock_file_is_a_step_of_the_timeline(engine: TestEngine) {
    let (lab, _temporary, folder) = ground(engine, 2).await;
    let lock = folder.path().join("transactions.csv.lock");
    let _held = FileLock::try_take(&lock).unwrap().unwrap();
    let service = serve(&lab, &folder).await;
    let answer = service.post("/exports/file_lock/").form(&[("account", 1)]);
    let answer = problem(answer.send().await.unwrap(), 409, "lock-timeout").await;
    assert_eq!(answer["outcome"], "refused");
    let steps = answer["timeline"].as_array().unwrap();
    let waited = steps.last().unwrap();
    assert_eq!(waited["label"], "lock file");
    let duration = waited["duration_us"].as_u64().unwrap();
    assert!(duration >= 1_000_000, "{waited}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_while_the_file_is_renamed_over_and_swept() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 5000).await;
    let before = export(&lab, &folder, "atomic_rename").await.unwrap();
    let mut download = folder.open(&before.file).unwrap().unwrap();
    let mut got = download.read(1000).unwrap();
    let after = export(&lab, &folder, "atomic_rename").await.unwrap();
    assert_ne!(before.export, after.export);
    while download.left() > 0 {
        got.extend(download.read(1000).unwrap());
    }
    let got = Audit::of(&got[..]);
    assert!(got.is_right(), "{got:?}");
    assert_eq!(got.exports, [before.export].into());
    assert_eq!(audit(&folder, &after.file).exports, [after.export].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_of_a_file_that_is_emptied_meanwhile_breaks_off() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    let export = export(&lab, &folder, "shared_file").await.unwrap();
    let mut download = folder.open(&export.file).unwrap().unwrap();
    download.read(10).unwrap();
    File::create(folder.path().join("transactions.csv")).unwrap();
    let error = download.read(10).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_leaves_nothing() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    for strategy in &STRATEGIES {
        let mut fails = start_export(&lab, &folder, strategy.name);
        fails.go_to("write rows").await;
        assert_eq!(names(&folder).len(), 1, "{}", strategy.name);
        fails.drop_here().await;
        assert_eq!(names(&folder), [] as [&str; 0], "{}", strategy.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_file_that_fails_takes_with_it_what_others_were_told_is_ready() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    export(&lab, &folder, "atomic_rename").await.unwrap();
    let mut fails = start_export(&lab, &folder, "shared_file");
    fails.go_to("write rows").await;
    let emptied = folder.open(&FileName::shared()).unwrap().unwrap();
    assert_eq!(emptied.length(), 0, "the earlier one is gone already");
    let ready = export(&lab, &folder, "shared_file").await.unwrap();
    assert!(audit(&folder, &ready.file).is_right());
    fails.drop_here().await;
    assert!(folder.open(&ready.file).unwrap().is_none());
}
