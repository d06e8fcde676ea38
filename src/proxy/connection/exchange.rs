//! A connection of any protocol: commands go to the server, and answers to the application.

use std::io;

use tokio::sync::mpsc;

use super::protocol::Protocol;
use super::served::{Dealt, Gatekeeper, Held, Order, Served};
use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault};
use crate::proxy::framing::Framing as _;
use crate::proxy::progress::Progress;
use crate::proxy::turns::Arrived;
use crate::proxy::wire::Wire;
use crate::proxy::witness::Gap;

/// One connection, when the client is in.
pub(in crate::proxy) struct Connection<P: Protocol> {
    pub(super) client: Wire<P::Framing>,
    pub(super) server: Wire<P::Framing>,
    pub(super) conversation: P,
    pub(super) served: Served,
}

/// What the server has answered to a statement of the lab's own.
struct Unseen {
    answered: Result<Answer, Fault>,
    /// What tells the application of a refusal.
    refusal: Vec<u8>,
}

impl<P: Protocol> Connection<P> {
    /// A connection whose client is in. Orders may be sent to it as long as it is served.
    pub(super) fn begin(
        id: ConnectionId,
        client: Wire<P::Framing>,
        server: Wire<P::Framing>,
        conversation: P,
        gatekeeper: &Gatekeeper<'_>,
    ) -> (Self, mpsc::Sender<Order>) {
        let (served, orders) = Served::begin(id, gatekeeper);
        let connection = Self {
            client,
            server,
            conversation,
            served,
        };
        (connection, orders)
    }

    /// The server's number for it.
    pub(in crate::proxy) fn id(&self) -> ConnectionId {
        self.served.link.id
    }

    /// Holds a command until its turn has come, and sends it. If `may_split`, a transaction is
    /// begun for it where its commit is to be a step of its own. None if one side is gone.
    pub(super) async fn forward(
        &mut self,
        arrived: Option<Arrived>,
        may_split: bool,
        bytes: &[u8],
    ) -> io::Result<Option<Held>> {
        let Some(mut held) = self.served.hold(arrived, &mut self.client).await else {
            return Ok(None);
        };
        held.splits &= may_split;
        if held.splits && self.run_unseen("BEGIN").await?.is_none() {
            return Ok(None);
        }
        if let Err(error) = self.server.send(bytes).await {
            tracing::debug!(%error, "the server takes no more");
            self.forward_last_words().await?;
            return Ok(None);
        }
        Ok(Some(held))
    }

    /// Forwards what the server says before it closes the connection: that a statement is too long,
    /// for instance.
    async fn forward_last_words(&mut self) -> io::Result<()> {
        while let Some(packet) = self.server.packet().await? {
            self.client.send_packet(&packet).await?;
        }
        Ok(())
    }

    /// Reads the answer, and hands it to the application when its turn has come.
    pub(super) async fn answer(&mut self, mut held: Held) -> io::Result<Dealt> {
        let is_held = held.is_step();
        let mut bytes = Vec::new();
        let mut sends_data = false;
        let outcome = loop {
            let at_hand = self.server.packet_at_hand();
            if at_hand.is_none() && !is_held {
                self.send_on(&mut bytes).await?;
            }
            let next = match at_hand {
                Some(packet) => Some(packet),
                None => {
                    let (client, server) = (&mut self.client, &mut self.server);
                    let (conversation, served) = (&mut self.conversation, &mut self.served);
                    let next = conversation.next_packet(client, server, served, &mut sends_data);
                    next.await?
                }
            };
            let Some(mut packet) = next else {
                // The server may have said why it ends the connection.
                let _ = self.client.send(&bytes).await;
                return Ok(Dealt::Closed);
            };
            let progress = self.conversation.follow(&packet);
            if held.splits {
                let is_at_an_end = bytes.is_empty() || matches!(progress, Progress::Done(_));
                P::deny_transaction(&mut packet, is_at_an_end);
            }
            P::Framing::write(&packet, &mut bytes);
            match progress {
                Progress::GoesOn | Progress::Unasked => {}
                Progress::Done(outcome) => break outcome,
                Progress::AwaitsClient => {
                    held.has_gap(Gap::File);
                    self.send_on(&mut bytes).await?;
                    sends_data = true;
                }
                Progress::NotUnderstood(why) => {
                    self.client.send(&bytes).await?;
                    return Ok(Dealt::NotUnderstood(why));
                }
            }
            if bytes.len() > held.most() {
                if is_held {
                    self.served.remarks.long_answer(self.served.link.id);
                }
                self.send_on(&mut bytes).await?;
            }
        };
        held.has_generated(P::generated_key(&outcome));
        let answered = P::answer_of(outcome);
        let is_there = if held.splits {
            self.commit(held, answered, &mut bytes).await?
        } else {
            self.has_answered(held, answered).await
        };
        if !is_there {
            return Ok(Dealt::Closed);
        }
        self.client.send(&bytes).await?;
        Ok(Dealt::GoesOn)
    }

    /// Sends on what has come of an answer.
    async fn send_on(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if !bytes.is_empty() {
            self.client.send(bytes).await?;
            bytes.clear();
        }
        Ok(())
    }

    /// Holds an answer until the application may have it. False if the client is gone meanwhile.
    pub(super) async fn has_answered(
        &mut self,
        held: Held,
        answered: Result<Answer, Fault>,
    ) -> bool {
        let session = self.conversation.session();
        let served = &mut self.served;
        let may_have_it = served.has_answered(held, answered, session, &mut self.client);
        may_have_it.await
    }

    /// Commits the transaction that was begun for one statement, as a step of its own. The client
    /// gets the statement's answer after it, with the refusal of the commit if there is one. False
    /// if one side is gone.
    async fn commit(
        &mut self,
        held: Held,
        answered: Result<Answer, Fault>,
        bytes: &mut Vec<u8>,
    ) -> io::Result<bool> {
        if answered.is_err() {
            let is_there = self.run_unseen("ROLLBACK").await?.is_some();
            return Ok(is_there && self.has_answered(held, answered).await);
        }
        if !self.has_answered(held, answered).await {
            return Ok(false);
        }
        let commit = Some(self.served.its_commit());
        let Some(held) = self.served.hold(commit, &mut self.client).await else {
            return Ok(false);
        };
        let Some(committed) = self.run_unseen("COMMIT").await? else {
            return Ok(false);
        };
        if committed.answered.is_err() {
            P::refuse_commit(bytes, committed.refusal);
        }
        Ok(self.has_answered(held, committed.answered).await)
    }

    /// Does what an idle connection was asked for. One that `is_idle` has no command that has come
    /// in part.
    pub(super) async fn obey(&mut self, order: Option<Order>, is_idle: bool) -> io::Result<()> {
        if let Some(Order::RollBack(done)) = order {
            let has_one = self.served.link.may_be_in_transaction();
            if has_one && is_idle {
                // The application is told nothing of it.
                self.run_unseen("ROLLBACK").await?;
                self.follow_session();
            }
            let _ = done.send(has_one);
        }
        Ok(())
    }

    /// Ends the connection: with these bytes, or by closing the server's side.
    pub(super) async fn leave(&mut self, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let session = self.conversation.session();
        let (client, server) = (&mut self.client, &mut self.server);
        self.served.leave(bytes, session, client, server).await
    }

    /// What the server has said of the session counts from here on.
    pub(super) fn follow_session(&mut self) {
        let session = self.conversation.session();
        self.served
            .link
            .follow_session(session.in_transaction, session.autocommit);
    }

    /// Runs a statement of the lab's own, of which the application is told nothing. None if the
    /// server has closed the connection.
    async fn run_unseen(&mut self, sql: &str) -> io::Result<Option<Unseen>> {
        let (before, bytes) = self.conversation.ask_aside(sql);
        let ran = self.run_at_once(&bytes).await;
        self.conversation.resume(before);
        ran
    }

    async fn run_at_once(&mut self, bytes: &[u8]) -> io::Result<Option<Unseen>> {
        self.server.send(bytes).await?;
        let mut refusal = Vec::new();
        while let Some(packet) = self.server.packet().await? {
            let progress = self.conversation.follow(&packet);
            if P::tells_of_a_refusal(&packet) {
                P::Framing::write(&packet, &mut refusal);
            }
            match progress {
                Progress::Done(outcome) => {
                    let answered = P::answer_of(outcome);
                    return Ok(Some(Unseen { answered, refusal }));
                }
                Progress::GoesOn => {}
                Progress::Unasked => self.client.send_packet(&packet).await?,
                Progress::AwaitsClient | Progress::NotUnderstood(_) => break,
            }
        }
        Ok(None)
    }
}
