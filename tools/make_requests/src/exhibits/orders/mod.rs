//! Orders: requests race for a book's next order number.
//!
//! - `parameters`: which orders a run makes.
//! - `receipt`: what one order was answered with.
//! - `consumer`: ships orders while others are being written.
//! - `evidence`: the book before and after the run, and what was shipped.
//! - `race`: all of it as an exhibit.

mod consumer;
mod evidence;
mod parameters;
mod race;
mod receipt;

pub use parameters::{Book, Orders};
pub(crate) use race::EXHIBIT;
