//! A connection of MySQL's protocol, which MariaDB speaks as well.

use std::io;

use tokio::sync::mpsc;

use super::mysql_entrance::{Authenticated, authenticate, greet};
use super::served::{Dealt, Gatekeeper, Held, Order, Said, Served, forward_last_words};
use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault};
use crate::proxy::mysql::{
    Answered, Command, CommandKind, CommandReader, Conversation, Outcome, Packet, PacketReader,
    Progress,
};
use crate::proxy::statement::{answer_of, arrived, generated_key, sent};
use crate::proxy::wire::Wire;
use crate::proxy::witness::Gap;

/// One connection, when the client is in.
pub(in crate::proxy) struct MySqlConnection {
    client: Wire<PacketReader>,
    server: Wire<PacketReader>,
    conversation: Conversation,
    served: Served,
    /// The only database that it may use. None if it may use any.
    database: Option<String>,
}

impl MySqlConnection {
    /// Greets and authenticates. None if the client did not get in; it was told why. Orders may be
    /// sent to a connection as long as it is served.
    pub(in crate::proxy) async fn open(
        mut client: Wire<PacketReader>,
        mut server: Wire<PacketReader>,
        gatekeeper: &Gatekeeper<'_>,
    ) -> io::Result<Option<(Self, mpsc::Sender<Order>)>> {
        let (database, remarks) = (gatekeeper.database, gatekeeper.remarks);
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
        let (served, orders) = Served::begin(id, gatekeeper);
        let connection = Self {
            client,
            server,
            conversation,
            served,
            database: database.map(str::to_owned),
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
                            self.served.loses_sight(&why);
                            return self.client.join(self.server).await;
                        }
                    }
                }
                order = self.served.orders.recv() => if let Some(Order::RollBack(done)) = order {
                    let has_one = self.served.link.may_be_in_transaction();
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
        let flavour = self.served.turns.settings().flavour;
        if let CommandKind::InitDb(name) = &command.kind
            && let Some(only) = &self.database
            && !name.eq_ignore_ascii_case(only)
        {
            self.served.remarks.elsewhere(name);
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
            self.served.end_of_the_session("the connection is reset")
        } else {
            arrived(&command.kind, flavour)
        };
        let preparation = match &command.kind {
            CommandKind::Prepare { text } => self.served.hear(Some(&sent(text, flavour))),
            _ => None,
        };
        let Some(mut held) = self.served.hold(arrived, &mut self.client).await else {
            return Ok(Dealt::Closed);
        };
        if preparation.is_some() {
            held.prepares(preparation);
        }
        if held.splits && self.run_unseen("BEGIN").await?.is_none() {
            return Ok(Dealt::Closed);
        }
        if let Err(error) = self.server.send(&bytes).await {
            tracing::debug!(%error, "the server takes no more");
            forward_last_words(&mut self.server, &mut self.client).await?;
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
                    &self.served.remarks,
                );
                match again.await? {
                    // MariaDB goes on with the user of before if it refuses the new one.
                    Authenticated::IsIn | Authenticated::Refused => {
                        self.has_answered(held, Ok(Answer::default())).await
                    }
                    Authenticated::Closed => Ok(Dealt::Closed),
                }
            }
            Answered::Once => self.answer(held).await,
        };
        if begins_anew {
            self.served.link.begins_anew();
        }
        dealt
    }

    async fn leave(&mut self, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let session = self.session();
        let (client, server) = (&mut self.client, &mut self.server);
        self.served.leave(bytes, session, client, server).await
    }

    /// Reads the answer, and hands it to the application when its turn has come.
    async fn answer(&mut self, mut held: Held) -> io::Result<Dealt> {
        let is_held = held.is_step();
        let mut bytes = Vec::new();
        let outcome = loop {
            let mut packet = match self.server.packet_at_hand() {
                Some(packet) => packet,
                None => {
                    if !is_held && !bytes.is_empty() {
                        self.client.send(&bytes).await?;
                        bytes.clear();
                    }
                    let (server, client) = (&mut self.server, &mut self.client);
                    match self.served.packet_of(server, client).await? {
                        Some(packet) => packet,
                        None => return Ok(Dealt::Closed),
                    }
                }
            };
            let progress = self.conversation.answer(&packet);
            if held.splits && (bytes.is_empty() || matches!(progress, Progress::Done(_))) {
                packet.deny_transaction();
            }
            packet.write_to(&mut bytes);
            match progress {
                Progress::GoesOn => {}
                Progress::Done(outcome) => break outcome,
                Progress::AwaitsClient => {
                    held.has_gap(Gap::File);
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
            if bytes.len() > held.most() {
                if is_held {
                    self.served.remarks.long_answer(self.served.link.id);
                }
                self.client.send(&bytes).await?;
                bytes.clear();
            }
        };
        held.has_generated(generated_key(&outcome));
        let answered = answer_of(outcome);
        if held.splits {
            return self.commit(held, answered, bytes).await;
        }
        let dealt = self.has_answered(held, answered).await?;
        if matches!(dealt, Dealt::GoesOn) {
            self.client.send(&bytes).await?;
        }
        Ok(dealt)
    }

    /// Commits the transaction that was begun for one statement, as a step of its own. The client
    /// gets the statement's answer after it, or the refusal of the commit.
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
        if let Dealt::Closed = self.has_answered(held, answered).await? {
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
            let committed = answer_of(outcome);
            if committed.is_err() {
                bytes = said;
            }
            if let Dealt::Closed = self.has_answered(held, committed).await? {
                return Ok(Dealt::Closed);
            }
        }
        self.client.send(&bytes).await?;
        Ok(Dealt::GoesOn)
    }

    /// Holds an answer until the application may have it.
    async fn has_answered(
        &mut self,
        held: Held,
        answered: Result<Answer, Fault>,
    ) -> io::Result<Dealt> {
        let session = self.session();
        let served = &mut self.served;
        let may_have_it = served.has_answered(held, answered, session, &mut self.client);
        Ok(if may_have_it.await {
            Dealt::GoesOn
        } else {
            Dealt::Closed
        })
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
        self.run_unseen("ROLLBACK").await?;
        self.follow_session();
        Ok(())
    }

    /// Runs a statement of the lab's own, of which the application is told nothing. The answer also
    /// comes as it was sent. None if the server has closed the connection.
    async fn run_unseen(&mut self, sql: &str) -> io::Result<Option<(Outcome, Vec<u8>)>> {
        let before = self.conversation.set_aside();
        let ran = self.run_at_once(sql).await;
        self.conversation.take_up(before);
        ran
    }

    async fn run_at_once(&mut self, sql: &str) -> io::Result<Option<(Outcome, Vec<u8>)>> {
        let mut payload = vec![COM_QUERY];
        if self.conversation.has_query_attributes() {
            // No attributes, and one set of them.
            payload.extend([0, 1]);
        }
        payload.extend(sql.as_bytes());
        let _ = self.conversation.command(&payload);
        let packet = Packet {
            sequence: 0,
            payload,
        };
        self.server.send_packet(&packet).await?;
        let mut bytes = Vec::new();
        while let Some(packet) = self.server.packet().await? {
            packet.write_to(&mut bytes);
            match self.conversation.answer(&packet) {
                Progress::Done(outcome) => return Ok(Some((outcome, bytes))),
                Progress::GoesOn => {}
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

    fn session(&self) -> Said {
        let status = self.conversation.status();
        Said {
            in_transaction: status.in_transaction,
            autocommit: status.autocommit,
        }
    }
}

const COM_QUERY: u8 = 3;
