//! The exhibits: one folder for each shared thing that clients race for.

pub mod card;
pub mod deposits;
pub mod exports;
pub mod orders;
pub mod statements;
