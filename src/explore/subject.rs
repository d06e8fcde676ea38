//! What is explored: facts, fixtures, clients and a judge.
//!
//! The four parts are apart because they can come from different places. A strategy of ours brings
//! all four. Clients can also be no functions over a session, and work on a whole database instead
//! of a row: tests/outside.rs has such clients. Facts are plain data, so that a finding can own
//! them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{About, Client, Finding, Gate, StoredValue, Trace};
use crate::answer::Datum;
use crate::engine::{Database, Engine, Fault, LaneKind, Session};
use crate::verdict::{Anomaly, Outcome, Verdict};

/// What a subject's functions return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is explored.
#[derive(Clone)]
pub struct Subject {
    /// The facts about it.
    pub about: About,
    /// What its runs work on.
    pub fixtures: Fixtures,
    /// Makes the clients of one run, served by this number of instances of the service. State that
    /// they keep besides the database is new in each run.
    pub clients: Arc<dyn Fn(usize) -> Arc<dyn Clients> + Send + Sync>,
    /// Decides how a run ended.
    pub judge: Arc<dyn Judge>,
    /// What is tried in one lane before the search. None if there is nothing to try.
    pub rehearsal: Option<Arc<dyn Rehearsal>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Subject");
        shown.field("about", &self.about).finish_non_exhaustive()
    }
}

/// The id that reports show for a run's row, so that all runs read the same.
pub const SHOWN_ID: i64 = 1;

/// The second that reports show for the time of a run, so that all runs read the same.
pub const SHOWN_SECOND: i64 = 1_700_000_000;

/// What one run works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixture {
    /// A row, known by its id. Other runs may work on other rows of the same tables.
    Row(i64),
    /// All of the lane's database.
    WholeDatabase,
}

impl Fixture {
    /// The row's id. 0 if the fixture is the whole database: its clients name its rows themselves.
    pub fn id(self) -> i64 {
        match self {
            Self::Row(id) => id,
            Self::WholeDatabase => 0,
        }
    }
}

/// Where the fixtures of a subject come from.
#[derive(Debug, Clone)]
pub enum Fixtures {
    /// A row for each run.
    Rows(Arc<dyn Rows>),
    /// A database for each lane, which is brought back to its beginning before each run.
    WholeDatabase(Arc<dyn Restore>),
}

impl Fixtures {
    /// Ends what was started for the runs in this database.
    pub(super) async fn close(&self, database: &Database) -> Result<(), Fault> {
        match self {
            Self::Rows(_) => Ok(()),
            Self::WholeDatabase(restore) => restore.close(database).await,
        }
    }

    /// How long it takes to open this lane, if it takes long. None if it does not, or if it is
    /// open.
    pub(super) async fn opening_takes(&self, database: &Database) -> Option<Duration> {
        match self {
            Self::Rows(_) => None,
            Self::WholeDatabase(restore) => restore.opening_takes(database).await,
        }
    }

    /// Whether one run at a time has to be made, as the rehearsal has shown.
    pub(super) fn is_alone(&self) -> bool {
        match self {
            Self::Rows(_) => false,
            Self::WholeDatabase(restore) => restore.is_alone(),
        }
    }

    /// The kind of lanes that the runs need.
    pub(super) fn lane_kind(&self) -> LaneKind {
        match self {
            Self::Rows(_) => LaneKind::Rows,
            Self::WholeDatabase(_) => LaneKind::WholeDatabase,
        }
    }
}

/// Makes and removes the rows that runs work on.
pub trait Rows: fmt::Debug + Send + Sync {
    /// Makes this number of rows, each for one run, and returns their ids.
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>>;

    /// Removes rows and all that runs have left with them.
    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>>;

    /// Whether no other value of a statement can be mistaken for this id, so that reports can show
    /// [`SHOWN_ID`] in its place. Rows with other ids are left unused.
    fn id_is_unambiguous(&self, id: i64) -> bool;

    /// The engine's current second, if the clients read the clock. A run that crosses a second is
    /// repeated, so that the counts do not depend on when runs begin. None if no client reads it.
    fn clock_second<'a>(
        &'a self,
        _database: &'a Database,
    ) -> Option<Pending<'a, Result<i64, Fault>>> {
        None
    }
}

/// Brings a lane's database back to its beginning.
pub trait Restore: fmt::Debug + Send + Sync {
    /// Called before each run. The first time, the database is empty.
    fn restore<'a>(&'a self, database: &'a Database) -> Pending<'a, Result<(), Fault>>;

    /// How long the first call in this database is going to take, if it takes long: then a search
    /// begins without this lane. None if it does not, or if there was a call.
    fn opening_takes<'a>(&'a self, _database: &'a Database) -> Pending<'a, Option<Duration>> {
        Box::pin(std::future::ready(None))
    }

    /// Whether runs would meet although each has a database of its own, as the rehearsal has shown.
    fn is_alone(&self) -> bool {
        false
    }

    /// Called after the last run in this database, before it is dropped.
    fn close<'a>(&'a self, _database: &'a Database) -> Pending<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The clients of one run, with the state that they share besides the database.
///
/// This is the seam behind which a client may be anything, not only a function over a session
/// ([`InSession`]). All that the scheduler knows of a client comes through its [`Gate`].
pub trait Clients: fmt::Debug + Send + Sync {
    /// Runs one client to its end, and tells its gate each thing that happens to it. A gate that is
    /// dropped before [`Gate::ended`] ends the run with an error.
    fn start<'a>(
        &'a self,
        client: Client,
        gate: Gate,
        database: &'a Database,
        fixture: Fixture,
    ) -> Pending<'a, ()>;
}

/// Clients that are functions over a session, as our strategies are.
pub trait InSession: fmt::Debug + Send + Sync {
    /// Runs one client to its end, in a session whose steps the gate observes.
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult>;
}

impl<T: InSession> Clients for T {
    fn start<'a>(
        &'a self,
        client: Client,
        gate: Gate,
        database: &'a Database,
        fixture: Fixture,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let connected = async {
                let mut session = database.session(&gate).await?;
                gate.connected(session.connection_id().await?);
                Ok(session)
            };
            match connected.await {
                Ok(session) => {
                    let result = self.perform(client, session, fixture).await;
                    let fault = result.fault.as_ref().filter(|it| it.is_no_outcome());
                    match fault {
                        Some(fault) => gate.broke_off(fault.clone()),
                        None => gate.ended(result),
                    }
                }
                Err(fault) => gate.broke_off(fault),
            }
        })
    }
}

/// What is tried before the search, because a race is not to blame if it goes wrong.
pub trait Rehearsal: fmt::Debug + Send + Sync {
    /// Tries it in a lane of the search, without its schedules.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn rehearse<'a>(
        &'a self,
        subject: &'a Subject,
        database: &'a Database,
    ) -> Pending<'a, Result<(), Broken>>;
}

/// Why a subject cannot be explored.
#[derive(Debug)]
pub struct Broken {
    /// The line and the column in its file, from 1. None if it is not one place.
    pub place: Option<(usize, usize)>,
    /// In words for the user who has brought the subject.
    pub why: String,
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self { place: None, why }
    }
}

/// How a run ended, and why a judge says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What is wrong in this very run, in words. None if the anomaly says all.
    pub because: Option<String>,
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            because: None,
        }
    }
}

/// Decides how a run ended.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Judges a run by what is in the database and by how its clients ended.
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>>;

    /// Reads what is stored, in a [session to look in](super::session_to_look_in): a few named
    /// values that are the same in every run of the same schedule. None if there is nothing that
    /// one can look at without disturbing the clients.
    fn look<'a>(
        &'a self,
        _database: &'a Database,
        _fixture: Fixture,
    ) -> Option<Pending<'a, Result<Vec<StoredValue>, Fault>>> {
        None
    }

    /// Where in a run with this anomaly it went wrong. None if no single row shows it.
    fn highlight(
        &self,
        _trace: &Trace,
        _results: &[ClientResult],
        _anomaly: &'static Anomaly,
    ) -> Option<Highlight> {
        None
    }

    /// SQL that shows a person what became of this run. None if it is the same for all runs.
    fn inspect_sql(&self, _engine: &Engine, _results: &[ClientResult]) -> Option<String> {
        None
    }

    /// Replaces numbers in a run's steps that depend on earlier runs, such as ids that the engine
    /// drew, so that reports of two runs read the same.
    fn make_repeatable(&self, _trace: &mut Trace) {}

    /// Whether the subject promises that on this engine, served by this number of instances, no run
    /// ever has an anomaly.
    fn promises_safety(&self, _engine: &Engine, _instances: usize) -> bool {
        false
    }

    /// What its verdicts take for granted besides what was known before, in words: what it has left
    /// out where it compared the ends of runs.
    fn took_for_granted(&self, _engine: &Engine) -> Vec<String> {
        Vec::new()
    }

    /// What was found that should not have been, in words. Empty if all is as it should be.
    fn unexpected(&self, finding: &Finding) -> Vec<String> {
        if finding.promises_safety && finding.tally.anomalies() > 0 {
            vec!["its card promises that no schedule goes wrong".to_owned()]
        } else {
            Vec::new()
        }
    }

    /// The verdicts of the runs that should not have been. Empty if all is as it should be, or if
    /// something is missing that should have been found.
    fn unexpected_verdicts(&self, finding: &Finding) -> Vec<Verdict> {
        if finding.promises_safety {
            let verdicts = finding.tally.verdicts.keys().copied();
            verdicts.filter(|it| it.is_anomaly()).collect()
        } else {
            Vec::new()
        }
    }

    /// The line of a user's file that says what is expected, or whose clients expect it. It is
    /// asked if something was found that should not have been. None if there is no such file.
    fn expected_at(&self, _finding: &Finding) -> Option<usize> {
        None
    }
}

/// How one client ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientResult {
    /// What became of what it was asked for.
    pub outcome: Outcome,
    /// The engine's refusal. None if the engine did not refuse.
    pub fault: Option<Fault>,
    /// What was wrong with what it read, whatever the database holds afterwards.
    pub saw: Option<&'static Anomaly>,
    /// The values that it captured, by name. Only a user's script captures values.
    pub captured: Vec<(String, Datum)>,
    /// The captured names that are no answer: what a script has set itself, and what it was told of
    /// a lock that it has only tried to get.
    pub incidental: Vec<String>,
    /// Whether its statements say that it has changed nothing. Only known of a user's script.
    pub changed_nothing: bool,
    /// Whether it has asked for a lock without waiting for it. Only known of a user's script.
    pub tries_locks: bool,
}

impl ClientResult {
    /// A client that was served.
    pub const APPLIED: Self = Self {
        outcome: Outcome::Applied,
        fault: None,
        saw: None,
        captured: Vec::new(),
        incidental: Vec::new(),
        changed_nothing: false,
        tries_locks: false,
    };

    /// A client that was not served. `fault` is None if the strategy itself turned it away.
    pub fn failed(outcome: Outcome, fault: Option<Fault>) -> Self {
        Self {
            outcome,
            fault,
            saw: None,
            captured: Vec::new(),
            incidental: Vec::new(),
            changed_nothing: false,
            tries_locks: false,
        }
    }

    /// A client of which nothing was kept. `fault` is None if the strategy itself turned it away.
    pub fn refused(fault: Option<Fault>) -> Self {
        Self::failed(Outcome::Refused, fault)
    }
}

/// The verdict of a run, given its worst anomaly. Without one it is the worst that happened to a
/// client.
pub fn verdict_of(anomaly: Option<&'static Anomaly>, results: &[ClientResult]) -> Verdict {
    if let Some(anomaly) = anomaly {
        Verdict::Anomaly(anomaly)
    } else if let Some(fault) = refusal(results) {
        Verdict::Refused(fault.kind)
    } else if results.iter().any(|it| it.outcome != Outcome::Applied) {
        Verdict::Declined
    } else {
        Verdict::Safe
    }
}

/// The refusal that stands for all refusals of a run. It depends neither on the clients' names nor
/// on which client came first.
pub fn refusal(results: &[ClientResult]) -> Option<&Fault> {
    let faults = results.iter().filter_map(|client| client.fault.as_ref());
    faults.min_by_key(|fault| (fault.kind, &fault.code))
}

/// The row of a trace in which a run went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlight {
    /// The row's index in the trace.
    pub row: usize,
    /// What happened there, in words.
    pub words: String,
}
