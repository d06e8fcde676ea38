//! Several instances of an application side by side: they find what one finds, and all of them end.
//!
//! The application is Racy's own service.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use racy::engine::local::{Folder, LocalServer};
use racy::engine::{Database, Settings};
use racy::explore::report::{self, Report};
use racy::explore::{self, Finding, Job, Schedules};

use super::kills::no_process_is_left_in;
use super::stage::subject_at;
use crate::copies::place::Place;
use crate::support::explored::{ALL, job, plan};
use crate::support::lab::Fresh;
use crate::support::process::{racy, signal};
use crate::support::{TestEngine, open_folder, until_within};

on_engines!(
    protocols:
        several_instances_find_what_one_finds;
    mysql:
        all_instances_end_with_racy,
        the_search_ends_with_the_first_bound_that_goes_wrong;
);

/// How long anything may take that is certain to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each instance says which database it has.
const FILE: &str = r#"
title = "Racy's own service"
engines = ["mysql", "postgres"]

[application]
command = ["sh", "-c", """
echo {db_name} >being-written-{app_port}
mv being-written-{app_port} database-of-{app_port}
exec "$PROGRAM" serve --listen 127.0.0.1:{app_port} --long-delay 0
"""]
env = { PROGRAM = "RACY", RACY_DATA_DIR = "data-{app_port}", DATABASE_URL = "{db_url}" }
ready = "/health/ready"
directory = "FOLDER"
APPLICATION

[[client]]
count = 2

[client.request]
method = "POST"
path = "/demo/STRATEGY/"
form = { account = "1", amount = "100" }
"#;

const INVARIANT: &str = r#"
[[invariant]]
name = "nothing is lost"
sql = "SELECT balance = 100 * :acknowledged FROM accounts WHERE id = 1"
"#;

fn file(folder: &str, strategy: &str, application: &str) -> String {
    FILE.replace("RACY\"", &format!("{}\"", env!("CARGO_BIN_EXE_racy")))
        .replace("FOLDER", folder)
        .replace("STRATEGY", strategy)
        .replace("APPLICATION", application)
}

async fn lab(engine: TestEngine) -> Database {
    let settings = Settings {
        connections: 12,
        ..Settings::default()
    };
    engine.lab_with(explore::settings(&settings)).await.database
}

async fn found(job: Job) -> Finding {
    let mut exploration = job.run(&|_| ()).await;
    assert!(exploration.broken.is_empty(), "{:?}", exploration.broken);
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    exploration.findings.remove(0)
}

/// Also where the application is started again before each run, and where the serial orders judge:
/// the times of the set-up differ between the instances' databases.
async fn several_instances_find_what_one_finds(engine: TestEngine) {
    let database = lab(engine).await;
    let folder = open_folder();
    let folder = folder.path().to_str().unwrap();
    let file = |strategy, application| file(folder, strategy, application);
    let few = Schedules::All {
        preemptions: Some(1),
    };
    let locking = format!("{}{INVARIANT}", file("atomic_no_delay", ""));
    let restarted = file("non_atomic_no_delay", "restore = 'restart'");
    for (text, schedules) in [(locking, ALL), (restarted, few)] {
        let mut counts = Vec::new();
        for instances in [1, 3] {
            let subjects = vec![subject_at("own.toml", &text)];
            let found = found(Job {
                parallel: Some(instances),
                ..job(&database, subjects, plan(schedules.clone(), 2))
            })
            .await;
            assert!(found.is_whole(), "{found:?}");
            assert_eq!(found.at_once, instances);
            counts.push((found.tally.verdicts, found.tally.waited));
        }
        assert_eq!(counts[0], counts[1]);
    }
}

async fn the_search_ends_with_the_first_bound_that_goes_wrong(engine: TestEngine) {
    let database = lab(engine).await;
    let folder = open_folder();
    let folder = folder.path().to_str().unwrap();
    let text = format!("{}{INVARIANT}", file(folder, "non_atomic_no_delay", ""));
    let searched = async |are_all_asked, expectation: &str| {
        let text = format!("{text}\n[expect.else]\n{expectation}\n");
        let subjects = vec![subject_at("own.toml", &text)];
        let found = found(Job {
            are_all_asked,
            ..job(&database, subjects, plan(ALL, 2))
        });
        found.await
    };
    // Three statements each: 2 schedules without a preemption, 4 with one.
    let first = searched(false, "violated = 'some'\nrefused = 'some'").await;
    assert_eq!((first.tally.schedules, first.tally.anomalies()), (6, 4));
    assert!(first.ended_early && !first.is_exhaustive(), "{first:?}");
    assert!(first.unexpected.is_empty(), "{:?}", first.unexpected);
    let said = report::text(&Report::of_findings(&[first], Vec::new()));
    let words = "in 4 of all 6 schedules of 2 clients with at most 1 preemption (one for all that must \
                 end alike); schedules with more preemptions were not run, because a simpler one \
                 goes wrong";
    assert!(said.contains(words), "{said}");

    let all = searched(true, "violated = 'some'").await;
    assert_eq!((all.tally.schedules, all.tally.anomalies()), (20, 18));
    assert!(!all.ended_early && all.is_exhaustive(), "{all:?}");

    let none = text.replace("non_atomic_no_delay", "row_locking_atomic_long_delay");
    let none = format!("{none}\n[expect.else]\nviolated = 'some'\n");
    let subjects = vec![subject_at("own.toml", &none)];
    let safe = found(Job {
        are_all_asked: false,
        ..job(&database, subjects, plan(ALL, 2))
    });
    let safe = safe.await;
    assert_eq!((safe.tally.anomalies(), safe.ended_early), (0, false));
    assert!(!safe.unexpected.is_empty(), "nothing goes wrong: {safe:?}");
}

/// Interrupted, Racy drops the databases as well.
async fn all_instances_end_with_racy(engine: TestEngine) {
    // Its own, because a killed explorer leaves databases behind.
    let server = LocalServer::start(&engine.binary(), Folder::Temporary)
        .await
        .unwrap();
    let place = Place::on(Fresh::on(&server).await, "SELECT 1").await;
    let url = server.url(place.name());
    for is_killed in [false, true] {
        let folder = open_folder();
        let path = folder.path();
        let text = file(".", "atomic_no_delay", "");
        fs::write(path.join("own.toml"), format!("{text}{INVARIANT}")).unwrap();
        let mut explore = racy(&["explore", "own.toml", "--parallel", "2"]);
        explore.args(["--exhaustive", "--database-url", &url]);
        explore.current_dir(path).stdout(Stdio::null());
        let mut explore = explore.stderr(Stdio::null()).spawn().unwrap();
        let databases = || {
            let entries = fs::read_dir(path).unwrap().map(|it| it.unwrap().path());
            let of_an_instance = |it: &std::path::PathBuf| {
                let name = it.file_name().unwrap().to_str().unwrap();
                name.starts_with("database-of-")
            };
            let files: Vec<_> = entries.filter(of_an_instance).collect();
            files
        };
        until_within(PATIENCE, "two instances are started", || async {
            databases().len() == 2
        })
        .await;
        if is_killed {
            explore.kill().unwrap();
        } else {
            signal("INT", &explore);
        }
        let ended = tokio::task::spawn_blocking(move || explore.wait().unwrap());
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        let ended = ended.expect("it hangs").unwrap();
        no_process_is_left_in(path).await;
        let names = databases()
            .into_iter()
            .map(|it| fs::read_to_string(it).unwrap());
        let names: Vec<_> = names.map(|it| it.trim().to_owned()).collect();
        assert_ne!(names[0], names[1]);
        for name in names {
            let there = place.texts(&format!("SHOW DATABASES LIKE '{name}'")).await;
            assert_eq!(!there.is_empty(), is_killed, "{name}: {ended}");
        }
    }
}
