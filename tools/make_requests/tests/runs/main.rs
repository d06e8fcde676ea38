//! Whole runs against a service that behaves as each test wants.

#![allow(clippy::unwrap_used, clippy::panic)]

// What the tests stand on.
mod bank;
mod folder;
mod lake;
mod shop;
mod stand_in;
mod tool;

// The tests.
mod accounts;
mod documents;
mod exports;
mod library;
mod map;
mod orders;
mod outcomes;
mod reports;
mod resending;
mod tables;
mod usage;
