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
pub(super) use opening::{Opening, Startup, refusal};
pub(super) use result::{Outcome, Progress, StatementResult};
pub(super) use unit::{Unit, What};
