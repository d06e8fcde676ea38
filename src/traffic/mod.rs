//! From traffic to a scenario: what the connections of an application have sent through the proxy
//! becomes a scenario file, which is explored without the application.
//!
//! - `recorder`: the witness that keeps it. `listing`: how it is shown meanwhile.
//! - `noise`: what drivers send for themselves. `sessions`: what a statement's session was like:
//!   `levels` of isolation, and `settings`. `clients`: whose a statement is: the statements
//!   become clients. `line`: the statements of one client as a script needs them.
//! - `captures`: which values were read before. `evidence`: when that is believed. `origin`: where
//!   a value can come from. `numbers`: arithmetic with it.
//! - `racers`: which clients race. `branches`: where two recordings of one request part.
//!   `questions`: what a recording cannot tell.
//! - `script`: the script of one client. `file`: the whole file, with its set-up. `doubt`: where a
//!   recording cannot be right. `whole`: where that concerns the recording as a whole.
//!
//! Nothing but `recorder` knows the proxy's connections, and nothing here speaks to an engine.

mod branches;
mod captures;
mod clients;
mod doubt;
mod evidence;
mod file;
mod levels;
mod line;
mod listing;
mod noise;
mod numbers;
mod origin;
mod questions;
mod racers;
mod recorder;
mod script;
mod sessions;
mod settings;
mod whole;

#[cfg(test)]
mod tests;

pub use clients::Each;
pub use file::{Nothing, Recording, Written};
pub use listing::Listing;
pub use recorder::{News, Recorder};
