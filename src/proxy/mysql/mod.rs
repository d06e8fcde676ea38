//! The protocol of MySQL and MariaDB, understood from the middle and without any input or output.
//!
//! The proxy forwards the original bytes, and understands a copy. It changes two packets: the
//! greeting offers nothing that would hide what follows, and the response asks for nothing of it.
//!
//! 1. [`PacketReader`] cuts both streams into packets.
//! 2. The server's first packet is a [`ServerHello`]. [`Greeting::without`] hides capabilities.
//! 3. The client's first packet is a [`ClientHello`]. [`Response::without`] hides the same ones.
//! 4. A [`Conversation`] begins. Both sides may send until
//!    [`authentication`](Conversation::authentication) says that it is over.
//! 5. [`CommandReader`] joins the packets of a command, and
//!    [`command`](Conversation::command) reads it. [`answer`](Conversation::answer) takes the
//!    server's packets until the answer is complete.
//!
//! A packet that is not understood never breaks the connection: from then on it is only forwarded.
//!
//! The files, in the order in which to read them. The stream and the way in:
//!
//! - `packet`: both streams, cut into packets. `bytes`: how one payload is read.
//! - `greeting`, `response`: what both sides say first. `capabilities`: what they agree on.
//! - `authentication`: whether the client gets in.
//!
//! What a client sends:
//!
//! - `conversation`: one connection after its greeting. All that follows is behind it.
//! - `command`: what each command means, and what its answer looks like.
//! - `prepared`: the prepared statements. `arguments`: what they are executed with.
//!
//! What a server answers:
//!
//! - `reply`: the short packets: OK, EOF and ERR.
//! - `result`: the results of a command, and how far its answer is. `preparation`: the answer to
//!   PREPARE.
//!
//! Values:
//!
//! - `columns`: the definitions of columns, and their types.
//! - `values`: a value as the servers' own clients show it. `floats` and `temporal`: the formats of
//!   its types.

mod arguments;
mod authentication;
mod bytes;
mod capabilities;
mod columns;
mod command;
mod conversation;
mod floats;
mod greeting;
mod packet;
mod preparation;
mod prepared;
mod reply;
mod response;
mod result;
mod temporal;
#[cfg(test)]
mod tests;
mod values;

pub(super) use authentication::AuthProgress;
pub(super) use capabilities::Capabilities;
pub(super) use command::{Answered, Command, CommandKind};
pub(super) use conversation::{Conversation, SetAside};
pub(super) use greeting::{Greeting, ServerHello};
pub(super) use packet::{CommandReader, Packet, PacketReader, refusal};
pub(super) use response::{ClientHello, Response};
pub(super) use result::{Outcome, Progress, StatementResult};
