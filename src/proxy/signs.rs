//! Signs of a client, and how long none is awaited.
//!
//! The proxy does not see what an application does outside the database, so time decides there. All
//! such times stand here, but for [`TurnSettings::settle`], which is set:
//!
//! - `settle`: a client that has shown no sign for it waits outside the database. After the answer
//!   to its request, it has nothing more to send when that has happened [`QUIET_ENOUGH`] times.
//!   Reports name this time among their assumptions.
//! - [`FIRST_START`] and [`TIMES_A_START`]: the same for a program that has shown no sign yet.
//! - [`LEARNING`] and [`LEARNING_THE_LAST`]: how long a statement is held before it is told whose
//!   it is, in a warm-up run or while a client waits outside the database.
//! - [`QUIET`]: a client that sends several statements at once, and has sent nothing for this long,
//!   has sent them all.
//!
//! If a time is too short, something comes later than this room has assumed. Either it cannot be
//! told whose a statement is, or a run does not repeat what an earlier one has done. Such a run
//! says nothing, and is made again. If that does not help, reports say that what follows is not
//! known, and call nothing exhaustive. They also count the statements of an unclear client
//! ([`Known::unclear`]), and the clients whose first statement came only after another one's end
//! ([`Known::one_at_a_time`]).
//!
//! Three times elsewhere are of another kind. `listener` and `wire` try again after a pause, which
//! changes no result. `stillness` waits for the statements that are at work before the tables are
//! brought back. If one still is at work by then, the log says so.
//!
//! [`Known::unclear`]: super::known::Known::unclear
//! [`Known::one_at_a_time`]: super::known::Known::one_at_a_time
//! [`TurnSettings::settle`]: super::turns::TurnSettings::settle

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::known::News;
use super::link::Link;
use super::seats::{OwnClient, Phase, Seat, Seats};
use super::turns::Turns;
use crate::explore::Client;

/// How often in a row a client shows no sign until nothing more is awaited of it after its answer.
pub(super) const QUIET_ENOUGH: u32 = 2;

/// How long a program may take until its first sign if it was not run before.
const FIRST_START: Duration = Duration::from_secs(10);

/// How many times as long as in the warm-up runs a program may take until its first sign: the
/// machine may have more to do by then.
const TIMES_A_START: u32 = 4;

/// How long a statement is held before it is told whose it is, in a warm-up run or while a client
/// waits outside the database. So an answer, or another statement that was sent with it, is seen
/// first.
pub(super) const LEARNING: Duration = Duration::from_millis(10);

/// As [`LEARNING`], for the last statements of a client, as an earlier warm-up run has shown them:
/// those that were sent after the answer to its request are among them. A machine under load is
/// slow. When the answer has come, it is known.
const LEARNING_THE_LAST: Duration = Duration::from_millis(150);

/// How long a client that sends several statements at once must be quiet before the first of them
/// is a step.
const QUIET: Duration = Duration::from_millis(10);

impl Turns {
    /// A client that is a program is about to be started.
    pub(super) fn starts(&self, client: Client, seat: &mut Seat) {
        let settle = self.settings().settle;
        let longest = self.known.longest_start(client);
        seat.starts_within =
            longest.map_or(FIRST_START, |it| (TIMES_A_START * it).min(FIRST_START)) + settle;
        seat.starts_since = Some(Instant::now());
    }

    /// A client that is a program has connected, or has ended: it has started.
    pub(super) fn has_started(self: &Arc<Self>, own: OwnClient) {
        self.of_seat(own.client, own.run, |seats| {
            let seat = seats.seats.get_mut(&own.client)?;
            let since = seat.starts_since.take()?;
            if self.known.learns() {
                self.known.learn_start(own.client, since.elapsed());
            }
            if seat.phase == Phase::Computes {
                self.wait_for_a_sign(own.client, own.run, seat);
            }
            Some(())
        });
    }

    /// How long a statement that has arrived is held before it is told whose it is. None if it is
    /// told at once.
    pub(super) fn before_it_is_told(&self, link: &Link, shape: &str) -> Option<Duration> {
        if link.is_of_one_client() {
            return None;
        }
        let state = self.state();
        let seats = state.seats.as_ref()?;
        if !self.known.learns() {
            return seats.has_one_outside().then_some(LEARNING);
        }
        let mover = seats.turn.or_else(|| seats.only_one_under_way());
        let Some((client, seat)) = mover.and_then(|it| Some((it, seats.seats.get(&it)?))) else {
            return Some(LEARNING);
        };
        if seat.is_answered {
            return None;
        }
        match self.known.news(client, &seat.sent, shape) {
            News::None => None,
            News::Some => Some(LEARNING),
            News::Much => Some(LEARNING_THE_LAST),
        }
    }

    /// Waits this long, or until the request was answered for which the application works.
    pub(super) async fn pause_until_answered(&self, pause: Duration) {
        let is_answered = || {
            let state = self.state();
            let seats = state.seats.as_ref();
            let mover = seats.and_then(|it| it.turn.or_else(|| it.only_one_under_way()));
            let seat = mover.and_then(|it| seats?.seats.get(&it));
            seat.is_some_and(|it| it.is_answered)
        };
        let until_answered = async {
            let mut changes = self.changes.subscribe();
            while !is_answered() {
                // The sender lives as long as the turns.
                let _ = changes.changed().await;
            }
        };
        // It does not matter which of the two it was.
        let _ = timeout(pause, until_answered).await;
    }

    /// Waits until the client has sent all that it sends at once, if it is known to do so.
    pub(super) async fn wait_until_quiet(&self, client: Client, run: u64) {
        let signs = || {
            let state = self.state();
            let seats = state.seats.as_ref().filter(|it| it.number == run)?;
            let signs = seats.seats.get(&client).map(|it| it.signs);
            signs.filter(|_| self.known.overlaps())
        };
        while let Some(before) = signs() {
            sleep(QUIET).await;
            if signs() == Some(before) {
                return;
            }
        }
    }

    /// Others may have got what they wait for, because this client goes on.
    pub(super) fn let_others_try(self: &Arc<Self>, seats: &mut Seats, client: Client) {
        let run = seats.number;
        for (other, seat) in seats.seats.iter_mut().filter(|(it, _)| **it != client) {
            if matches!(seat.phase, Phase::Outside | Phase::MayMove) {
                seat.phase = Phase::MayMove;
                if let Some(gate) = &seat.gate {
                    gate.may_move();
                }
                self.wait_for_a_sign(*other, run, seat);
            }
        }
    }

    /// If the client shows no sign for a while, it counts as waiting outside the database.
    pub(super) fn wait_for_a_sign(self: &Arc<Self>, client: Client, run: u64, seat: &mut Seat) {
        seat.signs += 1;
        let signs = seat.signs;
        let turns = Arc::clone(self);
        // One that was taken to wait before its first sign had its time to start.
        let is_starting = seat.starts_since.is_some() && seat.phase == Phase::Computes;
        let within = if is_starting {
            seat.starts_within
        } else {
            self.settings().settle
        };
        tokio::spawn(async move {
            sleep(within).await;
            turns.no_sign_of(client, run, signs);
        });
    }

    fn no_sign_of(self: &Arc<Self>, client: Client, run: u64, signs: u64) {
        self.of_seat(client, run, |seats| {
            let seat = seats.seats.get_mut(&client)?;
            let is_the_same = seat.signs == signs && seat.besides == 0;
            let may_come = matches!(seat.phase, Phase::Computes | Phase::MayMove);
            if !is_the_same || !may_come {
                return None;
            }
            if seat.is_answered {
                seat.quiet += 1;
                if seat.quiet < QUIET_ENOUGH {
                    self.wait_for_a_sign(client, run, seat);
                }
                return Some(());
            }
            seat.phase = Phase::Outside;
            if let Some(gate) = &seat.gate {
                gate.waits_outside();
            }
            if seats.turn == Some(client) {
                seats.turn = None;
            }
            Some(())
        });
        self.has_changed();
    }

    /// The client computes from here on, with what it was answered.
    pub(super) fn goes_on(self: &Arc<Self>, client: Client, run: u64) {
        self.of_seat(client, run, |seats| {
            self.let_others_try(seats, client);
            seats.turn = Some(client);
            let seat = seats.seats.get_mut(&client)?;
            seat.phase = Phase::Computes;
            self.wait_for_a_sign(client, run, seat);
            Some(())
        });
        self.has_changed();
    }
}
