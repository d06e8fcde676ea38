//! How a step is made, done and shown to the observer.

use std::borrow::Cow;
use std::panic::Location;
use std::time::Instant;

use super::Session;
use crate::engine::Fault;
use crate::step::{Action, Argument, Arguments, Effect, Ending, Place, Record, Step};

/// A text that is a literal in a strategy, or comes from outside this program.
pub(super) type Text = Cow<'static, str>;

/// Does a step's work when the observer allows it, and again while the session waits in SQLite's
/// place. Then shows the step. A macro, because the work borrows the session's connection.
macro_rules! perform_step {
    ($session:ident, $step:ident, $work:expr, $ending:expr) => {{
        $session.before(&$step).await;
        let started = std::time::Instant::now();
        let mut tries = 0;
        let result = loop {
            let result = $work.await;
            if !$session
                .tries_again(&$step, started, &mut tries, &result)
                .await
            {
                break result;
            }
        };
        $session.after($step, started, &result, $ending);
        result
    }};
}

/// Work that several strategies share: its steps belong to the line that calls it, because that
/// line is the strategy's. It is the body of a function with `#[track_caller]`.
macro_rules! shared_work {
    ($session:ident, $work:block) => {{
        let caller = std::panic::Location::caller();
        async move {
            let outer = $session.enter(caller);
            let done = async { $work }.await;
            $session.leave(outer);
            done
        }
    }};
}
pub(crate) use shared_work;

impl Session<'_> {
    /// A step that is a statement, in this engine's spelling.
    #[track_caller]
    pub(super) fn statement(
        &self,
        action: Action,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
        effect: Effect,
    ) -> Step {
        Step {
            action,
            label: label.into(),
            sql: Some(self.flavour.spell(sql)),
            args: args.into().0,
            effect,
            footprint: None,
            at: self.place_of(Location::caller()),
        }
    }

    /// The line to which a step belongs: the one that calls the session or, within work that
    /// several strategies share, the strategy's.
    pub(super) fn place_of(&self, caller: &'static Location<'static>) -> Place {
        self.called_at.or(Some(caller))
    }

    /// From here on, steps belong to this line of the caller's. Returns what
    /// [`leave`](Self::leave) needs. Work that another such work calls changes nothing.
    pub(crate) fn enter(&mut self, caller: &'static Location<'static>) -> Place {
        let outer = self.called_at;
        self.called_at = outer.or(Some(caller));
        outer
    }

    /// Ends what [`enter`](Self::enter) began.
    pub(crate) fn leave(&mut self, outer: Place) {
        self.called_at = outer;
    }

    /// Does a step that is no statement, such as one on a file. It does not concern the session's
    /// connection or its transaction. `work` begins when the observer allows it.
    #[track_caller]
    pub fn outside<T>(
        &mut self,
        (action, label, effect): (Action, impl Into<Text>, Effect),
        args: impl Into<Arguments>,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> impl Future<Output = Result<T, Fault>> {
        let step = self.step_without_sql(action, label, effect, args.into().0);
        async move {
            self.observer.before(&step).await;
            let started = Instant::now();
            let result = work.await;
            self.show(step, started, &result);
            result
        }
    }

    #[track_caller]
    pub(super) fn step_without_sql(
        &self,
        action: Action,
        label: impl Into<Text>,
        effect: Effect,
        args: Vec<Argument>,
    ) -> Step {
        Step {
            action,
            label: label.into(),
            sql: None,
            args,
            effect,
            footprint: None,
            at: self.place_of(Location::caller()),
        }
    }

    pub(super) async fn before(&mut self, step: &Step) {
        self.observer.before(step).await;
        self.is_in_flight = true;
    }

    /// Learns what the answer to a step means for this session, and shows both to the observer.
    pub(super) fn after<T>(
        &mut self,
        step: Step,
        started: Instant,
        result: &Result<T, Fault>,
        ending: impl FnOnce(&T) -> Ending,
    ) {
        let ended = Instant::now();
        self.is_in_flight = false;
        let ending = match result {
            Ok(answer) => {
                self.learn_from_success(step.action);
                ending(answer)
            }
            Err(fault) => {
                self.learn_from(fault, step.action);
                self.refusal(fault)
            }
        };
        self.observer.after(&Record {
            step,
            started,
            ended,
            ending,
        });
    }

    /// Shows a step that does not concern this session's connection.
    pub(super) fn show<T>(&self, step: Step, started: Instant, result: &Result<T, Fault>) {
        self.observer.after(&Record {
            step,
            started,
            ended: Instant::now(),
            ending: match result {
                Ok(_) => Ending::Done(None),
                Err(fault) => self.refusal(fault),
            },
        });
    }

    /// The ending of a step that was refused. A user's own statement was refused in the engine's
    /// own words, which concern nobody else.
    pub(super) fn refusal(&self, fault: &Fault) -> Ending {
        Ending::Failed {
            kind: fault.kind.name(),
            code: fault.code.clone(),
            refusal: if self.state.is_a_users {
                fault.to_string()
            } else {
                fault.public()
            },
        }
    }
}

pub(super) fn sql_of(step: &Step) -> &str {
    step.sql.as_deref().unwrap_or_default()
}

/// The ending of a step that went well and has no value to show.
pub(super) fn done<T>(_answer: &T) -> Ending {
    Ending::Done(None)
}
