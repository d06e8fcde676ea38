//! The protocol of PostgreSQL, understood from the middle and without any input or output.
//!
//! The proxy forwards the original bytes, and understands a copy. It answers two questions itself:
//! it offers neither TLS nor GSSAPI. And it adds a Flush where a step ends before the client asks
//! for the answer.
//!
//! 1. The client's first bytes are an [`Opening`]. After a refusal another one follows.
//! 2. A [`Conversation`] begins with the [`Startup`]. [`MessageReader`] cuts both streams into
//!    messages. Both sides may send until [`authentication`](Conversation::authentication) says
//!    that it is over.
//! 3. [`client`](Conversation::client) takes the client's messages, and
//!    [`next_unit`](Conversation::next_unit) returns those that go to the server at once.
//! 4. [`answer`](Conversation::answer) takes the server's messages until the answer is complete. It
//!    also takes those that come while nothing is asked.
//! 5. If the answer awaits the client, [`client_data`](Conversation::client_data) takes the data of
//!    a COPY. Then the answer goes on.
//!
//! A message that is not understood never breaks the connection: from then on it is only forwarded.
//!
//! The files, in the order in which to read them. The stream and the way in:
//!
//! - `message`: both streams, cut into messages. `bytes`: how one message is read.
//! - `opening`: what a client says first. `authentication`: whether it gets in.
//!
//! What a client sends:
//!
//! - `conversation`: one connection after its opening. All that follows is behind it.
//! - `request`: what each message of a client means.
//! - `group`: which messages go to the server together. `unit`: what such a group does.
//! - `prepared`: the prepared statements and portals that messages name. `deallocated`: those that
//!   a statement's text makes go.
//!
//! What a server answers:
//!
//! - `exchange`: what the client has asked and what the server answers to it, side by side.
//! - `awaited`: the answers that are still to come, in their order.
//! - `reply`: the short messages: errors, completed statements and states. `transaction`: whether
//!   one is open, as they say.
//! - `result`: the results of a unit, and how far its answer is. `copy`: the data of a COPY.
//!
//! Values:
//!
//! - `columns`: the columns of a result, and its rows. `types`: the numbers of the types.
//! - `values`: a value as PostgreSQL's own client shows it. `numbers`, `temporal` and `arrays`: the
//!   binary formats of its types.

mod arrays;
mod authentication;
mod awaited;
mod bytes;
mod columns;
mod conversation;
mod copy;
mod deallocated;
mod exchange;
mod group;
mod message;
mod numbers;
mod opening;
mod prepared;
mod reply;
mod request;
mod result;
mod temporal;
#[cfg(test)]
mod tests;
mod transaction;
mod types;
mod unit;
mod values;

pub(super) use authentication::AuthProgress;
pub(super) use conversation::{Conversation, SetAside};
pub(super) use message::{Message, MessageReader};
pub(crate) use opening::is_of_drivers;
pub(super) use opening::{Opening, Startup, refusal};
pub(super) use result::{Outcome, Progress, StatementResult};
pub(super) use unit::{Unit, What};
