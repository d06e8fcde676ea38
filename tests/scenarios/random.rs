//! The reduction is sound: on random scenarios, a reduced search finds the same ends as one of all
//! schedules.
//!
//! The ordinary tests compare some scripts of a fixed seed on each engine. `RACY_SCRIPTS` sets
//! another number of scripts, and `RACY_SEED` another first seed: see CONTRIBUTING.md.

use std::env;
use std::time::{Duration, Instant};

use racy::engine::Settings;
use racy::explore::{self, Reduction};

use super::ends::{Comparison, Ground};
use super::generated::generated;
use crate::support::TestEngine;

on_engines!(
    servers:
        a_reduced_search_of_random_scripts_finds_all_ends,
        so_it_does_of_three_clients;
);

/// The seed of the first script. The others follow it. PostgreSQL's scripts are others.
const SEED: u64 = 16_000;
const SEED_OF_POSTGRES: u64 = 17_000;

async fn a_reduced_search_of_random_scripts_finds_all_ends(engine: TestEngine) {
    must_find_all_ends(engine, 2, 12).await;
}

async fn so_it_does_of_three_clients(engine: TestEngine) {
    must_find_all_ends(engine, 3, 4).await;
}

/// A number that is set in the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

/// What has come of the scripts so far.
#[derive(Debug, Default)]
struct Counts {
    compared: usize,
    ends: u64,
    all: u64,
    reduced: u64,
    too_long: usize,
    incomparable: Vec<String>,
    unrepeatable: Vec<String>,
    wrong: Vec<String>,
}

async fn must_find_all_ends(engine: TestEngine, clients: usize, scripts: u64) {
    let scripts = number("RACY_SCRIPTS").unwrap_or(scripts);
    let usual = match engine {
        TestEngine::Postgres => SEED_OF_POSTGRES,
        _ => SEED,
    };
    let first = number("RACY_SEED").unwrap_or(usual);
    let settings = Settings {
        connections: 40,
        ..Settings::default()
    };
    // Other tests on the same server would add to what differs from run to run: a deadlock's victim
    // among three, rows that are purged late, locks that are listed late.
    let (server, lab) = engine.lab_alone(explore::settings(&settings)).await;
    let ground = Ground::on(&lab.database, clients).await;
    let mut counts = Counts::default();
    let started = Instant::now();
    for seed in first..first + scripts {
        let text = generated(seed, engine, clients);
        let compared = ground.compare(&text, Reduction::default()).await;
        counts.add(seed, engine, &text, compared);
        if (seed - first + 1).is_multiple_of(25) {
            counts.say(engine, clients, started.elapsed());
        }
    }
    ground.close().await;
    lab.database.close().await;
    server.stop().await.unwrap();
    counts.say(engine, clients, started.elapsed());
    counts.must_be_right();
}

impl Counts {
    fn add(&mut self, seed: u64, engine: TestEngine, text: &str, compared: Comparison) {
        match compared {
            Comparison::Same { ends, all, reduced } => {
                self.compared += 1;
                self.ends += ends;
                self.all += all;
                self.reduced += reduced;
            }
            Comparison::TooLong => self.too_long += 1,
            Comparison::Incomparable(why) => self.incomparable.push(format!("{seed}: {why}")),
            Comparison::Unrepeatable(why) => self.unrepeatable.push(format!("{seed}: {why}")),
            Comparison::Different(difference) => {
                let missed = difference.missed.join("\n");
                let added = difference.added.join("\n");
                let wrong = format!(
                    "seed {seed} on {engine:?}\n{text}\nmissed:\n{missed}\nonly reduced:\n{added}\n"
                );
                eprintln!("{wrong}");
                self.wrong.push(wrong);
            }
        }
    }

    fn say(&self, engine: TestEngine, clients: usize, took: Duration) {
        eprintln!(
            "{engine:?}, {clients} clients: {} scripts with {} ends compared, {} runs of all \
             schedules, {} reduced, {took:?}; too long: {}; not comparable: {:?}; not repeatable: {:?}",
            self.compared,
            self.ends,
            self.all,
            self.reduced,
            self.too_long,
            self.incomparable,
            self.unrepeatable
        );
    }

    /// Few scripts may be left out, most must have several ends, and the reduction must have left
    /// runs out.
    fn must_be_right(&self) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        let left_out = self.incomparable.len() + self.unrepeatable.len();
        assert!(left_out <= 1 + self.compared / 20, "{self:?}");
        assert!(self.too_long <= 1 + self.compared / 5, "{self:?}");
        assert!(self.ends as usize * 2 > self.compared * 3, "{self:?}");
        assert!(self.reduced < self.all, "{self:?}");
    }
}
