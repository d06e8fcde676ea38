//! Deposits: requests race for an account's balance.
//!
//! - `parameters`: which deposits a run makes.
//! - `receipt`: what one deposit was answered with.
//! - `lost_update`: two deposits of which one overwrote the other.
//! - `evidence`: the account before and after the run.
//! - `race`: all of it as an exhibit.

mod evidence;
mod lost_update;
mod parameters;
mod race;
mod receipt;

pub use parameters::Deposits;
pub(crate) use race::EXHIBIT;
