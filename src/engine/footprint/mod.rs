//! What a statement of a user's touches: its [`Footprint`](crate::footprint::Footprint).
//!
//! - `facts`: what a catalogue says; `innodb` and `postgres` ask it, and `texts` reads its
//!   expressions. `catalogue` puts that in order: what does a name reach?
//! - `parsed`: what a parser makes of a statement. It is a hint: every word that is a relation's
//!   name counts, whether the parser has reported it or not, and what it reports and the catalogue
//!   lacks meets everything. `clauses`: what the parser does not know. `evidence`: which answer
//!   shows that a row was read. `settings`: what a SET means.
//! - `understood`: what one statement touches by itself. `reach`: what a read or a change of one
//!   relation leads to in others. `reader` keeps what was understood for each text.
//! - `tracker`: what it touches in its place: its transaction's snapshot, its level, what its
//!   commit makes known. It needs no session, only what is known of one.
//!
//! # A refusal without a wait
//!
//! While a client waits, nothing is taken for independent. What remains are refusals without a
//! wait.
//! - PostgreSQL aborts the transaction and frees all its locks at once, whatever table the
//!   statement was about. Others see no difference: what the transaction has written was never
//!   visible, and a client that would have waited for its locks waits until the refusal and goes
//!   on. Only a client that sees a lock instead of waiting for it can tell, so such a statement
//!   meets everything. At SERIALIZABLE a statement has all that its client has touched anyway.
//! - InnoDB undoes the statement, on its own tables. MariaDB rolls the transaction back if a row
//!   has changed since the snapshot, and READ UNCOMMITTED sees that. So a statement that can lock
//!   has all that its transaction has touched, if `innodb_snapshot_isolation` is on.
//!
//! # Rows that are deleted, and not yet gone
//!
//! InnoDB removes a deleted row some time after its last reader has ended, and until then locks it
//! in another way. When that is, no schedule decides. So a difference that only the purge makes is
//! no part of what a footprint promises.
//!
//! # A constraint that is deferred
//!
//! It is checked by the commit, on tables that the statement which wrote has touched already. The
//! commit has all that its statements have touched, so the catalogue need not tell which
//! constraints are deferred.

mod catalogue;
mod clauses;
mod evidence;
mod facts;
mod innodb;
mod parsed;
mod postgres;
mod reach;
mod reader;
mod settings;
mod texts;
mod tracker;
mod understood;

#[cfg(test)]
mod tests;

pub use reader::StatementReader;
pub use tracker::{SessionFacts, Tracker};
