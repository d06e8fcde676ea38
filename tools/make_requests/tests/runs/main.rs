//! Whole runs against a bank that behaves as each test wants.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bank;
mod command_line;
mod library;
mod resending;
