//! The proxy: it stands between an application and its database server, and holds each statement
//! until the scheduler lets it go.
//!
//! One statement, from the application to the server and back:
//!
//! 1. A connection reads a command (`connection`), and learns what it runs (`statement`). It asks
//!    for its turn: [`Turns::arrive`](turns::Turns).
//! 2. `claims` decides whose statement it is. If no other client could notice it, it passes.
//! 3. Otherwise it waits at its client's gate, where the scheduler sees it and lets it go.
//! 4. The server answers, and the connection reads the whole answer. `answered` tells the gate.
//! 5. The answer is held until all other clients are at rest. Then the application has it, and this
//!    client goes on until its next statement arrives.
//!
//! Words:
//!
//! - A *seat* is a client's place in one run: how far it is, and what it has sent.
//! - A *gate* is where the scheduler of the explorer holds that client.
//! - A statement *has a letter* if it is a step, and so a letter of the schedule. One that no other
//!   client could notice has none: it goes *besides*.
//! - A *sign* of a client is a statement, an answer or its end. A client without a sign for a while
//!   waits outside the database.
//! - A statement's *shape* is its text without values. A client's *tail* is what it sends after the
//!   answer to its request.
//!
//! Connections:
//!
//! - `listener`: it listens, and serves each connection in a task. `connection`: one of them, from
//!   its greeting to its end. `wire`: one side of it. `remarks`: what there is to say of them.
//! - `mysql`, `postgres`: the protocols of MySQL and MariaDB and of PostgreSQL, understood from the
//!   middle. What they share: `framing`: how a stream is cut. `bytes`: how a packet is read.
//!   `shown`: how values and texts are shown. `progress`: how far an answer is.
//! - `statement`: what a command runs, in the words of the other rooms. `link`: one connection's
//!   transaction.
//! - `witness`: somebody who is told of each statement that was answered.
//!
//! Turns:
//!
//! - `turns`: a statement from its arrival until it is let go. `claims`: whose it is. `answered`:
//!   what happens when it is answered.
//! - `run`: the turns of one run, as its clients take them. `seats`: the clients of a run. `known`:
//!   what runs have taught.
//! - `signs`: what counts as waiting outside the database, and the times that decide it.
//! - `stillness`: between two runs.

mod answered;
mod bytes;
mod claims;
mod connection;
mod framing;
mod known;
mod link;
mod listener;
mod mysql;
mod postgres;
mod progress;
mod remarks;
mod run;
mod seats;
mod shown;
mod signs;
mod statement;
mod stillness;
#[cfg(test)]
mod test_support;
mod turns;
mod wire;
mod witness;

pub use known::Known;
pub use listener::{ClientListener, Proxy};
pub(crate) use postgres::is_of_drivers;
pub use run::{BeginOrder, ClientUnderWay, RunTurns};
pub use seats::{Participant, Seen};
pub use turns::{TurnSettings, Turns};
pub use witness::{Gap, Heard, Sent, SessionState, Witness};
