//! The console's pages as HTML, one file each. Each is complete without scripts.
//!
//! `frame` is what stands around every page. `embed` is how a page holds the record that its
//! scripts draw from.

pub mod embed;
pub mod finding;
pub mod form;
pub mod frame;
pub mod front;
pub mod live;
pub mod markdown;
pub mod matrix;
pub mod parts;
pub mod problem;
pub mod run;
pub mod runs;
pub mod stepper;
pub mod why;

pub use frame::{Frame, Place};
