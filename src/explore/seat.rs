//! What the scheduler knows of each client.

use tokio::sync::oneshot;

use super::trace::{Row, What};
use super::{Client, ClientResult, Trace};
use crate::engine::ConnectionId;
use crate::step::Step;

/// One client, as the scheduler sees it.
pub(super) struct Seat {
    pub(super) client: Client,
    pub(super) connection: Option<ConnectionId>,
    pub(super) state: State,
    /// The step that was let go last, until it has happened.
    pub(super) under_way: Option<UnderWay>,
    pub(super) result: Option<ClientResult>,
}

pub(super) enum State {
    /// Does something, or waits for a lock in the engine.
    Moving,
    /// Is parked before a step.
    Parked(Step, oneshot::Sender<()>),
    /// Waits for a lock outside the engine.
    HeldUp(oneshot::Sender<bool>),
    /// Has the answer to its step, and does nothing with it until it is handed out.
    AnswerHeld(oneshot::Sender<()>),
    /// Has come to its end.
    Done,
}

/// A step that was let go and has not happened yet.
pub(super) struct UnderWay {
    pub(super) number: usize,
    pub(super) step: Step,
    /// It waits, and others were let go meanwhile.
    pub(super) waits: bool,
    /// The engine has shown that it waits.
    pub(super) seen: bool,
}

impl Seat {
    /// A client that begins.
    pub(super) fn of(client: Client) -> Self {
        Self {
            client,
            connection: None,
            state: State::Moving,
            under_way: None,
            result: None,
        }
    }

    /// Writes down that it waits, unless that was done before.
    pub(super) fn note_wait(&mut self, trace: &mut Trace) {
        let Some(under_way) = self.under_way.as_mut().filter(|it| !it.waits) else {
            return;
        };
        under_way.waits = true;
        trace.rows.push(Row {
            client: self.client,
            after: under_way.number,
            step: under_way.step.clone(),
            what: What::Waits,
        });
    }
}
