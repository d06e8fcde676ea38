//! The exhibits: the kinds of shared things that requests race for.
//!
//! An exhibit has its own module here and a line in [`EXHIBITS`]. The rest of the tool knows it by
//! the traits in `race` only.

use crate::race::Exhibit;

mod account;
mod deposits;
mod exports;
mod orders;
mod tables;

pub use deposits::Deposits;
pub use exports::Exports;
pub use orders::{Book, Orders};
pub use tables::Appends;

/// All exhibits.
pub(crate) static EXHIBITS: &[&Exhibit] = &[
    &deposits::EXHIBIT,
    &orders::EXHIBIT,
    &exports::EXHIBIT,
    &tables::EXHIBIT,
];

/// The exhibit of a target's name that names none.
pub(crate) static DEFAULT: &Exhibit = &deposits::EXHIBIT;
