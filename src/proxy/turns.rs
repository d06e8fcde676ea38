//! Whose turn it is: tells whose each statement is, and holds it behind that client's gate.
//!
//! The application sends statements on connections that any of its requests may use. The rule that
//! tells them apart: at any moment it works for at most one client. A client begins when those
//! before it are at rest; a statement is held until the scheduler lets it go; and its answer is
//! held until all others are at rest. What arrives meanwhile belongs to the one whose turn it is.
//!
//! Where no rule tells, time decides: see [`signs`](super::signs).

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use super::known::Known;
use super::link::Link;
use super::seats::{Phase, Seats};
use super::witness::{Sent, Witness};
use crate::answer::Answer;
use crate::engine::{Fault, Flavour, Isolation, StatementReader, UserStatement};
use crate::explore::{Client, Gate};
use crate::step::{Observer as _, Step};

/// How the turns are taken.
#[derive(Debug, Clone, Copy)]
pub struct TurnSettings {
    /// The engine behind the proxy.
    pub flavour: Flavour,
    /// The level of a connection that sets none.
    pub level: Isolation,
    /// Whether statements of a connection that sets nothing commit by themselves.
    pub autocommit: bool,
    /// How long a client may show no sign before it counts as waiting outside the database.
    pub settle: Duration,
    /// Whether reports show no value that the application has sent or got.
    pub hides_values: bool,
    /// Whether an invariant is asked after each commit.
    pub commits_are_watched: bool,
    /// Whether the commit of a statement that writes in autocommit is a step of its own.
    pub splits_commits: bool,
}

/// Whose turn it is.
#[derive(Debug)]
pub struct Turns {
    settings: TurnSettings,
    pub(super) known: Arc<Known>,
    state: Mutex<State>,
    pub(super) changes: watch::Sender<u64>,
    witness: OnceLock<Arc<dyn Witness>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// What comes now is nobody's, and its shape is learnt.
    pub(super) listens: bool,
    pub(super) runs: u64,
    pub(super) seats: Option<Seats>,
    /// The lab asks the application something when all clients have come to their end.
    pub(super) is_asked: bool,
    /// What arrives waits, because the tables are brought back.
    pub(super) is_held: bool,
    /// The statements that are at the server.
    pub(super) at_the_server: usize,
    /// Why statements of the application are not seen any more. None if they are.
    unseen: Option<String>,
    reader: Option<Arc<StatementReader>>,
    /// The name of the database, if the application may put it before the names of tables.
    database: Option<String>,
}

/// A statement that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    /// As it was prepared, or as it was sent.
    pub(super) statement: UserStatement,
    /// With its values.
    pub(super) shown: String,
    /// The same in its parts, for a witness.
    pub(super) sent: Sent,
}

/// What becomes of a statement that has arrived.
pub(super) enum Turn {
    /// It passes, and so does its answer.
    Passes,
    /// It is a client's and passes, because nobody could notice it.
    Besides(Besides),
    /// It was let go.
    Step(Box<StepTurn>),
}

/// A client's statement, from its arrival to its answer. If this is dropped before, a connection
/// was lost, and the run says nothing.
pub(super) struct ClaimedStatement {
    turns: Arc<Turns>,
    pub(super) client: Client,
    pub(super) run: u64,
    pub(super) gate: Arc<Gate>,
    has_a_letter: bool,
    /// Whether it is told whose it is, and did not come to the gate yet.
    is_on_its_way: bool,
    is_done: bool,
}

impl ClaimedStatement {
    /// A statement of this client's that has just arrived.
    pub(super) fn of(
        client: Client,
        turns: Arc<Turns>,
        run: u64,
        gate: Arc<Gate>,
        has_a_letter: bool,
    ) -> Self {
        Self {
            turns,
            client,
            run,
            gate,
            has_a_letter,
            is_on_its_way: has_a_letter,
            is_done: false,
        }
    }

    /// It was answered, or its run is over.
    pub(super) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for ClaimedStatement {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        self.gate.disturbed();
        let turns = &self.turns;
        turns.of_seat(self.client, self.run, |seats| {
            let seat = seats.seats.get_mut(&self.client)?;
            if self.is_on_its_way {
                seat.on_their_way = seat.on_their_way.saturating_sub(1);
            } else if self.has_a_letter {
                seat.phase = Phase::Computes;
            } else {
                seat.besides = seat.besides.saturating_sub(1);
            }
            turns.wait_for_a_sign(self.client, self.run, seat);
            Some(())
        });
        turns.has_changed();
    }
}

/// A statement without a letter.
pub(super) struct Besides {
    pub(super) claimed: ClaimedStatement,
    pub(super) step: Step,
    pub(super) started: Instant,
}

/// A statement that the scheduler has let go.
pub(super) struct StepTurn {
    pub(super) claimed: ClaimedStatement,
    pub(super) over: CancellationToken,
    pub(super) statement: UserStatement,
    pub(super) step: Step,
    pub(super) started: Instant,
    /// Another statement of the same client waits for it.
    pub(super) queue: OwnedMutexGuard<()>,
}

/// What the server has answered.
pub(super) type Answered = Result<Answer, Fault>;

impl Turns {
    pub(super) fn new(settings: TurnSettings, known: Arc<Known>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            known,
            state: Mutex::default(),
            changes: watch::Sender::new(0),
            witness: OnceLock::new(),
        })
    }

    /// How the turns are taken.
    pub fn settings(&self) -> &TurnSettings {
        &self.settings
    }

    /// From now on this witness is told of all statements. There can be one.
    pub fn tell(&self, witness: Arc<dyn Witness>) {
        let _ = self.witness.set(witness);
    }

    pub(super) fn witness(&self) -> Option<&Arc<dyn Witness>> {
        self.witness.get()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_changed(&self) {
        self.changes.send_modify(|it| *it += 1);
    }

    /// From now on, until [`hush`](Self::hush), what comes is nobody's: no request is under way.
    pub fn listen(&self) {
        self.state().listens = true;
    }

    /// What comes from now on teaches nothing.
    pub fn hush(&self) {
        self.state().listens = false;
    }

    /// The statements of a connection are not seen any more. Before the first run that may be one
    /// that serves no request.
    pub(super) fn loses_sight(&self, why: &str) {
        let mut state = self.state();
        if state.runs > 0 {
            state.unseen = Some(why.to_owned());
        }
        if let Some(seats) = &state.seats {
            seats.disturb();
        }
    }

    /// Why statements of the application are not seen any more. None if they are.
    pub fn unseen(&self) -> Option<String> {
        self.state().unseen.clone()
    }

    /// Whether no run is under way, and nothing is learnt: then a statement costs next to nothing.
    fn is_idle(&self) -> bool {
        let state = self.state();
        state.seats.is_none() && !state.listens
    }

    /// The name of the database. The same statement has the same shape in another one.
    pub fn calls_its_database(&self, name: &str) {
        self.state().database = Some(format!("{name}."));
    }

    /// A statement without its values, and without the name of its database.
    fn shape(&self, statement: &UserStatement) -> String {
        let shape = statement.shape(self.settings.flavour);
        match &self.state().database {
            Some(name) => shape.replace(name.as_str(), ""),
            None => shape,
        }
    }

    /// What statements touch is read by this reader.
    pub fn read_with(&self, reader: Option<Arc<StatementReader>>) {
        self.state().reader = reader;
    }

    /// What is held of this run goes on.
    pub(super) fn end_run(&self, run: u64) {
        let seats = self.state().seats.take_if(|it| it.number == run);
        if let Some(seats) = seats {
            seats.over.cancel();
        }
        self.has_changed();
    }

    /// Holds a statement until the scheduler lets it go.
    pub(super) async fn arrive(self: &Arc<Self>, link: &mut Link, arrived: Arrived) -> Turn {
        self.until_not_held().await;
        if self.is_idle() {
            return Turn::Passes;
        }
        let came = Instant::now();
        let shape = self.shape(&arrived.statement);
        if arrived
            .statement
            .reaches_beyond_its_database(self.settings.flavour)
        {
            self.known.note_beyond(&shape);
        }
        if let Some(pause) = self.before_it_is_told(link, &shape) {
            self.pause_until_answered(pause).await;
        }
        let Some(claimed) = self.claim(link, &arrived.statement, &shape, came) else {
            return Turn::Passes;
        };
        if claimed.has_a_letter {
            self.hold(link, claimed, arrived, &shape).await
        } else {
            Turn::Besides(Besides {
                step: self.step(link, claimed.run, &arrived, &shape, false),
                claimed,
                started: Instant::now(),
            })
        }
    }

    /// Waits for the client's other statements and for the scheduler.
    async fn hold(
        self: &Arc<Self>,
        link: &mut Link,
        mut claimed: ClaimedStatement,
        arrived: Arrived,
        shape: &str,
    ) -> Turn {
        let (client, run) = (claimed.client, claimed.run);
        let known = self.of_seat(client, run, |seats| {
            let queue = Arc::clone(&seats.seats.get(&client)?.queue);
            Some((queue, seats.over.clone()))
        });
        let Some((queue, over)) = known else {
            claimed.done();
            return Turn::Passes;
        };
        let let_go = async {
            let queue = queue.lock_owned().await;
            self.wait_until_quiet(client, run).await;
            self.of_seat(client, run, |seats| {
                if seats.turn == Some(client) {
                    seats.turn = None;
                }
                let seat = seats.seats.get_mut(&client)?;
                seat.on_their_way = seat.on_their_way.saturating_sub(1);
                seat.phase = Phase::AtAStep;
                seat.signs += 1;
                Some(())
            });
            self.has_changed();
            claimed.is_on_its_way = false;
            let step = self.step(link, run, &arrived, shape, true);
            claimed.gate.connected(Some(link.id));
            claimed.gate.before(&step).await;
            (queue, step)
        };
        tokio::select! {
            (queue, step) = let_go => Turn::Step(Box::new(StepTurn {
                claimed,
                over,
                statement: arrived.statement,
                step,
                started: Instant::now(),
                queue,
            })),
            () = over.cancelled() => {
                claimed.done();
                Turn::Passes
            }
        }
    }

    /// Changes something of a run that is not over. None if it is.
    pub(super) fn of_seat<T>(
        &self,
        client: Client,
        run: u64,
        change: impl FnOnce(&mut Seats) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.state();
        let seats = state.seats.as_mut().filter(|it| it.number == run)?;
        seats.seats.contains_key(&client).then_some(())?;
        change(seats)
    }

    fn step(
        &self,
        link: &mut Link,
        run: u64,
        arrived: &Arrived,
        shape: &str,
        has_a_letter: bool,
    ) -> Step {
        let statement = &arrived.statement;
        let flavour = self.settings.flavour;
        let sql = if self.settings.hides_values {
            shape.to_owned()
        } else {
            arrived.shown.clone()
        };
        let reader = self.state().reader.clone();
        let watched = self.settings.commits_are_watched;
        let footprint =
            has_a_letter.then(|| link.touches(run, reader.as_ref(), watched, statement));
        Step {
            action: statement.kind.action(),
            label: statement.keyword(flavour).into(),
            sql: Some(sql.into()),
            args: Vec::new(),
            effect: link.effect(statement),
            footprint: footprint.flatten(),
            at: None,
        }
    }
}
