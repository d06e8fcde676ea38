//! What a connection asks of its protocol.

use std::io;

use super::served::{AnnouncedState, Served};
use crate::answer::Answer;
use crate::engine::Fault;
use crate::proxy::framing::Framing;
use crate::proxy::progress::Progress;
use crate::proxy::wire::Wire;

/// The smallest part of a protocol's stream.
pub(super) type PacketOf<P> = <<P as Protocol>::Framing as Framing>::Packet;

/// What a protocol's conversation has to know, so that answers can be held and commits be split.
pub(in crate::proxy) trait Protocol: Sized + Send {
    type Framing: Framing;
    /// What a server has answered to one command.
    type Outcome: Send;
    /// What is awaited of a command that was not sent yet.
    type SetAside: Send;

    /// What the server has said of the session.
    fn session(&self) -> AnnouncedState;

    /// Takes one packet of an answer.
    fn follow(&mut self, packet: &PacketOf<Self>) -> Progress<Self::Outcome>;

    /// The server's next packet. None if one side is gone. While `sends_data`, the client sends
    /// data, which are forwarded.
    async fn next_packet(
        &mut self,
        client: &mut Wire<Self::Framing>,
        server: &mut Wire<Self::Framing>,
        served: &mut Served,
        sends_data: &mut bool,
    ) -> io::Result<Option<PacketOf<Self>>>;

    /// An outcome in the words of the other rooms.
    fn answer_of(outcome: Self::Outcome) -> Result<Answer, Fault>;

    /// The first key that the engine has generated. None if the answer does not say so.
    fn generated_key(outcome: &Self::Outcome) -> Option<u64>;

    /// Begins a statement of the lab's own, of which the application is told nothing. Returns what
    /// is awaited of the application's command, and what goes to the server.
    fn ask_aside(&mut self, sql: &str) -> (Self::SetAside, Vec<u8>);

    /// The answer to the command that was set aside comes next.
    fn resume(&mut self, before: Self::SetAside);

    /// Says that no transaction is open, if this is a packet that says whether one is.
    /// `is_at_an_end` if it is the first or the last one of an answer.
    fn deny_transaction(packet: &mut PacketOf<Self>, is_at_an_end: bool);

    /// Whether the application is to see this packet of the lab's own COMMIT, if that is refused.
    fn tells_of_a_refusal(packet: &PacketOf<Self>) -> bool;

    /// Puts the refusal of the commit into the answer to the statement.
    fn refuse_commit(answer: &mut Vec<u8>, refusal: Vec<u8>);
}
