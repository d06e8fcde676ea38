//! `racy serve`, from its start to its end.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{output, text};
use crate::support::process::{Served, racy, terminate};
use crate::support::service::RunningService;
use crate::support::{HeldPort, TestEngine, open_folder, until};

on_engines!(
    every:
        serve_keeps_its_data_and_leaves_nothing_running;
    servers:
        serve_says_so_when_its_private_server_dies;
);

async fn serve_keeps_its_data_and_leaves_nothing_running(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let client = reqwest::Client::new();
    for start in 1..=2 {
        let served = Served::start(&url, folder.path(), &[]);
        let deposit = format!("{}/demo/atomic_no_delay/", served.base_url);
        let form = [("account", 1), ("amount", 100)];
        let response = client.post(deposit).form(&form).send().await.unwrap();
        let receipt: Value = response.json().await.unwrap();
        assert_eq!(receipt["balance_written"], 100 * start);

        let socket = served.socket();
        assert_eq!(socket.is_some(), engine != TestEngine::Sqlite);
        terminate(&served.process);
        let (status, said) = served.wait();
        assert!(status.success(), "{said}");
        if let Some(socket) = socket {
            assert!(
                !Path::new(&socket).exists(),
                "the private server is still there"
            );
        }
    }
}

async fn serve_says_so_when_its_private_server_dies(engine: TestEngine) {
    let folder = open_folder();
    let served = Served::start(&engine.own_url(folder.path()), folder.path(), &[]);
    let run = Path::new(&served.socket().unwrap())
        .parent()
        .unwrap()
        .to_owned();
    let pid = std::fs::read_to_string(run.join("server.pid")).unwrap();
    let signal = match engine {
        // Killed, it would leave shared memory in the system, for a next start that never comes
        // here.
        TestEngine::Postgres => "-QUIT",
        _ => "-KILL",
    };
    let kill = Command::new("kill").args([signal, pid.trim()]).status();
    assert!(kill.unwrap().success());
    let (status, said) = served.wait();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(
        said.contains("the private server is gone: stopping"),
        "{said}"
    );
    assert!(said.contains("ended unasked"), "{said}");
}

/// What a test has started goes with the test's thread, also by a panic that leaves no time to stop
/// it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_test_that_ends_early_leaves_nothing_running() {
    use std::os::unix::process::ExitStatusExt as _;

    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let data = folder.path().to_owned();
    let failing = std::thread::spawn(move || Served::start(&url, &data, &[]).process);
    let mut left = failing.join().unwrap();
    until("the process is killed", || {
        let ended = left.try_wait().unwrap();
        async move { ended.is_some_and(|status| status.signal() == Some(9)) }
    })
    .await;
}

/// The first signal waits for the deposit in flight, which thinks for a minute. The second does
/// not.
#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut served = Served::start(
        &url,
        folder.path(),
        &["--long-delay", "60s", "--workers", "1"],
    );
    let deposit = format!("{}/demo/atomic_long_delay/", served.base_url);
    let form = [("account", 1), ("amount", 100)];
    let request = reqwest::Client::new().post(deposit).form(&form);
    let deposit = tokio::spawn(request.send());
    let metrics = format!("{}/metrics", served.base_url);
    until("the deposit is under way", || async {
        let metrics = reqwest::get(&metrics).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        metrics.contains("\nracy_pool_connections_in_use 1\n")
    })
    .await;

    terminate(&served.process);
    served.wait_until_said("a second signal does not wait");
    terminate(&served.process);
    let (status, said) = tokio::task::spawn_blocking(|| served.wait()).await.unwrap();
    assert_eq!(status.code(), Some(143));
    assert!(said.contains("requests were not finished"), "{said}");
    assert!(deposit.await.unwrap().is_err());
}

#[tokio::test]
async fn an_instance_is_named_after_its_host_or_as_it_is_told() {
    let host = output(Command::new("hostname")).await;
    for (more, name) in [
        (&[][..], text(&host.stdout).trim()),
        (&["--instance", "replica-7"], "replica-7"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let url = TestEngine::Sqlite.own_url(folder.path());
        let served = Served::start(&url, folder.path(), more);
        let ready = reqwest::get(format!("{}/health/ready", served.base_url)).await;
        let ready: Value = ready.unwrap().json().await.unwrap();
        assert_eq!(ready["instance"], name);
        terminate(&served.process);
        served.wait();
    }
}

#[tokio::test]
async fn the_health_check_tells_a_service_that_is_ready_from_one_that_is_not() {
    async fn check(address: &str) -> (Option<i32>, String) {
        let mut command = racy(&["healthcheck"]);
        command.env("RACY_LISTEN", address);
        let output = output(command).await;
        (output.status.code(), text(&output.stderr))
    }

    let lab = TestEngine::Sqlite
        .lab_with(racy::engine::Settings {
            connections: 1,
            ..racy::engine::Settings::default()
        })
        .await;
    let held = HeldPort::new();
    let service = RunningService::start_at(held.address(), &lab.database).await;
    let port = service.address.port();
    for address in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        assert_eq!(check(&address).await, (Some(0), String::new()));
    }
    let address = format!("127.0.0.1:{port}");

    let taken = lab.database.session(&racy::step::Unobserved).await.unwrap();
    let (status, said) = check(&address).await;
    assert_eq!(status, Some(1));
    assert!(said.contains("503"), "{said}");
    taken.end().await;

    service.stop().await;
    let (status, said) = check(&address).await;
    assert_eq!(status, Some(1));
    assert!(said.contains(&address), "{said}");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = output(racy(&["serve", "--listen", &address])).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains(&address) && said.contains("--listen takes another"),
        "{said}"
    );
}
