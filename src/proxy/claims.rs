//! Claims: which client a statement that has arrived belongs to, and what it shows of that client.

use std::sync::Arc;
use std::time::Instant;

use super::known::Known;
use super::link::Link;
use super::seats::{Owner, Seats};
use super::turns::{ClaimedStatement, State, Turns};
use crate::engine::UserStatement;
use crate::explore::Client;

impl Turns {
    /// Decides whose a statement is that came at this moment, and writes down that its client has
    /// sent it. None if it passes.
    pub(super) fn claim(
        self: &Arc<Self>,
        link: &mut Link,
        statement: &UserStatement,
        shape: &str,
        came: Instant,
    ) -> Option<ClaimedStatement> {
        let known = &*self.known;
        let mut state = self.state();
        let seats = clients_under_way(&mut state, known, shape)?;
        let client = client_of(seats, known, link, statement, shape)?;

        let run = seats.number;
        let has_another_ended = seats.has_one_ended();
        seats.nobody_comes_late();
        let seat = seats.seats.get_mut(&client)?;
        let gate = seat.gate.clone()?;
        if seat.begins_after_a_wait(link.is_of_one_client()) {
            if has_another_ended {
                known.note_one_at_a_time();
            }
            // A client lets go of what it holds before it is seen to have ended.
            seat.comes_late = !has_another_ended;
        }
        seat.has_sent(shape);
        if statement.is_several(self.settings().flavour) {
            known.note_several();
        }

        let has_a_letter = !link.is_local(statement);
        let overlaps = has_a_letter && seat.was_busy(came);
        seat.has_under_way(has_a_letter);
        if overlaps && !known.overlaps() {
            known.learn_overlap();
            if !known.learns() {
                // What came before was not held long enough.
                gate.disturbed();
            }
        }
        if known.learns() {
            known.learn(client, &seat.sent, &seat.tail);
        }
        let turns = Arc::clone(self);
        Some(ClaimedStatement::of(client, turns, run, gate, has_a_letter))
    }
}

/// The clients of the run, if the statement may be one of theirs. Else it teaches that such a one
/// is nobody's, or comes late.
fn clients_under_way<'s>(
    state: &'s mut State,
    known: &Known,
    shape: &str,
) -> Option<&'s mut Seats> {
    let Some(seats) = &mut state.seats else {
        if state.listens {
            known.hear(shape);
        }
        return None;
    };
    if seats.have_all_ended() {
        if !state.is_asked {
            // It is late. No run after this one takes it for another's.
            known.learn_late(shape);
        }
        return None;
    }
    Some(seats)
}

/// The client that has sent it: the one whose connection or transaction it came in, else the one
/// that the rules of [`Seats::owner`] name. None if it is nobody's, or if that cannot be told.
fn client_of(
    seats: &Seats,
    known: &Known,
    link: &mut Link,
    statement: &UserStatement,
    shape: &str,
) -> Option<Client> {
    let run = seats.number;
    // An application may have given a connection back with its transaction open.
    let of_transaction = link.owner(run).filter(|it| seats.may_still_send(*it));
    if link.is_of_one_client() && of_transaction.is_none() {
        return None;
    }
    let owner = of_transaction.unwrap_or_else(|| seats.owner(known, shape));
    match owner {
        Owner::Client(client) => {
            let may_be_a_strangers = known.is_of_a_stranger(shape) && of_transaction.is_none();
            if link.begins(statement) && may_be_a_strangers {
                // The next statement on this connection tells whose transaction it is.
                return None;
            }
            link.belongs_to(run, owner);
            Some(client)
        }
        Owner::Nobody => {
            known.note_stranger(shape);
            link.belongs_to(run, owner);
            None
        }
        Owner::Unclear => {
            tracing::debug!(shape, "it cannot be told whose statement this is");
            known.note_unclear();
            seats.disturb();
            None
        }
    }
}
