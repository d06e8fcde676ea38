//! Whole runs against a service that behaves as each test wants.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bank;
mod command_line;
mod documents;
mod exports;
mod library;
mod orders;
mod resending;
mod stand_in;
mod tool;
