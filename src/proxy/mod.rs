//! The proxy: it stands between an application and its database server, and holds each statement
//! until the scheduler lets it go.
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
//! - `signs`: what counts as waiting outside the database. Time decides there alone.
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
pub use run::{BeginOrder, ClientUnderWay, RunTurns};
pub use seats::{Participant, Seen};
pub use turns::{TurnSettings, Turns};
pub use witness::{Gap, Heard, Sent, SessionState, Witness};
