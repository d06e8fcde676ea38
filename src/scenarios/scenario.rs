//! A scenario whose parts fit together.

use std::sync::Arc;

use toml::Spanned;

use super::application::{ApplicationPlan, CommandClient, RequestClient};
use super::by_engine::{ByEngine, EngineName, Texts};
use super::expectation::Expectations;
use super::file::{ClientTable, ExploreTable, InvariantTable, RetryTable, ScenarioFile, When};
use super::invariant::Invariant;
use super::place::{FileError, SourceFile};
use super::script::{Script, ScriptError, statements};
use super::texts::{mistake_in_text, text_on};
use crate::engine::{FaultKind, Isolation, SetupStatement};
use crate::explore::{Client, OwnSearch};

/// A scenario, read from a file.
#[derive(Debug)]
pub struct Scenario {
    /// The file's name, as it was given.
    pub name: String,
    /// The file's text.
    pub(super) text: String,
    /// A few words that name it.
    pub title: String,
    /// What it shows, in Markdown. Empty if the file says nothing.
    pub about: String,
    pub(super) setup: ByEngine<Vec<SetupStatement>>,
    /// The set-up as it is written.
    pub(super) setup_text: ByEngine<String>,
    /// The application that requests are sent to, and what commands share. None if all clients are
    /// scripts, and there is no application.
    pub(super) application: Option<ApplicationPlan>,
    /// One for each client, in their order.
    pub(super) clients: Vec<Arc<ClientScript>>,
    /// The line on which the first of them begins, from 1.
    pub(super) first_client_line: usize,
    /// Whether all clients come from one part of the file, so that there can be more of them.
    has_one_kind: bool,
    /// Whether the clients' names make no difference.
    pub(super) clients_are_alike: bool,
    pub(super) invariants: Vec<Invariant>,
    /// Which schedules are run. None if their number of clients decides.
    pub(super) search: Option<OwnSearch>,
    /// Whether each run must end like a serial order.
    pub(super) serial: bool,
    /// Whether the file says so itself.
    pub(super) states_serial: bool,
    pub(super) expectations: Expectations,
}

/// What one client does.
#[derive(Debug)]
pub(super) struct ClientScript {
    pub(super) name: Option<String>,
    pub(super) level: Option<Isolation>,
    pub(super) retry: Option<Retry>,
    pub(super) may_be_refused: Vec<FaultKind>,
    pub(super) does: Does,
}

/// What a client does.
#[derive(Debug)]
pub(super) enum Does {
    /// It runs a script of SQL.
    Script(ByEngine<Script>),
    /// It sends a request to the application.
    Request(Arc<RequestClient>),
    /// It is a program.
    Command(Arc<CommandClient>),
}

/// When a client is run again.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) on: Vec<FaultKind>,
    /// The largest number of attempts, the first one included.
    pub(super) times: u64,
}

impl ClientScript {
    /// Whether it is another one than those from the same part of the file: its request has a
    /// number, a session or a captured value of its own.
    fn is_somebody(&self) -> bool {
        match &self.does {
            Does::Script(_) => false,
            Does::Request(plan) => plan.is_somebody(),
            Does::Command(plan) => plan.is_somebody(),
        }
    }
}

impl Scenario {
    /// Reads a scenario. `name` is the file's name, for what is said of it.
    pub fn parse(name: &str, text: &str) -> Result<Self, FileError> {
        let source = SourceFile { name, text };
        let file = ScenarioFile::read(source)?;
        let mut tables = file.client.iter().map(Spanned::get_ref);
        let has_commands = tables.any(|it| it.command.is_some());
        let all: &[EngineName] = if has_commands || file.application.is_some() {
            &WITH_A_PROXY
        } else {
            &EngineName::ALL
        };
        let engines = file.engines.clone().unwrap_or_else(|| all.into());
        if engines.is_empty() {
            return Err(source.mistake_anywhere("`engines` is empty: name one, or leave it out"));
        }
        let mut tables = file.client.iter().map(Spanned::get_ref);
        let are_commands_alone = has_commands && !tables.any(|it| it.request.is_some());
        let application = match &file.application {
            Some(table) => Some(ApplicationPlan::read(source, table, are_commands_alone)?),
            None if has_commands => Some(ApplicationPlan::of_commands_alone(source)),
            None => None,
        };
        let reader = Reader { source, engines };
        let setup = file.database.as_ref().map(|it| &it.setup);
        let mut clients = Vec::new();
        for table in &file.client {
            let count = reader.count(table.get_ref())?;
            let client = Arc::new(reader.client(table, application.as_ref())?);
            clients.extend(std::iter::repeat_n(client, count));
        }
        reader.must_have_clients(&clients)?;
        let first_client = file.client.first().map_or(0, |it| it.span().start);
        reader.must_be_understood(&file)?;
        reader.must_be_asked_at_the_end(&file.invariant, &clients)?;
        let mut probes = file.invariant.iter();
        let probe = probes.find(|it| it.get_ref().probe.is_some());
        let is_there = application.as_ref().is_some_and(ApplicationPlan::is_there);
        if let Some(probe) = probe.filter(|_| !is_there) {
            let message = "a `probe` needs an [application] that answers it";
            return Err(source.mistake(probe.get_ref().name.span().start, message));
        }
        let captured: Vec<_> = clients.iter().map(|it| it.captured_names()).collect();
        let invariants: Vec<_> = file
            .invariant
            .iter()
            .map(|it| Invariant::read(source, &reader.engines, it.get_ref(), &captured))
            .collect::<Result<_, _>>()?;
        let search = reader.search(file.explore.as_ref(), application.is_some())?;
        // How many schedules go wrong until the search ends says little.
        let is_stated = !matches!(search, Some(OwnSearch::CounterexampleFirst(_)));
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            title: file.title,
            about: file.about,
            setup: reader.setup(setup)?,
            setup_text: reader.setup_text(setup)?,
            application,
            first_client_line: source.position(first_client).line,
            has_one_kind: file.client.len() == 1,
            clients_are_alike: file.client.len() == 1
                && clients.iter().all(|it| !it.is_somebody())
                && invariants.iter().all(|it| !it.names_a_client()),
            expectations: Expectations::read(source, &file.expect, &invariants, is_stated)?,
            search,
            serial: file.serial.unwrap_or(invariants.is_empty()),
            states_serial: file.serial.is_some(),
            clients,
            invariants,
        })
    }

    /// The same, for a place where a file from outside must not start a program.
    ///
    /// # Errors
    /// If it has an application, or a client that is a command.
    pub fn without_an_application(self) -> Result<Self, FileError> {
        let has = match &self.application {
            None => return Ok(self),
            Some(application) if application.is_there() => "it has an [application]",
            Some(_) => "it has a `command`",
        };
        Err(FileError {
            file: self.name,
            place: None,
            message: format!(
                "{has}: only the command line starts one, with `racy explore FILE`. Open shows the \
                 report: `racy explore FILE --format json`"
            ),
        })
    }

    /// The same with another number of clients.
    ///
    /// # Errors
    /// If its clients are not all alike, so that it is not known which of them there should be more
    /// of.
    pub(super) fn with_clients(mut self, count: usize) -> Result<Self, FileError> {
        if count == self.clients.len() {
            return Ok(self);
        }
        let is_told_apart = self.invariants.iter().any(Invariant::names_a_client);
        let message = if self.has_one_kind && !is_told_apart {
            let client = Arc::clone(&self.clients[0]);
            self.clients = vec![client; count];
            return Ok(self);
        } else {
            format!(
                "--clients {count} does not fit: its {} clients differ. Change `count` in the file",
                self.clients.len()
            )
        };
        Err(FileError {
            file: self.name,
            place: None,
            message,
        })
    }
}

/// The engines whose protocol the proxy understands.
const WITH_A_PROXY: [EngineName; 3] =
    [EngineName::MySql, EngineName::MariaDb, EngineName::Postgres];

/// Reads the parts of one file.
struct Reader<'f> {
    source: SourceFile<'f>,
    engines: Vec<EngineName>,
}

/// Up to this number of preemptions an application is searched, unless it is said otherwise. Almost
/// all known races need no more.
const PREEMPTIONS_OF_AN_APPLICATION: usize = 2;

impl Reader<'_> {
    /// How it is searched.
    fn search(
        &self,
        table: Option<&Spanned<ExploreTable>>,
        has_an_application: bool,
    ) -> Result<Option<OwnSearch>, FileError> {
        let Some(table) = table else {
            let first = OwnSearch::CounterexampleFirst(PREEMPTIONS_OF_AN_APPLICATION);
            return Ok(has_an_application.then_some(first));
        };
        match (table.get_ref().exhaustive, table.get_ref().preemptions) {
            (true, None) => Ok(Some(OwnSearch::All)),
            (false, Some(most)) => Ok(Some(OwnSearch::Within(most.into()))),
            (true, Some(_)) | (false, None) => {
                let message = "`explore` has either `exhaustive = true` or `preemptions`";
                Err(self.source.mistake(table.span().start, message))
            }
        }
    }

    fn count(&self, table: &ClientTable) -> Result<usize, FileError> {
        let Some(count) = &table.count else {
            return Ok(1);
        };
        let most = Client::MOST;
        let number = usize::try_from(*count.get_ref()).unwrap_or(usize::MAX);
        if (1..=most).contains(&number) {
            Ok(number)
        } else {
            let at = count.span().start;
            Err(self
                .source
                .mistake(at, format!("`count` must be from 1 to {most}")))
        }
    }

    fn must_have_clients(&self, clients: &[Arc<ClientScript>]) -> Result<(), FileError> {
        let most = Client::MOST;
        if clients.is_empty() {
            let message = "there is no client: add a [[client]] with a `script`, a `request` or a \
                           `command`";
            Err(self.source.mistake_anywhere(message))
        } else if clients.len() > most {
            let message = format!(
                "there are {} clients, and at most {most} can run",
                clients.len()
            );
            Err(self.source.mistake_anywhere(message))
        } else {
            Ok(())
        }
    }

    /// The statements of an application and of commands are only understood on engines that have a
    /// proxy.
    fn must_be_understood(&self, file: &ScenarioFile) -> Result<(), FileError> {
        let without = self.engines.iter().find(|it| !WITH_A_PROXY.contains(it));
        let application = file.application.as_ref();
        let application = application.map(|it| ("an application", it.span().start));
        let mut commands = file.client.iter();
        let command = commands.find(|it| it.get_ref().command.is_some());
        let command = command.map(|it| ("a command", it.span().start));
        match (application.or(command), without) {
            (Some((what, at)), Some(engine)) => {
                let message = format!(
                    "{what} can be explored on mysql, mariadb and postgres, and not on {}: there is no \
                     proxy for it. Take it out of `engines`",
                    engine.name()
                );
                Err(self.source.mistake(at, message))
            }
            _ => Ok(()),
        }
    }

    /// The lab sees a script's commits. In an application a statement may commit without saying so.
    fn must_be_asked_at_the_end(
        &self,
        invariants: &[Spanned<InvariantTable>],
        clients: &[Arc<ClientScript>],
    ) -> Result<(), FileError> {
        let sends = |it: &Arc<ClientScript>| !matches!(it.does, Does::Script(_));
        let mut each_time = invariants.iter();
        let asked = each_time.find(|it| it.get_ref().when == When::EveryCommit);
        match asked.filter(|_| clients.iter().any(sends)) {
            None => Ok(()),
            Some(invariant) => {
                let message = "`when = \"every-commit\"` is for scripts alone: leave it out, and the \
                               invariant is asked when all clients have come to their end";
                let at = invariant.get_ref().name.span().start;
                Err(self.source.mistake(at, message))
            }
        }
    }

    fn client(
        &self,
        table: &Spanned<ClientTable>,
        application: Option<&ApplicationPlan>,
    ) -> Result<ClientScript, FileError> {
        let client = table.get_ref();
        let mistake = |message: &str| self.source.mistake(table.span().start, message);
        let is_there = application.is_some_and(ApplicationPlan::is_there);
        let is_script = client.script.is_some();
        if !is_script && (client.isolation.is_some() || client.retry.is_some()) {
            let message = "`isolation` and `retry` are for a `script`: an application decides about \
                           both itself";
            return Err(mistake(message));
        }
        if client.request.is_none() && client.acknowledged.is_some() {
            let message = "`acknowledged` is for a `request`; a command has it in [client.command]";
            return Err(mistake(message));
        }
        if !client.before.is_empty() && (is_script || !is_there) {
            let message = "`before` is for a `request` or a `command` beside an [application]";
            return Err(mistake(message));
        }
        let before = &client.before;
        let does = match (
            &client.script,
            &client.request,
            &client.command,
            application,
        ) {
            (Some(script), None, None, _) => Does::Script(self.scripts(script)?),
            (None, Some(_), None, _) if !is_there => {
                let message = "a `request` needs an [application] that answers it";
                return Err(mistake(message));
            }
            (None, Some(request), None, _) => {
                let acknowledged = client.acknowledged.as_ref();
                let read = RequestClient::read(self.source, before, request, acknowledged);
                Does::Request(Arc::new(read?))
            }
            (None, None, Some(command), Some(application)) => {
                let read = CommandClient::read(self.source, application, before, &command.0);
                Does::Command(Arc::new(read?))
            }
            _ => {
                let message = "a client has either a `script` of SQL, a `request` to the application \
                               or a `command`";
                return Err(mistake(message));
            }
        };
        Ok(ClientScript {
            name: client.name.clone(),
            level: self.level(client.isolation.as_ref())?,
            retry: client.retry.as_ref().map(|it| self.retry(it)).transpose()?,
            may_be_refused: self.faults(&client.may_be_refused)?,
            does,
        })
    }

    fn scripts(&self, script: &Spanned<Texts>) -> Result<ByEngine<Script>, FileError> {
        ByEngine::make(&self.engines, |engine| {
            let text = self.text(script, engine, "script")?;
            let read = Script::parse(text.get_ref(), engine.flavour());
            let read = read.map_err(|error| self.in_text(&text, engine, script, error))?;
            Ok(read.below(self.lines_above(&text)))
        })
    }

    fn level(&self, level: Option<&Spanned<String>>) -> Result<Option<Isolation>, FileError> {
        let Some(level) = level else {
            return Ok(None);
        };
        let read = level.get_ref().parse().ok();
        // The database's own spelling has spaces, and a file's has not.
        let read = read.filter(|_| !level.get_ref().contains([' ', '_']));
        read.map(Some).ok_or_else(|| {
            let message = format!(
                "{:?} is no isolation level; there are read-uncommitted, read-committed, \
                 repeatable-read and serializable",
                level.get_ref()
            );
            self.source.mistake(level.span().start, message)
        })
    }

    fn retry(&self, retry: &RetryTable) -> Result<Retry, FileError> {
        let times = *retry.times.get_ref();
        if times < 2 {
            let message = "`times` counts all attempts, the first one included: 2 or more";
            return Err(self.source.mistake(retry.times.span().start, message));
        }
        Ok(Retry {
            on: self.faults(&retry.on)?,
            times,
        })
    }

    fn faults(&self, names: &[Spanned<String>]) -> Result<Vec<FaultKind>, FileError> {
        let fault = |name: &Spanned<String>| {
            let found = FaultKind::ALL
                .into_iter()
                .find(|it| it.name() == name.get_ref().as_str());
            found.ok_or_else(|| {
                let known: Vec<_> = FaultKind::ALL.iter().map(|it| it.name()).collect();
                let name_here = name.get_ref();
                let message = format!(
                    "{name_here:?} is no kind of refusal; there are {}",
                    known.join(", ")
                );
                self.source.mistake(name.span().start, message)
            })
        };
        names.iter().map(fault).collect()
    }

    fn setup(
        &self,
        setup: Option<&Spanned<Texts>>,
    ) -> Result<ByEngine<Vec<SetupStatement>>, FileError> {
        ByEngine::make(&self.engines, |engine| {
            let Some(setup) = setup else {
                return Ok(Vec::new());
            };
            let text = self.text(setup, engine, "setup")?;
            let read = statements(text.get_ref(), engine.flavour());
            let read = read.map_err(|error| self.in_text(&text, engine, setup, error))?;
            let begin = self.source.begin_of_text(&text.span());
            let begin = self.source.position(begin);
            let statements = read.into_iter().map(|(line, column, sql)| SetupStatement {
                line: begin.line + line - 1,
                column: match line {
                    1 => begin.column + column - 1,
                    _ => column,
                },
                sql,
            });
            Ok(statements.collect())
        })
    }

    fn setup_text(&self, setup: Option<&Spanned<Texts>>) -> Result<ByEngine<String>, FileError> {
        ByEngine::make(&self.engines, |engine| match setup {
            None => Ok(String::new()),
            Some(setup) => {
                let text = self.text(setup, engine, "setup")?;
                Ok(text.into_inner().trim().to_owned())
            }
        })
    }

    fn text(
        &self,
        texts: &Spanned<Texts>,
        engine: EngineName,
        key: &str,
    ) -> Result<Spanned<String>, FileError> {
        text_on(self.source, texts, engine, key)
    }

    /// The number of the file's lines above the first one of a text.
    fn lines_above(&self, text: &Spanned<String>) -> usize {
        let begin = self.source.begin_of_text(&text.span());
        self.source.position(begin).line - 1
    }

    /// A mistake in a text, at its place in the file. If other engines read the same text, it is
    /// said which one cannot.
    fn in_text(
        &self,
        text: &Spanned<String>,
        engine: EngineName,
        texts: &Spanned<Texts>,
        error: ScriptError,
    ) -> FileError {
        mistake_in_text(self.source, text, engine, texts, &error)
    }
}
