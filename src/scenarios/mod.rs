//! Scenarios: what a user brings to the explorer, in a file. Set-up, clients that are SQL scripts,
//! and what must hold.
//!
//! A file becomes a [`Scenario`] (`file`, `by_engine`, `texts`, `place`), is `prepared` for each
//! engine, and becomes a subject of the explorer (`subject`):
//!
//! - [`script`]: reads a client's script.
//! - `client`: runs it behind the gate, statement by statement.
//! - `invariant`: what must hold, and how it is asked. `judge`: the verdict of a run.
//! - `serial`: the serial orders as the judge, where no invariant is given.
//! - `application`: applications and commands behind the proxy. `clients`: the clients of a run.
//! - `options`: how it is explored, whatever its file says.
//! - `rehearsal`: what is tried before any schedule: the set-up, and one client after the other.
//! - `expectation`: what the file says that should be found, beside what was found.
//! - `boundary`: it stays in its own database.
//! - [`spec`]: PostgreSQL's isolation test files.

mod anomalies;
mod application;
mod boundary;
mod by_engine;
mod captured;
mod client;
mod clients;
mod expectation;
mod file;
mod held;
mod invariant;
mod judge;
mod options;
mod place;
mod prepared;
mod rehearsal;
mod scenario;
pub mod script;
mod serial;
pub mod spec;
mod subject;
mod texts;

pub use file::schema;
pub use options::Options;
pub use place::FileError;
pub use scenario::Scenario;
