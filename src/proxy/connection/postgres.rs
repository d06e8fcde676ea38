//! A connection of PostgreSQL's protocol.
//!
//! What a client sends is forwarded in units: a statement with all that belongs to it. See
//! [`Unit`].

use std::io;

use tokio::sync::mpsc;

use super::postgres_entrance::{ask, authenticate};
use super::served::{Dealt, Gatekeeper, Held, Order, Said, Served, forward_last_words};
use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault, Flavour, StatementKind, UserStatement};
use crate::proxy::postgres::{Conversation, Message, MessageReader, Outcome, Progress, Unit, What};
use crate::proxy::statement::{executed, of_the_lab, outcome_of, sent};
use crate::proxy::turns::Arrived;
use crate::proxy::wire::Wire;
use crate::proxy::witness::Gap;

/// One connection, when the client is in.
pub(in crate::proxy) struct PostgresConnection {
    client: Wire<MessageReader>,
    server: Wire<MessageReader>,
    conversation: Conversation,
    served: Served,
}

impl PostgresConnection {
    /// Lets the client in. None if it did not get in, or only asked to cancel a statement; it was
    /// told why. Orders may be sent to a connection as long as it is served.
    pub(in crate::proxy) async fn open(
        mut client: Wire<MessageReader>,
        mut server: Wire<MessageReader>,
        gatekeeper: &Gatekeeper<'_>,
    ) -> io::Result<Option<(Self, mpsc::Sender<Order>)>> {
        let (database, remarks) = (gatekeeper.database, gatekeeper.remarks);
        let Some(startup) = ask(&mut client, &mut server, database, remarks).await? else {
            return Ok(None);
        };
        let mut conversation = Conversation::new(&startup);
        if !authenticate(&mut client, &mut server, &mut conversation, remarks).await? {
            return Ok(None);
        }
        let id = ConnectionId::from(i64::from(conversation.process().unwrap_or_default()));
        let (served, orders) = Served::begin(id, gatekeeper);
        let connection = Self {
            client,
            server,
            conversation,
            served,
        };
        Ok(Some((connection, orders)))
    }

    /// The server's number for it.
    pub(in crate::proxy) fn id(&self) -> ConnectionId {
        self.served.link.id
    }

    /// Serves the connection to its end.
    pub(in crate::proxy) async fn serve(mut self) -> io::Result<()> {
        self.follow_session();
        loop {
            while let Some(unit) = self.conversation.next_unit() {
                self.client.has_more(self.conversation.has_requests());
                match self.deal_with(unit).await? {
                    Dealt::GoesOn => {}
                    Dealt::Closed => return Ok(()),
                    Dealt::NotUnderstood(why) => return self.only_forward(&why).await,
                }
            }
            tokio::select! {
                biased;
                // A notification, a setting that has changed, or the end of an idle connection.
                unasked = self.server.packet() => match unasked? {
                    Some(message) => {
                        let progress = self.conversation.answer(&message);
                        self.client.send_packet(&message).await?;
                        if let Progress::NotUnderstood(why) = progress {
                            return self.only_forward(&why).await;
                        }
                    }
                    None => return Ok(()),
                },
                message = self.client.packet() => {
                    let Ok(Some(message)) = message else { return self.leave(None).await };
                    self.conversation.client(message);
                }
                order = self.served.orders.recv() => if let Some(Order::RollBack(done)) = order {
                    let has_one = self.served.link.may_be_in_transaction();
                    if has_one && self.conversation.is_idle() {
                        self.roll_back().await?;
                    }
                    let _ = done.send(has_one);
                },
            }
        }
    }

    /// Nothing is understood from here on.
    async fn only_forward(mut self, why: &str) -> io::Result<()> {
        let rest = self.conversation.take_held();
        self.server.send(&rest).await?;
        self.served.loses_sight(why);
        self.client.join(self.server).await
    }

    /// Holds and forwards one unit, and its answer.
    async fn deal_with(&mut self, unit: Unit) -> io::Result<Dealt> {
        let arrived = match &unit.what {
            What::Passes => None,
            What::Query { text } => Some(self.statement(sent(text, Flavour::Postgres))),
            What::Execute { text, arguments } => {
                let executed = executed(text.as_deref(), arguments, Flavour::Postgres);
                Some(self.statement(executed))
            }
            What::Commit => {
                let shown = "COMMIT /* Sync */".to_owned();
                Some(of_the_lab("COMMIT", shown, Flavour::Postgres))
            }
            What::Terminate => {
                self.leave(Some(unit.bytes)).await?;
                return Ok(Dealt::Closed);
            }
            What::Opaque(why) => {
                self.server.send(&unit.bytes).await?;
                return Ok(Dealt::NotUnderstood(why.clone()));
            }
        };
        let preparation = unit.prepares().map(|it| sent(&it, Flavour::Postgres));
        let preparation = self.served.hear(preparation.as_ref());
        let Some(mut held) = self.served.hold(arrived, &mut self.client).await else {
            return Ok(Dealt::Closed);
        };
        if preparation.is_some() {
            held.prepares(preparation);
        }
        // Without its Sync, a statement is in a transaction of several already.
        held.splits &= unit.ends_its_transaction();
        if held.splits && self.run_unseen("BEGIN").await?.is_none() {
            return Ok(Dealt::Closed);
        }
        if let Err(error) = self.server.send(&unit.bytes).await {
            tracing::debug!(%error, "the server takes no more");
            forward_last_words(&mut self.server, &mut self.client).await?;
            return Ok(Dealt::Closed);
        }
        if unit.awaits_answer {
            self.answer(held).await
        } else {
            Ok(Dealt::GoesOn)
        }
    }

    /// A COMMIT of a transaction in which a statement was refused is a ROLLBACK.
    fn statement(&self, arrived: Arrived) -> Arrived {
        if arrived.statement.kind == StatementKind::Commit && self.conversation.has_failed() {
            Arrived {
                statement: UserStatement::new("ROLLBACK", Flavour::Postgres),
                shown: format!("{} /* rolls back */", arrived.shown),
                ..arrived
            }
        } else {
            arrived
        }
    }

    /// Ends the connection.
    async fn leave(&mut self, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let session = self.session();
        let (client, server) = (&mut self.client, &mut self.server);
        self.served.leave(bytes, session, client, server).await
    }

    /// Reads the answer, and hands it to the application when its turn has come.
    async fn answer(&mut self, mut held: Held) -> io::Result<Dealt> {
        let is_held = held.is_step();
        let mut bytes = Vec::new();
        // Whether the client sends the rows of a COPY.
        let mut sends_data = false;
        let outcome = loop {
            let at_hand = self.server.packet_at_hand();
            if at_hand.is_none() && !is_held && !bytes.is_empty() {
                self.client.send(&bytes).await?;
                bytes.clear();
            }
            let (server, client) = (&mut self.server, &mut self.client);
            let message = match at_hand {
                Some(message) => Some(message),
                None if sends_data => self.message_amid_data(&mut sends_data).await?,
                None => self.served.packet_of(server, client).await?,
            };
            let Some(mut message) = message else {
                // The server may have said why it ends the connection.
                let _ = self.client.send(&bytes).await;
                return Ok(Dealt::Closed);
            };
            let progress = self.conversation.answer(&message);
            if held.splits {
                message.deny_transaction();
            }
            bytes.extend(&message.bytes);
            match progress {
                Progress::GoesOn | Progress::Unasked => {}
                Progress::Done(outcome) => break outcome,
                Progress::AwaitsClient => {
                    held.has_gap(Gap::File);
                    self.client.send(&bytes).await?;
                    bytes.clear();
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
                self.client.send(&bytes).await?;
                bytes.clear();
            }
        };
        let answered = outcome_of(outcome);
        if held.splits {
            return self.commit(held, answered, bytes).await;
        }
        if !self.has_answered(held, answered).await {
            return Ok(Dealt::Closed);
        }
        self.client.send(&bytes).await?;
        Ok(Dealt::GoesOn)
    }

    /// Holds an answer until the application may have it. False if the client is gone meanwhile.
    async fn has_answered(&mut self, held: Held, answered: Result<Answer, Fault>) -> bool {
        let session = self.session();
        let served = &mut self.served;
        let may_have_it = served.has_answered(held, answered, session, &mut self.client);
        may_have_it.await
    }

    /// Commits the transaction that was begun for one statement, as a step of its own. The client
    /// gets the statement's answer after it. If the commit is refused, the refusal comes before the
    /// end of that answer, as that of a deferred constraint does.
    async fn commit(
        &mut self,
        held: Held,
        answered: Result<Answer, Fault>,
        mut bytes: Vec<u8>,
    ) -> io::Result<Dealt> {
        let is_refused = answered.is_err();
        if is_refused && self.run_unseen("ROLLBACK").await?.is_none() {
            return Ok(Dealt::Closed);
        }
        if !self.has_answered(held, answered).await {
            return Ok(Dealt::Closed);
        }
        if !is_refused {
            let commit = Some(self.served.its_commit());
            let Some(held) = self.served.hold(commit, &mut self.client).await else {
                return Ok(Dealt::Closed);
            };
            let Some((outcome, said)) = self.run_unseen("COMMIT").await? else {
                return Ok(Dealt::Closed);
            };
            let committed = outcome_of(outcome);
            if committed.is_err() {
                bytes.truncate(bytes.len().saturating_sub(READY_FOR_QUERY));
                bytes.extend(said);
            }
            if !self.has_answered(held, committed).await {
                return Ok(Dealt::Closed);
            }
        }
        self.client.send(&bytes).await?;
        Ok(Dealt::GoesOn)
    }

    /// The server's next message while the client sends the rows of a COPY, which are forwarded. It
    /// may refuse one of them. None if one side is gone.
    async fn message_amid_data(&mut self, sends_data: &mut bool) -> io::Result<Option<Message>> {
        while *sends_data {
            let message = match self.conversation.take_early_data() {
                Some(message) => message,
                None => tokio::select! {
                    biased;
                    message = self.server.packet() => return message,
                    message = self.client.packet() => match message? {
                        Some(message) => message,
                        None => return Ok(None),
                    },
                },
            };
            let data = self.conversation.client_data(message);
            self.server.send(&data.bytes).await?;
            *sends_data = !data.is_last;
        }
        let (server, client) = (&mut self.server, &mut self.client);
        self.served.packet_of(server, client).await
    }

    /// Rolls back between two runs. The application is told nothing of it.
    async fn roll_back(&mut self) -> io::Result<()> {
        self.run_unseen("ROLLBACK").await?;
        self.follow_session();
        Ok(())
    }

    /// Runs a statement of the lab's own, of which the application is told nothing. A refusal also
    /// comes as it was sent, with the state after it. None if the server has closed the connection.
    async fn run_unseen(&mut self, sql: &str) -> io::Result<Option<(Outcome, Vec<u8>)>> {
        let before = self.conversation.set_aside();
        let ran = self.run_at_once(sql).await;
        self.conversation.take_up(before);
        ran
    }

    async fn run_at_once(&mut self, sql: &str) -> io::Result<Option<(Outcome, Vec<u8>)>> {
        for message in Message::statement(sql) {
            self.conversation.client(message);
        }
        if let Some(unit) = self.conversation.next_unit() {
            self.server.send(&unit.bytes).await?;
        }
        let mut refused = Vec::new();
        while let Some(message) = self.server.packet().await? {
            let progress = self.conversation.answer(&message);
            if matches!(message.tag, b'E' | b'Z') {
                refused.extend(&message.bytes);
            }
            match progress {
                Progress::Done(outcome) => return Ok(Some((outcome, refused))),
                Progress::GoesOn => {}
                Progress::Unasked => self.client.send_packet(&message).await?,
                Progress::AwaitsClient | Progress::NotUnderstood(_) => break,
            }
        }
        Ok(None)
    }

    fn follow_session(&mut self) {
        let session = self.session();
        self.served
            .link
            .follow_session(session.in_transaction, session.autocommit);
    }

    /// Each statement outside a block is a transaction of its own.
    fn session(&self) -> Said {
        Said {
            in_transaction: self.conversation.in_transaction(),
            autocommit: true,
        }
    }
}

/// The length of ReadyForQuery, with which an answer ends.
const READY_FOR_QUERY: usize = 6;
