//! What the scheduler knows of each client.

use tokio::sync::oneshot;

use super::trace::{Row, What};
use super::{Client, ClientResult, Trace};
use crate::engine::ConnectionId;
use crate::step::{Action, Ending, Step};

/// What a timeline says of a client that waits outside the database.
const OUTSIDE: &str = "waits for something outside the database";

/// One client, as the scheduler sees it.
pub(super) struct GatedClient {
    pub(super) client: Client,
    /// The connection on which it works.
    pub(super) connection: Option<ConnectionId>,
    /// Other connections on which it has worked, and may still hold locks.
    pub(super) others: Vec<ConnectionId>,
    pub(super) state: State,
    /// The step that was let go last, until it has happened.
    pub(super) under_way: Option<StepUnderWay>,
    /// It was written down that it waits outside the database, and it has taken no step since.
    is_noted_outside: bool,
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
    /// Waits for something outside the database.
    Outside,
    /// Has come to its end.
    Done,
}

/// A step that was let go and has not happened yet.
pub(super) struct StepUnderWay {
    pub(super) number: usize,
    pub(super) step: Step,
    /// It waits, and others were let go meanwhile.
    pub(super) waits: bool,
    /// The engine has shown that it waits.
    pub(super) seen: bool,
}

impl GatedClient {
    /// A client that begins.
    pub(super) fn of(client: Client) -> Self {
        Self {
            client,
            connection: None,
            others: Vec::new(),
            state: State::Moving,
            under_way: None,
            is_noted_outside: false,
            result: None,
        }
    }

    /// It waits outside the database, after this number of steps. That is written down once.
    pub(super) fn goes_outside(&mut self, steps: usize, trace: &mut Trace) {
        self.state = State::Outside;
        if std::mem::replace(&mut self.is_noted_outside, true) {
            return;
        }
        trace.rows.push(Row {
            client: self.client,
            after: steps,
            step: Step::beside(Action::Outside, OUTSIDE),
            what: What::Besides(Ending::Done(None)),
        });
    }

    /// It is parked before this step.
    pub(super) fn parks(&mut self, step: Step, go: oneshot::Sender<()>) {
        self.is_noted_outside = false;
        self.state = State::Parked(step, go);
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
