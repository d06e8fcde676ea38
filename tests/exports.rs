//! Exports: CSV files that several clients write, download and delete at the same time.

use std::fs::{self, File};
use std::iter;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use racy::engine::{FaultKind, FileLock, Settings};
use racy::exhibits::exports::audit::Audit;
use racy::exhibits::exports::janitor::{Janitor, Swept};
use racy::exhibits::exports::{Export, FileName, Folder, Refusal, STRATEGIES, Strategy, Wanted};
use racy::step::Unobserved;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::client::{Arrivals, Arrived, Gate};
use crate::support::process::{Served, racy, terminate};
use crate::support::service::{RunningService, problem, settings};
use crate::support::{Lab, TestEngine, until};

on_engines!(
    every:
        an_export_has_every_transaction_in_order,
        two_writers_mix_their_rows_in_one_file,
        whoever_waits_for_the_lock_file_is_seen_to_wait,
    ;
    innodb:
);

const WANTED: Wanted = Wanted { account: 1 };

fn strategy(short_name: &str) -> &'static Strategy {
    Strategy::named(short_name).unwrap()
}

/// A database with so many transactions on account 1, and a folder.
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

/// The names in the folder, but for locks.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

/// Starts an export that parks before each step.
fn start(
    lab: &Lab,
    folder: &Folder,
    short_name: &str,
) -> (Arrivals, JoinHandle<Result<Export, Refusal>>) {
    let (gate, arrivals) = Gate::new();
    let (database, folder, strategy) = (lab.database.clone(), folder.clone(), strategy(short_name));
    let run =
        tokio::spawn(async move { strategy.perform(&database, &folder, &WANTED, &gate).await });
    (arrivals, run)
}

/// Lets steps happen up to the one with this label, before which it stays.
async fn go_to(arrivals: &mut Arrivals, label: &str) -> Arrived {
    while let Some(arrived) = arrivals.next().await {
        if arrived.label == label {
            return arrived;
        }
        arrived.go();
    }
    panic!("it did not come to {label:?}");
}

async fn an_export_has_every_transaction_in_order(engine: TestEngine) {
    let (lab, _temporary, folder) = ground(engine, 2500).await;
    for strategy in &STRATEGIES {
        let export = export(&lab, &folder, strategy.short_name).await.unwrap();
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
    let (mut first, first_run) = start(&lab, &folder, "shared_file");
    let last_row = {
        go_to(&mut first, "write row").await.go();
        go_to(&mut first, "write row").await
    };
    let second = export(&lab, &folder, "shared_file").await.unwrap();
    last_row.go();
    let first = first_run.await.unwrap().unwrap();
    assert_eq!(first.file, second.file, "both are told that it is there");
    let found = audit(&folder, &first.file);
    assert!(found.is_mixed());
    assert_eq!(found.exports, [first.export, second.export].into());
}

async fn whoever_waits_for_the_lock_file_is_seen_to_wait(engine: TestEngine) {
    let (lab, _temporary, folder) = ground(engine, 2).await;
    let lock = folder.path().join("transactions.csv.lock");
    let held = FileLock::try_take(&lock).unwrap().unwrap();
    let refused = export(&lab, &folder, "file_lock").await.unwrap_err();
    let Refusal::Fault(fault) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(fault.kind, FaultKind::LockTimeout);
    assert_eq!(names(&folder), [] as [&str; 0]);

    let service = serve(&lab, &folder).await;
    let answer = service.post("/exports/file_lock/").form(&[("account", 1)]);
    let answer = problem(answer.send().await.unwrap(), 409, "lock-timeout").await;
    assert_eq!(answer["outcome"], "refused");
    let steps = answer["timeline"].as_array().unwrap();
    let waited = steps.last().unwrap();
    assert_eq!(waited["label"], "lock file");
    assert!(
        waited["duration_us"].as_u64().unwrap() >= 1_000_000,
        "{waited}"
    );
    drop(held);
    assert!(export(&lab, &folder, "file_lock").await.is_ok());
    service.stop().await;
}

async fn serve(lab: &Lab, folder: &Folder) -> RunningService {
    let settings = racy::http::Settings {
        exports: folder.clone(),
        ..settings()
    };
    RunningService::start_with(&lab.database, &settings, Arc::new(Unobserved), |it| it).await
}

async fn post(service: &RunningService, short_name: &str) -> Value {
    let response = service
        .post(&format!("/exports/{short_name}/"))
        .json(&json!({"account": 1}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{short_name}");
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_made_downloaded_and_audited_over_http() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 3).await;
    let service = serve(&lab, &folder).await;
    for strategy in &STRATEGIES {
        let made = post(&service, strategy.short_name).await;
        assert_eq!(made["strategy"], strategy.short_name);
        assert_eq!((&made["account"], &made["rows"]), (&json!(1), &json!(3)));
        assert_eq!(made["outcome"], "applied");
        assert!(made["timeline"].as_array().unwrap().len() >= 3);
        let (url, name) = (
            made["url"].as_str().unwrap(),
            made["file"].as_str().unwrap(),
        );
        assert_eq!(url, format!("/exports/{name}"));

        let response = service.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(header("content-length"), made["bytes"].to_string());
        let attachment = format!("attachment; filename=\"{name}\"");
        assert_eq!(header("content-disposition"), attachment);
        let file = response.bytes().await.unwrap();
        assert_eq!(file.len() as u64, made["bytes"].as_u64().unwrap());
        assert!(Audit::of(&file[..]).is_right());

        let audit = service.json(&format!("{url}/audit")).await;
        assert_eq!(audit["file"], name);
        assert_eq!(
            (&audit["rows"], &audit["exports"]),
            (&json!(3), &json!([made["export"]]))
        );
        let nothing = |name| json!({"name": name, "count": 0, "example": null});
        let names = [
            "unparsable",
            "mixed_exports",
            "wrong_row_count",
            "out_of_order",
        ];
        assert_eq!(audit["anomalies"], json!(names.map(nothing)));
    }
    for strategy in &STRATEGIES {
        let invalid = service.post(&format!("/exports/{}/", strategy.short_name));
        let invalid = invalid.form(&[("account", "none")]).send().await.unwrap();
        problem(invalid, 400, "invalid-request").await;
    }
    let metrics = service
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let held = folder.held().unwrap().bytes;
    let mut lines = vec![
        "racy_exports_files 2".to_owned(),
        format!("racy_exports_bytes {held}"),
        r#"racy_lock_wait_seconds_count{strategy="exports/file_lock"} 1"#.to_owned(),
    ];
    for Strategy { name, .. } in &STRATEGIES {
        let requests = |outcome, status| {
            format!(
                r#"racy_requests_total{{strategy="{name}",outcome="{outcome}",status="{status}"}} 1"#
            )
        };
        lines.extend([requests("applied", 200), requests("invalid", 400)]);
    }
    for line in lines {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    assert!(
        !metrics.contains(r#"racy_lock_wait_seconds_count{strategy="exports/shared_file"}"#),
        "to write a file is not to wait for a lock: {metrics}"
    );
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_request_for_an_export_is_refused_and_leaves_nothing() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    let service = serve(&lab, &folder).await;
    let export = |name: &str, account: Value| {
        let path = format!("/exports/{name}/");
        service
            .post(&path)
            .json(&json!({"account": account}))
            .send()
    };
    for (account, complaint) in [
        (json!(null), "missing"),
        (json!("one"), "not an integer"),
        (json!(-1), "negative"),
        (json!(1.5), "not an integer"),
    ] {
        let refused = export("shared_file", account).await.unwrap();
        let refused = problem(refused, 400, "invalid-request").await;
        assert!(
            refused["detail"].as_str().unwrap().contains(complaint),
            "{refused}"
        );
        assert!(
            refused["detail"].as_str().unwrap().contains("account"),
            "{refused}"
        );
    }
    let unknown = export("shared_file", json!(4711)).await.unwrap();
    problem(unknown, 404, "unknown-account").await;
    let unknown = export("every_file", json!(1)).await.unwrap();
    let unknown = problem(unknown, 404, "unknown-strategy").await;
    assert!(
        unknown["detail"]
            .as_str()
            .unwrap()
            .contains("shared_file, file_lock")
    );
    assert_eq!(names(&folder), [] as [&str; 0]);
    service.stop().await;
}

/// Sends a request target as it is, which a client library would tidy up first.
async fn status_of(service: &RunningService, target: &str) -> u16 {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: racy\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.contains("hidden"), "{target}: {answer}");
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let (lab, temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    let secret = temporary.path().join("secret.csv");
    fs::write(&secret, "hidden").unwrap();
    fs::write(folder.path().join("secret.csv"), "hidden").unwrap();
    let service = serve(&lab, &folder).await;
    for name in [
        "..%2fsecret.csv",
        "%2e%2e%2fsecret.csv",
        "%2e%2e",
        "..",
        "secret.csv",
        "%2fetc%2fpasswd",
        "transactions.csv%00",
        "transactions.csv.lock",
        ".janitor.lock",
        "transactions-zzzzzzzzzzzzzzzz.csv",
        "%ff%fe",
    ] {
        for more in ["", "/audit"] {
            assert_eq!(
                status_of(&service, &format!("/exports/{name}{more}")).await,
                400,
                "{name}"
            );
        }
    }
    for target in [
        "/exports/../secret.csv",
        "/exports//etc/passwd",
        "/exports/",
    ] {
        let status = status_of(&service, target).await;
        assert!([400, 404, 405].contains(&status), "{target}: {status}");
    }
    let missing = service
        .get("/exports/transactions.csv")
        .send()
        .await
        .unwrap();
    problem(missing, 404, "unknown-export").await;

    symlink(&secret, folder.path().join("transactions.csv")).unwrap();
    let link = service
        .get("/exports/transactions.csv")
        .send()
        .await
        .unwrap();
    problem(link, 503, "storage").await;
    for short_name in ["shared_file", "file_lock"] {
        let refused = export(&lab, &folder, short_name).await.unwrap_err();
        assert!(matches!(refused, Refusal::Fault(fault) if fault.kind == FaultKind::Storage));
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "hidden");
    // A rename replaces the link, and not what it leads to.
    export(&lab, &folder, "atomic_rename").await.unwrap();
    assert_eq!(fs::read_to_string(&secret).unwrap(), "hidden");
    assert!(audit(&folder, &FileName::shared()).is_right());
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

const HOUR: Duration = Duration::from_hours(1);

fn janitor(folder: &Folder) -> Janitor {
    Janitor {
        folder: folder.clone(),
        ttl: HOUR,
        every: HOUR,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_janitor_deletes_what_is_old_and_in_nobodys_use() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    let downloaded = export(&lab, &folder, "unique_file").await.unwrap();
    let abandoned = export(&lab, &folder, "unique_file").await.unwrap();
    fs::write(folder.path().join("somebody_elses.csv"), "stays").unwrap();
    // Of an export that was killed.
    let leftover = format!(".{}.part", downloaded.file);
    fs::write(folder.path().join(&leftover), "half").unwrap();
    let (mut arrivals, writing) = start(&lab, &folder, "atomic_rename");
    let parked = go_to(&mut arrivals, "write rows").await;
    let download = folder.open(&downloaded.file).unwrap();

    let (janitor, now) = (janitor(&folder), SystemTime::now());
    assert_eq!(
        janitor.sweep(now).unwrap(),
        Some(Swept::default()),
        "nothing is old"
    );
    let later = now + 2 * HOUR;
    let swept = janitor.sweep(later).unwrap().unwrap();
    let freed = abandoned.bytes + "half".len() as u64;
    let expected = Swept {
        files: 2,
        bytes: freed,
        in_use: 2,
    };
    assert_eq!(swept, expected);
    assert!(folder.open(&abandoned.file).unwrap().is_none());
    assert!(!names(&folder).contains(&leftover));

    drop(download);
    parked.go();
    let _rest = arrivals.let_all_through();
    let written = writing.await.unwrap().unwrap();
    assert!(
        audit(&folder, &written.file).is_right(),
        "it was not taken from under the writer"
    );
    // Another janitor, as after a restart.
    let swept = self::janitor(&folder).sweep(later).unwrap().unwrap();
    assert_eq!((swept.files, swept.in_use), (2, 0));
    assert_eq!(names(&folder), ["somebody_elses.csv"]);
}

#[tokio::test]
async fn one_janitor_sweeps_at_a_time() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    export(&lab, &folder, "unique_file").await.unwrap();
    let later = SystemTime::now() + 2 * HOUR;
    let elsewhere = FileLock::try_take(&folder.path().join(".janitor.lock"));
    let elsewhere = elsewhere.unwrap().unwrap();
    assert_eq!(janitor(&folder).sweep(later).unwrap(), None);
    assert_eq!(names(&folder).len(), 1);
    drop(elsewhere);
    assert_eq!(janitor(&folder).sweep(later).unwrap().unwrap().files, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_leaves_nothing() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    for strategy in &STRATEGIES {
        let (mut arrivals, run) = start(&lab, &folder, strategy.short_name);
        let _parked = go_to(&mut arrivals, "write rows").await;
        assert_eq!(names(&folder).len(), 1, "{}", strategy.name);
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        assert_eq!(names(&folder), [] as [&str; 0], "{}", strategy.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_file_that_fails_takes_with_it_what_others_were_told_is_ready() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    export(&lab, &folder, "atomic_rename").await.unwrap();
    let (mut arrivals, fails) = start(&lab, &folder, "shared_file");
    let _parked = go_to(&mut arrivals, "write rows").await;
    let emptied = folder.open(&FileName::shared()).unwrap().unwrap();
    assert_eq!(emptied.length(), 0, "the earlier one is gone already");
    let ready = export(&lab, &folder, "shared_file").await.unwrap();
    assert!(audit(&folder, &ready.file).is_right());
    fails.abort();
    assert!(fails.await.unwrap_err().is_cancelled());
    assert!(folder.open(&ready.file).unwrap().is_none());
}

/// The command that executes another one with a small file system at this path, which nobody else sees and which is
/// gone with it. Root may mount one, and others in a user namespace where they may have one.
fn with_a_small_disk(path: &Path) -> Vec<&str> {
    const MOUNT_AND_EXECUTE: &str =
        r#"mount -t tmpfs -o size=64k,mode=700 tmpfs "$0" && exec "$@""#;
    let mut refusals = String::new();
    for unshare in [
        &["unshare", "--mount"][..],
        &["unshare", "--map-root-user", "--mount"],
    ] {
        let mount = ["sh", "-c", MOUNT_AND_EXECUTE, path.to_str().unwrap()];
        let wrapper = [unshare, &mount].concat();
        let tried = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg("true")
            .output();
        match tried {
            Ok(output) if output.status.success() => return wrapper,
            Ok(output) => refusals.push_str(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => refusals.push_str(&format!("{}: {error}", unshare[0])),
        }
    }
    panic!(
        "this test needs a small file system of its own, which takes util-linux and either root with \
         CAP_SYS_ADMIN or unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns; docker run --security-opt seccomp=unconfined):\n{refusals}"
    );
}

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
        let url = format!("{}/exports/{}/", served.base_url, strategy.short_name);
        let request = reqwest::Client::new().post(url).form(&[("account", 1)]);
        let refused = problem(request.send().await.unwrap(), 507, "disk-full").await;
        assert_eq!(
            (&refused["fault"], &refused["code"]),
            (&json!("disk_full"), &json!("28"))
        );
        assert_eq!(
            (&refused["outcome"], &refused["retryable"]),
            (&json!("refused"), &json!(false))
        );
        let metrics = reqwest::get(format!("{}/metrics", served.base_url)).await;
        let metrics = metrics.unwrap().text().await.unwrap();
        let name = strategy.name;
        for line in [
            "racy_exports_files 0".to_owned(),
            "racy_exports_bytes 0".to_owned(),
            format!(r#"racy_requests_total{{strategy="{name}",outcome="refused",status="507"}} 1"#),
            format!(r#"racy_faults_total{{strategy="{name}",kind="disk_full",code="28"}} 1"#),
        ] {
            assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
        }
    }
    terminate(&served.process);
    served.wait();
    assert_eq!(
        names(&folder),
        [] as [&str; 0],
        "it was the small disk that was written to"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_said() {
    let (lab, temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    fs::remove_dir_all(folder.path()).unwrap();
    let in_its_place = temporary.path().join("file");
    fs::write(&in_its_place, "no folder").unwrap();
    for folder in [folder, Folder::at(&in_its_place)] {
        let service = serve(&lab, &folder).await;
        for strategy in &STRATEGIES {
            let path = format!("/exports/{}/", strategy.short_name);
            let refused = service
                .post(&path)
                .form(&[("account", 1)])
                .send()
                .await
                .unwrap();
            let refused = problem(refused, 503, "storage").await;
            assert_eq!(refused["outcome"], "refused");
        }
        service.stop().await;
    }
    assert_eq!(fs::read_to_string(in_its_place).unwrap(), "no folder");
}

fn serve_process(lab: &Lab, folder: &Path, more: &[&str]) -> Served {
    let folder = folder.to_str().unwrap();
    let url = lab.url(TestEngine::Sqlite);
    let options = ["--export-dir", folder, "--lock-wait-timeout", "30"];
    Served::start(&url, Path::new(folder), &[&options[..], more].concat())
}

/// What each of so many exports to each of these services has answered.
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
