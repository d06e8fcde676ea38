//! A scenario that is ready to be explored: what is known of it before any engine is opened.

use super::scenario::{Options, Scenario};
use super::script::InstructionKind;
use crate::engine::{Beginning, Database, Flavour, SetupError, UserStatement};

/// A scenario, ready to be explored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) scenario: Scenario,
    pub(super) options: Options,
    pub(super) places: Vec<PreparedPlace>,
}

/// What is prepared for one engine.
#[derive(Debug)]
pub(super) struct PreparedPlace {
    pub(super) flavour: Flavour,
    beginning: Beginning,
    /// Whether a connection can serve another run.
    keeps_connections: bool,
    /// Whether its runs meet although each has a database of its own.
    pub(super) reaches_beyond: bool,
}

impl Prepared {
    pub(super) fn new(scenario: Scenario, options: Options) -> Self {
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
}

impl Scenario {
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
