//! The turns of one run, as its clients take them.

use std::sync::Arc;

use super::seats::{OwnClient, Participant, Phase, Seats, Seen};
use super::signs::QUIET_ENOUGH;
use super::turns::Turns;
use crate::explore::{Client, ClientResult, Gate};

/// The turns of one run. It is over when this is dropped: then what is held goes on.
#[derive(Debug)]
pub struct RunTurns {
    turns: Arc<Turns>,
    run: u64,
    order: BeginOrder,
}

/// When a client may begin: send its request, or start its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginOrder {
    /// When those before it are at rest: all are under way at once.
    AtOnce,
    /// When those before it in this list have come to their end.
    OneAfterTheOther(Vec<Client>),
}

impl Drop for RunTurns {
    fn drop(&mut self) {
        self.turns.end_run(self.run);
    }
}

/// One client of a run. If this is dropped before the client is done, the run was broken off: then
/// what is held goes on.
#[derive(Debug)]
pub struct ClientUnderWay<'r> {
    run: &'r RunTurns,
    is_done: bool,
}

impl ClientUnderWay<'_> {
    /// The client has come to its end.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for ClientUnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.run.turns.end_run(self.run.run);
        }
    }
}

impl RunTurns {
    /// Begins a run of these clients.
    pub fn of(turns: &Arc<Turns>, clients: &[Participant], order: BeginOrder) -> Self {
        let mut state = turns.state();
        state.runs += 1;
        let run = state.runs;
        if let Some(last) = state.seats.replace(Seats::new(run, clients)) {
            last.over.cancel();
        }
        Self {
            turns: Arc::clone(turns),
            run,
            order,
        }
    }

    /// A client begins.
    pub fn under_way(&self) -> ClientUnderWay<'_> {
        ClientUnderWay {
            run: self,
            is_done: false,
        }
    }

    /// Why statements of the application are not seen any more. None if they are.
    pub fn unseen(&self) -> Option<String> {
        self.turns.unseen()
    }

    /// Waits until this client may begin.
    pub async fn begin(&self, client: Client, gate: Arc<Gate>) {
        match &self.order {
            BeginOrder::AtOnce => {
                self.until(client, |seats| {
                    let mut before = seats.seats.iter().take_while(|(it, _)| **it != client);
                    before.all(|(_, seat)| seat.is_at_rest())
                })
                .await;
            }
            BeginOrder::OneAfterTheOther(order) => {
                let is_due = |seats: &Seats| {
                    let mut before = order.iter().take_while(|it| **it != client);
                    before.all(|it| seats.has_ended(*it))
                };
                let turns = &self.turns;
                let waits = turns.of_seat(client, self.run, |seats| Some(!is_due(seats)));
                // One that is first must not let a script go before it.
                if waits.unwrap_or(false) {
                    // The scheduler lets the others come to their end meanwhile.
                    gate.waits_outside();
                    self.until(client, is_due).await;
                    gate.may_move();
                }
            }
        }
        self.turns.of_seat(client, self.run, |seats| {
            let seat = seats.seats.get_mut(&client)?;
            seat.gate = Some(gate);
            if seat.has_own_connections {
                self.turns.starts(client, seat);
            }
            Some(())
        });
        self.turns.goes_on(client, self.run);
    }

    /// The client's request was answered. Waits until nothing more comes of it, and says what its
    /// statements have shown.
    pub async fn answered(&self, client: Client) -> Seen {
        self.turns.of_seat(client, self.run, |seats| {
            let seat = seats.seats.get_mut(&client)?;
            seat.is_answered = true;
            let known = &self.turns.known;
            if seat.phase == Phase::AtAStep && known.learns() {
                // It has no answer yet, so the request's answer did not need it.
                seat.tail.extend(seat.sent.last().cloned());
                known.learn(client, &seat.sent, &seat.tail);
            }
            if seat.phase == Phase::Outside {
                seat.phase = Phase::MayMove;
            }
            if matches!(seat.phase, Phase::Computes | Phase::MayMove) {
                self.turns.wait_for_a_sign(client, self.run, seat);
            }
            Some(())
        });
        self.turns.has_changed();
        loop {
            let mut changes = self.turns.changes.subscribe();
            if let Some(seen) = self.seen_of_one_that_is_done(client) {
                return seen;
            }
            // The sender lives as long as the turns.
            let _ = changes.changed().await;
        }
    }

    /// The client's program has ended, and its connections with it: nothing more comes of it. Says
    /// what its statements have shown.
    pub fn has_ended(&self, client: Client) -> Seen {
        self.turns.has_started(self.own(client));
        let seen = self.turns.of_seat(client, self.run, |seats| {
            seats.seats.get(&client).map(|it| it.seen.clone())
        });
        seen.unwrap_or_default()
    }

    /// Whether one of this client's statements is held or at the engine.
    pub fn is_at_a_step(&self, client: Client) -> bool {
        let at_a_step = self.turns.of_seat(client, self.run, |seats| {
            let seat = seats.seats.get(&client)?;
            Some(seat.phase == Phase::AtAStep || seat.besides > 0)
        });
        at_a_step.unwrap_or(false)
    }

    pub(super) fn own(&self, client: Client) -> OwnClient {
        OwnClient {
            run: self.run,
            client,
        }
    }

    /// None if something more may come of it.
    fn seen_of_one_that_is_done(&self, client: Client) -> Option<Seen> {
        let state = self.turns.state();
        let Some(seats) = state.seats.as_ref().filter(|it| it.number == self.run) else {
            return Some(Seen::default());
        };
        let seat = seats.seats.get(&client)?;
        let has_some = seat.besides + seat.on_their_way > 0;
        let is_busy = has_some || seat.phase == Phase::AtAStep;
        let known = &self.turns.known;
        let has_all = !known.learns() && known.is_whole_tail(client, &seat.sent, &seat.tail);
        let is_quiet = seat.quiet >= QUIET_ENOUGH;
        (!is_busy && (is_quiet || has_all)).then(|| seat.seen.clone())
    }

    /// The client has come to its end.
    pub fn end(&self, client: Client, gate: &Gate, result: ClientResult) {
        let turns = &self.turns;
        turns.of_seat(client, self.run, |seats| {
            if seats.turn == Some(client) {
                seats.turn = None;
            }
            let mut others = seats.seats.values_mut();
            if let Some(late) = others.find(|it| it.comes_late) {
                late.comes_late = false;
                turns.known.note_one_at_a_time();
            }
            let seat = seats.seats.get_mut(&client)?;
            seat.phase = Phase::Ended;
            if turns.known.learns() {
                turns.known.learn_end(client, &seat.sent, &seat.tail);
            }
            turns.let_others_try(seats, client);
            Some(())
        });
        gate.ended(result);
        turns.has_changed();
    }

    /// Waits until this is so, or the run is over.
    async fn until(&self, client: Client, is_so: impl Fn(&Seats) -> bool) {
        loop {
            let mut changes = self.turns.changes.subscribe();
            let goes_on = self
                .turns
                .of_seat(client, self.run, |seats| Some(!is_so(seats)));
            if !goes_on.unwrap_or(false) {
                return;
            }
            // The sender lives as long as the turns.
            let _ = changes.changed().await;
        }
    }
}
