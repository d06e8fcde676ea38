//! Exports by services that are processes of their own.

use std::fs::{self, File};
use std::iter;
use std::path::Path;
use std::time::SystemTime;

use racy::engine::FileLock;
use racy::exhibits::exports::{FileName, STRATEGIES, Strategy};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::janitor::HOUR;
use super::{audit, export, ground, names};
use crate::support::json::assert_includes;
use crate::support::process::{Served, racy, terminate, with_a_small_disk};
use crate::support::service::{assert_has_lines, problem};
use crate::support::{Lab, TestEngine, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_leaves_nothing() {
    let (lab, temporary, folder) = ground(TestEngine::Sqlite, 3000).await;
    let wrapper = with_a_small_disk(folder.path());
    let served = Served::start_by(
        &wrapper,
        &lab.url(TestEngine::Sqlite),
        temporary.path(),
        &["--export-dir", folder.path().to_str().unwrap()],
    );
    for strategy in &STRATEGIES {
        assert_finds_the_disk_full(&served.base_url, strategy).await;
    }
    terminate(&served.process);
    served.wait();
    let written = names(&folder);
    assert_eq!(written, [] as [&str; 0], "it has written to another disk");
}

async fn assert_finds_the_disk_full(base_url: &str, strategy: &Strategy) {
    let url = format!("{base_url}/exports/{}/", strategy.name);
    let request = reqwest::Client::new().post(url).form(&[("account", 1)]);
    let refused = problem(request.send().await.unwrap(), 507, "disk-full").await;
    let expected = json!({
        "fault": "disk_full",
        "code": "28",
        "outcome": "refused",
        "retryable": false,
    });
    assert_includes(&refused, &expected);
    let metrics = reqwest::get(format!("{base_url}/metrics")).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let name = strategy.full_name;
    let lines = [
        "racy_exports_files 0".to_owned(),
        "racy_exports_bytes 0".to_owned(),
        format!(r#"racy_requests_total{{strategy="{name}",outcome="refused",status="507"}} 1"#),
        format!(r#"racy_faults_total{{strategy="{name}",kind="disk_full",code="28"}} 1"#),
    ];
    assert_has_lines(&metrics, lines);
}

fn serve_process(lab: &Lab, folder: &Path, more: &[&str]) -> Served {
    let data = folder.parent().unwrap();
    let folder = folder.to_str().unwrap();
    let url = lab.url(TestEngine::Sqlite);
    let options = ["--export-dir", folder, "--lock-wait-timeout", "30"];
    Served::start(&url, data, &[&options[..], more].concat())
}

/// Sends this number of exports to each of these services at once, and returns their answers.
async fn export_at_once(urls: [String; 2], each: usize) -> Vec<Value> {
    let client = reqwest::Client::new();
    let mut running = JoinSet::new();
    for url in urls.iter().flat_map(|url| iter::repeat_n(url, each)) {
        let url = format!("{url}/exports/file_lock/");
        let request = client.post(url).form(&[("account", 1)]);
        running.spawn(async move {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.json::<Value>().await.unwrap()
        });
    }
    running.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_holds_between_two_processes() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 3000).await;
    let services = [(); 2].map(|()| serve_process(&lab, folder.path(), &[]));
    let urls = services.each_ref().map(|served| served.base_url.clone());
    let lock = FileLock::try_take(&folder.path().join("transactions.csv.lock"));
    let lock = lock.unwrap().unwrap();
    let exporting = tokio::spawn(export_at_once(urls.clone(), 3));
    for url in urls {
        until("all wait, each with its connection", || async {
            let metrics = reqwest::get(format!("{url}/metrics")).await.unwrap();
            let metrics = metrics.text().await.unwrap();
            metrics.contains("\nracy_pool_connections_in_use 3\n")
        })
        .await;
    }
    assert_eq!(names(&folder), [] as [&str; 0]);
    let given_up = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let given_up = given_up.unwrap().as_micros() as u64;
    drop(lock);
    let answers = exporting.await.unwrap();
    // No two held it at a time, the test itself among them.
    let mut held: Vec<_> = answers.iter().map(held_the_lock).collect();
    held.push((0, given_up));
    held.sort_unstable();
    for two in held.windows(2) {
        assert!(two[0].1 <= two[1].0 + CLOCKS_DIFFER_US, "{held:?}");
    }
    let found = audit(&folder, &FileName::shared());
    assert!(found.is_right() && found.rows == 3000, "{found:?}");
    for served in services {
        terminate(&served.process);
        served.wait();
    }
}

/// An instant is read by the steady clock and placed by the wall's, a moment apart.
const CLOCKS_DIFFER_US: u64 = 2000;

/// From when the lock was taken to when it was given up, in microseconds since 1970.
fn held_the_lock(answer: &Value) -> (u64, u64) {
    let steps = answer["timeline"].as_array().unwrap();
    let step = |label: &str| steps.iter().find(|step| step["label"] == label).unwrap();
    let start = |step: &Value| step["start_us"].as_u64().unwrap();
    let arrived = answer["arrived_at_us"].as_u64().unwrap();
    let lock = step("lock file");
    let taken = start(lock) + lock["duration_us"].as_u64().unwrap();
    (arrived + taken, arrived + start(step("unlock file")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_sweeps_its_folder_and_says_what_it_freed() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    let export = export(&lab, &folder, "unique_file").await.unwrap();
    let path = folder.path().join(export.file.as_str());
    let old = File::options().append(true).open(path).unwrap();
    old.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
    let mut served = serve_process(&lab, folder.path(), &["--export-sweep", "50ms"]);
    let freed = format!("1 older than 3600s deleted, {} bytes freed", export.bytes);
    served.wait_until_said(&freed);
    until("it is gone", || async {
        names(&folder)
            .iter()
            .all(|name| !name.starts_with("transactions"))
    })
    .await;
    terminate(&served.process);
    served.wait();
}

#[tokio::test]
async fn a_service_does_not_start_without_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let file = file.to_str().unwrap();
    let mut command = racy(&["serve", "--listen", "127.0.0.1:0", "--export-dir", file]);
    let output = command
        .args(["--database-url", "sqlite::memory:"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!("the export folder {file} cannot be used")),
        "{said}"
    );
    assert!(said.contains("--export-dir takes another"), "{said}");
}
