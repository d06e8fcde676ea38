//! What a connection does that does not depend on its protocol.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault, UserStatement};
use crate::proxy::framing::Framing;
use crate::proxy::link::Link;
use crate::proxy::remarks::Remarks;
use crate::proxy::seats::OwnClient;
use crate::proxy::statement::of_the_lab;
use crate::proxy::stillness::AtTheServer;
use crate::proxy::turns::{Arrived, Turn, Turns};
use crate::proxy::wire::Wire;
use crate::proxy::witness::{Gap, Heard, UnderWitness};

/// What is asked of an idle connection.
pub(in crate::proxy) enum Order {
    /// Roll back the transaction that the application has left open. The answer is whether one was
    /// open, and no other statement is under way.
    RollBack(oneshot::Sender<bool>),
}

/// An answer that is longer than this is not held whole: the application gets its beginning at
/// once.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// Bytes are sent on when this number has come, or when nothing more is at hand.
const SENT_AT_ONCE: usize = 64 * 1024;

/// How a command was dealt with.
pub(super) enum Dealt {
    /// The connection goes on.
    GoesOn,
    /// Nothing can be said of it any more.
    NotUnderstood(String),
    /// One side has closed it.
    Closed,
}

/// What a client that comes in meets.
pub(in crate::proxy) struct Gatekeeper<'a> {
    /// The only database that it may use. None if it may use any.
    pub(in crate::proxy) database: Option<&'a str>,
    pub(in crate::proxy) turns: &'a Arc<Turns>,
    pub(in crate::proxy) remarks: &'a Arc<Remarks>,
    /// The client whose connection it is, if that is certain.
    pub(in crate::proxy) own: Option<OwnClient>,
}

/// What the server says of a session.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct AnnouncedState {
    /// Whether a transaction is open. None if it was not said.
    pub(super) in_transaction: Option<bool>,
    pub(super) autocommit: bool,
}

/// One connection, apart from its wires and its protocol.
pub(in crate::proxy) struct Served {
    pub(super) link: Link,
    pub(super) turns: Arc<Turns>,
    pub(super) remarks: Arc<Remarks>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// The only database that it may use. None if it may use any.
    pub(super) database: Option<String>,
}

/// A statement on its way: what it is, and whose turn it was.
pub(super) struct Held {
    statement: Option<UserStatement>,
    turn: Turn,
    at_the_server: Option<AtTheServer>,
    /// Whether its commit is a step of its own.
    pub(super) splits: bool,
    /// What a witness is to be told of it. None if there is none.
    heard: Option<UnderWitness>,
}

impl Held {
    /// Whether its answer is held.
    pub(super) fn is_step(&self) -> bool {
        matches!(self.turn, Turn::Step(_))
    }

    /// A witness has not seen all of it.
    pub(super) fn has_gap(&mut self, gap: Gap) {
        if let Some(heard) = &mut self.heard {
            heard.sent.gap = Some(gap);
        }
    }

    /// If it prepares this statement, a witness is told of it where that is refused.
    pub(super) fn prepares(&mut self, heard: Option<UnderWitness>) {
        if let Some(mut heard) = heard {
            heard.sent.gap = Some(Gap::Unprepared);
            heard.is_preparation = true;
            self.heard = Some(heard);
        }
    }

    /// Others follow it in the same transaction, though nothing has begun one: a witness is told
    /// so.
    pub(super) fn does_not_commit_itself(&mut self) {
        if let Some(heard) = &mut self.heard {
            heard.before.autocommit = false;
        }
    }

    /// The engine has generated this key for it.
    pub(super) fn has_generated(&mut self, key: Option<u64>) {
        if let Some(heard) = &mut self.heard {
            heard.generated_key = key;
        }
    }

    /// The length of an answer at which what has come of it is sent on.
    pub(super) fn most(&self) -> usize {
        if self.is_step() {
            MOST_HELD
        } else {
            SENT_AT_ONCE
        }
    }
}

impl Served {
    /// A connection whose client is in. Orders may be sent to it as long as it is served.
    pub(super) fn begin(
        id: ConnectionId,
        gatekeeper: &Gatekeeper<'_>,
    ) -> (Self, mpsc::Sender<Order>) {
        let settings = gatekeeper.turns.settings();
        let (sender, orders) = mpsc::channel(1);
        let served = Self {
            link: Link::new(
                id,
                settings.flavour,
                (settings.level, settings.autocommit),
                gatekeeper.own,
            ),
            turns: Arc::clone(gatekeeper.turns),
            remarks: Arc::clone(gatekeeper.remarks),
            orders,
            database: gatekeeper.database.map(str::to_owned),
        };
        (served, sender)
    }

    /// The client has set this for its session as it came in, and the server has let it in.
    pub(super) fn has_set(&mut self, set: Arrived) {
        let heard = self.hear(Some(&set));
        let answered = Ok(Answer::default());
        let (in_transaction, autocommit) = (self.link.in_transaction, self.link.autocommit);
        self.link.follow(
            &set.statement,
            answered.as_ref(),
            in_transaction,
            autocommit,
        );
        self.tell(heard, &answered);
    }

    /// Nothing can be said of this connection any more, and it takes no orders.
    pub(super) fn loses_sight(mut self, why: &str) {
        self.orders.close();
        self.remarks.opaque(self.link.id, why);
        self.turns.loses_sight(why);
        if let Some(witness) = self.turns.witness() {
            witness.lost_sight(self.link.id, why);
        }
    }

    /// Whether the commit of this statement is to be a step of its own.
    fn splits(&self, arrived: Option<&Arrived>) -> bool {
        let settings = self.turns.settings();
        let is_outside = self.link.in_transaction == Some(false) && self.link.autocommit;
        settings.splits_commits
            && is_outside
            && arrived.is_some_and(|it| {
                it.statement.changes_rows(settings.flavour)
                    && !it.statement.is_several(settings.flavour)
            })
    }

    /// The commit of a statement that the lab has begun a transaction for.
    pub(super) fn its_commit(&self) -> Arrived {
        let shown = "COMMIT /* --split-commits */".to_owned();
        of_the_lab("COMMIT", shown, self.turns.settings().flavour)
    }

    /// Holds what has arrived until its turn has come. None if the client is gone meanwhile.
    pub(super) async fn hold<F: Framing>(
        &mut self,
        arrived: Option<Arrived>,
        client: &mut Wire<F>,
    ) -> Option<Held> {
        let splits = self.splits(arrived.as_ref());
        let heard = self.hear(arrived.as_ref());
        self.announce(heard.as_ref());
        let statement = arrived.as_ref().map(|it| it.statement.clone());
        let turn = match arrived {
            None => Turn::Passes,
            Some(arrived) => {
                let turns = Arc::clone(&self.turns);
                tokio::select! {
                    biased;
                    turn = turns.arrive(&mut self.link, arrived) => turn,
                    () = client.until_gone() => return None,
                    () = decline(&mut self.orders) => return None,
                }
            }
        };
        let at_the_server = statement.is_some().then(|| self.turns.goes_to_the_server());
        Some(Held {
            splits: splits && matches!(turn, Turn::Step(_)),
            heard,
            statement,
            turn,
            at_the_server,
        })
    }

    /// Holds an answer until the application may have it. False if the client is gone meanwhile.
    pub(super) async fn has_answered<F: Framing>(
        &mut self,
        held: Held,
        answered: Result<Answer, Fault>,
        session: AnnouncedState,
        client: &mut Wire<F>,
    ) -> bool {
        drop(held.at_the_server);
        let (transaction, autocommit) = (session.in_transaction, session.autocommit);
        let mut has_changed = false;
        if let Some(statement) = &held.statement {
            let answer = answered.as_ref();
            has_changed = self.link.follow(statement, answer, transaction, autocommit);
        } else {
            self.link.follow_session(transaction, autocommit);
        }
        self.tell(held.heard, &answered);
        let turns = Arc::clone(&self.turns);
        match held.turn {
            Turn::Passes => {}
            Turn::Besides(besides) => besides.answered(&turns, &answered),
            Turn::Step(step) => tokio::select! {
                biased;
                () = step.answered(&turns, &self.link, &answered, has_changed) => {}
                () = client.until_lost() => return false,
                () = decline(&mut self.orders) => return false,
            },
        }
        true
    }

    /// What a witness is to be told of a statement when it is answered.
    pub(super) fn hear(&self, arrived: Option<&Arrived>) -> Option<UnderWitness> {
        self.turns.witness()?;
        arrived.map(|it| UnderWitness {
            sent: it.sent.clone(),
            came: Instant::now(),
            before: self.link.state(),
            generated_key: None,
            ends_the_session: false,
            is_preparation: false,
        })
    }

    /// Tells the witness that a statement has come.
    fn announce(&self, heard: Option<&UnderWitness>) {
        if let (Some(heard), Some(witness)) = (heard, self.turns.witness()) {
            witness.came(self.link.id, &heard.sent.text);
        }
    }

    /// Tells the witness how a statement was answered.
    fn tell(&self, heard: Option<UnderWitness>, answered: &Result<Answer, Fault>) {
        let (Some(heard), Some(witness)) = (heard, self.turns.witness()) else {
            return;
        };
        if heard.is_preparation && answered.is_ok() {
            return;
        }
        let mut after = self.link.state();
        after.in_transaction &= !heard.ends_the_session;
        witness.answered(Heard {
            connection: self.link.id,
            sent: heard.sent,
            answer: answered.clone(),
            generated_key: heard.generated_key,
            came: heard.came,
            answered: Instant::now(),
            before: heard.before,
            after,
        });
    }

    /// What the end of the session does, if others could notice it: it rolls back, and releases
    /// locks.
    pub(super) fn end_of_the_session(&self, why: &str) -> Option<Arrived> {
        let flavour = self.turns.settings().flavour;
        let shown = format!("ROLLBACK /* {why} */");
        let holds_something = self.link.holds_something();
        holds_something.then(|| of_the_lab("ROLLBACK", shown, flavour))
    }

    /// Ends the connection: with these bytes, or by closing the server's side. If that rolls
    /// something back, it is a step, and has happened when the server has closed its side.
    pub(super) async fn leave<F: Framing>(
        &mut self,
        bytes: Option<Vec<u8>>,
        session: AnnouncedState,
        client: &mut Wire<F>,
        server: &mut Wire<F>,
    ) -> io::Result<()> {
        let end = self.end_of_the_session("the connection is closed");
        let mut heard = self.hear(end.as_ref());
        if let Some(heard) = &mut heard {
            heard.ends_the_session = true;
        }
        let statement = end.as_ref().map(|it| it.statement.clone());
        let turn = match end {
            None => Turn::Passes,
            Some(end) => {
                let turns = Arc::clone(&self.turns);
                turns.arrive(&mut self.link, end).await
            }
        };
        let at_the_server = statement.is_some().then(|| self.turns.goes_to_the_server());
        match bytes {
            Some(bytes) => server.send(&bytes).await?,
            None => server.close().await?,
        }
        // It has rolled back by then.
        server.until_closed().await;
        client.leaves();
        let held = Held {
            statement,
            turn,
            at_the_server,
            splits: false,
            heard,
        };
        self.has_answered(held, Ok(Answer::default()), session, client)
            .await;
        Ok(())
    }

    /// The server's next packet. None if one side has closed the connection: the server would not
    /// notice by itself that its client is gone.
    pub(super) async fn packet_of<F: Framing>(
        &mut self,
        server: &mut Wire<F>,
        client: &mut Wire<F>,
    ) -> io::Result<Option<F::Packet>> {
        tokio::select! {
            biased;
            packet = server.packet() => packet,
            () = client.until_gone() => Ok(None),
            () = decline(&mut self.orders) => Ok(None),
        }
    }
}

/// Answers orders while a statement is under way: nothing is rolled back then. It ends when no
/// order can come any more, because the proxy is gone.
async fn decline(orders: &mut mpsc::Receiver<Order>) {
    while let Some(Order::RollBack(done)) = orders.recv().await {
        let _ = done.send(false);
    }
}
