//! The facts about a subject: plain data, so that a finding can own them.

use std::borrow::Cow;

use crate::engine::{Engine, FaultKind, Flavour, Isolation};
use crate::verdict::Anomaly;

/// The facts about a subject. They hold no code: a finding takes a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its name among all that can be explored.
    pub name: Cow<'static, str>,
    /// The path of the file whose lines reports show. None for a scenario.
    pub source_file: Option<&'static str>,
    /// The anomalies that it can show, the worst first.
    pub anomalies: Vec<&'static Anomaly>,
    /// The word in a cell without an anomaly: `0 of 36 lost`.
    pub nothing: &'static str,
    /// SQL that a person runs to set up row [`SHOWN_ID`](super::SHOWN_ID), or the whole database,
    /// as for a run.
    pub setup_sql: SqlText,
    /// SQL that shows a person what became of it.
    pub inspect_sql: SqlText,
    /// Whether all clients do the same. Schedules that differ only in the clients' names end alike
    /// then.
    pub clients_are_alike: bool,
    /// Whether an instance of the service keeps state that its clients share, for instance a mutex.
    /// With an instance for each client such a subject can end differently.
    pub shares_memory: bool,
    /// What is given if it was read from a file. None for what is a part of this program.
    pub scenario: Option<ScenarioFacts>,
}

/// The facts about a subject that a user has brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScenarioFacts {
    /// Its title.
    pub title: String,
    /// The text of its file.
    pub text: String,
    /// Its clients, in their order.
    pub clients: Vec<ClientFacts>,
    /// The engines on which it makes sense.
    pub engines: Vec<Flavour>,
    /// The engines on which its runs meet although each has a database of its own, or on which
    /// there can be one alone: one run at a time.
    pub alone_on: Vec<Flavour>,
    /// What a verdict takes for granted, on each engine.
    pub assumptions: Vec<(Flavour, Vec<String>)>,
    /// Kinds of refusal that are part of how it works.
    pub may_be_refused: Vec<FaultKind>,
    /// How it is searched unless it is asked for a bound, a reduction or for all. None if the
    /// number of its clients decides.
    pub search: Option<OwnSearch>,
    /// The largest number of its runs at once unless a number is asked for. None if it is the usual
    /// one.
    pub at_once: Option<usize>,
}

/// How a subject is searched if nothing else is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnSearch {
    /// All schedules.
    All,
    /// Those with at most this number of preemptions.
    Within(usize),
    /// Those with at most this number of preemptions, until some go wrong: see
    /// [`Plan::counterexample_first`](super::Plan).
    CounterexampleFirst(usize),
}

impl ScenarioFacts {
    /// What a verdict takes for granted on this engine.
    pub fn assumptions_on(&self, flavour: Flavour) -> Vec<String> {
        let found = self.assumptions.iter().find(|(it, _)| *it == flavour);
        found.map(|(_, it)| it.clone()).unwrap_or_default()
    }
}

/// The facts about one client of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientFacts {
    /// What it is, e.g. `customer`. None if it has no name.
    pub name: Option<String>,
    /// The isolation level of its transactions. None if it is the session's.
    pub level: Option<Isolation>,
    /// The request that it sends to an application, in a few words. None if it sends none.
    pub request: Option<String>,
    /// The program that it is, with its arguments. None if it is none.
    pub command: Option<String>,
}

/// SQL for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlText {
    /// The same on every engine.
    Same(Cow<'static, str>),
    /// In the dialect of each engine.
    ByEngine(Vec<(Flavour, String)>),
}

impl SqlText {
    /// The text for this engine. Empty if there is none.
    pub fn on(&self, flavour: Flavour) -> Cow<'static, str> {
        match self {
            Self::Same(text) => text.clone(),
            Self::ByEngine(texts) => {
                let text = texts.iter().find(|(it, _)| *it == flavour);
                text.map(|(_, text)| text.clone())
                    .unwrap_or_default()
                    .into()
            }
        }
    }
}

impl From<&'static str> for SqlText {
    fn from(text: &'static str) -> Self {
        Self::Same(text.into())
    }
}

impl From<String> for SqlText {
    fn from(text: String) -> Self {
        Self::Same(text.into())
    }
}

impl About {
    /// The numbers of instances that can make a difference to this number of clients.
    pub fn instances(&self, clients: usize) -> Vec<usize> {
        if self.shares_memory && clients > 1 {
            vec![1, clients]
        } else {
            vec![1]
        }
    }

    /// The number of clients, given what was asked for.
    pub fn clients(&self, asked: usize) -> usize {
        self.scenario.as_ref().map_or(asked, |it| it.clients.len())
    }

    /// Whether its clients choose the level of their transactions themselves.
    pub fn chooses_its_level(&self) -> bool {
        let clients = self.scenario.iter().flat_map(|it| &it.clients);
        clients
            .into_iter()
            .any(|it| it.request.is_some() || it.command.is_some())
    }

    /// Why it makes no sense on this engine. None if it does.
    pub fn is_not_for(&self, engine: &Engine) -> Option<String> {
        let scenario = self.scenario.as_ref()?;
        let flavour = engine.flavour;
        if !scenario.engines.contains(&flavour) {
            return Some(format!("its `engines` leave {flavour} out"));
        }
        let levels = scenario.clients.iter().filter_map(|it| it.level);
        let missing = levels
            .into_iter()
            .find(|it| !flavour.isolation_levels().contains(it))?;
        Some(format!("{flavour} has no level {missing}"))
    }
}
