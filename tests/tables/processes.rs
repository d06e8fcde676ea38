//! Tables of services that are processes of their own: they share nothing but the folder.

use std::path::Path;

use racy::exhibits::tables::audit::Audit;
use racy::exhibits::tables::{KeptBy, STRATEGIES, Table, Tables};
use serde_json::Value;
use tokio::task::JoinSet;

use super::counts;
use crate::support::TestEngine;
use crate::support::process::{Served, racy, signal, terminate, with_a_small_disk};
use crate::support::service::problem;

fn serve(folder: &Path, tables: &Path, name: &str, more: &[&str]) -> Served {
    let data = folder.join(name);
    std::fs::create_dir(&data).unwrap();
    let url = TestEngine::Sqlite.own_url(&data);
    let options = ["--table-dir", tables.to_str().unwrap()];
    Served::start(&url, &data, &[&options[..], more].concat())
}

fn table(tables: &Path, name: &str) -> Table {
    Tables::at(tables).table(&name.parse().unwrap())
}

/// What became of one append.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Acknowledged,
    Refused,
    /// The service was gone.
    None,
}

/// Sends appends, one after the other, until it has sent them all or the service is gone.
async fn append(base_url: String, strategy: &str, client: usize, times: usize) -> Vec<Answer> {
    let url = format!("{base_url}/tables/{strategy}/");
    let requests = reqwest::Client::new();
    let mut answers = Vec::new();
    for number in 0..times {
        let (key, partition) = (format!("{client}-{number}"), format!("p{client}"));
        let form = [
            ("key", key.as_str()),
            ("value", "1"),
            ("table", "t"),
            ("partition", &partition),
        ];
        let sent = requests.post(&url).form(&form).send().await;
        answers.push(match sent.map(|it| it.status().as_u16()) {
            Ok(200) => Answer::Acknowledged,
            Ok(409) => Answer::Refused,
            Ok(other) => panic!("{strategy}: {other}"),
            Err(_) => return answers.into_iter().chain([Answer::None]).collect(),
        });
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_race_for_one_folder_and_lose_nothing() {
    let kept = STRATEGIES
        .iter()
        .filter(|it| it.kept_by == KeptBy::Versions);
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("tables");
    for strategy in kept {
        let here = tables.join(strategy.name);
        let place = folder.path().join(format!("of {}", strategy.name));
        std::fs::create_dir(&place).unwrap();
        let services = ["one", "other"].map(|name| serve(&place, &here, name, &[]));
        let mut running = JoinSet::new();
        for client in 0..6 {
            let base_url = services[client % 2].base_url.clone();
            running.spawn(append(base_url, strategy.name, client, 10));
        }
        let answers: Vec<_> = running.join_all().await.into_iter().flatten().collect();
        let made = answers
            .iter()
            .filter(|it| **it == Answer::Acknowledged)
            .count();
        assert!(made > 0, "{}", strategy.name);
        let audit = Audit::of(&table(&here, "t")).unwrap();
        assert_eq!(
            (audit.records, audit.acknowledged),
            (made as u64, made as u64)
        );
        let [missing, twice, lineage, _orphans, absent, unreadable] = counts(&audit);
        assert_eq!(
            [missing, twice, lineage, absent, unreadable],
            [0; 5],
            "{audit:?}"
        );
        for served in services {
            terminate(&served.process);
            served.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_leaves_a_table_for_the_other_one() {
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("tables");
    let sweep = ["--table-keep", "3", "--table-sweep", "20ms"];
    let killed = serve(folder.path(), &tables, "killed", &[]);
    let other = serve(folder.path(), &tables, "other", &sweep);
    let mut running = JoinSet::new();
    for client in 0..4 {
        running.spawn(append(
            killed.base_url.clone(),
            "leader_lock",
            client,
            100_000,
        ));
        running.spawn(append(
            other.base_url.clone(),
            "leader_lock",
            10 + client,
            40,
        ));
    }
    let mut acknowledged = 0;
    let count = |answers: &[Answer]| {
        answers
            .iter()
            .filter(|it| **it == Answer::Acknowledged)
            .count() as u64
    };
    // The other one's clients are done while the first one still works.
    let mut done = 0;
    while done < 4 {
        let answers = running.join_next().await.unwrap().unwrap();
        acknowledged += count(&answers);
        done += 1;
    }
    signal("KILL", &killed.process);
    for answers in running.join_all().await {
        assert_eq!(answers.last(), Some(&Answer::None));
        acknowledged += count(&answers);
    }
    killed.wait();
    // The client with the lock is dead, and the other service goes on.
    let answers = append(other.base_url.clone(), "leader_lock", 20, 5).await;
    assert_eq!(count(&answers), 5);
    acknowledged += 5;
    let audit: Value = reqwest::get(format!("{}/tables/t/audit", other.base_url))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let noted = audit["acknowledged"].as_u64().unwrap();
    // An answer that was noted may not have reached its client any more.
    assert!(
        (acknowledged..=acknowledged + 4).contains(&noted),
        "{audit}"
    );
    for name in [0, 1, 2, 4, 5] {
        assert_eq!(audit["anomalies"][name]["count"], 0, "{audit}");
    }
    terminate(&other.process);
    other.wait();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("tables");
    std::fs::create_dir(&tables).unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let wrapper = with_a_small_disk(&tables);
    let served = Served::start_by(
        &wrapper,
        &TestEngine::Sqlite.own_url(&data),
        &data,
        &["--table-dir", tables.to_str().unwrap()],
    );
    let url = |path: &str| format!("{}/tables/{path}", served.base_url);
    let client = reqwest::Client::new();
    let mut made = 0;
    let refused = loop {
        let form = [("key", format!("k{made}")), ("value", "1".to_owned())];
        let sent = client.post(url("exclusive_create/")).form(&form).send();
        let answer = sent.await.unwrap();
        if answer.status() != 200 {
            break answer;
        }
        made += 1;
    };
    problem(refused, 507, "disk-full").await;
    assert!(made > 0);
    let audit: Value = client
        .get(url("exclusive_create/audit"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(audit["acknowledged"], made, "{audit}");
    assert_eq!(audit["anomalies"][0]["count"], 0, "{audit}");
    assert_eq!(audit["anomalies"][5]["count"], 0, "{audit}");
    terminate(&served.process);
    served.wait();
}

#[tokio::test]
async fn a_service_does_not_start_without_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let file = file.to_str().unwrap();
    let mut command = racy(&["serve", "--listen", "127.0.0.1:0", "--table-dir", file]);
    let output = command
        .args(["--database-url", "sqlite::memory:"])
        .env("RACY_DATA_DIR", temporary.path().join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let expected = format!("the folder of the tables {file} cannot be used");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn at_least_one_snapshot_is_kept() {
    let output = racy(&["serve", "--table-keep", "0"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("at least 1"), "{said}");
}
