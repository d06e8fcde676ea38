//! Ends: of an exploration, of Racy, of the application and of the server. Nothing is left running,
//! no port stays taken, and the tables are as at the beginning.
//!
//! The application is Racy's own service, with a process beside it that would never end.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use racy::engine::local::{Folder, LocalServer};
use racy::engine::{Copies, Database};
use tempfile::TempDir;

use crate::copies::place::Place as InnoDbPlace;
use crate::copies::postgres::place::Place as PostgresPlace;
use crate::local_server::processes_naming;
use crate::support::lab::Fresh;
use crate::support::process::{racy, signal};
use crate::support::{TestEngine, open_folder, until, until_within};

on_engines!(
    servers:
        an_application_ends_with_the_exploration,
        an_application_ends_with_an_exploration_that_fails,
        an_application_ends_when_the_exploration_is_stopped,
        a_killed_racy_leaves_nothing_but_copies_which_the_next_one_uses,
        a_killed_racy_leaves_nothing_of_a_command,
        a_killed_application_ends_the_search_with_words,
        a_killed_server_ends_the_search_with_words;
);

/// How long anything may take that is certain to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is in the database.
enum Place {
    InnoDb(InnoDbPlace),
    Postgres(PostgresPlace),
}

/// An exploration by a process of its own, in a database that has a name.
struct Exploring {
    folder: TempDir,
    url: String,
    place: Place,
}

/// What the application has said of itself when it was started.
#[derive(Debug)]
struct Started {
    ports: Vec<u16>,
    process: String,
}

const FILE: &str = r#"
title = "Racy's own service"
engines = ["mysql", "mariadb", "postgres"]

[application]
command = ["sh", "-c", """
echo {app_port} {db_port} $$ >being-written
sleep 1000 &
mv being-written started
exec "$PROGRAM" serve --listen 127.0.0.1:{app_port} --long-delay 0
"""]
env = { PROGRAM = "RACY", RACY_DATA_DIR = "data", DATABASE_URL = "{db_url}" }
ready = "/health/ready"

[explore]
exhaustive = true

[[client]]
count = 2

[client.request]
method = "POST"
path = "/demo/STRATEGY/"
form = { account = "1", amount = "100" }

[[invariant]]
name = "nothing is lost"
sql = "SELECT INVARIANT FROM accounts WHERE id = 1"
"#;

/// A command that never ends, beside a child that does not either.
const COMMANDS: &str = r#"
title = "A command"

[[client]]
count = 2

[client.command]
run = ["sh", "-c", """
sleep 1000 &
echo 1 1 $$ >being-written
mv being-written started
exec sleep 1000
"""]
"#;

const HOLDS: &str = "balance = 100 * :acknowledged";

impl Place {
    async fn in_database(engine: TestEngine, fresh: Fresh) -> Self {
        match engine {
            TestEngine::Postgres => {
                Self::Postgres(PostgresPlace::on(fresh, "ANALYZE accounts").await)
            }
            _ => Self::InnoDb(InnoDbPlace::on(fresh, "ANALYZE TABLE accounts").await),
        }
    }

    fn database(&self) -> &Database {
        match self {
            Self::InnoDb(place) => &place.database,
            Self::Postgres(place) => &place.database,
        }
    }

    async fn run(&self, sql: &str) {
        match self {
            Self::InnoDb(place) => place.run(sql).await,
            Self::Postgres(place) => place.run(sql).await,
        }
    }

    /// All of it, to be compared.
    async fn state(&self) -> String {
        match self {
            Self::InnoDb(place) => format!("{:#?}", place.state().await),
            Self::Postgres(place) => format!("{:#?}", place.state().await),
        }
    }

    async fn is_without_copies(&self) -> bool {
        match self {
            Self::InnoDb(place) => place.is_without_copies().await,
            Self::Postgres(place) => place.is_without_copies().await,
        }
    }
}

impl Exploring {
    async fn in_database(engine: TestEngine, url: String, fresh: Fresh) -> Self {
        let database = racy(&["migrate", "--database-url", &url]).output();
        assert!(database.unwrap().status.success());
        Self {
            folder: open_folder(),
            url,
            place: Place::in_database(engine, fresh).await,
        }
    }

    async fn on(engine: TestEngine) -> Self {
        let fresh = engine.fresh().await;
        Self::in_database(engine, fresh.url(engine), fresh).await
    }

    /// Starts it with Racy's own service.
    fn start(&self, strategy: &str, invariant: &str) -> Child {
        let text = FILE
            .replace("RACY\"", &format!("{}\"", env!("CARGO_BIN_EXE_racy")))
            .replace("STRATEGY", strategy)
            .replace("INVARIANT", invariant);
        self.start_with(&text)
    }

    fn start_with(&self, text: &str) -> Child {
        fs::write(self.folder.path().join("own.toml"), text).unwrap();
        let mut explore = racy(&[
            "explore",
            "own.toml",
            "--in-place",
            "--database-url",
            &self.url,
        ]);
        explore.current_dir(self.folder.path());
        let explore = explore.stdout(Stdio::piped()).stderr(Stdio::piped());
        explore.spawn().unwrap()
    }

    async fn started(&self) -> Started {
        let file = self.folder.path().join("started");
        until_within(PATIENCE, "the application is started", || async {
            file.exists()
        })
        .await;
        let text = fs::read_to_string(file).unwrap();
        let words: Vec<_> = text.split_whitespace().collect();
        Started {
            ports: words[..2].iter().map(|it| it.parse().unwrap()).collect(),
            process: words[2].to_owned(),
        }
    }

    /// Waits until the tables are copied: then requests race, or are about to.
    async fn until_it_is_on_its_way(&self) {
        until_within(PATIENCE, "the tables are copied", || async {
            let left = Copies::left_behind(self.place.database()).await;
            left.unwrap().iter().any(|it| it.is_complete)
        })
        .await;
    }

    async fn nothing_is_left(&self, started: &Started) {
        no_process_is_left_in(self.folder.path()).await;
        for port in &started.ports {
            TcpListener::bind(("127.0.0.1", *port)).unwrap();
        }
    }
}

pub async fn no_process_is_left_in(folder: &Path) {
    until("all processes have ended", || async {
        processes_naming(folder).is_empty()
    })
    .await;
}

/// Its end, with what it has said.
async fn end_of(explore: Child) -> (Output, String) {
    let waiting = tokio::task::spawn_blocking(move || explore.wait_with_output().unwrap());
    let output = tokio::time::timeout(PATIENCE, waiting).await;
    let output = output.expect("it hangs").unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output, said)
}

async fn an_application_ends_with_the_exploration(engine: TestEngine) {
    let exploring = Exploring::on(engine).await;
    let before = exploring.place.state().await;
    let explore = exploring.start("non_atomic_no_delay", HOLDS);
    let started = exploring.started().await;
    let (output, said) = end_of(explore).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("18 of all 20 schedules"), "{said}");
    exploring.nothing_is_left(&started).await;
    assert_eq!(exploring.place.state().await, before);
    assert!(exploring.place.is_without_copies().await);
}

async fn an_application_ends_with_an_exploration_that_fails(engine: TestEngine) {
    let exploring = Exploring::on(engine).await;
    let before = exploring.place.state().await;
    let explore = exploring.start("non_atomic_no_delay", "balance < 0");
    let started = exploring.started().await;
    let (output, said) = end_of(explore).await;
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("false without any race (A, then B)"),
        "{said}"
    );
    exploring.nothing_is_left(&started).await;
    assert_eq!(exploring.place.state().await, before);
    assert!(exploring.place.is_without_copies().await);
}

async fn an_application_ends_when_the_exploration_is_stopped(engine: TestEngine) {
    let exploring = Exploring::on(engine).await;
    let before = exploring.place.state().await;
    let explore = exploring.start("atomic_no_delay", HOLDS);
    let started = exploring.started().await;
    exploring.until_it_is_on_its_way().await;
    signal("INT", &explore);
    let (output, said) = end_of(explore).await;
    assert_eq!(output.status.code(), Some(130), "{said}");
    exploring.nothing_is_left(&started).await;
    assert_eq!(exploring.place.state().await, before);
    assert!(exploring.place.is_without_copies().await);
}

async fn a_killed_racy_leaves_nothing_but_copies_which_the_next_one_uses(engine: TestEngine) {
    let exploring = Exploring::on(engine).await;
    let before = exploring.place.state().await;
    let mut explore = exploring.start("atomic_no_delay", HOLDS);
    let started = exploring.started().await;
    exploring.until_it_is_on_its_way().await;
    explore.kill().unwrap();
    explore.wait().unwrap();
    exploring.nothing_is_left(&started).await;
    assert!(!exploring.place.is_without_copies().await);
    // As a run that was broken off may leave it.
    exploring
        .place
        .run("UPDATE accounts SET balance = 12345")
        .await;

    let explore = exploring.start("row_locking_atomic_long_delay", HOLDS);
    let (output, said) = end_of(explore).await;
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("copies"), "{said}");
    assert_eq!(exploring.place.state().await, before);
    assert!(exploring.place.is_without_copies().await);
}

async fn a_killed_racy_leaves_nothing_of_a_command(engine: TestEngine) {
    let exploring = Exploring::on(engine).await;
    let mut explore = exploring.start_with(COMMANDS);
    let started = exploring.started().await;
    let folder = exploring.folder.path();
    assert!(
        !processes_naming(folder).is_empty(),
        "{started:?} is not seen"
    );
    explore.kill().unwrap();
    explore.wait().unwrap();
    no_process_is_left_in(folder).await;
}

async fn a_killed_application_ends_the_search_with_words(engine: TestEngine) {
    let exploring = Exploring::on(engine).await;
    let before = exploring.place.state().await;
    let explore = exploring.start("atomic_no_delay", HOLDS);
    let started = exploring.started().await;
    exploring.until_it_is_on_its_way().await;
    let mut kill = std::process::Command::new("kill");
    let killed = kill.args(["-KILL", &started.process]).status();
    assert!(killed.unwrap().success());
    let (output, said) = end_of(explore).await;
    assert_eq!(output.status.code(), Some(2), "{said}");
    let words = ["the application: `sh -c", "ended with exit status: 137"];
    assert!(words.iter().all(|it| said.contains(it)), "{said}");
    exploring.nothing_is_left(&started).await;
    assert_eq!(exploring.place.state().await, before);
    assert!(exploring.place.is_without_copies().await);
}

async fn a_killed_server_ends_the_search_with_words(engine: TestEngine) {
    let server = LocalServer::start(&engine.binary(), Folder::Temporary)
        .await
        .unwrap();
    let fresh = Fresh::on(&server).await;
    let url = server.url(&fresh.name);
    let exploring = Exploring::in_database(engine, url, fresh).await;
    let explore = exploring.start("atomic_no_delay", HOLDS);
    let started = exploring.started().await;
    exploring.until_it_is_on_its_way().await;
    let process = server.socket().parent().unwrap().join("server.pid");
    let process = fs::read_to_string(process).unwrap();
    let mut kill = std::process::Command::new("kill");
    let killed = kill.args(["-KILL", process.trim()]).status();
    assert!(killed.unwrap().success());
    let (output, said) = end_of(explore).await;
    assert_eq!(output.status.code(), Some(2), "{said}");
    exploring.nothing_is_left(&started).await;
}
