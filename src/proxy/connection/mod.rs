//! One connection of the application's, from its greeting to its end.
//!
//! Commands and answers take turns: a command is read, perhaps held, and forwarded; its answer is
//! read, perhaps held, and forwarded. What a client sends before it has its answer waits. The bytes
//! are the original ones. A connection on which something is not understood is only forwarded from
//! there on.
//!
//! - `served`: its statements, their turns and what a witness is told. It knows no protocol.
//! - `protocol`: what a connection asks of its protocol. `exchange`: a [`Connection`] of any
//!   protocol: a command goes to the server, and its answer to the application.
//! - `entrance`: how a client gets in, as far as it does not depend on the protocol.
//! - `mysql`, `mysql_entrance`: the connections of MySQL and MariaDB, and how their clients get in.
//! - `postgres`, `postgres_entrance`: those of PostgreSQL.
//!
//! [`Connection`]: exchange::Connection

mod entrance;
mod exchange;
mod mysql;
mod mysql_entrance;
mod postgres;
mod postgres_entrance;
mod protocol;
mod served;

pub(super) use mysql::MySqlConnection;
pub(super) use postgres::PostgresConnection;
pub(super) use served::{Gatekeeper, Order};
