//! The private server: it starts, is reused, keeps out of other labs' way, and never outlives its
//! owner.
//!
//! On real servers, except where a server has to misbehave.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use racy::engine::local::{Binary, Error, Folder, LocalServer, Origin, Product, ServerKind};
use racy::engine::{Address, Database, Settings};
use sqlx::ConnectOptions;

use crate::support::lab::run_at;
use crate::support::process::Served;
use crate::support::{TestEngine, open_folder, until};

on_engines!(
    servers:
        a_server_starts_answers_and_vanishes,
        dropping_a_server_stops_it,
        a_kept_folder_is_reused_with_its_data,
        two_labs_at_once_get_different_folders,
        an_abandoned_start_leaves_nothing,
        a_server_that_dies_is_reported_and_cleaned_up_after,
        a_killed_labs_kept_folder_goes_to_the_next_lab,
        a_root_that_is_no_folder_is_an_error_that_names_it;
    postgres:
        a_root_that_the_server_may_not_enter_is_an_error_that_names_it;
);

async fn started(binary: &Binary, folder: Folder) -> LocalServer {
    LocalServer::start(binary, folder)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn number(address: &Address, query: &'static str) -> i64 {
    match address {
        Address::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            let number = sqlx::query_scalar(query);
            number.fetch_one(&mut connection).await.unwrap()
        }
        Address::Postgres(options) => {
            let mut connection = options.connect().await.unwrap();
            let number = sqlx::query_scalar(query);
            number.fetch_one(&mut connection).await.unwrap()
        }
        Address::Sqlite(_) => panic!("SQLite is no server"),
    }
}

/// The temporary folder with the server's socket.
fn run_folder(server: &LocalServer) -> PathBuf {
    server.socket().parent().unwrap().to_owned()
}

/// The processes whose command line names `folder`, or that work in it: the supervisor, the server,
/// and their helpers, of which PostgreSQL's have command lines of their own.
pub fn processes_naming(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let works_in_it = |process: &Path| {
        let at = fs::read_link(process.join("cwd"));
        at.is_ok_and(|at| at.to_string_lossy().starts_with(folder))
    };
    let lines = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&words).replace('\0', " ");
        let ours = line.contains(folder) || works_in_it(&entry.path());
        ours.then(|| format!("{pid}: {line}"))
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(lines)
        .collect()
}

/// The folder is gone at once, and with it the server. A helper of the supervisor's, caught between
/// its fork and becoming a `sleep`, may still bear the supervisor's name for a moment.
async fn assert_nothing_left(run: &Path) {
    assert!(!run.exists(), "{} is left", run.display());
    assert_no_process_stays(run).await;
}

async fn assert_no_process_stays(folder: &Path) {
    until("all processes have ended", || async {
        processes_naming(folder).is_empty()
    })
    .await;
}

async fn a_server_starts_answers_and_vanishes(engine: TestEngine) {
    let binary = engine.binary();
    assert_eq!(binary.product, product(engine));
    let server = started(&binary, Folder::Temporary).await;
    let run = run_folder(&server);
    assert!(server.data_dir().starts_with(&run));
    let own = processes_naming(&run);
    assert!(!own.is_empty(), "the test would not see its processes");

    let database = Database::connect(&server.address(), &Settings::default()).await;
    let database = database.unwrap();
    let (answers, found) = (&database.engine().version, binary.version.to_string());
    assert!(answers.starts_with(&found), "{answers} is not {found}");
    database.close().await;
    for question in private_and_durable(engine) {
        assert_eq!(number(&server.address(), question).await, 1, "{question}");
    }

    server.stop().await.unwrap();
    assert_nothing_left(&run).await;
}

fn product(engine: TestEngine) -> Product {
    match engine {
        TestEngine::MySql => Product::MySql,
        TestEngine::MariaDb => Product::MariaDb,
        TestEngine::Postgres => Product::Postgres,
        TestEngine::Sqlite => panic!("SQLite is no server"),
    }
}

/// Questions that a private server answers with 1: no other machine reaches it, and what it has
/// committed is on the disk.
fn private_and_durable(engine: TestEngine) -> &'static [&'static str] {
    match engine {
        TestEngine::Postgres => &[
            "SELECT COUNT(*) FROM pg_settings WHERE name = 'listen_addresses' AND setting = ''",
            "SELECT COUNT(*) FROM pg_settings WHERE name = 'fsync' AND setting = 'on'",
            "SELECT COUNT(*) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'on'",
        ],
        TestEngine::MySql | TestEngine::MariaDb => &[
            "SELECT CAST(@@skip_networking AS SIGNED)",
            "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)",
        ],
        TestEngine::Sqlite => panic!("SQLite is no server"),
    }
}

async fn dropping_a_server_stops_it(engine: TestEngine) {
    let server = started(&engine.binary(), Folder::Temporary).await;
    let run = run_folder(&server);
    drop(server);
    assert_nothing_left(&run).await;
}

async fn a_kept_folder_is_reused_with_its_data(engine: TestEngine) {
    let root = open_folder();
    let kept = || Folder::Kept(root.path().join("not/yet/there"));
    let binary = engine.binary();
    let name = binary.product.to_string().to_lowercase();

    let first = started(&binary, kept()).await;
    let (data, run) = (first.data_dir().to_owned(), run_folder(&first));
    let (major, minor) = (binary.version.major, binary.version.minor);
    let expected = match engine {
        TestEngine::Postgres => format!("{name}-{major}"),
        _ => format!("{name}-{major}.{minor}"),
    };
    assert_eq!(
        data.parent().unwrap().file_name().unwrap().to_str(),
        Some(expected.as_str())
    );
    let database = first.create_database("kept").await.unwrap();
    let table = "CREATE TABLE t (n BIGINT PRIMARY KEY); INSERT INTO t VALUES (42)";
    run_at(&database, table).await;
    first.stop().await.unwrap();
    assert_nothing_left(&run).await;

    let second = started(&binary, kept()).await;
    assert_eq!(second.data_dir(), data);
    let database = second.create_database("kept").await.unwrap();
    assert_eq!(number(&database, "SELECT n FROM t").await, 42);
    second.stop().await.unwrap();
}

async fn two_labs_at_once_get_different_folders(engine: TestEngine) {
    let root = open_folder();
    let kept = || Folder::Kept(root.path().to_owned());
    let binary = engine.binary();
    let (one, two) = tokio::join!(started(&binary, kept()), started(&binary, kept()));
    assert_ne!(one.data_dir(), two.data_dir());
    for server in [&one, &two] {
        let answer = match engine {
            TestEngine::Postgres => "SELECT CAST(1 AS BIGINT)",
            _ => "SELECT 1",
        };
        assert_eq!(number(&server.address(), answer).await, 1);
    }

    let data = one.data_dir().to_owned();
    one.stop().await.unwrap();
    let mut three = started(&binary, kept()).await;
    // A process that another test was just starting held a copy of the lock until its exec.
    for _ in 0..10 {
        if three.data_dir() == data {
            break;
        }
        three.stop().await.unwrap();
        three = started(&binary, kept()).await;
    }
    assert_eq!(
        three.data_dir(),
        data,
        "a folder that has become free is taken again"
    );
    let (two, three) = tokio::join!(two.stop(), three.stop());
    two.unwrap();
    three.unwrap();
}

/// Starting is given up while the data directory is being made.
async fn an_abandoned_start_leaves_nothing(engine: TestEngine) {
    let root = open_folder();
    let binary = engine.binary();
    let start = LocalServer::start(&binary, Folder::Kept(root.path().to_owned()));
    let find = |name: &str| {
        let folder = fs::read_dir(root.path()).unwrap().flatten().next()?.path();
        Some(folder.join(name)).filter(|path| path.exists())
    };
    let is_being_made = || async {
        let fresh = find("data.fresh").and_then(|fresh| fs::read_dir(fresh).ok());
        fresh.is_some_and(|mut files| files.next().is_some())
    };
    tokio::select! {
        result = start => panic!("it started before it could be abandoned: {result:?}"),
        () = until("the data directory is being made", is_being_made) => {}
    }
    assert_eq!((find("data.fresh"), find("data")), (None, None));
    assert_no_process_stays(root.path()).await;
}

async fn a_server_that_dies_is_reported_and_cleaned_up_after(engine: TestEngine) {
    let mut server = started(&engine.binary(), Folder::Temporary).await;
    let run = run_folder(&server);
    let pid = fs::read_to_string(run.join("server.pid")).unwrap();
    assert!(
        Command::new("kill")
            .args(["-s", "KILL", pid.trim()])
            .status()
            .unwrap()
            .success()
    );
    until("the folder is removed", || async { !run.exists() }).await;
    let has_ended = || std::future::ready(!server.is_running());
    until("the supervisor has ended", has_ended).await;
    match server.stop().await {
        Err(Error::ServerEnded { .. }) => assert_nothing_left(&run).await,
        other => panic!("{other:?}"),
    }
}

/// Killed outright, a lab can do nothing for its server any more: the supervisor does. The next lab
/// comes at once, while that server is still shutting down, and waits for it.
async fn a_killed_labs_kept_folder_goes_to_the_next_lab(engine: TestEngine) {
    let root = open_folder();
    let mut lab = Served::start(&engine.own_url(root.path()), root.path(), &[]);
    let run = Path::new(&lab.socket().unwrap())
        .parent()
        .unwrap()
        .to_owned();
    assert!(!processes_naming(&run).is_empty());
    lab.process.kill().unwrap();
    lab.process.wait().unwrap();

    let server = started(&engine.binary(), Folder::Kept(root.path().to_owned())).await;
    assert!(
        lab.said.contains(&server.data_dir().display().to_string()),
        "{}",
        lab.said
    );
    assert_nothing_left(&run).await;
    server.stop().await.unwrap();
}

/// A program that claims to be a server. `body` runs when it is started as one.
fn fake_server(folder: &Path, body: &str) -> Binary {
    let path = folder.join("mysqld");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--version*) echo 'mysqld  Ver 9.9.9 for Linux' ;;\n\
         *--initialize-insecure*) for a; do last=$a; done; \
         mkdir \"${{last#--datadir=}}\" ;;\n*) {body} ;;\nesac\n"
    );
    // By another process: a program that this one has open for writing may not be run.
    let write = "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"";
    assert!(
        Command::new("sh")
            .arg("-c")
            .arg(write)
            .arg(&path)
            .arg(text)
            .status()
            .unwrap()
            .success()
    );
    let binary = Binary::at(&path, ServerKind::MySql).unwrap();
    assert_eq!(binary.origin, Origin::Named("RACY_MYSQLD"));
    binary
}

async fn with_fake_server<T: Future>(
    body: &str,
    test: impl FnOnce(Binary, PathBuf) -> T,
) -> T::Output {
    let folder = tempfile::tempdir().unwrap();
    let binary = fake_server(folder.path(), body);
    let output = test(binary, folder.path().join("kept")).await;
    assert_no_process_stays(folder.path()).await;
    output
}

#[tokio::test]
async fn a_server_that_fails_to_start_shows_the_end_of_its_log() {
    let body = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo \"line $i\" >&2; done; \
                echo 'no room left' >&2; exit 3";
    with_fake_server(body, |binary, root| async move {
        for folder in [Folder::Temporary, Folder::Kept(root.clone())] {
            let error = LocalServer::start(&binary, folder.clone())
                .await
                .unwrap_err();
            let Error::ServerEnded { status, log, .. } = &error else {
                panic!("{error:?}")
            };
            assert_eq!(status.code(), Some(3));
            assert!(
                log.lines.contains("no room left") && !log.lines.contains("line 1\n"),
                "{}",
                log.lines
            );
            assert_eq!(log.path.is_some(), folder != Folder::Temporary);
            assert!(error.to_string().contains("no room left"), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_taken_down() {
    with_fake_server(
        "echo 'thinking' >&2; exec sleep 1000",
        |binary, root| async move {
            for folder in [Folder::Temporary, Folder::Kept(root.clone())] {
                // On a busy machine it may take longer until it says anything.
                let mut limit = Duration::from_millis(500);
                loop {
                    let started = LocalServer::start_within(&binary, folder.clone(), limit).await;
                    let error = started.unwrap_err();
                    let Error::NoAnswer { log, .. } = &error else {
                        panic!("{error:?}")
                    };
                    if log.lines.contains("thinking") {
                        break;
                    }
                    limit *= 2;
                    assert!(limit < Duration::from_secs(20), "{}", log.lines);
                }
            }
        },
    )
    .await;
}

async fn a_root_that_is_no_folder_is_an_error_that_names_it(engine: TestEngine) {
    let root = tempfile::NamedTempFile::new().unwrap();
    let error = LocalServer::start(&engine.binary(), Folder::Kept(root.path().to_owned()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error:?}");
    let path = root.path().to_str().unwrap();
    assert!(error.to_string().contains(path), "{error}");
}

/// Only root's server runs as another user. An ordinary user's may enter what that user may.
async fn a_root_that_the_server_may_not_enter_is_an_error_that_names_it(engine: TestEngine) {
    let closed = tempfile::tempdir().unwrap();
    let kept = Folder::Kept(closed.path().join("data"));
    match LocalServer::start(&engine.binary(), kept).await {
        Ok(server) => {
            let owner = fs::metadata(server.data_dir()).unwrap().uid();
            assert_ne!(owner, 0, "a server of root's");
            server.stop().await.unwrap();
        }
        Err(error) => {
            assert!(matches!(error, Error::KeptOut { .. }), "{error:?}");
            let said = error.to_string();
            let names_it = said.contains(closed.path().to_str().unwrap());
            assert!(names_it && said.contains("RACY_DATA_DIR"), "{said}");
        }
    }
}
