//! The commands as a person runs them: processes, signals, exit statuses, what is printed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use make_requests::{Book, Deposits, Orders, Pace, Plan, Verdict};
use serde_json::Value;

use crate::support::client::{Arrivals, Arrived, Gate};
use crate::support::process::{Served, racy, signal, terminate};
use crate::support::service::RunningService;
use crate::support::{HeldPort, TestEngine, open_folder, until};

on_engines!(
    every:
        the_demo_prints_the_facts_as_json,
        the_demo_of_orders_keeps_what_their_cards_promise,
        make_requests_finds_duplicate_orders,
        serve_keeps_its_data_and_leaves_nothing_running,
        make_requests_finds_what_is_lost_and_what_is_not,
    ;
    servers:
        a_demo_that_is_interrupted_leaves_nothing_running,
        serve_says_so_when_its_private_server_dies,
    ;
    innodb:
);

pub async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn the_demo_prints_the_facts_as_json(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["demo", "--json", "--database-url", &url]);
    command.env("TMPDIR", folder.path());
    let output = output(command).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("{url} was asked for")), "{said}");
    assert!(
        said.contains("to change the engine: --database-url"),
        "{said}"
    );

    let showings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let showings = showings.as_array().unwrap();
    let names: Vec<_> = showings
        .iter()
        .map(|one| one["strategy"].as_str().unwrap())
        .collect();
    let strategies = racy::exhibits::deposits::STRATEGIES.iter();
    let once_or_twice = strategies.flat_map(|it| it.instances(2).into_iter().map(|_| it.name));
    assert_eq!(names, once_or_twice.collect::<Vec<_>>());
    let apart = showings.iter().find(|one| one["instances"] == 2).unwrap();
    assert_eq!(apart["strategy"], "mutex_in_process");
    for one in showings {
        assert_is_consistent(one);
    }
    let locking = &showings[4];
    assert_eq!(locking["must_be_safe"], true);
    assert_eq!(
        (&locking["acknowledged"], &locking["lost"]),
        (&10.into(), &0.into())
    );

    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .collect();
    let left: Vec<_> = left.iter().map(|entry| entry.file_name()).collect();
    assert!(
        left.iter()
            .all(|name| name.to_string_lossy().starts_with("lab.db")),
        "{left:?}"
    );
}

fn assert_is_consistent(showing: &Value) {
    let number = |name: &str| {
        let number = showing[name].as_i64();
        number.unwrap_or_else(|| panic!("no integer {name} in {showing}"))
    };
    assert_eq!(number("requests"), 10);
    assert_eq!(number("acknowledged") + number("refused"), 10, "{showing}");
    let refusals = showing["refusals"].as_array().unwrap();
    let refused: i64 = refusals
        .iter()
        .map(|one| one["requests"].as_i64().unwrap())
        .sum();
    assert_eq!(number("refused"), refused);
    let acknowledged = 100 * number("acknowledged");
    match showing["strategy"].as_str() {
        // Its deadlocks' victims leave no record.
        Some("retry_only_statement") => assert!(number("transactions_sum") <= acknowledged),
        _ => assert_eq!(number("transactions_sum"), acknowledged),
    }
    assert_eq!(
        number("expected_balance"),
        number("opening_balance") + acknowledged
    );
    assert_eq!(
        number("lost"),
        number("expected_balance") - number("balance")
    );
    for name in ["engine", "engine_version", "isolation"] {
        assert!(showing[name].is_string(), "{name}");
    }
}

async fn the_demo_of_orders_keeps_what_their_cards_promise(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["demo", "orders", "--json", "--database-url", &url]);
    command.env("TMPDIR", folder.path());
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let showings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let showings = showings.as_array().unwrap();
    let names = showings.iter().map(|one| one["strategy"].as_str().unwrap());
    let strategies = racy::exhibits::orders::STRATEGIES
        .iter()
        .map(|it| it.full_name);
    assert_eq!(names.collect::<Vec<_>>(), strategies.collect::<Vec<_>>());
    for one in showings {
        let number = |name: &str| one[name].as_u64().unwrap();
        assert_eq!(
            number("acknowledged") + number("refused") + number("unclear"),
            number("requests"),
            "{one}"
        );
        let anomalies = one["anomalies"].as_array().unwrap();
        assert_eq!(anomalies[0]["name"], "duplicate_number", "{one}");
    }
    let card_of = |one: &Value| {
        racy::exhibits::orders::STRATEGIES
            .iter()
            .find(|it| it.full_name == one["strategy"])
    };
    for one in showings.iter().filter(|one| one["must_be_safe"] == true) {
        let expected = card_of(one).unwrap().card.expected;
        assert!(
            expected
                .iter()
                .any(racy::exhibits::card::Expectation::is_safe),
            "{one}"
        );
    }
}

#[tokio::test]
async fn the_demo_of_orders_is_a_table_of_anomalies() {
    let output = output(racy(&[
        "demo",
        "orders",
        "--database-url",
        "sqlite::memory:",
    ]))
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let header = shown.lines().next().unwrap();
    assert!(
        header.ends_with("duplicate mixed half half shipped"),
        "{shown}"
    );
    let widest = shown.lines().take(2).map(|line| line.chars().count());
    assert!(widest.max() <= Some(80), "{shown}");
    assert!(
        shown.contains("head of its file in src/exhibits/orders/."),
        "{shown}"
    );
    assert!(!shown.contains("append_only"), "{shown}");
}

#[tokio::test]
async fn the_demo_shows_a_table_and_how_it_happened() {
    let output = output(racy(&["demo", "--database-url", "sqlite::memory:"])).await;
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    let header = shown.lines().next().unwrap();
    let columns = [
        "strategy",
        "acknowledged",
        "refused",
        "expected",
        "actual",
        "lost",
        "time",
    ];
    assert_eq!(header.split_whitespace().collect::<Vec<_>>(), columns);
    let widest = shown
        .lines()
        .take_while(|line| !line.starts_with("This ran on"));
    let widest = widest.map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 80, "{widest} columns\n{shown}");
    // Whether anything is lost is a matter of luck. That what is lost is shown is not.
    let lost = shown.lines().any(has_lost_by_one_instance);
    for (words, are_there) in [
        ("client A deposits 100", lost),
        ("write balance ← ", lost),
        ("unseen: ", lost),
        ("Nothing was lost this time.", !lost),
        ("This ran on SQLite 3.", true),
    ] {
        assert_eq!(shown.contains(words), are_there, "{words:?} in\n{shown}");
    }
}

/// Whether a line of the demo's table, e.g. `atomic_long_delay 10 0 1000 100 900 95 ms`, tells of a
/// loss.
fn has_lost_by_one_instance(line: &str) -> bool {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, _, _, expected, _, lost, _, "ms"] => expected != "0" && lost != "0",
        _ => false,
    }
}

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
        // Killed, it would leave shared memory in the system, for a next start that never comes here.
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

/// The first signal waits for the deposit in flight, which thinks for a minute. The second does not.
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
async fn a_reader_that_leaves_early_is_no_error() {
    for leaves in ["stdout", "stderr"] {
        let mut command = racy(&["demo", "--database-url", "sqlite::memory:"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        match leaves {
            "stdout" => drop(process.stdout.take()),
            _ => drop(process.stderr.take()),
        }
        let output = tokio::task::spawn_blocking(|| process.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "without {leaves}: {said}");
    }
}

/// Every request writes a line to the log; that nobody reads it must not end the service.
#[tokio::test]
async fn a_log_that_nobody_reads_does_not_end_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut served = Served::start(&url, folder.path(), &[]);
    let accounts = format!("{}/accounts", served.base_url);
    served.stop_reading();
    for _ in 0..3 {
        assert_eq!(reqwest::get(&accounts).await.unwrap().status(), 200);
    }
    terminate(&served.process);
    assert!(served.process.wait().unwrap().success());
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut command = racy(&["migrate", "--database-url", &url]);
    command
        .env("RACY_ISOLATION", "")
        .env("RACY_LOCK_WAIT_TIMEOUT", "");
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_password_is_never_shown() {
    for url in [
        "mysql://u:secret@127.0.0.1",
        "mysql://u:secret@127.0.0.1:x/y",
        "postgres://u:secret@127.0.0.1:x/y",
        "postgres://u:secret@127.0.0.1:1/y",
        "mysq://u:secret@h/x",
    ] {
        let mut command = racy(&["migrate"]);
        command.env("DATABASE_URL", url);
        let output = output(command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        let named = said.contains("DATABASE_URL") || said.contains("127.0.0.1");
        assert!(named && !said.contains("secret"), "{said}");
    }
}

/// The access log of a service that was started like this, of one request with a proxy's headers.
async fn logged(more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut served = Served::start(&url, folder.path(), more);
    let request = reqwest::Client::new().get(format!("{}/accounts", served.base_url));
    let request = request.header("x-forwarded-for", "198.51.100.1, 203.0.113.7");
    let request = request.header("x-forwarded-proto", "https");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    served.wait_until_said("path=\"/accounts\"");
    terminate(&served.process);
    let (_, said) = served.wait();
    let line = said
        .lines()
        .find(|line| line.contains("path=\"/accounts\""));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn the_log_names_the_client_and_behind_a_proxy_the_real_one() {
    let line = logged(&[]).await;
    assert!(line.contains("client=127.0.0.1 secure=false"), "{line}");
    let line = logged(&["--behind-proxy"]).await;
    assert!(line.contains("client=203.0.113.7 secure=true"), "{line}");
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

async fn a_demo_that_is_interrupted_leaves_nothing_running(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let url = engine.own_url(folder.path());
    for signal_name in ["INT", "TERM", "KILL"] {
        let mut command = racy(&["demo", "--database-url", &url]);
        command
            .env("TMPDIR", folder.path())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("socket ") {
            assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        let (_, socket) = said.trim_end().rsplit_once("socket ").unwrap();
        let run_folder = Path::new(socket).parent().unwrap();
        assert!(run_folder.exists());

        signal(signal_name, &process);
        process.wait().unwrap();
        until("the server and its folder are gone", || async {
            !run_folder.exists()
        })
        .await;
    }
}

/// Four read the highest number of an empty book before any of them writes: all get the first.
async fn make_requests_finds_duplicate_orders(engine: TestEngine) {
    const CLIENTS: u32 = 4;
    let lab = engine.lab().await;
    let (gate, arrivals) = Gate::new();
    let gate = std::sync::Arc::new(gate);
    let settings = crate::support::service::settings();
    let service = RunningService::start_with(&lab.database, &settings, gate, |router| router).await;
    let plan = |strategy: &str| Plan {
        base_url: format!("http://{}", service.address).parse().unwrap(),
        target: Orders {
            strategy: strategy.parse().unwrap(),
            book: Book::fresh(),
        }
        .into(),
        pace: Pace::Together,
        requests: CLIENTS.try_into().unwrap(),
        timeout: Duration::from_secs(60),
    };
    let steps = tokio::spawn(hold_until_all_are_before(
        "insert head",
        arrivals,
        CLIENTS as usize,
    ));
    let racing = make_requests::run(&plan("max_id_head_first"), |_| {}).await;
    let racing = racing.unwrap();
    assert_eq!(racing.verdict().name(), "duplicate_number", "{racing:?}");
    assert_eq!(racing.verdict().exit_status(), 1);
    let timeline = racing.timeline().unwrap();
    assert!(
        timeline.contains("✗ A and B both have order number 1"),
        "{timeline}"
    );

    let counted = make_requests::run(&plan("number_table"), |_| {}).await;
    assert_eq!(counted.unwrap().verdict(), Verdict::Safe);
    service.stop().await;
    steps.await.unwrap();
}

/// Holds back this number of clients before the step with this label until all of them are there.
/// Then it holds none back.
async fn hold_until_all_are_before(label: &str, mut arrivals: Arrivals, clients: usize) {
    let mut held = Vec::new();
    while held.len() < clients {
        let arrived = arrivals.next().await.unwrap();
        if arrived.label == label {
            held.push(arrived);
        } else {
            arrived.go();
        }
    }
    held.into_iter().for_each(Arrived::go);
    arrivals.let_all_through();
}

/// Five read the balance before any of them writes.
async fn make_requests_finds_what_is_lost_and_what_is_not(engine: TestEngine) {
    let lab = engine.lab().await;
    let (gate, arrivals) = Gate::new();
    let gate = std::sync::Arc::new(gate);
    let settings = crate::support::service::settings();
    let service = RunningService::start_with(&lab.database, &settings, gate, |router| router).await;
    let plan = |target: &str, pace| Plan {
        base_url: format!("http://{}", service.address).parse().unwrap(),
        target: Deposits {
            strategy: target.parse().unwrap(),
            account: 1,
            amount: "100".parse().unwrap(),
            retry_timeouts: false,
            idempotency: false,
        }
        .into(),
        pace,
        requests: "5".parse().unwrap(),
        timeout: Duration::from_secs(20),
    };
    let steps = tokio::spawn(hold_until_all_are_before("insert transaction", arrivals, 5));
    let lossy = plan("non_atomic_no_delay", Pace::Together);
    let report = make_requests::run(&lossy, |_| {}).await.unwrap();
    assert_eq!(report.verdict(), Verdict::LostUpdate { lost: 400 });
    assert_eq!(lab.account().await.lost, 400);
    let timeline = report.timeline().unwrap();
    assert!(timeline.contains("100 unseen: "), "{timeline}");

    let locking = plan(
        "row_locking_atomic_long_delay",
        Pace::Every(Duration::from_millis(1)),
    );
    let report = make_requests::run(&locking, |_| {}).await.unwrap();
    assert!(
        matches!(report.verdict(), Verdict::Safe),
        "{}",
        report.verdict()
    );
    service.stop().await;
    steps.await.unwrap();
}

#[tokio::test]
async fn bad_options_are_named_with_what_would_be_right() {
    for (arguments, complaint) in [
        (
            &["serve", "--workers", "0"][..],
            "leave it out for no limit",
        ),
        (
            &["serve", "--long-delay", "10s..3s"],
            "the shorter time comes first",
        ),
        (&["serve", "--long-delay", "soon"], "is no time"),
        (&["serve", "--listen", "localhost"], "127.0.0.1:8080"),
        (&["serve", "--isolation", "chaos"], "repeatable-read"),
        (&["serve", "--lock-wait-timeout", "0"], "1..="),
        (&["demo", "--database-url", "oracle:x"], "local:mysql"),
        (
            &["demo", "--database-url", "mysql://u@h"],
            "names no database",
        ),
        (
            &["migrate", "--database-url", "sqlite:/nowhere/lab.db"],
            "the folder /nowhere is not there",
        ),
        (
            &[
                "demo",
                "--database-url",
                "sqlite::memory:",
                "--isolation",
                "read-committed",
            ],
            "only SERIALIZABLE",
        ),
        (
            &["demo", "--database-url", "mysql://u:secret@127.0.0.1:1/x"],
            "cannot open the database",
        ),
        (
            &["demo", "--database-url", "postgres://u@h"],
            "names no database",
        ),
        (
            &["demo", "--database-url", "postgres://u@127.0.0.1:1/x"],
            "cannot open the database",
        ),
        (
            &[
                "demo",
                "--database-url",
                "postgres://u@127.0.0.1:1/x",
                "--isolation",
                "read-uncommitted",
            ],
            "only READ COMMITTED, REPEATABLE READ, SERIALIZABLE",
        ),
    ] {
        let output = output(racy(arguments)).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test]
async fn a_named_server_that_is_not_one_is_an_error_and_not_passed_over() {
    for (arguments, variable) in [
        (&["demo"][..], "RACY_MYSQLD"),
        (
            &["demo", "--database-url", "local:postgres"],
            "RACY_POSTGRES",
        ),
    ] {
        let mut command = racy(arguments);
        command.env(variable, "/bin/true");
        let output = output(command).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(variable));
    }
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

#[tokio::test]
async fn migrate_makes_the_schema_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    for _ in 0..2 {
        let output = output(racy(&["migrate", "--database-url", &url])).await;
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), "The schema is up to date.\n");
    }
}

/// One line of JSON per event, and a warning where the pool would hide the race.
#[tokio::test]
async fn the_log_speaks_json_and_warns_of_a_small_pool() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let more = [
        "--log-format",
        "json",
        "--workers",
        "4",
        "--db-connections",
        "2",
    ];
    let served = Served::start(&url, folder.path(), &more);
    let accounts = format!("{}/accounts", served.base_url);
    reqwest::get(accounts).await.unwrap();
    terminate(&served.process);
    let (_, said) = served.wait();
    let events: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let find = |words: &str| {
        let found = events.iter().find(|event| {
            event["message"]
                .as_str()
                .is_some_and(|message| message.contains(words))
        });
        found.unwrap_or_else(|| panic!("nothing says {words:?} in {said}"))
    };
    assert_eq!(
        find("2 database connections for 4 workers")["level"],
        "WARN"
    );
    let answered = find("finished processing request");
    assert_eq!(answered["status"], 200);
    assert_eq!(answered["span"]["path"], "/accounts");
    assert!(answered["span"]["id"].as_str().unwrap().len() > 20);
}
