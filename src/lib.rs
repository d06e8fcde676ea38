//! # Racy: a laboratory of race conditions
//!
//! A service in which money gets lost on purpose. This page is the map; read the crate in this
//! order:
//!
//! 1. [`exhibits::deposits`]: the exhibit. One file per strategy, its explanation above its code: begin with
//!    [`exhibits::deposits::non_atomic`]. [`accounts`] is where the money is counted afterwards.
//!    [`exhibits::statements`] reads what is written there, whole or torn. [`exhibits::orders`] is the second exhibit: numbers that
//!    are given twice, and orders that are read half written. [`exhibits::exports`] is the third: a CSV file that
//!    everybody writes.
//! 2. [`step`]: the step and the observer around it, which make a strategy a specimen. [`verdict`]: what
//!    may become of it; [`exhibits::card`]: what each strategy says about itself and expects, engine by engine.
//! 3. [`engine`]: the session that runs the steps, the engines behind it, and their refusals.
//! 4. [`observe`]: the timeline that is recorded on the way, and the metrics of all of them; [`watch`] shows
//!    those live.
//! 5. [`http`]: the service around it.
//! 6. [`demo`]: all of it in one command.
//! 7. [`explore`]: every schedule of a strategy's clients, instead of the luck of a load test.
//!    [`survey`] says which strategies it explores on which engines.
//! 8. [`keeper`]: accounts are reset between two lessons; [`auth`]: by whom.
//! 9. [`commands`]: the command line, one file for each command. [`descriptors`]: how many
//!    connections the process may have open.
//!
//! A request flows one way: request → handler → strategy → session → step → engine → receipt →
//! response. Dependencies point one way as well: `http` knows `deposits`, `statements`, `orders` and `exports`,
//! these know `engine`, `engine` knows `step`; never the other way round. `explore` knows `engine` and `step` and
//! no strategy: what it explores is handed to it (each exhibit has a module `explored`). What crosses
//! the border to the outside (an isolation level, a fault, a receipt) carries its spelling for the API and
//! the command line with it, so serde, utoipa and clap appear in every room.

pub mod accounts;
pub mod auth;
pub mod commands;
mod demo;
pub mod descriptors;
pub mod engine;
pub mod exhibits;
pub mod explore;
pub mod http;
pub mod keeper;
pub mod observe;
pub mod recorder;
pub mod step;
pub mod verdict;
pub mod watch;
