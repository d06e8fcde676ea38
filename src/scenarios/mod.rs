//! Scenarios: what a user brings to the explorer, in a file. Set-up, clients that are SQL scripts,
//! and what must hold.
//!
//! - [`script`]: SQL with psql's meta-commands, and its variables.

pub mod script;

pub mod spec;
