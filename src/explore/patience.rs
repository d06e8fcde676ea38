//! How long the scheduler waits for what.

use std::time::Duration;

use super::Client;
use super::gated::StepUnderWay;
use crate::engine::{Database, FaultKind, Standstill};
use crate::step::{Action, Ending, Record};

/// When a wait that the engine shows counts as one, so that another client is let go. It matters on
/// an engine that looks for a deadlock only after a while: PostgreSQL. If clients wait in a circle
/// there, the first one that looks is refused. It has to be the one that has closed the circle, so
/// the others must have looked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once. If it turns out that a client has looked too late, the run says nothing.
    Quick,
    /// When the client has surely looked for a deadlock.
    Patient,
}

/// The patience of one run.
pub(super) struct Patience {
    pace: Pace,
    /// When the engine looks for a deadlock. Zero if it does so at once.
    looks_after: Duration,
    /// The longest that a statement may take.
    longest_statement: Duration,
}

/// How long a step is given to happen before the engine is asked whether it waits. It changes
/// no result: asked too early, the engine says no; asked late, time is lost.
const BEFORE_ASKING: Duration = Duration::from_millis(1);

/// The same for a commit: it takes as long as the disk does, and seldom waits for a lock.
const BEFORE_ASKING_ABOUT_A_COMMIT: Duration = Duration::from_millis(10);

/// What [`Pace::Patient`] gives a client beyond the engine's own time, so that it gets a processor
/// and looks for a deadlock.
const UNTIL_IT_HAS_LOOKED: Duration = Duration::from_millis(50);

/// A wait for an unknown connection that lasts longer than this counts. PostgreSQL's own helpers
/// let go sooner.
const STRANGERS_HOLD: Duration = Duration::from_millis(200);

/// If a client waits longer than this for another lane, its run is made again. A lane that changes
/// a table lets go sooner, and so does nearly every run.
const OTHER_LANES_HOLD: Duration = Duration::from_secs(1);

/// A wait cycle that lasts longer than this is one that InnoDB's deadlock detector has missed. The
/// detector breaks a cycle within a millisecond or never, and cannot be asked which.
const CIRCLES_LAST: Duration = Duration::from_millis(100);

/// How long a client may take to wake up with the lock that it has got, on a busy machine. Until
/// then MariaDB says that it waits. Only one that was waiting before this step may have got it.
const WAKING_UP_TAKES: Duration = Duration::from_millis(20);

/// The longest pause between two questions to the engine.
const MOST_BETWEEN_QUESTIONS: Duration = Duration::from_millis(16);

/// A client that has shown no sign for this many times the longest statement is silent.
const SILENT_AFTER_STATEMENTS: u32 = 2;

/// The longest statement if the database's settings do not limit it.
const LONGEST_STATEMENT: Duration = Duration::from_secs(60);

impl Patience {
    /// When no client can be let go and nothing has happened for this long, the waits are noted. It
    /// decides only what is said of a wait that times out.
    pub(super) const BEFORE_NOTING: Duration = Duration::from_millis(100);

    pub(super) fn with(database: &Database, pace: Pace) -> Self {
        let longest = database.settings().answer_within;
        Self {
            pace,
            looks_after: database.looks_for_deadlocks_after(),
            longest_statement: longest.unwrap_or(LONGEST_STATEMENT),
        }
    }

    /// How long the step that was just let go is given to happen before the engine is asked.
    pub(super) fn before_asking(under_way: Option<&StepUnderWay>) -> Duration {
        match under_way {
            Some(it) if it.step.action == Action::Commit => BEFORE_ASKING_ABOUT_A_COMMIT,
            _ => BEFORE_ASKING,
        }
    }

    /// The pause before the next question, after one of this length.
    pub(super) fn before_asking_again(last: Duration) -> Duration {
        (2 * last).min(MOST_BETWEEN_QUESTIONS)
    }

    /// How long a standstill has to be seen before it counts. None if there is no standstill.
    /// `was_waiting` says whether one of the clients was waiting before the last step.
    pub(super) fn before_it_counts(&self, seen: Standstill, was_waiting: bool) -> Option<Duration> {
        let all_have_looked = match (self.pace, self.looks_after) {
            (Pace::Quick, _) | (Pace::Patient, Duration::ZERO) => Duration::ZERO,
            (Pace::Patient, time) => time + UNTIL_IT_HAS_LOOKED,
        };
        match seen {
            Standstill::No => None,
            Standstill::MayBeOver if was_waiting => Some(WAKING_UP_TAKES),
            Standstill::Queue | Standstill::MayBeOver => Some(all_have_looked),
            Standstill::BehindAStranger => Some(all_have_looked.max(STRANGERS_HOLD)),
            Standstill::BehindAnotherLane => Some(OTHER_LANES_HOLD),
            Standstill::Circle => Some(CIRCLES_LAST),
        }
    }

    /// Whether a client may have looked for a deadlock too late: it was refused for one, although
    /// another client took the last step. The refusal would be another client's otherwise.
    pub(super) fn was_too_short(
        &self,
        mover: Option<Client>,
        client: Client,
        record: &Record,
    ) -> bool {
        let is_deadlock = matches!(
            &record.ending,
            Ending::Failed { kind, .. } if *kind == FaultKind::Deadlock.name()
        );
        let may_look_late = self.pace == Pace::Quick && !self.looks_after.is_zero();
        may_look_late && is_deadlock && mover != Some(client)
    }

    /// The time without a sign after which a client is silent. No statement takes that long.
    pub(super) fn silence(&self) -> Duration {
        SILENT_AFTER_STATEMENTS * self.longest_statement
    }
}
