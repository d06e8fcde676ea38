//! The exhibits: one folder for each shared thing that clients race for.
//!
//! Each strategy is a plain function, and each exhibit calls its own with what it needs: no trait
//! stands around the work. This file is the facade for listings. What names strategies, shows their
//! cards or explores them iterates [`EXHIBITS`] and knows no exhibit by name.

mod account_fixtures;
pub mod card;
pub mod deposits;
pub mod exports;
mod files;
mod found;
pub mod orders;
mod retry;
pub mod statements;
pub mod tables;

use std::fmt;
use std::sync::Arc;

pub use account_fixtures::AccountFixtures;
pub use retry::Retry;

use crate::engine::Engine;
use crate::explore::Subject;
use crate::verdict::Anomaly;
use card::{Card, Expectation};

/// All exhibits, in the order in which they are taught.
pub static EXHIBITS: &[&Exhibit] = &[
    &deposits::EXHIBIT,
    &statements::EXHIBIT,
    &orders::EXHIBIT,
    &exports::EXHIBIT,
    &tables::EXHIBIT,
];

/// One exhibit, as listings see it.
pub struct Exhibit {
    /// Its name.
    pub name: &'static str,
    /// What can go wrong with its invariant, the worst first.
    pub anomalies: &'static [&'static Anomaly],
    /// Its strategies, in the order in which they are taught.
    pub specimens: fn() -> Vec<&'static dyn Specimen>,
}

impl fmt::Debug for Exhibit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exhibit").field(&self.name).finish()
    }
}

/// A strategy, as listings see it.
pub trait Specimen: fmt::Debug + Send + Sync {
    /// Its name within the exhibit.
    fn name(&self) -> &'static str;

    /// Its name among the strategies of all exhibits.
    fn full_name(&self) -> &'static str;

    /// What its file says about it.
    fn card(&self) -> &'static Card;

    /// Whether it reads, and writes nothing.
    fn reads(&self) -> bool {
        false
    }

    /// Whether it thinks between its statements: the lesson's long delay.
    fn thinks(&self) -> bool {
        false
    }

    /// The settings in which it is explored: its own clients first, then beside another client.
    fn settings(&self) -> Vec<Setting>;

    /// What the explorer runs in one of its settings.
    fn subject(&self, setting: &Setting) -> Subject;

    /// Whether no setting shows an anomaly on this engine at its isolation level, with one instance
    /// of the service. Refusals may be many.
    fn must_be_safe_on(&self, engine: &Engine) -> bool {
        self.settings()
            .iter()
            .all(|setting| setting.promises_safety(engine, 1))
    }
}

/// The clients that a strategy is explored with, and what is expected of them.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// What client A is instead of a client of the strategy, e.g. `consumer`. None if it is one.
    pub beside: Option<&'static str>,
    /// What two clients lead to, engine by engine, served by one instance of the service.
    pub expected: &'static [Expectation],
    /// The same with an instance for each client. None if it makes no difference.
    pub expected_apart: Option<&'static [Expectation]>,
}

impl Setting {
    /// Clients that all use the strategy.
    pub fn alone(expected: &'static [Expectation]) -> Self {
        Self {
            beside: None,
            expected,
            expected_apart: None,
        }
    }

    /// Clients that use the strategy, and one of another kind.
    pub fn beside(client: &'static str, expected: &'static [Expectation]) -> Self {
        Self {
            beside: Some(client),
            ..Self::alone(expected)
        }
    }

    /// The name of the strategy in this setting: `orders/bakery, consumer`.
    pub fn name_of(&self, specimen: &dyn Specimen) -> String {
        let name = specimen.full_name();
        self.beside
            .map_or_else(|| name.to_owned(), |client| format!("{name}, {client}"))
    }

    /// The numbers of instances that make a difference to this number of clients.
    pub fn instances(&self, clients: usize) -> Vec<usize> {
        match self.expected_apart {
            Some(_) if clients > 1 => vec![1, clients],
            Some(_) | None => vec![1],
        }
    }

    /// What is expected on this engine of this number of instances. None if no card says it.
    pub fn expected_on(&self, engine: &Engine, instances: usize) -> Option<&'static Expectation> {
        let apart = self.expected_apart.filter(|_| instances > 1);
        Expectation::on(engine, apart.unwrap_or(self.expected))
    }

    /// Whether the card promises that this number of instances never shows an anomaly on this
    /// engine.
    pub fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        let expected = self.expected_on(engine, instances);
        expected.is_some_and(Expectation::is_safe)
    }
}

/// All strategies of all exhibits.
pub fn specimens() -> impl Iterator<Item = &'static dyn Specimen> {
    EXHIBITS.iter().flat_map(|exhibit| (exhibit.specimens)())
}

/// The strategy with this full name.
pub fn specimen(full_name: &str) -> Option<&'static dyn Specimen> {
    specimens().find(|it| it.full_name() == full_name)
}

/// All that can be explored: each strategy in each of its settings.
pub fn subjects() -> Vec<Arc<Subject>> {
    specimens().flat_map(subjects_of).collect()
}

/// The full names of all strategies.
pub fn names() -> impl Iterator<Item = &'static str> {
    specimens().map(Specimen::full_name)
}

/// What can be explored of one strategy.
pub fn subjects_of(specimen: &'static dyn Specimen) -> Vec<Arc<Subject>> {
    let settings = specimen.settings().into_iter();
    settings
        .map(|setting| Arc::new(specimen.subject(&setting)))
        .collect()
}
