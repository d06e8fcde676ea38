//! The explorer's seam: runs on a whole database, and clients that are no functions over a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use racy::engine::{Database, Fault, Session, Settings};
use racy::explore::{
    About, Client, ClientResult, Clients, Exploration, Fixture, Fixtures, Gate, InSession,
    JobError, Judge, Judgement, Pending, Restore, RunError, Subject, verdict_of,
};
use racy::step::{Action, Effect, Ending, Observer as _, Record, Step, Unobserved};
use racy::verdict::{Anomaly, Verdict};
use tokio::sync::{mpsc, oneshot};

use crate::support::TestEngine;
use crate::support::explored::{ALL, explored, plan};

on_engines!(
    every:
        a_run_works_on_a_whole_database,
        a_client_that_is_gone_ends_the_run_with_an_error;
    servers:
        a_client_may_come_from_outside;
    sqlite:
        a_client_that_neither_moves_nor_waits_ends_the_run_with_an_error;
);

/// A counter in a table of the test's own. Its row has the same id in every run.
#[derive(Debug)]
struct Counter;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS counters (id INTEGER PRIMARY KEY, value BIGINT NOT NULL)";

impl Restore for Counter {
    fn restore<'a>(&'a self, database: &'a Database) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            let insert = "INSERT INTO counters (id, value) VALUES (1, 0)";
            for sql in [TABLE, "DELETE FROM counters", insert] {
                database.execute(sql, &[]).await?;
            }
            Ok(())
        })
    }
}

static LOST_COUNT: Anomaly = Anomaly {
    rank: 0,
    name: "lost_count",
    title: "lost count",
    does: "loses a count",
    word: "lost",
    meaning: "the counter is less than the number of clients that counted",
};

/// Judges by the counter.
#[derive(Debug)]
struct AllCounted;

impl Judge for AllCounted {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        _fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let mut session = database.session(&Unobserved).await?;
            let value = session.read("read counter", READ, &[]).await;
            session.end().await;
            let is_lost = value? < Some(results.len() as i64);
            Ok(verdict_of(is_lost.then_some(&LOST_COUNT), results).into())
        })
    }
}

const READ: &str = "SELECT value FROM counters WHERE id = 1";
const WRITE: &str = "UPDATE counters SET value = ? WHERE id = 1";
const ADD: &str = "UPDATE counters SET value = value + 1 WHERE id = 1";

fn subject<C: Clients + 'static>(clients: impl Fn() -> C + Send + Sync + 'static) -> Arc<Subject> {
    Arc::new(Subject {
        about: About {
            name: "counter".into(),
            anomalies: vec![&LOST_COUNT],
            source_file: None,
            nothing: "lost",
            setup_sql: TABLE.into(),
            inspect_sql: READ.into(),
            clients_are_alike: true,
            shares_memory: false,
            scenario: None,
        },
        fixtures: Fixtures::WholeDatabase(Arc::new(Counter)),
        clients: Arc::new(move |_instances| Arc::new(clients())),
        rehearsal: None,
        judge: Arc::new(AllCounted),
    })
}

async fn explore<C: Clients + 'static>(
    database: &Database,
    clients: impl Fn() -> C + Send + Sync + 'static,
) -> Exploration {
    explored(database, vec![subject(clients)], plan(ALL, 2)).await
}

/// Reads the counter and writes the next number.
#[derive(Debug)]
struct ReadAndWrite;

impl InSession for ReadAndWrite {
    fn perform<'a>(
        &'a self,
        _client: Client,
        mut session: Session<'a>,
        _fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        Box::pin(async move {
            let counted = async {
                let value = session.read("read", READ, &[]).await?.unwrap_or_default();
                let next = value + 1;
                session.write("write", next, WRITE, &[next]).await
            };
            let counted: Result<u64, Fault> = counted.await;
            session.end().await;
            counted.map_or_else(
                |fault| ClientResult::refused(Some(fault)),
                |_| ClientResult::APPLIED,
            )
        })
    }
}

/// Eight runs go on at the same time. If two lanes shared a database, the counts would not be
/// exact.
async fn a_run_works_on_a_whole_database(engine: TestEngine) {
    let lab = engine.lab().await;
    let exploration = explore(&lab.database, || ReadAndWrite).await;
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    let tally = &exploration.findings[0].tally;
    assert_eq!(tally.schedules, 6);
    assert_eq!(tally.count(Verdict::Anomaly(&LOST_COUNT)), 4);
    assert_eq!(tally.count(Verdict::Safe), 2);
}

/// An application's clients. Each sends its statements through a channel, to a proxy that stands at
/// the gate.
#[derive(Debug)]
struct Application {
    /// The clients of this run that have an answer and have not sent their next statement yet.
    computing: AtomicUsize,
    /// The largest number of them in any run.
    most_computing: Arc<AtomicUsize>,
}

type Sent = (&'static str, oneshot::Sender<()>);

impl Application {
    /// One client: it counts in a transaction, and computes after each answer.
    async fn run(&self, proxy: mpsc::UnboundedSender<Sent>) {
        for statement in [READ, "BEGIN", ADD, "COMMIT"] {
            let (answer, answered) = oneshot::channel();
            proxy.send((statement, answer)).unwrap();
            answered.await.unwrap();
            let computing = self.computing.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_computing.fetch_max(computing, Ordering::SeqCst);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            self.computing.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Clients for Application {
    fn start<'a>(
        &'a self,
        _client: Client,
        gate: Gate,
        database: &'a Database,
        _fixture: Fixture,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let (to_proxy, statements) = mpsc::unbounded_channel();
            let proxying = proxy(&gate, database, statements);
            let ((), result) = tokio::join!(self.run(to_proxy), proxying);
            gate.ended(match result {
                Ok(()) => ClientResult::APPLIED,
                Err(fault) => ClientResult::refused(Some(fault)),
            });
        })
    }
}

/// Holds each statement until the scheduler lets it go, and each answer until all others are at
/// rest. The first statement goes over another connection than the transaction.
async fn proxy(
    gate: &Gate,
    database: &Database,
    mut statements: mpsc::UnboundedReceiver<Sent>,
) -> Result<(), Fault> {
    let mut first = database.session(&Unobserved).await?;
    let mut second = database.session(&Unobserved).await?;
    while let Some((sql, answer)) = statements.recv().await {
        let connection = if sql == READ { &mut first } else { &mut second };
        gate.connected(connection.connection_id().await?);
        let step = step_of(sql);
        gate.before(&step).await;
        let started = Instant::now();
        match sql {
            READ => connection.read("read", READ, &[]).await.map(|_| ())?,
            "BEGIN" => connection.begin().await?,
            "COMMIT" => connection.commit().await?,
            _ => connection.run("add", ADD, &[]).await.map(|_| ())?,
        }
        gate.after(&Record {
            step,
            started,
            ended: Instant::now(),
            ending: Ending::Done(None),
        });
        gate.hold_answer().await;
        answer.send(()).unwrap();
    }
    first.end().await;
    second.end().await;
    Ok(())
}

fn step_of(sql: &'static str) -> Step {
    Step {
        action: match sql {
            READ => Action::Read,
            "BEGIN" => Action::Begin,
            "COMMIT" => Action::Commit,
            _ => Action::Write,
        },
        label: sql.to_owned().into(),
        sql: Some(sql.into()),
        args: Vec::new(),
        effect: Effect::Conflicts,
        footprint: None,
        at: None,
    }
}

/// Two clients of four steps, of which one waits while the other's transaction is open.
async fn a_client_may_come_from_outside(engine: TestEngine) {
    let lab = engine
        .lab_with(racy::explore::settings(&Settings::default()))
        .await;
    let most_computing = Arc::new(AtomicUsize::new(0));
    let of_all_runs = Arc::clone(&most_computing);
    let application = move || Application {
        computing: AtomicUsize::new(0),
        most_computing: Arc::clone(&of_all_runs),
    };
    let exploration = explore(&lab.database, application).await;
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    let finding = &exploration.findings[0];
    assert!(finding.is_exhaustive() && finding.tally.waited > 0);
    assert_eq!(finding.tally.anomalies(), 0);
    // Where a commit ends another client's wait, two answers come at the same time.
    assert_eq!(most_computing.load(Ordering::SeqCst), 1);
}

/// A client whose application is killed after its first step.
#[derive(Debug)]
struct Killed;

impl Clients for Killed {
    fn start<'a>(
        &'a self,
        _client: Client,
        gate: Gate,
        _database: &'a Database,
        _fixture: Fixture,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            gate.before(&step_of(READ)).await;
        })
    }
}

async fn a_client_that_is_gone_ends_the_run_with_an_error(engine: TestEngine) {
    let lab = engine.lab().await;
    let exploration = explore(&lab.database, || Killed).await;
    let Some(JobError::Run(_, error)) = exploration.error else {
        panic!("{exploration:?}");
    };
    assert!(matches!(error, RunError::Gone(_)), "{error}");
    assert_eq!(error.to_string(), "client A broke off");
}

/// A client that waits for something outside the database.
#[derive(Debug)]
struct Silent;

impl Clients for Silent {
    fn start<'a>(
        &'a self,
        _client: Client,
        gate: Gate,
        _database: &'a Database,
        _fixture: Fixture,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            // The client keeps the gate and tells it nothing.
            std::future::pending::<()>().await;
            drop(gate);
        })
    }
}

async fn a_client_that_neither_moves_nor_waits_ends_the_run_with_an_error(engine: TestEngine) {
    let settings = Settings {
        answer_within: Some(Duration::from_secs(1)),
        ..Settings::default()
    };
    let lab = engine.lab_with(settings).await;
    let exploration = explore(&lab.database, || Silent).await;
    let Some(JobError::Run(_, error)) = exploration.error else {
        panic!("{exploration:?}");
    };
    assert!(matches!(error, RunError::Silent(_)), "{error}");
}
