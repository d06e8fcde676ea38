//! One run: its clients under one schedule, from their beginning to their end.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::look::Looker;
use super::patience::Pace;
use super::schedule::Simplicity;
use super::scheduler::{Scheduler, Stopped};
use super::{
    Client, ClientResult, Clients, Divergence, Fixture, Judge, Looks, Policy, Schedule, Trace,
};
use crate::engine::{Database, Fault};

/// A run that came to its end.
#[derive(Debug)]
pub struct Run {
    /// What the clients worked on.
    pub fixture: Fixture,
    /// Which client moved when.
    pub schedule: Schedule,
    /// How often a client had to stop although it could have gone on.
    pub preemptions: usize,
    /// What happened.
    pub trace: Trace,
    /// How each client ended, in the order of their names.
    pub results: Vec<ClientResult>,
    /// What was stored after each step.
    pub looks: Looks,
}

impl Run {
    /// What makes one run simpler than another: see [`Schedule::simplicity`].
    pub(super) fn simplicity(&self) -> Simplicity<'_> {
        self.schedule.simplicity(self.preemptions)
    }
}

/// Why a run did not come to its end.
#[derive(Debug)]
pub enum RunError {
    /// A client was refused for a deadlock that another one has closed. The search runs the
    /// schedule again, with more patience.
    Hasty,
    /// A client waited for one of another lane. The search runs the schedule again.
    Disturbed,
    /// It did not go as its policy knew that it should.
    Diverged(Divergence),
    /// The engine failed, in a way that says nothing about the race.
    Engine(Fault),
    /// A client ended without a result.
    Gone(Client),
    /// A client neither moved nor waited for a lock, for longer than any statement may take.
    Silent(Client),
    /// A client's wait for a lock ended in a timeout, and the engine had not shown the wait. So the
    /// others went on too late or not at all, and how the run ended says nothing.
    WaitNotSeen {
        /// The client that waited.
        client: Client,
        /// The step at which it waited.
        label: Cow<'static, str>,
    },
    /// A client's wait for a lock ended in a timeout although another client could have moved.
    TooSlow {
        /// The client that waited.
        client: Client,
        /// The step at which it waited.
        label: Cow<'static, str>,
    },
    /// The clients read the engine's clock, and every try crossed a second.
    CrossedASecond,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hasty => f.write_str(
                "a client was refused for a deadlock that another one has closed: it may have looked \
                 for deadlocks too late",
            ),
            Self::Disturbed => f.write_str(
                "in every try something from outside got between: a client of another run held a lock, or \
                 a statement came too late to be told whose it is",
            ),
            Self::Diverged(divergence) => write!(f, "the run diverged {divergence}"),
            Self::Engine(fault) => fault.fmt(f),
            Self::Gone(client) => write!(f, "client {client} broke off"),
            Self::Silent(client) => write!(
                f,
                "client {client} neither comes to a step nor ends, and the engine does not show that it \
                 waits for a lock. It computes without end, or waits for something outside the database"
            ),
            Self::WaitNotSeen { client, label } => write!(
                f,
                "wait not seen: {client}'s {label:?} ended in a lock timeout, and the engine had not shown \
                 that it waits. How the run ended says nothing. On MySQL the performance schema has to \
                 show every connection (performance_schema_max_thread_instances) and every lock \
                 (performance_schema_max_metadata_locks, wait/lock/metadata/sql/mdl). A timeout that \
                 the client sets itself has to be longer than 100 ms"
            ),
            Self::TooSlow { client, label } => write!(
                f,
                "{client}'s {label:?} ended in a lock timeout although another client could have moved, in \
                 every try; a longer --lock-wait-timeout or fewer runs at once (--parallel) leave them the \
                 time"
            ),
            Self::CrossedASecond => f.write_str(
                "the engine's clock went on in the middle of every try; fewer runs at once (--parallel) \
                 are quicker each",
            ),
        }
    }
}

impl std::error::Error for RunError {}

impl From<Fault> for RunError {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

impl From<Stopped> for RunError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Hasty => Self::Hasty,
            Stopped::Disturbed => Self::Disturbed,
            Stopped::Diverged(divergence) => Self::Diverged(divergence),
            Stopped::Engine(fault) => Self::Engine(fault),
            Stopped::Gone(client) => Self::Gone(client),
            Stopped::Silent(client) => Self::Silent(client),
            Stopped::TimedOut {
                client,
                label,
                seen: true,
            } => Self::TooSlow { client, label },
            Stopped::TimedOut {
                client,
                label,
                seen: false,
            } => Self::WaitNotSeen { client, label },
        }
    }
}

/// Runs this number of clients in the order that the policy decides. None if the policy broke the
/// run off because another run shows the same.
///
/// The future may be dropped at any time: the clients are dropped with it, which rolls back.
pub async fn run_schedule(
    database: &Database,
    clients: &Arc<dyn Clients>,
    fixture: Fixture,
    count: usize,
    policy: &mut dyn Policy,
) -> Result<Option<Run>, RunError> {
    let setting = RunSetting {
        pace: Pace::Patient,
        looked_at_by: None,
    };
    run_in(setting, database, clients, fixture, count, policy).await
}

/// How a run is watched.
pub(super) struct RunSetting<'j> {
    pub(super) pace: Pace,
    /// Looks at what is stored after each step. None if no look is wanted.
    pub(super) looked_at_by: Option<&'j Arc<dyn Judge>>,
}

/// As [`run_schedule`], in this setting.
pub(super) async fn run_in(
    setting: RunSetting<'_>,
    database: &Database,
    clients: &Arc<dyn Clients>,
    fixture: Fixture,
    count: usize,
    policy: &mut dyn Policy,
) -> Result<Option<Run>, RunError> {
    let mut scheduler = Scheduler::start(database, clients, fixture, count, setting.pace);
    scheduler.looker = setting
        .looked_at_by
        .map(|judge| Looker::new(judge, fixture));
    match scheduler.drive(policy).await {
        Ok(true) => scheduler.into_run(fixture).map(Some),
        Ok(false) => {
            scheduler.leave_nothing_open().await;
            Ok(None)
        }
        Err(stopped @ (Stopped::Diverged(_) | Stopped::Hasty | Stopped::Disturbed)) => {
            scheduler.leave_nothing_open().await;
            Err(stopped.into())
        }
        Err(stopped) => Err(stopped.into()),
    }
}
