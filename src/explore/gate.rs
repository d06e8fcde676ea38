//! The gate: a client parks at it before each step that others could notice, until the scheduler
//! lets it go.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::{Client, ClientResult};
use crate::engine::{ConnectionId, Fault};
use crate::step::{Action, Observer, Parked, Record, Step, Turn};

/// What a client tells the scheduler, in the order in which it happens to the client.
#[derive(Debug)]
pub(super) enum Event {
    /// It works on this connection from now on. None on SQLite, which has no ids for connections.
    Connected(Option<ConnectionId>),
    /// It is parked before a step, until the scheduler lets it go.
    Parked(Step, oneshot::Sender<()>),
    /// A lock is in the way of its step and the engine does not wait. Told true, it tries again;
    /// told false, it gives up.
    HeldUp(oneshot::Sender<bool>),
    /// A step has ended, well or not.
    Happened(Record),
    /// It has the answer to its step, and does nothing with it until the scheduler hands it out.
    AnswerHeld(oneshot::Sender<()>),
    /// It waits for something outside the database, and others may move.
    WaitsOutside,
    /// What it waited for outside the database may be there: it may come to a step again.
    MayMove,
    /// Something from outside has got between, so that the run says nothing.
    Disturbed,
    /// It has come to its end.
    Ended(ClientResult),
    /// It could not go on, for a reason that says nothing about the race.
    BrokeOff(Fault),
    /// It is gone without having come to its end.
    Gone,
}

/// One client's way to the scheduler. There is one gate for each client of a run.
///
/// It is the [`Observer`] of each step. A client that is not a function over a session calls
/// the observer's methods itself: `before` when a statement arrives, `after` when it is answered.
#[derive(Debug)]
pub struct Gate {
    client: Client,
    events: mpsc::UnboundedSender<(Client, Event)>,
    /// The last event was sent.
    is_closed: AtomicBool,
}

impl Gate {
    pub(super) fn new(client: Client, events: mpsc::UnboundedSender<(Client, Event)>) -> Self {
        Self {
            client,
            events,
            is_closed: AtomicBool::new(false),
        }
    }

    /// The client whose gate it is.
    pub fn client(&self) -> Client {
        self.client
    }

    /// The client works on this connection from now on: the engine is asked whether it waits. A
    /// client may change its connection between two steps.
    pub fn connected(&self, connection: Option<ConnectionId>) {
        self.tell(Event::Connected(connection));
    }

    /// Holds back the answer to the step that has just happened: for a client that computes between
    /// two steps, as an application does. The future is done when all other
    /// clients are at rest, so that at any moment at most one client computes.
    pub async fn hold_answer(&self) {
        let (go, gone) = oneshot::channel();
        self.tell(Event::AnswerHeld(go));
        until_released(gone).await;
    }

    /// The client neither comes to a step nor works in the engine: it waits for something outside
    /// the database, such as a lock in its own process. Others may move meanwhile. That it waits is
    /// concluded from the time that has passed, so it may be wrong.
    pub fn waits_outside(&self) {
        self.tell(Event::WaitsOutside);
    }

    /// What the client waits for outside the database may be there, because another client has gone
    /// on. No one is let go until it has come to a step or
    /// [waits outside](Self::waits_outside) again.
    pub fn may_move(&self) {
        self.tell(Event::MayMove);
    }

    /// Something that is not part of the run has got between. The search makes the run again.
    pub fn disturbed(&self) {
        self.tell(Event::Disturbed);
    }

    /// The client has come to its end.
    pub fn ended(&self, result: ClientResult) {
        self.close(Event::Ended(result));
    }

    /// The client could not go on, for a reason that says nothing about the race, for instance
    /// because there was no connection for it. This ends the run with an error.
    pub fn broke_off(&self, fault: Fault) {
        self.close(Event::BrokeOff(fault));
    }

    fn close(&self, last: Event) {
        if !self.is_closed.swap(true, Ordering::Relaxed) {
            self.tell(last);
        }
    }

    fn tell(&self, event: Event) {
        // A scheduler that does not listen any more has dropped the run, and this client with it.
        let _ = self.events.send((self.client, event));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close(Event::Gone);
    }
}

/// If the run was dropped instead, waits until this client is dropped as well.
async fn until_released(gone: oneshot::Receiver<()>) {
    if gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Observer for Gate {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        let releases_no_row = step.action == Action::Unlock && step.sql.is_none();
        if step.action.is_beside_the_database() || releases_no_row {
            // Time that passes touches nothing, so it does not matter when it passes. A later
            // release of a lock outside the engine matters only to the client that waits for it,
            // and another schedule covers it: the one in which that client goes on later.
            return Box::pin(std::future::ready(()));
        }
        let (go, gone) = oneshot::channel();
        self.tell(Event::Parked(step.clone(), go));
        Box::pin(until_released(gone))
    }

    fn held_up<'a>(&'a self, _step: &'a Step) -> Option<Turn<'a>> {
        let (go, gone) = oneshot::channel();
        self.tell(Event::HeldUp(go));
        Some(Box::pin(async move { gone.await.unwrap_or(false) }))
    }

    fn after(&self, record: &Record) {
        self.tell(Event::Happened(record.clone()));
    }
}
