//! What clients may take, alone and together, and what becomes of those that want more.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use racy::engine;
use racy::exhibits::exports::Folder;
use racy::exhibits::exports::janitor::Janitor;
use racy::http::{Limits, Settings};
use reqwest::Client;
use reqwest::redirect::Policy;
use tempfile::TempDir;

use crate::keeper::{PASSWORD, make_user};
use crate::support::process::{Served, terminate};
use crate::support::service::{RunningService, assert_has_lines, problem, settings};
use crate::support::{Lab, TestEngine, until};

on_engines!(
    every:
        beside_deposits_that_hold_all_connections_the_keeper_gets_in;
);

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(1);

async fn serve(lab: &Lab, folder: &Folder, limits: Limits) -> RunningService {
    let settings = Settings {
        exports: folder.clone(),
        limits,
        ..settings()
    };
    RunningService::start_with(&lab.database, &settings).await
}

/// A folder with an export that is larger than what systems buffer for a client that does not read.
fn large_export() -> (TempDir, Folder) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::at(temporary.path());
    let file = temporary.path().join("transactions.csv");
    std::fs::write(file, vec![b'x'; 32 * 1024 * 1024]).unwrap();
    (temporary, folder)
}

fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(head.as_bytes()).unwrap();
    client
}

const DOWNLOAD: &str = "GET /exports/transactions.csv HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_is_cut_off_and_the_file_is_in_use_no_more() {
    let lab = TestEngine::Sqlite.lab().await;
    let (_temporary, folder) = large_export();
    let limits = Limits {
        write_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let service = serve(&lab, &folder, limits).await;
    let mut client = send(service.address, DOWNLOAD);
    let mut first = [0; 15];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let janitor = Janitor {
        folder,
        ttl: Duration::ZERO,
        every: FOR_EVER,
    };
    until("the export is deleted", || async {
        janitor.sweep(SystemTime::now()).unwrap().unwrap().files == 1
    })
    .await;
    let mut rest = Vec::new();
    let read = client.read_to_end(&mut rest);
    assert!(read.is_err() || rest.len() < 32 * 1024 * 1024);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_client_that_reads_nothing() {
    let lab = TestEngine::Sqlite.lab().await;
    let (_temporary, folder) = large_export();
    let limits = Limits {
        write_timeout: FOR_EVER,
        ..Limits::default()
    };
    let service = serve(&lab, &folder, limits).await;
    let mut client = send(service.address, DOWNLOAD);
    client.read_exact(&mut [0; 15]).unwrap();
    tokio::time::timeout(Duration::from_secs(20), service.stop())
        .await
        .unwrap();
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_make_room_where_all_places_are_taken() {
    let lab = TestEngine::Sqlite.lab().await;
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let service = serve(&lab, &Folder::at("none"), limits).await;
    let idle: Vec<_> = (0..50)
        .map(|_| TcpStream::connect(service.address).unwrap())
        .collect();
    for _ in 0..5 {
        // Each over a connection of its own.
        let client = Client::new();
        let url = format!("http://{}/accounts", service.address);
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    }
    drop(idle);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_busy_clients_only_health_and_the_keeper_are_answered() {
    let lab = TestEngine::Sqlite.lab().await;
    let one = Settings {
        limits: Limits {
            connections: 1,
            ..Limits::default()
        },
        ..settings()
    };
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &one).await;
    let deposit = service.begin_deposit("atomic_no_delay");
    let parked = arrived.next().await.unwrap();

    let refused = service.get("/accounts").send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["connection"], "close");
    assert_eq!(refused.headers()["x-racy-instance"], "here");
    problem(refused, 503, "too-many-clients").await;
    service.json("/health/live").await;
    let guess = service.post("/admin/login").form(&[("username", "ada")]);
    assert_eq!(guess.send().await.unwrap().status(), 401);

    parked.go();
    let steps = arrived.let_all_through();
    assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    assert_eq!(lab.account().await.balance, 100);
    service.json("/accounts").await;
    service.stop().await;
    steps.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_have_a_size() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (bytes, status) in [(30 * 1024, 200), (40 * 1024, 431), (400 * 1024, 431)] {
        let request = service.get("/accounts");
        let request = request.header("cookie", "c".repeat(bytes));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{bytes} bytes of cookies");
    }
    service.stop().await;
}

#[test]
fn with_few_files_and_hundreds_of_idle_connections_every_request_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(data.path());
    let served = Served::start_by(&["prlimit", "--nofile=64"], &url, data.path(), &[]);
    assert!(served.said.contains("only 64 files may be open"));
    let address: SocketAddr = served
        .base_url
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let idle: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for (head, status) in [
        ("GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /admin/login HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /accounts HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
    ] {
        let mut answer = [0; 12];
        send(address, head).read_exact(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer, format!("HTTP/1.1 {status}"), "{head}");
    }
    drop(idle);
    terminate(&served.process);
    assert!(served.wait().0.success());
}

/// A deposit has the one connection and the one worker, and more deposits queue for both.
async fn beside_deposits_that_hold_all_connections_the_keeper_gets_in(on: TestEngine) {
    let one_connection = engine::Settings {
        connections: 1,
        ..engine::Settings::default()
    };
    let lab = on.lab_with(one_connection).await;
    make_user(&lab.database, "ada").await;
    let one = Settings {
        workers: Some(1),
        limits: Limits {
            kept_database_connections: 2,
            ..Limits::default()
        },
        ..settings()
    };
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &one).await;
    let deposits = [(); 3].map(|()| service.begin_deposit("atomic_no_delay"));
    let parked = arrived.next().await.unwrap();

    service.json("/health/ready").await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let login = client.post(format!("http://{}/admin/login", service.address));
    let login = login.form(&[("username", "ada"), ("password", PASSWORD)]);
    assert_eq!(login.send().await.unwrap().status(), 303);
    let pool = [
        "racy_database_up 1",
        "racy_pool_connections_limit 3",
        "racy_pool_connections_in_use 1",
    ];
    assert_has_lines(&service.metrics().await, pool);

    parked.go();
    let steps = arrived.let_all_through();
    for deposit in deposits {
        assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    }
    service.stop().await;
    steps.await.unwrap();
}

/// The file is locked, so that the audits under way do not end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audits_beyond_two_wait_a_little_and_are_refused() {
    let lab = TestEngine::Sqlite.lab().await;
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("transactions.csv");
    std::fs::write(&path, "export").unwrap();
    let locked = File::open(&path).unwrap();
    locked.lock().unwrap();
    let service = serve(&lab, &Folder::at(temporary.path()), Limits::default()).await;
    let (answer, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..3 {
        let audit = service.get("/exports/transactions.csv/audit").send();
        let answer = answer.clone();
        tokio::spawn(async move { answer.send(audit.await.unwrap()) });
    }
    let refused = answers.recv().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    problem(refused, 503, "too-many-audits").await;
    locked.unlock().unwrap();
    for _ in 0..2 {
        assert_eq!(answers.recv().await.unwrap().status(), 200);
    }
    service.stop().await;
}
