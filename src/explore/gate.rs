//! The gate: the observer that parks a client before each step until the scheduler lets it go on.

use tokio::sync::{mpsc, oneshot};

use super::{Client, Ended};
use crate::engine::{ConnectionId, Fault};
use crate::step::{Action, Observer, Parked, Record, Step, Turn};

/// What a client tells the scheduler, in the order in which it happens to it.
#[derive(Debug)]
pub(super) enum Event {
    /// It has a connection, which the engine knows by this number (SQLite: by none).
    Connected(Option<ConnectionId>),
    /// It stands before a step, and goes on when told.
    Parked(Step, oneshot::Sender<()>),
    /// A lock is in the way of its step and the engine will not wait; told true, it tries again,
    /// told false, it gives up.
    HeldUp(oneshot::Sender<bool>),
    /// A step has ended, well or not.
    Happened(Record),
    /// The client is done.
    Ended(Ended),
    /// The client has not even begun: there was no connection for it.
    NotConnected(Fault),
}

/// One client's way to the scheduler.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) client: Client,
    pub(super) events: mpsc::UnboundedSender<(Client, Event)>,
}

impl Gate {
    pub(super) fn tell(&self, event: Event) {
        // A scheduler that does not listen any more has dropped the run, and this client with it.
        let _ = self.events.send((self.client, event));
    }
}

impl Observer for Gate {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        let gives_up_no_row = step.action == Action::Unlock && step.sql.is_none();
        if matches!(step.action, Action::Think | Action::Pause) || gives_up_no_row {
            // Time that passes touches nothing: whether it happens now or later makes no difference to anybody.
            // A lock outside the engine that is given up later makes none but to whoever waits for it, and that
            // is the schedule in which that one was let go later.
            return Box::pin(std::future::ready(()));
        }
        let (go, gone) = oneshot::channel();
        self.tell(Event::Parked(step.clone(), go));
        Box::pin(async move {
            if gone.await.is_err() {
                // The run was dropped: stand here until this client is, too.
                std::future::pending::<()>().await;
            }
        })
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
