//! One connection of the application's, from its greeting to its end.
//!
//! Until the client is in, both sides may send at any time. Then commands and answers take turns: a
//! command is read, perhaps held, and forwarded; its answer is read, perhaps held, and forwarded.
//! What a client sends before it has its answer waits. The bytes are the original ones. A
//! connection on which something is not understood is only forwarded from there on.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::entrance::{Authenticated, authenticate, greet};
use super::link::Link;
use super::mysql::{Answered, Command, CommandKind, CommandReader, Conversation, Packet, Progress};
use super::remarks::Remarks;
use super::statement::{answer_of, arrived};
use super::stillness::AtTheServer;
use super::turns::{Arrived, Turn, Turns};
use super::wire::Wire;
use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault, UserStatement};

/// What is asked of an idle connection.
pub(super) enum Order {
    /// Roll back the transaction that the application has left open. The answer is whether one was
    /// open, and no other statement is under way.
    RollBack(oneshot::Sender<bool>),
}

/// One connection, when the client is in.
pub(super) struct Connection {
    client: Wire,
    server: Wire,
    conversation: Conversation,
    link: Link,
    /// The only database that it may use. None if it may use any.
    database: Option<String>,
    turns: Arc<Turns>,
    remarks: Arc<Remarks>,
    orders: mpsc::Receiver<Order>,
}

/// An answer that is longer than this is not held whole: the application gets its beginning at
/// once.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// Bytes are sent on when this number has come, or when nothing more is at hand.
const SENT_AT_ONCE: usize = 64 * 1024;

/// How a command was dealt with.
enum Dealt {
    /// The connection goes on.
    GoesOn,
    /// Nothing can be said of it any more.
    NotUnderstood(String),
    /// One side has closed it.
    Closed,
}

impl Connection {
    /// Greets and authenticates. None if the client did not get in; it was told why. Orders may be
    /// sent to a connection as long as it is served.
    pub(super) async fn open(
        mut client: Wire,
        mut server: Wire,
        database: Option<&str>,
        turns: &Arc<Turns>,
        remarks: &Arc<Remarks>,
    ) -> io::Result<Option<(Self, mpsc::Sender<Order>)>> {
        let Some(greeted) = greet(&mut client, &mut server, database, remarks).await? else {
            return Ok(None);
        };
        let (shown, response, hello) = greeted;
        let mut conversation = Conversation::new(&shown, &response);
        server.send_packet(&hello).await?;
        let ended = authenticate(&mut client, &mut server, &mut conversation, remarks).await?;
        if ended != Authenticated::IsIn {
            return Ok(None);
        }
        let id = ConnectionId::from(i64::from(shown.connection));
        let settings = turns.settings();
        let (sender, orders) = mpsc::channel(1);
        let connection = Self {
            client,
            server,
            conversation,
            link: Link::new(id, settings.flavour, settings.level),
            database: database.map(str::to_owned),
            turns: Arc::clone(turns),
            remarks: Arc::clone(remarks),
            orders,
        };
        Ok(Some((connection, sender)))
    }

    /// Serves the connection to its end.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        self.follow_session();
        let mut commands = CommandReader::new();
        let mut packets = Vec::new();
        loop {
            tokio::select! {
                biased;
                // The server ends a connection that was idle for long, and says why.
                unasked = self.server.packet() => match unasked? {
                    Some(packet) => self.client.send_packet(&packet).await?,
                    None => return Ok(()),
                },
                packet = self.client.packet() => {
                    let Ok(Some(packet)) = packet else { return self.leave(None).await };
                    if packets.is_empty() && !commands.is_beginning(&packet) {
                        // The rest of a file that the server has refused.
                        self.server.send_packet(&packet).await?;
                        continue;
                    }
                    packet.write_to(&mut packets);
                    let Some(payload) = commands.take(&packet) else { continue };
                    let command = self.conversation.command(&payload);
                    let bytes = std::mem::take(&mut packets);
                    match self.deal_with(command, bytes).await? {
                        Dealt::GoesOn => {}
                        Dealt::Closed => return Ok(()),
                        Dealt::NotUnderstood(why) => {
                            self.remarks.opaque(self.link.id, &why);
                            self.turns.loses_sight(&why);
                            // Nobody takes orders any more.
                            drop(self.orders);
                            return self.client.join(self.server).await;
                        }
                    }
                }
                order = self.orders.recv() => if let Some(Order::RollBack(done)) = order {
                    let has_one = self.link.may_be_in_transaction();
                    if has_one && packets.is_empty() {
                        self.roll_back().await?;
                    }
                    let _ = done.send(has_one);
                },
            }
        }
    }

    /// Holds and forwards one command, and its answer.
    async fn deal_with(&mut self, command: Command, bytes: Vec<u8>) -> io::Result<Dealt> {
        let flavour = self.turns.settings().flavour;
        if let CommandKind::InitDb(name) = &command.kind
            && let Some(only) = &self.database
            && !name.eq_ignore_ascii_case(only)
        {
            self.remarks.elsewhere(name);
        }
        if matches!(command.kind, CommandKind::Quit) {
            self.leave(Some(bytes)).await?;
            return Ok(Dealt::Closed);
        }
        let begins_anew = matches!(
            command.kind,
            CommandKind::ResetConnection | CommandKind::ChangeUser
        );
        let arrived = if begins_anew {
            self.end_of_the_session("the connection is reset")
        } else {
            arrived(&command.kind, flavour)
        };
        let statement = arrived.as_ref().map(|it| it.statement.clone());
        let turn = match arrived {
            None => Turn::Passes,
            Some(arrived) => {
                let turns = Arc::clone(&self.turns);
                tokio::select! {
                    biased;
                    turn = turns.arrive(&mut self.link, arrived) => turn,
                    () = self.client.until_closed() => return Ok(Dealt::Closed),
                    () = decline(&mut self.orders) => return Ok(Dealt::Closed),
                }
            }
        };
        let at_the_server = statement.is_some().then(|| self.turns.goes_to_the_server());
        if let Err(error) = self.server.send(&bytes).await {
            tracing::debug!(%error, "the server takes no more");
            self.forward_last_words().await?;
            return Ok(Dealt::Closed);
        }
        let dealt = match command.answered {
            Answered::Never => Ok(Dealt::GoesOn),
            Answered::Endless => Ok(Dealt::NotUnderstood("a stream without an end".to_owned())),
            Answered::Authentication => {
                let again = authenticate(
                    &mut self.client,
                    &mut self.server,
                    &mut self.conversation,
                    &self.remarks,
                );
                match again.await? {
                    // MariaDB goes on with the user of before if it refuses the new one.
                    Authenticated::IsIn | Authenticated::Refused => {
                        let nothing = Ok(Answer::default());
                        let held = self.has_answered(statement, turn, nothing, at_the_server);
                        held.await
                    }
                    Authenticated::Closed => Ok(Dealt::Closed),
                }
            }
            Answered::Once => self.answer(statement, turn, at_the_server).await,
        };
        if begins_anew {
            self.link.begins_anew();
        }
        dealt
    }

    /// What the end of the session does, if others could notice it: it rolls back, and releases
    /// locks.
    fn end_of_the_session(&self, why: &str) -> Option<Arrived> {
        let flavour = self.turns.settings().flavour;
        self.link.holds_something().then(|| Arrived {
            statement: UserStatement::new("ROLLBACK", flavour),
            shown: format!("ROLLBACK /* {why} */"),
        })
    }

    /// Ends the connection. If that rolls something back, it is a step, and has happened when the
    /// server has closed its side.
    async fn leave(&mut self, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let end = self.end_of_the_session("the connection is closed");
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
            Some(bytes) => self.server.send(&bytes).await?,
            None => self.server.close().await?,
        }
        // It has rolled back by then.
        self.server.until_closed().await;
        self.client.leaves();
        let nothing = Ok(Answer::default());
        let ended = self.has_answered(statement, turn, nothing, at_the_server);
        ended.await.map(|_| ())
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
    async fn answer(
        &mut self,
        statement: Option<UserStatement>,
        turn: Turn,
        at_the_server: Option<AtTheServer>,
    ) -> io::Result<Dealt> {
        let is_held = matches!(turn, Turn::Step(_));
        let mut bytes = Vec::new();
        let outcome = loop {
            let packet = match self.server.packet_at_hand() {
                Some(packet) => packet,
                None => {
                    if !is_held && !bytes.is_empty() {
                        self.client.send(&bytes).await?;
                        bytes.clear();
                    }
                    match self.packet_of_the_server().await? {
                        Some(packet) => packet,
                        None => return Ok(Dealt::Closed),
                    }
                }
            };
            let progress = self.conversation.answer(&packet);
            packet.write_to(&mut bytes);
            match progress {
                Progress::GoesOn => {}
                Progress::Done(outcome) => break outcome,
                Progress::AwaitsClient => {
                    self.client.send(&bytes).await?;
                    bytes.clear();
                    if !self.send_file().await? {
                        return Ok(Dealt::Closed);
                    }
                }
                Progress::NotUnderstood(why) => {
                    self.client.send(&bytes).await?;
                    return Ok(Dealt::NotUnderstood(why));
                }
            }
            let most = if is_held { MOST_HELD } else { SENT_AT_ONCE };
            if bytes.len() > most {
                if is_held {
                    self.remarks.long_answer(self.link.id);
                }
                self.client.send(&bytes).await?;
                bytes.clear();
            }
        };
        let answered = answer_of(outcome);
        let dealt = self.has_answered(statement, turn, answered, at_the_server);
        let dealt = dealt.await?;
        if matches!(dealt, Dealt::GoesOn) {
            self.client.send(&bytes).await?;
        }
        Ok(dealt)
    }

    /// Holds an answer until the application may have it.
    async fn has_answered(
        &mut self,
        statement: Option<UserStatement>,
        turn: Turn,
        answered: Result<Answer, Fault>,
        at_the_server: Option<AtTheServer>,
    ) -> io::Result<Dealt> {
        drop(at_the_server);
        let status = self.conversation.status();
        let (transaction, autocommit) = (status.in_transaction, status.autocommit);
        let mut has_changed = false;
        if let Some(statement) = &statement {
            let answer = answered.as_ref();
            has_changed = self.link.follow(statement, answer, transaction, autocommit);
        } else {
            self.link.follow_session(transaction, autocommit);
        }
        let turns = Arc::clone(&self.turns);
        match turn {
            Turn::Passes => {}
            Turn::Besides(besides) => besides.answered(&turns, &answered),
            Turn::Step(step) => tokio::select! {
                biased;
                () = step.answered(&turns, &self.link, &answered, has_changed) => {}
                () = self.client.until_lost() => return Ok(Dealt::Closed),
                () = decline(&mut self.orders) => return Ok(Dealt::Closed),
            },
        }
        Ok(Dealt::GoesOn)
    }

    /// The server's next packet. None if one side has closed the connection: the server would not
    /// notice by itself that its client is gone.
    async fn packet_of_the_server(&mut self) -> io::Result<Option<Packet>> {
        tokio::select! {
            biased;
            packet = self.server.packet() => packet,
            () = self.client.until_closed() => Ok(None),
            () = decline(&mut self.orders) => Ok(None),
        }
    }

    /// Forwards a file of LOAD DATA LOCAL. False if the client is gone.
    async fn send_file(&mut self) -> io::Result<bool> {
        loop {
            let Some(packet) = self.client.packet().await? else {
                return Ok(false);
            };
            let is_last = self.conversation.client_data(&packet);
            self.server.send_packet(&packet).await?;
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Rolls back between two runs. The application is told nothing of it.
    async fn roll_back(&mut self) -> io::Result<()> {
        let mut payload = vec![COM_QUERY];
        if self.conversation.has_query_attributes() {
            // No attributes, and one set of them.
            payload.extend([0, 1]);
        }
        payload.extend(b"ROLLBACK");
        let _ = self.conversation.command(&payload);
        let packet = Packet {
            sequence: 0,
            payload,
        };
        self.server.send_packet(&packet).await?;
        while let Some(packet) = self.server.packet().await? {
            if self.conversation.answer(&packet) != Progress::GoesOn {
                break;
            }
        }
        self.follow_session();
        Ok(())
    }

    fn follow_session(&mut self) {
        let status = self.conversation.status();
        self.link
            .follow_session(status.in_transaction, status.autocommit);
    }
}

/// Answers orders while a statement is under way: nothing is rolled back then. It ends when no
/// order can come any more, because the proxy is gone.
async fn decline(orders: &mut mpsc::Receiver<Order>) {
    while let Some(Order::RollBack(done)) = orders.recv().await {
        let _ = done.send(false);
    }
}

const COM_QUERY: u8 = 3;
