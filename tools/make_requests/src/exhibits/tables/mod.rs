//! Tables: requests race for the next snapshot of a table that is a folder of files.
//!
//! - `parameters`: which appends a run makes.
//! - `receipt`: what one append was answered with.
//! - `attempts`: how many attempts the appends took, and why some were refused.
//! - `audit`: the service's audit of the table.
//! - `records`: the run's own records, as the table has them.
//! - `evidence`: what follows from all of it.
//! - `race`: all of it as an exhibit.

mod attempts;
mod audit;
mod evidence;
mod parameters;
mod race;
mod receipt;
mod records;

pub use parameters::Appends;
pub(crate) use race::EXHIBIT;
