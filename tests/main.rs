//! The tests on real engines, in one binary, so that the private servers start once.
//!
//! A test that runs on every engine is four tests, `…::mysql::…`, `…::mariadb::…`, `…::postgres::…`
//! and `…::sqlite::…`. `cargo test ::sqlite::` runs one engine's; `-- --skip ::mariadb::` leaves
//! one out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test says what went wrong by panicking"
)]

#[macro_use]
mod support;

mod api;
mod applications;
mod batched;
mod browser;
mod commands;
mod console;
mod copies;
mod described;
mod disconnects;
mod edge;
mod excerpts;
mod exploration;
mod explore_command;
mod explorer_limits;
mod exports;
mod faults;
mod idempotency;
mod keeper;
mod keeper_commands;
mod limits;
mod local_server;
mod metrics;
mod orders;
mod outages;
mod outside;
mod pooler;
mod presets;
mod proxy;
mod reaching;
mod recording;
mod rooms;
mod scenarios;
mod schema;
mod sessions;
mod sqlite_files;
mod statements;
mod tables;
mod verdicts;
mod watch;
mod written;
