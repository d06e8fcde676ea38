//! What is known of each client of a run, and to whom a statement belongs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::known::Known;
use crate::engine::Fault;
use crate::explore::{Client, Gate};

/// The clients of one run.
#[derive(Debug)]
pub(super) struct Seats {
    /// Tells this run from others.
    pub(super) number: u64,
    pub(super) seats: BTreeMap<Client, Seat>,
    /// The client for which the application works now. None if all are at rest.
    pub(super) turn: Option<Client>,
    /// Cancelled when the run is over: what is held goes on.
    pub(super) over: CancellationToken,
}

/// A client that takes part in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Participant {
    /// Which one it is.
    pub client: Client,
    /// Whether its statements come on connections that no other client uses. If not, it is told by
    /// whose turn it is.
    pub has_own_connections: bool,
}

/// A client whose connections are its own, in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnClient {
    pub(super) run: u64,
    pub(super) client: Client,
}

/// One client.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) has_own_connections: bool,
    /// When it began. None if it has not, or if it has shown a sign since.
    pub(super) starts_since: Option<Instant>,
    /// How long it may show no sign at its start before it counts as waiting outside the database.
    pub(super) starts_within: Duration,
    /// None until it begins.
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) phase: Phase,
    /// Counts what has happened to it, so that a timer knows whether it is still about the same.
    pub(super) signs: u64,
    /// Its statements that are at the engine and have no letter.
    pub(super) besides: usize,
    /// Statements that are told to be this client's and did not come to the gate yet.
    pub(super) on_their_way: usize,
    /// Held by the one of its statements that is a step.
    pub(super) queue: Arc<Mutex<()>>,
    /// Whether it has waited outside the database until its first statement, and no other client
    /// has sent one since.
    pub(super) comes_late: bool,
    /// The shapes of its statements in this run.
    pub(super) sent: Vec<String>,
    /// Those of them that came after its request was answered.
    pub(super) tail: Vec<String>,
    /// When the last of its statements that was a step got its answer.
    pub(super) last_answer: Option<Instant>,
    /// Whether its request was answered.
    pub(super) is_answered: bool,
    /// How often in a row nothing has come of it for a while since then.
    pub(super) quiet: u32,
    pub(super) seen: Seen,
}

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not sent its request yet.
    Before,
    /// The application works for it.
    Computes,
    /// One of its statements is held, is at the engine, or its answer is held.
    AtAStep,
    /// It waits for something outside the database.
    Outside,
    /// It has waited for something outside, and another client has gone on since.
    MayMove,
    /// It has come to its end.
    Ended,
}

/// What a client's statements have shown of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether a statement may have changed something for good: outside a transaction, or in one
    /// that was committed.
    pub has_changed_for_good: bool,
    /// The last refusal of the engine. None if it has refused nothing.
    pub fault: Option<Fault>,
    /// Whether it has asked for a lock without waiting for it.
    pub tries_locks: bool,
}

/// To whom a statement belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Client(Client),
    Nobody,
    /// It cannot be told, or it came of a client that was taken to be at rest. The run says
    /// nothing.
    Unclear,
}

impl Seat {
    fn of(participant: Participant) -> Self {
        Self {
            has_own_connections: participant.has_own_connections,
            starts_since: None,
            starts_within: Duration::ZERO,
            gate: None,
            phase: Phase::Before,
            signs: 0,
            besides: 0,
            on_their_way: 0,
            queue: Arc::default(),
            comes_late: false,
            sent: Vec::new(),
            tail: Vec::new(),
            last_answer: None,
            is_answered: false,
            quiet: 0,
            seen: Seen::default(),
        }
    }

    /// Whether nothing of it can come unless the scheduler or another client lets it.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::AtAStep | Phase::Outside | Phase::Ended)
    }

    /// Whether it has sent nothing yet, and has waited outside the database until now. A program's
    /// own connection shows that it goes on.
    pub(super) fn begins_after_a_wait(&self, has_own_connection: bool) -> bool {
        let has_waited = match self.phase {
            Phase::MayMove => true,
            Phase::Outside => has_own_connection,
            Phase::Before | Phase::Computes | Phase::AtAStep | Phase::Ended => false,
        };
        self.sent.is_empty() && has_waited
    }

    /// It has sent a statement of this shape.
    pub(super) fn has_sent(&mut self, shape: &str) {
        self.sent.push(shape.to_owned());
        if self.is_answered {
            self.tail.push(shape.to_owned());
        }
        self.signs += 1;
        self.quiet = 0;
    }

    /// Whether another one of its statements was not answered when one came at this moment.
    pub(super) fn was_busy(&self, came: Instant) -> bool {
        let came_before_an_answer = self.last_answer.is_some_and(|it| came < it);
        came_before_an_answer || self.queue.try_lock().is_err()
    }

    /// One more of its statements is under way.
    pub(super) fn has_under_way(&mut self, has_a_letter: bool) {
        if has_a_letter {
            self.on_their_way += 1;
        } else {
            self.besides += 1;
        }
    }
}

impl Seats {
    pub(super) fn new(number: u64, participants: &[Participant]) -> Self {
        let seats = participants.iter().map(|it| (it.client, Seat::of(*it)));
        Self {
            number,
            seats: seats.collect(),
            turn: None,
            over: CancellationToken::new(),
        }
    }

    /// To whom a statement belongs that is in no transaction of a client's and came on a connection
    /// of no certain one. It is never that of a client whose connections are its own.
    ///
    /// At any moment the application works for at most one client. What comes then is that
    /// client's, unless its shape is known to be another's. A client that waits outside the
    /// database may have got what it waited for. One that is known to send several statements at
    /// once, or some after its answer, may be late with one of them. In a run that teaches, one
    /// request is under way at a time.
    pub(super) fn owner(&self, known: &Known, shape: &str) -> Owner {
        let expects = |client: &Client| known.expects(*client, shape);
        let mover = self.turn.filter(|it| self.shares_connections(*it));
        if known.is_of_a_stranger(shape) && !mover.is_some_and(|mover| expects(&mover)) {
            return Owner::Nobody;
        }
        let mut outside = self.in_phase(&[Phase::Outside, Phase::MayMove]);
        let first_outside = outside.clone().next();
        let Some(mover) = mover else {
            // In a run that teaches, one request is under way at a time.
            let alone = self.only_one_under_way().filter(|_| known.learns());
            let one = outside.find(expects).or(first_outside).or(alone);
            let is_late = self
                .in_phase(&[Phase::AtAStep, Phase::Ended])
                .any(|it| expects(&it));
            let nobodys = if is_late {
                Owner::Unclear
            } else {
                Owner::Nobody
            };
            return one.map_or(nobodys, Owner::Client);
        };
        if let Some(first) = first_outside {
            if self.has_sent_all(mover, known, shape) {
                // What has let another client go on was its end.
                return Owner::Client(outside.find(expects).unwrap_or(first));
            }
            let next = |client: &Client| {
                let seat = self.seats.get(client);
                seat.is_some_and(|it| known.expects_next(*client, &it.sent, shape))
            };
            return match (next(&mover), outside.find(next)) {
                (true, Some(_)) => Owner::Unclear,
                (false, Some(other)) => Owner::Client(other),
                (_, None) => Owner::Client(mover),
            };
        }
        let is_late = |(client, seat): (&Client, &Seat)| match seat.phase {
            Phase::Ended => known.is_in_the_tail(*client, shape),
            Phase::AtAStep => known.overlaps() && expects(client),
            _ => false,
        };
        let is_late = |(client, seat): (&Client, &Seat)| {
            self.shares_connections(*client) && is_late((client, seat))
        };
        if !known.learns() && !expects(&mover) && self.seats.iter().any(is_late) {
            Owner::Unclear
        } else {
            Owner::Client(mover)
        }
    }

    /// Whether this client's statements come on connections that others use as well.
    fn shares_connections(&self, client: Client) -> bool {
        let seat = self.seats.get(&client);
        seat.is_some_and(|it| !it.has_own_connections)
    }

    /// Whether this client has its answer, and is not known to send such a statement after it.
    fn has_sent_all(&self, client: Client, known: &Known, shape: &str) -> bool {
        let seat = self.seats.get(&client);
        seat.is_some_and(|it| it.is_answered) && !known.is_in_the_tail(client, shape)
    }

    /// Whether this client has come to its end, or takes no part.
    pub(super) fn has_ended(&self, client: Client) -> bool {
        let seat = self.seats.get(&client);
        seat.is_none_or(|it| it.phase == Phase::Ended)
    }

    /// The client whose request is under way, among those that share connections. None if there are
    /// several, or none.
    pub(super) fn only_one_under_way(&self) -> Option<Client> {
        let seats = self.seats.iter();
        let seats = seats.filter(|(_, it)| !it.has_own_connections);
        let mut under_way = seats.filter(|(_, it)| it.gate.is_some() && it.phase != Phase::Ended);
        let (first, _) = under_way.next()?;
        under_way.next().is_none().then_some(*first)
    }

    /// The run says nothing.
    pub(super) fn disturb(&self) {
        if let Some(gate) = self.seats.values().find_map(|it| it.gate.as_ref()) {
            gate.disturbed();
        }
    }

    /// Whether this owner may send anything more.
    pub(super) fn may_still_send(&self, owner: Owner) -> bool {
        match owner {
            Owner::Client(client) => {
                let seat = self.seats.get(&client);
                seat.is_some_and(|it| it.phase != Phase::Ended)
            }
            Owner::Nobody => true,
            Owner::Unclear => false,
        }
    }

    /// Whether all clients have come to their end.
    pub(super) fn have_all_ended(&self) -> bool {
        self.seats.values().all(|it| it.phase == Phase::Ended)
    }

    /// Whether a client has come to its end.
    pub(super) fn has_one_ended(&self) -> bool {
        self.seats.values().any(|it| it.phase == Phase::Ended)
    }

    /// A client has sent a statement. See [`Seat::comes_late`].
    pub(super) fn nobody_comes_late(&mut self) {
        for seat in self.seats.values_mut() {
            seat.comes_late = false;
        }
    }

    /// Whether a client waits outside the database.
    pub(super) fn has_one_outside(&self) -> bool {
        let mut outside = self.in_phase(&[Phase::Outside, Phase::MayMove]);
        outside.next().is_some()
    }

    /// The clients in one of these phases that share connections.
    fn in_phase(&self, wanted: &'static [Phase]) -> impl Iterator<Item = Client> + Clone {
        let seats = self.seats.iter();
        seats
            .filter(|(_, it)| !it.has_own_connections && wanted.contains(&it.phase))
            .map(|(client, _)| *client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: &str = "SELECT mine";
    const YOURS: &str = "SELECT yours";
    const BEAT: &str = "UPDATE worker";

    fn client(index: usize) -> Client {
        Client::first(3).nth(index).unwrap()
    }

    fn known() -> Known {
        let known = Known::default();
        known.hear(BEAT);
        learn(&known, 0, &[MINE], &[]);
        learn(&known, 1, &[YOURS], &[YOURS]);
        known
    }

    fn learn(known: &Known, index: usize, sent: &[&str], tail: &[&str]) {
        let owned = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        known.learn(client(index), &owned(sent), &owned(tail));
    }

    /// Two clients in these phases, and the one whose turn it is.
    fn seats(phases: [Phase; 2], turn: Option<usize>) -> Seats {
        let mut seats = Seats::new(1, &[0, 1].map(|index| sharing(client(index))));
        for (index, phase) in phases.into_iter().enumerate() {
            seats.seats.get_mut(&client(index)).unwrap().phase = phase;
        }
        seats.turn = turn.map(client);
        seats
    }

    fn sharing(client: Client) -> Participant {
        Participant {
            client,
            has_own_connections: false,
        }
    }

    #[test]
    fn a_statement_is_never_that_of_a_client_with_connections_of_its_own() {
        let known = known();
        for phase in [
            Phase::Computes,
            Phase::AtAStep,
            Phase::Outside,
            Phase::Ended,
        ] {
            let mut both = seats([phase, Phase::AtAStep], Some(0));
            both.seats.get_mut(&client(0)).unwrap().has_own_connections = true;
            assert_eq!(both.owner(&known, MINE), Owner::Nobody, "{phase:?}");
            assert_eq!(both.owner(&known, YOURS), Owner::Unclear, "{phase:?}");
            both.seats.get_mut(&client(1)).unwrap().phase = Phase::Outside;
            assert_eq!(both.owner(&known, MINE), Owner::Client(client(1)));
        }
    }

    #[test]
    fn a_statement_belongs_to_the_one_client_for_which_the_application_works() {
        let both = seats([Phase::Computes, Phase::AtAStep], Some(0));
        let known = known();
        assert_eq!(both.owner(&known, MINE), Owner::Client(client(0)));
        assert_eq!(both.owner(&known, "SELECT new"), Owner::Client(client(0)));
        assert_eq!(both.owner(&known, BEAT), Owner::Nobody);
    }

    #[test]
    fn a_late_statement_is_noticed_if_its_client_sends_some_after_its_answer() {
        let known = known();
        let both = seats([Phase::Computes, Phase::Ended], Some(0));
        assert_eq!(both.owner(&known, YOURS), Owner::Unclear);
        let both = seats([Phase::Ended, Phase::Computes], Some(1));
        assert_eq!(both.owner(&known, MINE), Owner::Client(client(1)));
    }

    #[test]
    fn one_that_waits_outside_may_have_got_what_it_waited_for() {
        let known = known();
        let both = seats([Phase::Computes, Phase::MayMove], Some(0));
        assert_eq!(both.owner(&known, YOURS), Owner::Client(client(1)));
        let both = seats([Phase::Computes, Phase::MayMove], Some(0));
        assert_eq!(both.owner(&known, MINE), Owner::Client(client(0)));
        learn(&known, 1, &[MINE], &[]);
        assert_eq!(both.owner(&known, MINE), Owner::Unclear);
        let mut both = seats([Phase::Computes, Phase::MayMove], Some(0));
        both.seats.get_mut(&client(0)).unwrap().is_answered = true;
        assert_eq!(both.owner(&known, MINE), Owner::Client(client(1)));
        let both = seats([Phase::Ended, Phase::Outside], None);
        assert_eq!(both.owner(&known, "SELECT new"), Owner::Client(client(1)));
    }

    #[test]
    fn if_all_are_at_rest_it_is_nobodys() {
        let known = known();
        let both = seats([Phase::AtAStep, Phase::Ended], None);
        assert_eq!(both.owner(&known, "SELECT new"), Owner::Nobody);
        assert_eq!(both.owner(&known, MINE), Owner::Unclear);
    }

    #[test]
    fn a_heartbeat_that_a_client_sends_as_well_is_the_clients_in_its_turn() {
        let known = known();
        learn(&known, 0, &[BEAT], &[]);
        let both = seats([Phase::Computes, Phase::AtAStep], Some(0));
        assert_eq!(both.owner(&known, BEAT), Owner::Client(client(0)));
        let both = seats([Phase::AtAStep, Phase::Computes], Some(1));
        assert_eq!(both.owner(&known, BEAT), Owner::Nobody);
    }
}
