//! The proxy: it stands between an application and its database server, and holds each statement
//! until the scheduler lets it go.
//!
//! - `listener`: it listens, and serves each connection in a task. `connection`: one of them, from
//!   its greeting to its end. `wire`: one side of it. `framing`: how its bytes are cut.
//!   `statement`: what a command runs. `remarks`: what there is to say of connections.
//! - `mysql`, `postgres`: the protocols of MySQL and MariaDB and of PostgreSQL, understood from the
//!   middle.
//! - `turns`: whose turn it is, and so whose each statement is. `answered`: what happens when one
//!   is answered. `signs`: what counts as waiting outside the database. `run`: the turns of one
//!   run, as its clients take them. `stillness`: between two runs.
//! - `seats`: the clients of a run. `known`: what warm-up runs have taught. `link`: one
//!   connection's transaction.
//! - `witness`: somebody who is told of each statement that was answered.

mod answered;
mod bytes;
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
mod turns;
mod wire;
mod witness;

pub use known::Known;
pub use listener::{ClientListener, Proxy};
pub use run::{BeginOrder, ClientUnderWay, RunTurns};
pub use seats::{Participant, Seen};
pub use turns::{TurnSettings, Turns};
pub use witness::{Gap, Heard, Sent, SessionState, Witness};
