//! Exports: requests race for a file on the server.
//!
//! - `parameters`: which exports a run makes.
//! - `receipt`: what one export was answered with.
//! - `inspection`: a file's download and audit.
//! - `evidence`: all inspections of a run.
//! - `race`: all of it as an exhibit.

mod evidence;
mod inspection;
mod parameters;
mod race;
mod receipt;

pub use parameters::Exports;
pub(crate) use race::EXHIBIT;
