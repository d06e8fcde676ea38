//! A connection of MySQL's protocol, which MariaDB speaks as well.

use std::io;

use tokio::sync::mpsc;

use super::entrance::Authenticated;
use super::exchange::Connection;
use super::mysql_entrance::{authenticate, greet};
use super::protocol::Protocol;
use super::served::{AnnouncedState, Dealt, Gatekeeper, Order, Served};
use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault};
use crate::proxy::mysql::{
    Answered, Command, CommandKind, CommandReader, Conversation, Outcome, Packet, PacketReader,
    Progress, SetAside,
};
use crate::proxy::statement::{answer_of, arrived, generated_key, sent};
use crate::proxy::wire::Wire;

/// One connection, when the client is in.
pub(in crate::proxy) type MySqlConnection = Connection<Conversation>;

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
        let begun = Self::begin(id, client, server, conversation, gatekeeper);
        Ok(Some(begun))
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
                order = self.served.orders.recv() => self.obey(order, packets.is_empty()).await?,
            }
        }
    }

    /// Holds and forwards one command, and its answer.
    async fn deal_with(&mut self, command: Command, bytes: Vec<u8>) -> io::Result<Dealt> {
        let flavour = self.served.turns.settings().flavour;
        if let CommandKind::InitDb(name) = &command.kind
            && let Some(only) = &self.served.database
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
        let Some(mut held) = self.forward(arrived, true, &bytes).await? else {
            return Ok(Dealt::Closed);
        };
        held.prepares(preparation);
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
                        if self.has_answered(held, Ok(Answer::default())).await {
                            Ok(Dealt::GoesOn)
                        } else {
                            Ok(Dealt::Closed)
                        }
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
}

impl Protocol for Conversation {
    type Framing = PacketReader;
    type Outcome = Outcome;
    type SetAside = SetAside;

    fn session(&self) -> AnnouncedState {
        let status = self.status();
        AnnouncedState {
            in_transaction: status.in_transaction,
            autocommit: status.autocommit,
        }
    }

    fn follow(&mut self, packet: &Packet) -> Progress {
        self.answer(packet)
    }

    async fn next_packet(
        &mut self,
        client: &mut Wire<PacketReader>,
        server: &mut Wire<PacketReader>,
        served: &mut Served,
        sends_file: &mut bool,
    ) -> io::Result<Option<Packet>> {
        while *sends_file {
            let Some(packet) = client.packet().await? else {
                return Ok(None);
            };
            *sends_file = !self.client_data(&packet);
            server.send_packet(&packet).await?;
        }
        served.packet_of(server, client).await
    }

    fn answer_of(outcome: Outcome) -> Result<Answer, Fault> {
        answer_of(outcome)
    }

    fn generated_key(outcome: &Outcome) -> Option<u64> {
        generated_key(outcome)
    }

    fn ask_aside(&mut self, sql: &str) -> (SetAside, Vec<u8>) {
        let before = self.set_aside();
        let mut payload = vec![COM_QUERY];
        if self.has_query_attributes() {
            // No attributes, and one set of them.
            payload.extend([0, 1]);
        }
        payload.extend(sql.as_bytes());
        let _ = self.command(&payload);
        let packet = Packet {
            sequence: 0,
            payload,
        };
        let mut bytes = Vec::new();
        packet.write_to(&mut bytes);
        (before, bytes)
    }

    fn resume(&mut self, before: SetAside) {
        self.take_up(before);
    }

    fn deny_transaction(packet: &mut Packet, is_at_an_end: bool) {
        if is_at_an_end {
            packet.deny_transaction();
        }
    }

    fn tells_of_a_refusal(_: &Packet) -> bool {
        true
    }

    /// The client gets the refusal in place of the answer.
    fn refuse_commit(answer: &mut Vec<u8>, refusal: Vec<u8>) {
        *answer = refusal;
    }
}

const COM_QUERY: u8 = 3;
