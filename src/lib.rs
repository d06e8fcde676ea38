//! # Racy: a laboratory of race conditions
//!
//! A service in which money gets lost on purpose, and an explorer that shows why. This page is the
//! map. Read the crate in this order:
//!
//! 1. [`exhibits`]: what clients race for. Each strategy is one file, its explanation above its
//!    code. Begin with [`exhibits::deposits::non_atomic`]. The other exhibits are
//!    [`exhibits::statements`] (reading an account while it changes), [`exhibits::orders`] (order
//!    numbers), [`exhibits::exports`] (a CSV file that several clients write) and
//!    [`exhibits::tables`] (a table made of files, to which they append).
//! 2. [`step`]: one visible action of a strategy, and the observer that stands around it.
//!    [`footprint`]: what a step touches. [`verdict`]: how a client and a run can end.
//!    [`exhibits::card`]: what a strategy is expected to do.
//! 3. [`engine`]: the session that runs the steps, the engines behind it, and their refusals. It is
//!    the only room that knows the database driver.
//! 4. [`explore`]: every schedule of a few clients, instead of the luck of a load test. The gate at
//!    which a client parks is [`explore::Gate`]; a whole exploration is an [`explore::Job`].
//!    [`scenarios`] are files that a user brings, and [`proxy`] holds an application's statements.
//!    [`traffic`] makes a scenario of what an application has sent.
//! 5. [`accounts`]: what several exhibits share. [`recorder`] keeps the steps of a request.
//! 6. [`observe`]: timelines for people, and the metrics. [`watch`] shows the metrics live.
//! 7. [`http`]: the service, one router for each exhibit.
//! 8. [`console`]: what the web console's pages show.
//! 9. [`keeper`]: changes to accounts between two lessons. [`auth`]: the users who may make them.
//! 10. [`demo`]: all strategies under load, in one command.
//! 11. [`commands`]: one file for each command. [`descriptors`] shares out the open files.
//!
//! `docs/architecture.md` says how a request flows, and which room may use which. `tests/rooms.rs`
//! reads the sources to check the latter.
//!
//! To find something:
//!
//! | question | place |
//! |---|---|
//! | Where is a deadlock's code classified? | [`engine`], `codes.rs` |
//! | What is a lane? | [`engine::Lane`] |
//! | How is a strategy or an exhibit added? | `CONTRIBUTING.md` |
//! | Which test fails if a card is wrong? | `tests/exploration/cards.rs` |

pub mod accounts;
pub mod answer;
pub mod auth;
pub mod commands;
pub mod console;
pub mod demo;
pub mod descriptors;
pub mod engine;
pub mod exhibits;
pub mod explore;
pub mod footprint;
pub mod http;
pub mod keeper;
pub mod observe;
pub mod proxy;
pub mod recorder;
pub mod scenarios;
pub mod step;
pub mod traffic;
pub mod verdict;
pub mod watch;
