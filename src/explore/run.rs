//! One run: the scheduler, who lets one client at a time take one step.
//!
//! Each client runs the strategy's own code in a session of its own and parks before each step. The
//! scheduler lets one of them go, and waits until everybody is at rest again: parked before the next
//! step, done, or waiting for a lock, which the engine is asked. Only then is the next one let go.
//! So the same decisions lead to the same run, as far as the engine does the same again.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::gate::{Event, Gate};
use super::trace::{Row, What};
use super::{Cast, Client, Diverged, Ended, Policy, Schedule, Standing, Trace};
use crate::engine::{ConnectionId, Database, Fault, FaultKind, Standstill};
use crate::step::{Ending, Record, Step};

/// A run that came to its end.
#[derive(Debug)]
pub struct Run {
    /// What the clients raced for.
    pub stake: i64,
    /// Who moved when.
    pub schedule: Schedule,
    /// What happened.
    pub trace: Trace,
    /// How it ended for each client.
    pub ended: Vec<Ended>,
}

/// Why a run did not come to its end.
#[derive(Debug)]
pub enum RunError {
    /// It did not go as its policy knew that it should.
    Diverged(Diverged),
    /// The engine did not answer.
    Engine(Fault),
    /// A client ended without saying how.
    Client(Client),
    /// A client's wait for a lock ended in a timeout, and the engine had not shown that it waited.
    /// So the others went on too late or not at all, and how the run ended says nothing.
    WaitNotSeen {
        /// Whose wait.
        client: Client,
        /// At which step.
        label: Cow<'static, str>,
    },
    /// A client's wait for a lock ended in a timeout although another client could have moved.
    TooSlow {
        /// Whose wait.
        client: Client,
        /// At which step.
        label: Cow<'static, str>,
    },
    /// The strategy looks at a clock, which went on in the middle of every try.
    Ticked,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diverged(diverged) => write!(f, "the run diverged {diverged}"),
            Self::Engine(fault) => fault.fmt(f),
            Self::Client(client) => write!(f, "client {client} broke off"),
            Self::WaitNotSeen { client, label } => write!(
                f,
                "wait not seen: {client}'s {label:?} ended in a lock timeout, and the engine had not shown \
                 that it waits. How the run ended says nothing. On MySQL the performance schema has to \
                 show every connection (performance_schema_max_thread_instances) and every lock \
                 (performance_schema_max_metadata_locks, wait/lock/metadata/sql/mdl)"
            ),
            Self::TooSlow { client, label } => write!(
                f,
                "{client}'s {label:?} ended in a lock timeout although another client could have moved, in \
                 every try; a longer --lock-wait-timeout or fewer runs at once (--parallel) leave them the \
                 time"
            ),
            Self::Ticked => f.write_str(
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

/// Runs so many clients that race for `stake`, in the order that the policy decides. None where the
/// policy broke the run off, because another shows the same.
///
/// The future may be dropped at any time: the clients' connections are closed, which rolls back.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    database: &Database,
    cast: &Arc<dyn Cast>,
    stake: i64,
    clients: usize,
    policy: &mut dyn Policy,
) -> Result<Option<Run>, RunError> {
    let mut scheduler = Scheduler::start(database, cast, stake, clients);
    match scheduler.run(policy).await {
        Ok(true) => scheduler.into_run(stake).map(Some),
        Ok(false) => {
            scheduler.leave_nothing_open().await;
            Ok(None)
        }
        Err(Stopped::Diverged(diverged)) => {
            scheduler.leave_nothing_open().await;
            Err(RunError::Diverged(diverged))
        }
        Err(Stopped::Engine(fault)) => Err(RunError::Engine(fault)),
        Err(Stopped::Client(client)) => Err(RunError::Client(client)),
        Err(Stopped::TimedOut {
            client,
            label,
            seen,
        }) => Err(match seen {
            true => RunError::TooSlow { client, label },
            false => RunError::WaitNotSeen { client, label },
        }),
    }
}

/// Why the scheduler stopped early.
enum Stopped {
    Diverged(Diverged),
    Engine(Fault),
    Client(Client),
    /// A wait that no schedule makes that long.
    TimedOut {
        client: Client,
        label: Cow<'static, str>,
        seen: bool,
    },
}

impl From<Diverged> for Stopped {
    fn from(diverged: Diverged) -> Self {
        Self::Diverged(diverged)
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

struct Scheduler<'d> {
    database: &'d Database,
    seats: Vec<Seat>,
    events: mpsc::UnboundedReceiver<(Client, Event)>,
    schedule: Schedule,
    trace: Trace,
    /// Those whom the engine does not queue (on SQLite, or for a lock in the process), the longest waiting
    /// first.
    held_up: Vec<Client>,
    /// Aborts the clients where the run is dropped.
    _tasks: JoinSet<()>,
}

/// What the scheduler knows of one client.
struct Seat {
    client: Client,
    connection: Option<ConnectionId>,
    state: State,
    /// The step that was let go last, until it has happened.
    under_way: Option<UnderWay>,
    ended: Option<Ended>,
}

enum State {
    /// Does something, or waits for a lock in the engine.
    Moving,
    /// Stands before a step.
    Parked(Step, oneshot::Sender<()>),
    /// Waits for a lock outside the engine.
    HeldUp(oneshot::Sender<bool>),
    /// Has come to its end.
    Done,
}

/// A step that was let go and has not happened yet.
struct UnderWay {
    number: usize,
    step: Step,
    /// It waits, and others were let go meanwhile.
    waits: bool,
    /// The engine has shown that it waits.
    seen: bool,
}

/// How long a step is given to happen before the engine is asked whether it waits. Decides nothing:
/// asked too early, the engine says no, and asked late, time is lost.
const BEFORE_ASKING: Duration = Duration::from_millis(1);

/// How long a circle that the engine does not break is taken for one that it is about to break.
/// InnoDB's detector is at it within a millisecond or never, and cannot be asked which.
const CIRCLES_LAST: Duration = Duration::from_millis(100);

/// When no client can be let go and nothing has happened for this long, the waits are noted. It
/// decides only what is said of a wait that times out.
const BEFORE_NOTING: Duration = Duration::from_millis(100);

/// Between two questions.
const MOST_BETWEEN_QUESTIONS: Duration = Duration::from_millis(16);

impl<'d> Scheduler<'d> {
    fn start(database: &'d Database, cast: &Arc<dyn Cast>, stake: i64, clients: usize) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut seats = Vec::new();
        for client in Client::first(clients) {
            let gate = Gate {
                client,
                events: sender.clone(),
            };
            tasks.spawn(act(database.clone(), Arc::clone(cast), stake, gate));
            seats.push(Seat {
                client,
                connection: None,
                state: State::Moving,
                under_way: None,
                ended: None,
            });
        }
        Self {
            database,
            seats,
            events,
            schedule: Schedule::default(),
            trace: Trace::default(),
            held_up: Vec::new(),
            _tasks: tasks,
        }
    }

    /// To the end, and then true; false where the policy broke it off.
    async fn run(&mut self, policy: &mut dyn Policy) -> Result<bool, Stopped> {
        loop {
            self.settle().await?;
            let standing = self.standing();
            if !standing.is_empty() {
                match policy.choose(&standing)? {
                    Some(client) => self.let_go(client)?,
                    None => return Ok(false),
                }
            } else if !self.held_up.is_empty() {
                // Nobody is left who could remove the lock: SQLite's busy handler would give up too.
                self.answer_held_up(0, false);
            } else {
                policy.end()?;
                return Ok(true);
            }
        }
    }

    /// Lets everybody come to an end, in whatever order, so that no open transaction is in the next
    /// run's way.
    async fn leave_nothing_open(mut self) {
        while let Some(next) = self.standing().first().map(|it| it.client) {
            let gone = self.let_go(next);
            if gone.is_err() || self.settle().await.is_err() {
                return;
            }
        }
    }

    fn into_run(self, stake: i64) -> Result<Run, RunError> {
        let ended = self.seats.into_iter().map(|seat| {
            let client = seat.client;
            seat.ended.ok_or(RunError::Client(client))
        });
        Ok(Run {
            stake,
            ended: ended.collect::<Result<_, _>>()?,
            schedule: self.schedule,
            trace: self.trace,
        })
    }

    fn standing(&self) -> Vec<Standing<'_>> {
        let standing = self.seats.iter().filter_map(|seat| match &seat.state {
            State::Parked(step, _) => Some(Standing {
                client: seat.client,
                step,
            }),
            _ => None,
        });
        standing.collect()
    }

    fn let_go(&mut self, client: Client) -> Result<(), Stopped> {
        let seat = &mut self.seats[client.index()];
        match std::mem::replace(&mut seat.state, State::Moving) {
            State::Parked(step, go) => {
                self.schedule.0.push(client);
                seat.under_way = Some(UnderWay {
                    number: self.schedule.0.len(),
                    step,
                    waits: false,
                    seen: false,
                });
                go.send(()).map_err(|()| Stopped::Client(client))
            }
            // No policy lets anybody go who does not stand.
            _ => Err(Stopped::Client(client)),
        }
    }

    /// Waits until nobody moves any more; then lets the clients that SQLite has sent away try again, the
    /// longest waiting first. (SQLite itself keeps no order, and lets others come first. That is the
    /// same schedule with the step let go later, or with the clients' names exchanged.)
    ///
    /// Whoever was sent away by the very last step need not try again: nothing has changed since.
    async fn settle(&mut self) -> Result<(), Stopped> {
        let first_row = self.trace.rows.len();
        let already_held_up = self.held_up.len();
        self.come_to_rest().await?;
        let mut candidate = 0;
        let mut candidates = already_held_up.min(self.held_up.len());
        while candidate < candidates {
            let before = self.held_up.len();
            self.answer_held_up(candidate, true);
            self.come_to_rest().await?;
            match self.held_up.len() < before {
                // Whoever got through may have made way for one who came before.
                true => (candidate, candidates) = (0, candidates - 1),
                false => candidate += 1,
            }
        }
        self.put_in_order(first_row);
        Ok(())
    }

    fn answer_held_up(&mut self, place: usize, try_again: bool) {
        let client = self.held_up[place];
        let seat = &mut self.seats[client.index()];
        if let State::HeldUp(go) = std::mem::replace(&mut seat.state, State::Moving) {
            // Where nobody listens, the client is gone, and `come_to_rest` says so.
            let _ = go.send(try_again);
        }
    }

    async fn come_to_rest(&mut self) -> Result<(), Stopped> {
        let mut patience = BEFORE_ASKING;
        let mut seen_since = None;
        loop {
            while let Ok((client, event)) = self.events.try_recv() {
                self.take_in(client, event)?;
            }
            let moving: Vec<_> = self.moving().collect();
            if moving.is_empty() {
                return Ok(());
            }
            let is_worth_asking = self.is_worth_asking();
            let next = match is_worth_asking {
                true => timeout(patience, self.events.recv()).await,
                false => timeout(BEFORE_NOTING, self.events.recv()).await,
            };
            match next {
                Ok(Some((client, event))) => {
                    self.take_in(client, event)?;
                    (patience, seen_since) = (BEFORE_ASKING, None);
                }
                Ok(None) => return Err(Stopped::Client(moving[0])),
                Err(_elapsed) if !is_worth_asking => self.note_who_is_seen_to_wait().await?,
                Err(_elapsed) => {
                    let seen = self.standstill(&moving).await?;
                    let since = *seen_since.get_or_insert_with(Instant::now);
                    match self.lasts(seen) {
                        None => seen_since = None,
                        Some(time) if since.elapsed() >= time => {
                            self.note_waits();
                            return Ok(());
                        }
                        Some(_) => {}
                    }
                    patience = (2 * patience).min(MOST_BETWEEN_QUESTIONS);
                }
            }
        }
    }

    fn moving(&self) -> impl Iterator<Item = Client> {
        let moving = |seat: &&Seat| matches!(seat.state, State::Moving);
        self.seats.iter().filter(moving).map(|seat| seat.client)
    }

    /// Where nobody stands who could be let go instead, something is bound to happen: a circle is
    /// broken, or a wait times out.
    fn is_worth_asking(&self) -> bool {
        let stands = |seat: &Seat| matches!(seat.state, State::Parked(..));
        self.seats.iter().any(stands)
    }

    async fn note_who_is_seen_to_wait(&mut self) -> Result<(), Fault> {
        for seat in &mut self.seats {
            if let (Some(connection), Some(under_way)) = (seat.connection, &mut seat.under_way) {
                under_way.seen |= self.database.waits_for_lock(connection).await?;
            }
        }
        Ok(())
    }

    /// What the engine says of all who move, unless something has happened since it was asked.
    async fn standstill(&mut self, moving: &[Client]) -> Result<Standstill, Fault> {
        let connections = moving
            .iter()
            .map(|client| self.seats[client.index()].connection);
        let Some(connections) = connections.collect::<Option<Vec<_>>>() else {
            return Ok(Standstill::No);
        };
        let seen = self.database.standstill(&connections).await?;
        Ok(match self.events.is_empty() {
            true => seen,
            false => Standstill::No,
        })
    }

    /// How long a standstill has to be seen before it is one; none where it is none.
    fn lasts(&self, seen: Standstill) -> Option<Duration> {
        match seen {
            Standstill::No => None,
            Standstill::Queue => Some(self.database.looks_for_deadlocks_after()),
            Standstill::Circle => Some(CIRCLES_LAST),
        }
    }

    fn note_waits(&mut self) {
        for seat in &mut self.seats {
            if matches!(seat.state, State::Moving) {
                note_wait(seat, &mut self.trace);
            }
        }
    }

    fn take_in(&mut self, client: Client, event: Event) -> Result<(), Stopped> {
        let seat = &mut self.seats[client.index()];
        match event {
            Event::Connected(connection) => seat.connection = connection,
            Event::NotConnected(fault) => return Err(fault.into()),
            Event::Parked(step, go) => seat.state = State::Parked(step, go),
            Event::HeldUp(go) => {
                seat.state = State::HeldUp(go);
                note_wait(seat, &mut self.trace);
                if !self.held_up.contains(&client) {
                    self.held_up.push(client);
                }
            }
            Event::Happened(record) => {
                self.held_up.retain(|it| *it != client);
                self.must_be_a_refusal(client, &record)?;
                self.note(client, record);
            }
            Event::Ended(ended) => {
                seat.state = State::Done;
                if let Some(fault) = ended.fault.as_ref().filter(|it| it.is_no_outcome()) {
                    return Err(fault.clone().into());
                }
                seat.ended = Some(ended);
            }
        }
        Ok(())
    }

    /// A lock timeout belongs to the schedule only if no other client could have been let go
    /// instead, and if the engine has shown the wait. Otherwise the explorer has caused it, and it
    /// is no refusal.
    fn must_be_a_refusal(&self, client: Client, record: &Record) -> Result<(), Stopped> {
        let Ending::Failed { kind, .. } = &record.ending else {
            return Ok(());
        };
        let under_way = self.seats[client.index()].under_way.as_ref();
        let seen = under_way.is_none_or(|it| it.waits || it.seen);
        let timed_out = *kind == FaultKind::LockTimeout.name();
        match timed_out && (!seen || self.is_worth_asking()) {
            false => Ok(()),
            true => Err(Stopped::TimedOut {
                client,
                label: record.step.label.clone(),
                seen,
            }),
        }
    }

    fn note(&mut self, client: Client, record: Record) {
        let seat = &mut self.seats[client.index()];
        let what = match seat.under_way.take() {
            None => What::Besides(record.ending),
            Some(under_way) if under_way.waits => What::Resumed(under_way.number, record.ending),
            Some(_) => What::Happened(record.ending),
        };
        self.trace.rows.push(Row {
            client,
            after: self.schedule.0.len(),
            step: record.step,
            what,
        });
    }

    /// What several clients do after one step happens at the same time. It is written down in an order
    /// that is the same in every run, and in which what made way comes first: the step, what its client
    /// did besides, those who were refused, those who could go on.
    fn put_in_order(&mut self, first_row: usize) {
        let rows = &mut self.trace.rows[first_row..];
        let gives_way = |row: &Row| matches!(row.what, What::Resumed(_, Ending::Failed { .. }));
        let giving_way: Vec<_> = rows
            .iter()
            .filter(|row| gives_way(row))
            .map(|row| row.client)
            .collect();
        let mover = self.schedule.0.last().copied();
        rows.sort_by_key(|row| {
            let is_mover = Some(row.client) == mover;
            (
                row.number().is_none(),
                !is_mover,
                !giving_way.contains(&row.client),
                row.client,
            )
        });
    }
}

fn note_wait(seat: &mut Seat, trace: &mut Trace) {
    let Some(under_way) = seat.under_way.as_mut().filter(|it| !it.waits) else {
        return;
    };
    under_way.waits = true;
    trace.rows.push(Row {
        client: seat.client,
        after: under_way.number,
        step: under_way.step.clone(),
        what: What::Waits,
    });
}

/// One client, from its connection to its end.
async fn act(database: Database, cast: Arc<dyn Cast>, stake: i64, gate: Gate) {
    let mut session = match database.session(&gate).await {
        Ok(session) => session,
        Err(fault) => return gate.tell(Event::NotConnected(fault)),
    };
    match session.connection_id().await {
        Ok(connection) => gate.tell(Event::Connected(connection)),
        Err(fault) => return gate.tell(Event::NotConnected(fault)),
    }
    let ended = cast.perform(gate.client, session, stake).await;
    gate.tell(Event::Ended(ended));
}
