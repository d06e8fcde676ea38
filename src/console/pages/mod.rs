//! The console's pages as HTML, one file each. Each is complete without scripts.
//!
//! `frame` is what stands around every page. `embed` is how a page holds the record that its
//! scripts draw from.

pub mod accounts;
pub mod compare;
pub mod embed;
pub mod explore;
pub mod export;
pub mod finding;
pub mod form;
pub mod frame;
pub mod front;
pub mod live;
pub mod markdown;
pub mod matrix;
pub mod open;
pub mod parts;
pub mod problem;
pub mod report;
pub mod run;
pub mod runs;
pub mod scenarios;
pub mod stepper;
pub mod why;

pub use frame::{Frame, Place};
