//! What a test of applications stands on: a database, an application that is pointed at the proxy,
//! and all runs of a scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use racy::engine::{Database, LaneKind, Settings};
use racy::explore::{
    self, Client, Exhaustive, Exploration, Finding, Fixture, Fixtures, Job, Policy, Run, RunError,
    Schedules, Subject, run_schedule,
};
use racy::scenarios::{Options, Scenario};
use racy::verdict::Verdict;

use super::shop::{Habits, RunningShop};
use crate::support::explored::{ALL, job, plan};
use crate::support::{HeldPort, TestEngine};

/// A database with an application that works on it through the proxy, as soon as there is one.
pub struct Stage {
    pub database: Database,
    pub listen: HeldPort,
    pub shop: RunningShop,
    name: String,
}

/// It runs in the test's own database, once for each exploration.
const SETUP: &str = "
DROP TABLE IF EXISTS account, deposit, voucher, worker, page;
CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL);
INSERT INTO account VALUES (1, 0), (2, 0);
CREATE TABLE deposit (id INT AUTO_INCREMENT PRIMARY KEY, amount INT NOT NULL);
CREATE TABLE voucher (id INT PRIMARY KEY, used BIGINT NOT NULL);
INSERT INTO voucher VALUES (1, 0);
CREATE TABLE worker (id INT PRIMARY KEY, beats INT NOT NULL);
INSERT INTO worker VALUES (1, 0);
CREATE TABLE page (id INT PRIMARY KEY);
INSERT INTO page VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10);
INSERT INTO page VALUES (11), (12), (13), (14), (15), (16), (17), (18), (19), (20);
";

/// What no client's money may be missing from.
pub const NOTHING_IS_LOST: &str = r#"
[[invariant]]
name = "nothing is lost"
sql = "SELECT balance = 10 * :acknowledged FROM account WHERE id = 1"
"#;

impl Stage {
    pub async fn set(engine: TestEngine) -> Self {
        Self::set_with(engine, Habits::default()).await
    }

    pub async fn set_with(engine: TestEngine, habits: Habits) -> Self {
        let fresh = engine.fresh().await;
        let settings = Settings {
            connections: 12,
            ..Settings::default()
        };
        let settings = explore::settings(&settings);
        let database = Database::connect(&fresh.address, &settings).await.unwrap();
        let listen = HeldPort::new();
        let url = url_through(&database, &listen);
        Self {
            database,
            shop: RunningShop::start(&url, habits).await,
            listen,
            name: fresh.name,
        }
    }

    /// The URL of its database for an application that goes through the proxy.
    pub fn url_through_the_proxy(&self) -> String {
        url_through(&self.database, &self.listen)
    }

    /// The same for one that goes past it.
    pub fn url_past_the_proxy(&self, engine: TestEngine) -> String {
        engine.server().unwrap().url(&self.name)
    }

    /// A scenario file with these clients and invariants.
    pub fn file(&self, rest: &str) -> String {
        self.file_with("", rest)
    }

    /// The same, with scripts alone.
    pub fn file_without_application(&self, rest: &str) -> String {
        format!("title = \"A shop\"\n[database]\nsetup = \"\"\"{SETUP}\"\"\"\n{rest}")
    }

    /// The same, with more about the application.
    pub fn file_with(&self, application: &str, rest: &str) -> String {
        format!(
            "title = \"A shop\"\nengines = [\"mysql\", \"mariadb\"]\n\
             [database]\nsetup = \"\"\"{SETUP}\"\"\"\n[application]\n\
             base_url = \"http://{}\"\nlisten = \"{}\"\n{application}\n{rest}",
            self.shop.address,
            self.listen.address()
        )
    }

    /// A file in which two clients send this request, and no money may be lost.
    pub fn two_clients(&self, path: &str) -> String {
        self.file(&format!("{}{NOTHING_IS_LOST}", two(path)))
    }

    /// What the explorer finds.
    pub async fn explore(&self, text: &str) -> Exploration {
        self.explore_all(&[text]).await
    }

    /// What it finds in several files, one after the other.
    pub async fn explore_all(&self, texts: &[&str]) -> Exploration {
        self.job(texts, ALL).run(&|_| ()).await
    }

    /// The exploration of these schedules of several files.
    pub fn job(&self, texts: &[&str], schedules: Schedules) -> Job {
        let subjects = texts.iter().map(|it| subject(it)).collect();
        Job {
            in_place: true,
            ..job(&self.database, subjects, plan(schedules, 2))
        }
    }

    /// The only finding of a scenario that came to its end.
    pub async fn finding(&self, text: &str) -> Finding {
        let mut exploration = self.explore(text).await;
        assert!(exploration.broken.is_empty(), "{:?}", exploration.broken);
        assert!(exploration.error.is_none(), "{:?}", exploration.error);
        let finding = exploration.findings.remove(0);
        assert_eq!(finding.diverged, 0, "{finding:?}");
        finding
    }

    /// What was said of a scenario that could not be explored.
    pub async fn broken(&self, text: &str) -> String {
        let exploration = self.explore(text).await;
        assert!(exploration.error.is_none(), "{:?}", exploration.error);
        exploration.broken.join("\n")
    }

    /// Every run of a scenario, as the explorer makes them, each with all that happened in it.
    pub async fn every_run(&self, text: &str) -> Runs {
        every_run(&self.database, &subject(text)).await
    }

    /// The same with `--split-commits`.
    pub async fn every_run_with_split_commits(&self, text: &str) -> Runs {
        let options = Options {
            in_place: true,
            split_commits: true,
            ..Options::default()
        };
        every_run(&self.database, &subject_with("test.toml", text, options)).await
    }
}

/// Every run of a subject in this database, as the explorer makes them.
pub async fn every_run(database: &Database, subject: &Subject) -> Runs {
    let count = subject.about.clients(2);
    let lanes = database.lanes(count, 1, LaneKind::InPlace).await.unwrap();
    let database = &lanes.lanes[0].database;
    let rehearsal = subject.rehearsal.as_ref().unwrap();
    let rehearsed = rehearsal.rehearse(subject, database).await;
    rehearsed.unwrap_or_else(|why| panic!("{why}"));
    let mut runs = Runs::default();
    let mut waiting: Vec<Box<dyn Policy>> = vec![Box::new(Exhaustive::within(None))];
    while let Some(policy) = waiting.pop() {
        let (policy, run) = one_run(subject, database, count, policy).await;
        let whole = Fixture::WholeDatabase;
        let judged = subject.judge.judge(database, whole, &run.results).await;
        *runs.verdicts.entry(judged.unwrap().verdict).or_default() += 1;
        runs.runs.push(run);
        waiting.extend(policy.branches());
    }
    runs.remarks = subject.judge.took_for_granted(database.engine());
    let Fixtures::WholeDatabase(restore) = &subject.fixtures else {
        panic!("a scenario works on a whole database");
    };
    restore.close(database).await.unwrap();
    lanes.close().await.unwrap();
    runs
}

fn url_through(database: &Database, listen: &HeldPort) -> String {
    let upstream = database.upstream().unwrap();
    upstream.url_through(listen.address())
}

/// Two clients that send this request. The path ends in a question mark or an ampersand.
pub fn two(path: &str) -> String {
    format!(
        "[[client]]\ncount = 2\nrequest = {{ method = \"POST\", path = \"{path}client={{n}}\" }}\n"
    )
}

pub fn subject(text: &str) -> Arc<Subject> {
    subject_in_place("test.toml", text)
}

/// A subject that runs in the database of the URL. Its folders are seen from this file's.
pub fn subject_in_place(name: &str, text: &str) -> Arc<Subject> {
    let options = Options {
        in_place: true,
        ..Options::default()
    };
    subject_with(name, text, options)
}

fn subject_with(name: &str, text: &str, options: Options) -> Arc<Subject> {
    let scenario = Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
    let subject = scenario.into_subject(options);
    Arc::new(subject.unwrap_or_else(|error| panic!("{error}")))
}

/// A subject that runs in a database of the explorer's own.
pub fn subject_at(name: &str, text: &str) -> Arc<Subject> {
    let scenario = Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
    let subject = scenario.into_subject(Options::default());
    Arc::new(subject.unwrap_or_else(|error| panic!("{error}")))
}

/// Runs one schedule. It is tried again where the search would try it again.
async fn one_run(
    subject: &Subject,
    database: &Database,
    count: usize,
    mut policy: Box<dyn Policy>,
) -> (Box<dyn Policy>, Run) {
    const TRIES: usize = 6;
    let Fixtures::WholeDatabase(restore) = &subject.fixtures else {
        panic!("a scenario works on a whole database");
    };
    let mut errors = Vec::new();
    for _ in 0..TRIES {
        restore.restore(database).await.unwrap();
        let again = policy.again();
        let clients = (subject.clients)(1);
        let whole = Fixture::WholeDatabase;
        let run = run_schedule(database, &clients, whole, count, &mut *policy).await;
        match run {
            Ok(run) => return (policy, run.unwrap()),
            Err(RunError::Diverged(_) | RunError::Hasty | RunError::Disturbed) => {
                errors.push(run);
                policy = again;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it does not come to its end: {errors:?}");
}

/// All runs of a scenario.
#[derive(Debug, Default)]
pub struct Runs {
    pub verdicts: BTreeMap<Verdict, u64>,
    pub runs: Vec<Run>,
    /// What the verdicts take for granted, in words.
    pub remarks: Vec<String>,
}

impl Runs {
    /// The number of runs with an anomaly, refused, declined and safe.
    pub fn counts(&self) -> [u64; 4] {
        let count = |is_it: fn(&Verdict) -> bool| {
            let found = self.verdicts.iter().filter(|(it, _)| is_it(it));
            found.map(|(_, count)| count).sum()
        };
        [
            count(|it| it.is_anomaly()),
            count(|it| matches!(it, Verdict::Refused(_))),
            count(|it| *it == Verdict::Declined),
            count(|it| *it == Verdict::Safe),
        ]
    }

    /// Each statement of each run, with the client that it was given to.
    pub fn statements(&self) -> impl Iterator<Item = (Client, &str)> {
        let rows = self.runs.iter().flat_map(|it| &it.trace.rows);
        rows.filter_map(|row| Some((row.client, row.step.sql.as_deref()?)))
    }

    /// The names of the anomalies, and how often each was found.
    pub fn anomalies(&self) -> Vec<(&'static str, u64)> {
        let verdicts = self.verdicts.iter();
        let anomalies = verdicts.filter_map(|(it, count)| Some((it.anomaly()?.name, *count)));
        anomalies.collect()
    }

    /// Whether one of the remarks has these words.
    pub fn say(&self, words: &str) -> bool {
        self.remarks.iter().any(|it| it.contains(words))
    }

    /// Each statement that says whose it is was given to its client, and each step says so.
    pub fn must_be_given_to_their_clients(&self) {
        let mut signed = 0;
        for run in &self.runs {
            for row in &run.trace.rows {
                let Some(sql) = row.step.sql.as_deref() else {
                    continue;
                };
                let is_step = row.number().is_some();
                let owner = format!("/* client {} */", row.client.index() + 1);
                let is_right = sql.contains(&owner);
                let is_unsigned = !sql.contains("/*");
                let schedule = &run.schedule;
                assert!(
                    is_right || is_unsigned && !is_step,
                    "{sql:?} was given to {} in {schedule}: {:#?}",
                    row.client,
                    run.trace
                );
                signed += usize::from(is_right);
            }
        }
        assert!(signed > 0, "no statement says whose it is: {:?}", self.runs);
    }
}
