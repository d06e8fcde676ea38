//! A scenario as a subject of the explorer.

use std::fmt::Write as _;
use std::sync::Arc;

use super::anomalies::FAILED;
use super::client::ScriptClients;
use super::judge::InvariantJudge;
use super::place::FileError;
use super::prepared::{Prepared, PreparedPlace};
use super::rehearsal::SerialRuns;
use super::scenario::{Options, Scenario};
use crate::engine::{Database, Fault, Flavour};
use crate::explore::{
    About, ClientFacts, Clients, Fixtures, Pending, Restore, ScenarioFacts, SqlText, Subject,
};

impl Scenario {
    /// The scenario as a subject.
    ///
    /// # Errors
    /// If the options do not fit it.
    pub fn into_subject(self, options: Options) -> Result<Subject, FileError> {
        let scenario = match options.clients {
            Some(count) => self.with_clients(count)?,
            None => self,
        };
        let prepared = Arc::new(Prepared::new(scenario, options));
        let for_clients = Arc::clone(&prepared);
        Ok(Subject {
            about: prepared.about(),
            fixtures: Fixtures::WholeDatabase(Arc::new(Start(Arc::clone(&prepared)))),
            clients: Arc::new(move |_instances| -> Arc<dyn Clients> {
                Arc::new(ScriptClients {
                    prepared: Arc::clone(&for_clients),
                })
            }),
            rehearsal: Some(Arc::new(SerialRuns {
                prepared: Arc::clone(&prepared),
            })),
            judge: Arc::new(InvariantJudge { prepared }),
        })
    }
}

impl Prepared {
    fn about(&self) -> About {
        let scenario = &self.scenario;
        let invariants = scenario.invariants.iter().map(|it| it.anomaly);
        About {
            name: scenario.name.clone().into(),
            anomalies: std::iter::once(&FAILED).chain(invariants).collect(),
            source_file: None,
            nothing: "violated",
            setup_sql: SqlText::ByEngine(self.setup_texts()),
            inspect_sql: SqlText::ByEngine(self.inspect_texts()),
            clients_are_alike: scenario.clients_are_alike,
            shares_memory: false,
            scenario: Some(self.facts()),
        }
    }

    fn facts(&self) -> ScenarioFacts {
        let scenario = &self.scenario;
        let beyond = self.places.iter().filter(|it| it.reaches_beyond);
        let mut may_be_refused: Vec<_> = scenario
            .clients
            .iter()
            .flat_map(|it| it.may_be_refused.iter().copied())
            .collect();
        may_be_refused.sort();
        may_be_refused.dedup();
        ScenarioFacts {
            title: scenario.title.clone(),
            text: scenario.text.clone(),
            clients: scenario
                .clients
                .iter()
                .map(|it| ClientFacts {
                    name: it.name.clone(),
                    level: it.level,
                })
                .collect(),
            engines: self.places.iter().map(|it| it.flavour).collect(),
            alone_on: beyond.map(|it| it.flavour).collect(),
            assumptions: self
                .places
                .iter()
                .map(|it| (it.flavour, self.assumptions(it.flavour)))
                .collect(),
            may_be_refused,
        }
    }

    /// What a verdict takes for granted on this engine.
    fn assumptions(&self, flavour: Flavour) -> Vec<String> {
        let mut assumptions = vec![if self.options.split_commits {
            "each statement is taken as one step, and so is the commit of one that writes in autocommit"
        } else {
            "each statement is taken as one step; in autocommit, its commit belongs to it"
        }];
        if flavour.is_innodb() {
            assumptions.push(
                "the driver counts matched rows, not changed ones (FOUND_ROWS): so do :ROW_COUNT and \
                 ROW_COUNT()",
            );
        }
        assumptions.into_iter().map(str::to_owned).collect()
    }

    fn setup_texts(&self) -> Vec<(Flavour, String)> {
        let texts = self.scenario.setup_text.iter();
        texts
            .map(|(flavour, text)| (flavour, text.clone()))
            .collect()
    }

    fn inspect_texts(&self) -> Vec<(Flavour, String)> {
        let text = |place: &PreparedPlace| {
            let mut text = String::new();
            for invariant in &self.scenario.invariants {
                let sql = invariant.text_on(place.flavour).unwrap_or_default();
                let _ = writeln!(text, "{sql}; -- {}", invariant.name);
            }
            (place.flavour, text.trim_end().to_owned())
        };
        self.places.iter().map(text).collect()
    }
}

/// Where each run of a scenario begins.
#[derive(Debug)]
struct Start(Arc<Prepared>);

impl Restore for Start {
    fn restore<'a>(&'a self, database: &'a Database) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move { Ok(self.0.restore(database).await?) })
    }
}
