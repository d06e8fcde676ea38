//! The scheduler: it lets one client at a time take one step.
//!
//! Each client parks at its [`Gate`] before a step. The scheduler lets one of them go, and waits
//! until every client is at rest again: parked before its next step, done, or waiting for a lock
//! (the engine says so). Only then is the next one let go. So the same decisions lead to the
//! same run, as far as the engine does the same again.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::gate::{Event, Gate};
use super::gated::{GatedClient, State, StepUnderWay};
use super::look::Looker;
use super::patience::{Pace, Patience};
use super::policy::is_preemption;
use super::trace::{Row, What};
use super::{
    Client, Clients, Divergence, Fixture, Looks, ParkedClient, Policy, Run, RunError, Schedule,
    Standing, Trace,
};
use crate::engine::{ConnectionId, Database, Fault, FaultKind, Standstill, is_refused_at_once};
use crate::step::{Ending, Record};

/// Why the scheduler stopped early.
pub(super) enum Stopped {
    /// A client may have looked for a deadlock too late.
    Hasty,
    /// A client of another lane has held a lock that was in the way.
    Disturbed,
    Diverged(Divergence),
    Engine(Fault),
    /// The client is gone without a result.
    Gone(Client),
    /// The client neither moves nor waits.
    Silent(Client),
    /// A lock timeout that the explorer itself may have caused.
    TimedOut {
        client: Client,
        label: Cow<'static, str>,
        seen: bool,
    },
}

impl From<Divergence> for Stopped {
    fn from(divergence: Divergence) -> Self {
        Self::Diverged(divergence)
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

pub(super) struct Scheduler<'d> {
    database: &'d Database,
    clients: Vec<GatedClient>,
    events: mpsc::UnboundedReceiver<(Client, Event)>,
    schedule: Schedule,
    /// How often a client had to stop although it could have gone on.
    preemptions: usize,
    trace: Trace,
    /// The clients whose waits the engine does not queue (on SQLite, or for a lock in the process),
    /// the longest waiting first.
    held_up: Vec<Client>,
    patience: Patience,
    /// Whether the patience was too short, so that the run says nothing.
    is_hasty: bool,
    /// Looks at what is stored after each step. None if no look is wanted.
    pub(super) looker: Option<Looker>,
    /// Aborts the clients when the run is dropped.
    _tasks: JoinSet<()>,
}

impl<'d> Scheduler<'d> {
    pub(super) fn start(
        database: &'d Database,
        clients: &Arc<dyn Clients>,
        fixture: Fixture,
        count: usize,
        pace: Pace,
    ) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut gated = Vec::new();
        for client in Client::first(count) {
            let gate = Gate::new(client, sender.clone());
            let (clients, database) = (Arc::clone(clients), database.clone());
            tasks.spawn(async move { clients.start(client, gate, &database, fixture).await });
            gated.push(GatedClient::of(client));
        }
        Self {
            database,
            clients: gated,
            events,
            schedule: Schedule::default(),
            preemptions: 0,
            trace: Trace::default(),
            held_up: Vec::new(),
            patience: Patience::with(database, pace),
            is_hasty: false,
            looker: None,
            _tasks: tasks,
        }
    }

    /// Lets clients go until all are done, and returns true. False if the policy broke the run off.
    pub(super) async fn drive(&mut self, policy: &mut dyn Policy) -> Result<bool, Stopped> {
        loop {
            self.settle().await?;
            if self.is_hasty {
                return Err(Stopped::Hasty);
            }
            if let Some(looker) = &mut self.looker {
                looker.look(self.database, self.schedule.0.len()).await;
            }
            let standing = self.standing();
            if !standing.parked.is_empty() {
                match policy.choose(&standing)? {
                    Some(client) => self.let_go(client)?,
                    None => return Ok(false),
                }
            } else if !self.held_up.is_empty() {
                // No client is left that could release the lock: SQLite's busy handler would give
                // up too.
                self.answer_held_up(0, false);
            } else if let Some(client) = self.outside() {
                // Nobody else can bring what it waits for.
                self.next_sign_of(client).await?;
            } else {
                policy.end()?;
                return Ok(true);
            }
        }
    }

    /// Lets all clients come to their end, in any order, so that no open transaction is in the next
    /// run's way.
    pub(super) async fn leave_nothing_open(mut self) {
        loop {
            let parked = self.standing().parked.first().map(|it| it.client);
            let gone = match (parked, self.outside()) {
                (Some(client), _) => self.let_go(client),
                (None, Some(client)) => self.next_sign_of(client).await,
                (None, None) => return,
            };
            if gone.is_err() || self.settle().await.is_err() {
                return;
            }
        }
    }

    /// A client that waits for something outside the database.
    fn outside(&self) -> Option<Client> {
        let is_outside = |gated: &&GatedClient| matches!(gated.state, State::Outside);
        self.clients.iter().find(is_outside).map(|it| it.client)
    }

    /// Waits until something happens, for as long as this client may be silent.
    async fn next_sign_of(&mut self, client: Client) -> Result<(), Stopped> {
        match timeout(self.patience.silence(), self.events.recv()).await {
            Ok(Some((client, event))) => self.take_in(client, event),
            Ok(None) => Err(Stopped::Gone(client)),
            Err(_) => Err(Stopped::Silent(client)),
        }
    }

    pub(super) fn into_run(self, fixture: Fixture) -> Result<Run, RunError> {
        let results = self.clients.into_iter().map(|gated| {
            let client = gated.client;
            gated.result.ok_or(RunError::Gone(client))
        });
        Ok(Run {
            fixture,
            results: results.collect::<Result<_, _>>()?,
            looks: match self.looker {
                Some(looker) => looker.looks(&self.trace),
                None => Looks::None,
            },
            schedule: self.schedule,
            preemptions: self.preemptions,
            trace: self.trace,
        })
    }

    /// How the clients stand, now that they are at rest. A client that still moves waits.
    fn standing(&self) -> Standing<'_> {
        let parked = self.clients.iter().filter_map(|gated| match &gated.state {
            State::Parked(step, _) => Some(ParkedClient {
                client: gated.client,
                step,
            }),
            _ => None,
        });
        let waits = |gated: &GatedClient| {
            matches!(
                gated.state,
                State::Moving | State::HeldUp(_) | State::Outside
            )
        };
        Standing {
            parked: parked.collect(),
            has_waiting_client: self.clients.iter().any(waits),
        }
    }

    fn is_parked(&self, client: Client) -> bool {
        matches!(self.clients[client.index()].state, State::Parked(..))
    }

    fn let_go(&mut self, client: Client) -> Result<(), Stopped> {
        let last = self.schedule.0.last().copied();
        self.preemptions += usize::from(is_preemption(client, last, |it| self.is_parked(it)));
        let gated = &mut self.clients[client.index()];
        match std::mem::replace(&mut gated.state, State::Moving) {
            State::Parked(step, go) => {
                self.schedule.0.push(client);
                gated.under_way = Some(StepUnderWay {
                    number: self.schedule.0.len(),
                    step,
                    waits: false,
                    seen: false,
                });
                // A client that is gone before its end has lost its connection to the application.
                go.send(()).map_err(|()| Stopped::Disturbed)
            }
            // A policy chooses among the parked clients alone.
            _ => Err(Stopped::Gone(client)),
        }
    }

    /// Waits until no client moves any more. Then lets the clients that SQLite has sent away try
    /// again, the longest waiting first, and hands out the answers that are held.
    ///
    /// SQLite itself keeps no order, and lets others come first. That is the same schedule with the
    /// step let go later, or with the clients' names exchanged. A client that the very last step
    /// sent away does not try again, because nothing has changed since.
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
            if self.held_up.len() < before {
                // The client that got through may have made way for one that came before it.
                (candidate, candidates) = (0, candidates - 1);
            } else {
                candidate += 1;
            }
        }
        self.trace
            .put_in_order(first_row, self.schedule.0.last().copied());
        while let Some(client) = self.next_answer() {
            self.hand_out_answer(client);
            self.come_to_rest().await?;
        }
        Ok(())
    }

    /// The client whose answer is handed out next: the one that moved, then the others by name.
    fn next_answer(&self) -> Option<Client> {
        let mover = self.schedule.0.last().copied();
        let holds = |gated: &&GatedClient| matches!(gated.state, State::AnswerHeld(_));
        let clients = self.clients.iter().filter(holds).map(|gated| gated.client);
        clients.min_by_key(|client| (Some(*client) != mover, *client))
    }

    fn hand_out_answer(&mut self, client: Client) {
        let gated = &mut self.clients[client.index()];
        if let State::AnswerHeld(go) = std::mem::replace(&mut gated.state, State::Moving) {
            // If the client is gone, `come_to_rest` says so.
            let _ = go.send(());
        }
    }

    fn answer_held_up(&mut self, place: usize, try_again: bool) {
        let client = self.held_up[place];
        let gated = &mut self.clients[client.index()];
        if let State::HeldUp(go) = std::mem::replace(&mut gated.state, State::Moving) {
            // If the client is gone, `come_to_rest` says so.
            let _ = go.send(try_again);
        }
    }

    async fn come_to_rest(&mut self) -> Result<(), Stopped> {
        let mut before_asking = self.before_asking();
        let mut seen_since = None;
        let mut last_sign = Instant::now();
        loop {
            while let Ok((client, event)) = self.events.try_recv() {
                self.take_in(client, event)?;
            }
            let moving: Vec<_> = self.moving().collect();
            let Some(first) = moving.first().copied() else {
                return Ok(());
            };
            let is_worth_asking = self.is_worth_asking();
            let pause = if is_worth_asking {
                before_asking
            } else {
                Patience::BEFORE_NOTING
            };
            match timeout(pause, self.events.recv()).await {
                Ok(Some((client, event))) => {
                    self.take_in(client, event)?;
                    (before_asking, seen_since) = (Patience::before_asking(None), None);
                    last_sign = Instant::now();
                }
                Ok(None) => return Err(Stopped::Gone(first)),
                Err(_elapsed) if last_sign.elapsed() >= self.patience.silence() => {
                    return Err(Stopped::Silent(first));
                }
                Err(_elapsed) if !is_worth_asking => self.note_who_is_seen_to_wait().await?,
                Err(_elapsed) => {
                    let seen = self.standstill(&moving).await?;
                    let since = *seen_since.get_or_insert_with(Instant::now);
                    match self.patience.before_it_counts(seen, self.was_waiting()) {
                        None => seen_since = None,
                        Some(time) if since.elapsed() >= time => {
                            if seen == Standstill::BehindAnotherLane {
                                return Err(Stopped::Disturbed);
                            }
                            self.note_waits();
                            return Ok(());
                        }
                        Some(_) => {}
                    }
                    before_asking = Patience::before_asking_again(before_asking);
                }
            }
        }
    }

    /// How long the step that was let go last is given to happen before the engine is asked.
    fn before_asking(&self) -> Duration {
        let mover = self.schedule.0.last();
        let under_way = mover.and_then(|it| self.clients[it.index()].under_way.as_ref());
        Patience::before_asking(under_way)
    }

    /// Whether a client that moves was seen to wait before the last step.
    fn was_waiting(&self) -> bool {
        let waits = |gated: &GatedClient| gated.under_way.as_ref().is_some_and(|it| it.waits);
        self.clients.iter().any(waits)
    }

    fn moving(&self) -> impl Iterator<Item = Client> {
        let moving = |gated: &&GatedClient| matches!(gated.state, State::Moving);
        self.clients.iter().filter(moving).map(|gated| gated.client)
    }

    /// Whether a client could go on instead: one that is parked, or whose answer is held. If there
    /// is none, something is bound to happen: the engine breaks a wait cycle, or a wait times out.
    fn is_worth_asking(&self) -> bool {
        let could =
            |gated: &GatedClient| matches!(gated.state, State::Parked(..) | State::AnswerHeld(_));
        self.clients.iter().any(could)
    }

    async fn note_who_is_seen_to_wait(&mut self) -> Result<(), Fault> {
        for gated in &mut self.clients {
            if let (Some(connection), Some(under_way)) = (gated.connection, &mut gated.under_way) {
                under_way.seen |= self.database.waits_for_lock(connection).await?;
            }
        }
        Ok(())
    }

    /// What the engine says of all clients that move, unless something has happened since it was
    /// asked.
    async fn standstill(&mut self, moving: &[Client]) -> Result<Standstill, Fault> {
        let connections = moving
            .iter()
            .map(|client| self.clients[client.index()].connection);
        let Some(connections) = connections.collect::<Option<Vec<_>>>() else {
            return Ok(Standstill::No);
        };
        let at_rest: Vec<_> = (self.clients.iter())
            .flat_map(|gated| {
                let is_moving = matches!(gated.state, State::Moving);
                let current = gated.connection.filter(|_| !is_moving);
                gated.others.iter().copied().chain(current)
            })
            .collect();
        let seen = self
            .database
            .standstill_behind(&at_rest, &connections)
            .await?;
        Ok(if self.events.is_empty() {
            seen
        } else {
            Standstill::No
        })
    }

    /// A client works on this connection. Another one may have given it back to a pool before.
    fn works_on(&mut self, client: Client, connection: Option<ConnectionId>) {
        for gated in &mut self.clients {
            gated.others.retain(|it| Some(*it) != connection);
        }
        let gated = &mut self.clients[client.index()];
        let before = std::mem::replace(&mut gated.connection, connection);
        gated.others.extend(before.filter(|_| before != connection));
    }

    fn note_waits(&mut self) {
        for gated in &mut self.clients {
            if matches!(gated.state, State::Moving) {
                gated.note_wait(&mut self.trace);
            }
        }
    }

    fn take_in(&mut self, client: Client, event: Event) -> Result<(), Stopped> {
        let gated = &mut self.clients[client.index()];
        match event {
            Event::Connected(connection) => self.works_on(client, connection),
            Event::Parked(step, go) => gated.parks(step, go),
            Event::WaitsOutside => gated.goes_outside(self.schedule.0.len(), &mut self.trace),
            Event::MayMove if matches!(gated.state, State::Outside) => gated.state = State::Moving,
            Event::MayMove => {}
            Event::AnswerHeld(go) => gated.state = State::AnswerHeld(go),
            Event::BrokeOff(fault) => return Err(fault.into()),
            Event::Gone => return Err(Stopped::Gone(client)),
            Event::Disturbed => return Err(Stopped::Disturbed),
            Event::HeldUp(go) => {
                gated.state = State::HeldUp(go);
                gated.note_wait(&mut self.trace);
                if !self.held_up.contains(&client) {
                    self.held_up.push(client);
                }
            }
            Event::Happened(record) => {
                self.held_up.retain(|it| *it != client);
                self.must_be_a_refusal(client, &record)?;
                let mover = self.schedule.0.last().copied();
                self.is_hasty |= self.patience.was_too_short(mover, client, &record);
                self.note(client, record);
            }
            Event::Ended(result) => {
                gated.state = State::Done;
                gated.result = Some(result);
            }
        }
        Ok(())
    }

    /// A lock timeout belongs to the schedule only if no other client could have been let go
    /// instead, and if the engine has shown the wait. Otherwise the explorer has caused it, and it
    /// is no refusal. With NOWAIT there is no wait.
    fn must_be_a_refusal(&self, client: Client, record: &Record) -> Result<(), Stopped> {
        let Ending::Failed { kind, .. } = &record.ending else {
            return Ok(());
        };
        let under_way = self.clients[client.index()].under_way.as_ref();
        let seen = under_way.is_none_or(|it| it.waits || it.seen);
        let flavour = self.database.engine().flavour;
        let sql = record.step.sql.as_deref();
        let had_no_wait = under_way.is_some_and(|it| !it.waits)
            && sql.is_some_and(|it| is_refused_at_once(it, flavour));
        let timed_out = *kind == FaultKind::LockTimeout.name() && !had_no_wait;
        if timed_out && (!seen || self.is_worth_asking()) {
            return Err(Stopped::TimedOut {
                client,
                label: record.step.label.clone(),
                seen,
            });
        }
        Ok(())
    }

    fn note(&mut self, client: Client, record: Record) {
        let gated = &mut self.clients[client.index()];
        let what = match gated.under_way.take() {
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
}
