//! A scenario that is ready to be explored: what is known of it before any engine is opened.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::application::{Applications, ProxiedClient};
use super::captured::Matched;
use super::file::When;
use super::options::Options;
use super::scenario::{ClientScript, Does, Scenario};
use super::script::InstructionKind;
use super::serial::{RowFacts, SerialJudge};
use crate::engine::{
    Beginning, Database, Engine, Fault, Flavour, SetupError, StatementKind, StatementReader,
    UserStatement,
};
use crate::proxy::TurnSettings;

/// A scenario, ready to be explored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) scenario: Scenario,
    pub(super) options: Options,
    pub(super) places: Vec<PreparedPlace>,
    pub(super) serial: SerialJudge,
    pub(super) applications: Applications,
    pub(super) matched: Matched,
    readers: Mutex<Readers>,
}

/// What reads the clients' statements, on each engine and at each level. None on SQLite. The
/// statements of an application may name its database, so each lane has a reader of its own.
type Readers = Vec<(ReaderKey, Option<Arc<StatementReader>>)>;

/// The engine, and the lane if that matters.
type ReaderKey = (Engine, Option<String>);

/// What is prepared for one engine.
#[derive(Debug)]
pub(super) struct PreparedPlace {
    pub(super) flavour: Flavour,
    beginning: Beginning,
    /// Whether a connection can serve another run.
    keeps_connections: bool,
    /// Whether its runs meet although each has a database of its own.
    pub(super) reaches_beyond: bool,
    /// Whether a client may make or drop tables.
    changes_schema: bool,
    /// Whether a client draws by chance.
    draws_by_chance: bool,
    row_facts: RowFacts,
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
                changes_schema: statements
                    .iter()
                    .any(|it| it.kind == StatementKind::Schema || may_do_anything(it, flavour)),
                draws_by_chance: statements.iter().any(|it| it.draws_by_chance(flavour)),
                row_facts: RowFacts {
                    is_fixed: flavour == Flavour::Sqlite || options.in_place,
                    // The other engines do not draw a number twice.
                    may_repeat: flavour == Flavour::Sqlite
                        && statements.iter().any(|it| it.may_delete(flavour)),
                    keys_can_meet: statements.iter().any(|it| it.inserts_or_changes(flavour)),
                },
                beginning: Beginning::new(setup.clone(), statements, options.in_place),
            }
        };
        let places = scenario.setup.iter().map(place).collect();
        Self {
            scenario,
            options,
            places,
            serial: SerialJudge::default(),
            applications: Applications::default(),
            matched: Matched::default(),
            readers: Mutex::default(),
        }
    }

    /// What reads the clients' statements. The catalogue is asked the first time: then the database
    /// must be at its beginning.
    pub(super) async fn reader(
        &self,
        database: &Database,
    ) -> Result<Option<Arc<StatementReader>>, Fault> {
        let engine = database.engine();
        let application = self.scenario.application.as_ref();
        let lane = application.map(|_| database.place_key());
        let key = (engine.clone(), lane);
        let known = self.readers().iter().find(|(it, _)| *it == key).cloned();
        if let Some((_, reader)) = known {
            return Ok(reader);
        }
        let statements = self.scenario.statements(engine.flavour);
        let reader = StatementReader::open(database, &statements).await?;
        let reader = reader.map(Arc::new);
        self.readers().push((key, reader.clone()));
        Ok(reader)
    }

    /// Forgets what the catalogue of this engine has said.
    pub(super) fn forget_reader(&self, engine: &Engine) {
        self.readers().retain(|((it, _), _)| it != engine);
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        // Nothing panics while it holds the lock.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on(&self, flavour: Flavour) -> Option<&PreparedPlace> {
        self.places.iter().find(|it| it.flavour == flavour)
    }

    /// Whether a connection can serve another run.
    pub(super) fn keeps_connections(&self, flavour: Flavour) -> bool {
        self.on(flavour).is_some_and(|it| it.keeps_connections)
    }

    /// Whether a client may make or drop tables.
    pub(super) fn changes_schema(&self, flavour: Flavour) -> bool {
        self.on(flavour).is_none_or(|it| it.changes_schema)
    }

    /// Whether a client draws by chance.
    pub(super) fn draws_by_chance(&self, flavour: Flavour) -> bool {
        self.on(flavour).is_some_and(|it| it.draws_by_chance)
    }

    /// What is known of the rows that the clients make.
    pub(super) fn row_facts(&self, flavour: Flavour) -> RowFacts {
        self.on(flavour).map(|it| it.row_facts).unwrap_or_default()
    }

    /// Brings a database to its beginning, and with it the application that works on it.
    pub(super) async fn restore(&self, database: &Database) -> Result<(), SetupError> {
        let Some(place) = self.on(database.engine().flavour) else {
            return Ok(());
        };
        let Some(plan) = &self.scenario.application else {
            return place.beginning.restore(database).await;
        };
        let applications = &self.applications;
        let restored = if applications.has(database).await {
            applications.restore(plan, database).await
        } else {
            let tidied = applications.tidy_up(database).await;
            tidied.map_err(|why| SetupError::from(Fault::other(why)))?;
            place.beginning.make(database).await?;
            let settings = self.turn_settings(database).await?;
            let clients = self.scenario.proxied_clients();
            let opened = applications.open(plan, &clients, database, settings).await;
            let reader = self.reader(database).await?;
            applications.read_with(database, reader).await;
            opened
        };
        restored.map_err(|why| SetupError::from(Fault::other(why)))
    }

    async fn turn_settings(&self, database: &Database) -> Result<TurnSettings, Fault> {
        Ok(TurnSettings {
            flavour: database.engine().flavour,
            level: database.level_of_new_sessions().await?,
            autocommit: database.autocommit_of_new_sessions().await?,
            settle: self.options.settle,
            hides_values: self.options.hides_values,
            commits_are_watched: self.scenario.has_invariants_for_every_commit(),
            splits_commits: self.options.split_commits,
        })
    }

    /// How long it takes to start an application for this database. None if there is none, or if it
    /// was started.
    pub(super) async fn opening_takes(&self, database: &Database) -> Option<Duration> {
        self.scenario.application.as_ref()?;
        self.applications.opening_takes(database).await
    }

    /// Ends what was started for this database.
    pub(super) async fn close(&self, database: &Database) -> Result<(), Fault> {
        let closed = self.applications.close(database).await;
        closed.map_err(Fault::other)
    }
}

/// Whether the statement writes in a way that its words do not tell, e.g. CALL.
fn may_do_anything(statement: &UserStatement, flavour: Flavour) -> bool {
    statement.kind == StatementKind::Write
        && (!statement.changes_rows(flavour) || statement.makes_a_table(flavour))
}

impl Scenario {
    /// The clients that are no scripts, each at its place.
    fn proxied_clients(&self) -> Vec<Option<ProxiedClient>> {
        let proxied = |client: &Arc<ClientScript>| match &client.does {
            Does::Script(_) => None,
            Does::Request(plan) => Some(ProxiedClient::Request(Arc::clone(plan))),
            Does::Command(plan) => Some(ProxiedClient::Command(Arc::clone(plan))),
        };
        self.clients.iter().map(proxied).collect()
    }

    /// Whether a client is a program.
    pub(super) fn has_commands(&self) -> bool {
        let mut clients = self.clients.iter();
        clients.any(|it| matches!(it.does, Does::Command(_)))
    }

    /// What the clients are whose statements pass a proxy.
    pub(super) fn what_is_proxied(&self) -> &'static str {
        let mut clients = self.clients.iter();
        let has_requests = clients.any(|it| matches!(it.does, Does::Request(_)));
        match (has_requests, self.has_commands()) {
            (true, true) => "request or command",
            (false, true) => "command",
            _ => "request",
        }
    }

    pub(super) fn has_invariants_for_every_commit(&self) -> bool {
        let mut invariants = self.invariants.iter();
        invariants.any(|it| it.when == When::EveryCommit)
    }

    /// The statements that its clients can send, as they are written.
    pub(super) fn statements(&self, flavour: Flavour) -> Vec<UserStatement> {
        let clients = self.clients.iter();
        clients.flat_map(|it| it.statements(flavour)).collect()
    }
}

impl ClientScript {
    /// The request that it sends. None if it sends none.
    pub(super) fn request_in_words(&self) -> Option<String> {
        match &self.does {
            Does::Script(_) | Does::Command(_) => None,
            Does::Request(plan) => Some(plan.request_in_words()),
        }
    }

    /// The program that it is, with its arguments. None if it is none.
    pub(super) fn command_in_words(&self) -> Option<String> {
        match &self.does {
            Does::Script(_) | Does::Request(_) => None,
            Does::Command(plan) => Some(plan.as_written()),
        }
    }

    /// The statements that it can send, as they are written.
    fn statements(&self, flavour: Flavour) -> impl Iterator<Item = UserStatement> {
        let scripts = match &self.does {
            Does::Script(scripts) => scripts.on(flavour),
            Does::Request(_) | Does::Command(_) => None,
        };
        let scripts = scripts.into_iter();
        let instructions = scripts.flat_map(|it| it.instructions());
        instructions.filter_map(move |it| match &it.kind {
            InstructionKind::Statement(statement) => {
                Some(UserStatement::new(statement.sql.text(), flavour))
            }
            InstructionKind::Set { .. }
            | InstructionKind::Unset { .. }
            | InstructionKind::Branch { .. }
            | InstructionKind::Jump(_)
            | InstructionKind::Quit => None,
        })
    }
}
