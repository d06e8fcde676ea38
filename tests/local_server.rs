//! The private server: it starts, is reused, keeps out of other labs' way, and never outlives its owner.
//!
//! On real MySQL and MariaDB, except where a server has to misbehave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use racy::engine::local::{Binary, Error, Folder, LocalServer, Origin, Product, Wanted};
use sqlx::{ConnectOptions, MySqlConnection};

use crate::support::process::Served;
use crate::support::{TestEngine, until};

on_engines!(
    every:
    ;
    innodb:
        a_server_starts_answers_and_vanishes,
        dropping_a_server_stops_it,
        a_kept_folder_is_reused_with_its_data,
        two_labs_at_once_get_different_folders,
        an_abandoned_start_leaves_nothing,
        a_server_that_dies_is_reported_and_cleaned_up_after,
        a_killed_labs_kept_folder_goes_to_the_next_lab,
        a_root_that_is_no_folder_is_an_error_that_names_it,
);

async fn started(binary: &Binary, folder: Folder) -> LocalServer {
    LocalServer::start(binary, folder)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn connect(server: &LocalServer) -> MySqlConnection {
    server.connect_options().connect().await.unwrap()
}

async fn number(server: &LocalServer, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(&mut connect(server).await)
        .await
        .unwrap()
}

/// The temporary folder with the server's socket.
fn run_folder(server: &LocalServer) -> PathBuf {
    server.socket().parent().unwrap().to_owned()
}

/// The processes whose command line names `folder`: the supervisor, the server, and their helpers.
fn processes_naming(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let lines = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&words).replace('\0', " ");
        line.contains(folder).then(|| format!("{pid}: {line}"))
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
    let product = match engine {
        TestEngine::MySql => Product::MySql,
        _ => Product::MariaDb,
    };
    assert_eq!(binary.product, product);
    let server = started(&binary, Folder::Temporary).await;
    let run = run_folder(&server);
    assert!(server.data_dir().starts_with(&run));
    assert!(
        !processes_naming(&run).is_empty(),
        "the test would not see its processes"
    );

    let version: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(&mut connect(&server).await)
        .await
        .unwrap();
    assert!(
        version.starts_with(&binary.version.to_string()),
        "{version} is not {}",
        binary.version
    );
    assert_eq!(
        number(&server, "SELECT CAST(@@skip_networking AS SIGNED)").await,
        1
    );
    assert_eq!(
        number(
            &server,
            "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)"
        )
        .await,
        1
    );

    server.stop().await.unwrap();
    assert_nothing_left(&run).await;
}

async fn dropping_a_server_stops_it(engine: TestEngine) {
    let server = started(&engine.binary(), Folder::Temporary).await;
    let run = run_folder(&server);
    drop(server);
    assert_nothing_left(&run).await;
}

async fn a_kept_folder_is_reused_with_its_data(engine: TestEngine) {
    let root = tempfile::tempdir().unwrap();
    let kept = || Folder::Kept(root.path().join("not/yet/there"));
    let binary = engine.binary();
    let name = binary.product.to_string().to_lowercase();

    let first = started(&binary, kept()).await;
    let (data, run) = (first.data_dir().to_owned(), run_folder(&first));
    let expected = format!("{name}-{}.{}", binary.version.major, binary.version.minor);
    assert_eq!(
        data.parent().unwrap().file_name().unwrap().to_str(),
        Some(expected.as_str())
    );
    let mut connection = connect(&first).await;
    for statement in [
        "CREATE DATABASE kept",
        "CREATE TABLE kept.t (n BIGINT)",
        "INSERT INTO kept.t VALUES (42)",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    first.stop().await.unwrap();
    assert_nothing_left(&run).await;

    let second = started(&binary, kept()).await;
    assert_eq!(second.data_dir(), data);
    assert_eq!(number(&second, "SELECT n FROM kept.t").await, 42);
    second.stop().await.unwrap();
}

async fn two_labs_at_once_get_different_folders(engine: TestEngine) {
    let root = tempfile::tempdir().unwrap();
    let kept = || Folder::Kept(root.path().to_owned());
    let binary = engine.binary();
    let (one, two) = tokio::join!(started(&binary, kept()), started(&binary, kept()));
    assert_ne!(one.data_dir(), two.data_dir());
    assert_eq!(
        number(&one, "SELECT 1").await + number(&two, "SELECT 1").await,
        2
    );

    let data = one.data_dir().to_owned();
    one.stop().await.unwrap();
    let three = started(&binary, kept()).await;
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
    let root = tempfile::tempdir().unwrap();
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
    let server = started(&engine.binary(), Folder::Temporary).await;
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
    match server.stop().await {
        Err(Error::Ended { .. }) => assert_nothing_left(&run).await,
        other => panic!("{other:?}"),
    }
}

/// Killed outright, a lab can do nothing for its server any more: the supervisor does. The next lab
/// comes at once, while that server is still shutting down, and waits for it.
async fn a_killed_labs_kept_folder_goes_to_the_next_lab(engine: TestEngine) {
    let root = tempfile::tempdir().unwrap();
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
         *--initialize-insecure*) for a; do last=$a; done; mkdir \"${{last#--datadir=}}\" ;;\n*) {body} ;;\nesac\n"
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
    let binary = Binary::at(&path, Wanted::MySql).unwrap();
    assert_eq!(binary.origin, Origin::Named);
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
    let body = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo \"line $i\" >&2; done; echo 'no room left' >&2; exit 3";
    with_fake_server(body, |binary, root| async move {
        for folder in [Folder::Temporary, Folder::Kept(root.clone())] {
            let error = LocalServer::start(&binary, folder.clone())
                .await
                .unwrap_err();
            let Error::Ended { status, log, .. } = &error else {
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
                let error = LocalServer::start_within(&binary, folder, Duration::from_millis(500))
                    .await
                    .unwrap_err();
                let Error::NoAnswer { log, .. } = &error else {
                    panic!("{error:?}")
                };
                assert!(log.lines.contains("thinking"), "{}", log.lines);
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
