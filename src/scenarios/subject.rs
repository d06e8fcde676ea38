//! A scenario as a subject of the explorer.

use std::fmt::Write as _;
use std::sync::Arc;

use super::client::ScriptClients;
use super::judge::{FAILED, InvariantJudge};
use super::place::FileError;
use super::rehearsal::SerialRuns;
use super::scenario::{Options, Scenario};
use super::script::InstructionKind;
use crate::engine::{Beginning, Database, Fault, Flavour, SetupError, UserStatement};
use crate::explore::{
    About, ClientFacts, Clients, Fixtures, Pending, Restore, ScenarioFacts, SqlText, Subject,
};

/// A scenario, ready to be explored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) scenario: Scenario,
    pub(super) options: Options,
    places: Vec<PreparedPlace>,
}

/// What is prepared for one engine.
#[derive(Debug)]
struct PreparedPlace {
    flavour: Flavour,
    beginning: Beginning,
    keeps_connections: bool,
    reaches_beyond: bool,
}

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

    /// The statements that its clients can send, as they are written.
    pub(super) fn statements(&self, flavour: Flavour) -> Vec<UserStatement> {
        let scripts = self.clients.iter().filter_map(|it| it.scripts.on(flavour));
        let instructions = scripts.flat_map(|it| it.instructions());
        let statements = instructions.filter_map(|it| match &it.kind {
            InstructionKind::Statement(statement) => {
                Some(UserStatement::new(statement.sql.text(), flavour))
            }
            InstructionKind::Set { .. }
            | InstructionKind::Unset { .. }
            | InstructionKind::Branch { .. }
            | InstructionKind::Jump(_)
            | InstructionKind::Quit => None,
        });
        statements.collect()
    }
}

impl Prepared {
    fn new(scenario: Scenario, options: Options) -> Self {
        let place = |(flavour, setup): (Flavour, &Vec<_>)| {
            let statements = scenario.statements(flavour);
            PreparedPlace {
                flavour,
                keeps_connections: statements
                    .iter()
                    .all(|it| it.keeps_to_its_transaction(flavour)),
                reaches_beyond: statements
                    .iter()
                    .any(|it| it.reaches_beyond_its_database(flavour)),
                beginning: Beginning::new(setup.clone(), statements, options.in_place),
            }
        };
        let places = scenario.setup.iter().map(place).collect();
        Self {
            scenario,
            options,
            places,
        }
    }

    fn on(&self, flavour: Flavour) -> Option<&PreparedPlace> {
        self.places.iter().find(|it| it.flavour == flavour)
    }

    /// Whether a connection can serve another run.
    pub(super) fn keeps_connections(&self, flavour: Flavour) -> bool {
        self.on(flavour).is_some_and(|it| it.keeps_connections)
    }

    /// Brings a database to its beginning.
    pub(super) async fn restore(&self, database: &Database) -> Result<(), SetupError> {
        match self.on(database.engine().flavour) {
            Some(place) => place.beginning.restore(database).await,
            None => Ok(()),
        }
    }

    fn about(&self) -> About {
        let scenario = &self.scenario;
        let invariants = scenario.invariants.iter().map(|it| it.anomaly);
        About {
            name: scenario.name.clone().into(),
            anomalies: std::iter::once(&FAILED).chain(invariants).collect(),
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
        if matches!(flavour, Flavour::MySql | Flavour::MariaDb) {
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
