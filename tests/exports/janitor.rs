//! The janitor, which deletes exports that are old.

use std::fs;
use std::time::{Duration, SystemTime};

use racy::engine::FileLock;
use racy::exhibits::exports::Folder;
use racy::exhibits::exports::janitor::{Janitor, SweepResult};

use super::{audit, export, ground, names, start_export};
use crate::support::TestEngine;

pub const HOUR: Duration = Duration::from_hours(1);

fn janitor(folder: &Folder) -> Janitor {
    Janitor {
        folder: folder.clone(),
        ttl: HOUR,
        every: HOUR,
    }
}

/// The time at which everything that a test has written is old.
fn later() -> SystemTime {
    SystemTime::now() + 2 * HOUR
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_janitor_deletes_what_is_old() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    let export = export(&lab, &folder, "unique_file").await.unwrap();
    fs::write(folder.path().join("not_an_export.csv"), "stays").unwrap();
    let leftover_of_a_killed_export = format!(".{}.part", export.file);
    fs::write(folder.path().join(leftover_of_a_killed_export), "half").unwrap();

    let nothing_is_old = janitor(&folder).sweep(SystemTime::now()).unwrap();
    let swept = janitor(&folder).sweep(later()).unwrap();
    assert_eq!(nothing_is_old, Some(SweepResult::default()));
    let expected = SweepResult {
        files: 2,
        bytes: export.bytes + "half".len() as u64,
        in_use: 0,
    };
    assert_eq!(swept, Some(expected));
    assert_eq!(names(&folder), ["not_an_export.csv"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_janitor_leaves_what_is_downloaded_or_written() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    let downloaded = export(&lab, &folder, "unique_file").await.unwrap();
    let download = folder.open(&downloaded.file).unwrap();
    let mut writing = start_export(&lab, &folder, "atomic_rename");
    writing.go_to("write rows").await;

    let swept = janitor(&folder).sweep(later()).unwrap().unwrap();
    assert_eq!((swept.files, swept.in_use), (0, 2));
    drop(download);
    let written = writing.finish().await.unwrap();
    assert!(audit(&folder, &written.file).is_right());
    // Another janitor, as after a restart.
    let swept = janitor(&folder).sweep(later()).unwrap().unwrap();
    assert_eq!((swept.files, swept.in_use), (2, 0));
}

#[tokio::test]
async fn one_janitor_sweeps_at_a_time() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    export(&lab, &folder, "unique_file").await.unwrap();
    let elsewhere = FileLock::try_take(&folder.path().join(".janitor.lock"));
    let elsewhere = elsewhere.unwrap().unwrap();
    assert_eq!(janitor(&folder).sweep(later()).unwrap(), None);
    assert_eq!(names(&folder).len(), 1);
    drop(elsewhere);
    assert_eq!(janitor(&folder).sweep(later()).unwrap().unwrap().files, 1);
}
