//! What a file says of its application and of the clients that send it requests, parsed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use toml::Spanned;

use super::file::{AnswerTable, ApplicationTable, ProbeTable, RequestTable, RestoreTable};
use super::pattern::Pattern;
use super::request::{Patterns, RequestPlan};
use super::status::Acknowledged;
use super::visit::RequestClient;
use super::words::Words;
use crate::scenarios::place::{FileError, SourceFile};

/// The names that have a value in `env`. `app_port` has none if no application is started.
const PLACES: [&str; 7] = [
    "app_port",
    "db_host",
    "db_port",
    "db_name",
    "db_user",
    "db_password",
    "db_url",
];

/// Those of them that have a value in `command` and `prepare` as well. Everybody on this machine
/// can read a program's arguments.
const PLACES_FOR_ALL_TO_READ: [&str; 5] = ["app_port", "db_host", "db_port", "db_name", "db_user"];

/// The longest wait for an application that starts.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// An application, as a file describes it.
#[derive(Debug)]
pub(in crate::scenarios) struct ApplicationPlan {
    pub(super) runs: Runs,
    /// Where the proxy listens. None if any free port of 127.0.0.1 will do.
    pub(super) listen: Option<SocketAddr>,
    pub(super) restore: Restoring,
    /// The path of an answer that says that it is ready. None if any answer does.
    pub(super) ready: Option<String>,
    pub(super) ready_within: Duration,
    /// The largest number of instances at once.
    instances: usize,
}

/// How many instances are at work at once, unless it is said otherwise. One computes while another
/// waits, and more than a few get in each other's way.
const INSTANCES: RangeInclusive<usize> = 2..=4;

/// Who runs the application.
#[derive(Debug)]
pub(super) enum Runs {
    /// The lab starts it.
    Started(Launch),
    /// It runs already, at this address.
    Already(String),
    /// There is none: commands share what is said here.
    Nowhere(Launch),
}

/// How an application is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// Empty if nothing is started.
    pub(super) command: Vec<Pattern>,
    pub(super) directory: PathBuf,
    pub(super) env: Vec<(String, Pattern)>,
    pub(super) prepare: Vec<Vec<Pattern>>,
}

/// What brings the application back to its beginning.
#[derive(Debug)]
pub(super) enum Restoring {
    /// The tables come back from copies.
    Copies,
    /// The tables come back from copies, and the application is started again.
    Restart,
    /// These statements bring the tables back.
    Sql(String),
    /// The tables come back from copies, and this request is sent.
    Request(Box<RequestPlan>),
}

impl ApplicationPlan {
    /// What commands share if a file says nothing of it.
    pub(in crate::scenarios) fn of_commands_alone(source: SourceFile<'_>) -> Self {
        Self {
            runs: Runs::Nowhere(Launch {
                command: Vec::new(),
                directory: directory(source, None),
                env: Vec::new(),
                prepare: Vec::new(),
            }),
            listen: None,
            restore: Restoring::Copies,
            ready: None,
            ready_within: READY_WITHIN,
            instances: 1,
        }
    }

    /// Reads what a file says. Its folders are seen from the file's own. Nothing needs to run if
    /// the clients are commands, and none of them sends a request.
    pub(in crate::scenarios) fn read(
        source: SourceFile<'_>,
        table: &Spanned<ApplicationTable>,
        are_commands_alone: bool,
    ) -> Result<Self, FileError> {
        let at = table.span().start;
        let application = table.get_ref();
        let runs = match (&application.command, &application.base_url) {
            (Some(command), None) => Runs::Started(launch(source, application, Some(command))?),
            (None, Some(url)) => Runs::Already(base_url(source, url)?),
            (None, None) if are_commands_alone => Runs::Nowhere(launch(source, application, None)?),
            _ => {
                let message = "an application has either a `command` that starts it, or a `base_url` \
                               where it runs already";
                return Err(source.mistake(at, message));
            }
        };
        let is_started = matches!(runs, Runs::Started(_));
        let runs_already = matches!(runs, Runs::Already(_));
        if runs_already && !application.prepare.is_empty() {
            let message = "`prepare` is for an application with a `command`";
            return Err(source.mistake(at, message));
        }
        if runs_already && application.listen.is_none() {
            let message = "with `base_url`, `listen` says where the proxy is that the application \
                           connects to, e.g. listen = \"127.0.0.1:3307\"";
            return Err(source.mistake(at, message));
        }
        Ok(Self {
            restore: restoring(source, application.restore.as_ref(), is_started)?,
            runs,
            listen: listen(source, application.listen.as_ref())?,
            instances: instances(source, application)?,
            ready: application.ready.clone(),
            ready_within: application
                .ready_within
                .map_or(READY_WITHIN, |it| Duration::from_secs(it.into())),
        })
    }
}

impl ApplicationPlan {
    /// Whether it is not the lab that starts it.
    pub(in crate::scenarios) fn runs_already(&self) -> bool {
        matches!(self.runs, Runs::Already(_))
    }

    /// Whether there can be one instance alone.
    pub(in crate::scenarios) fn has_one_instance(&self) -> bool {
        self.instances == 1
    }

    /// The largest number of instances at once.
    pub(in crate::scenarios) fn instances(&self) -> usize {
        self.instances
    }

    /// Whether there is an application, which can be asked something.
    pub(in crate::scenarios) fn is_there(&self) -> bool {
        !matches!(self.runs, Runs::Nowhere(_))
    }

    /// Whether commands of the file may fill the tables before the runs, besides the set-up.
    pub(in crate::scenarios) fn prepares_something(&self) -> bool {
        self.launch().is_some_and(|it| !it.prepare.is_empty())
    }

    /// Whether it is told a port to listen on.
    pub(super) fn has_port(&self) -> bool {
        matches!(self.runs, Runs::Started(_))
    }

    /// What it and the commands are started with. None if it runs already.
    pub(super) fn launch(&self) -> Option<&Launch> {
        match &self.runs {
            Runs::Started(launch) | Runs::Nowhere(launch) => Some(launch),
            Runs::Already(_) => None,
        }
    }

    /// The folder in which it is started, or that of the file.
    pub(super) fn directory(&self, source: SourceFile<'_>) -> PathBuf {
        let launch = self.launch();
        launch.map_or_else(|| directory(source, None), |it| it.directory.clone())
    }
}

fn instances(source: SourceFile<'_>, table: &ApplicationTable) -> Result<usize, FileError> {
    let is_one = table.command.is_none() || table.listen.is_some();
    let Some(asked) = &table.instances else {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let usual = processors.clamp(*INSTANCES.start(), *INSTANCES.end());
        return Ok(if is_one { 1 } else { usual });
    };
    let message = match asked.get_ref() {
        0 => "`instances` is at least 1",
        2.. if is_one => {
            "several `instances` need a `command` that starts each of them, and a proxy of its own for \
             each: leave `listen` out"
        }
        instances => return Ok((*instances).into()),
    };
    Err(source.mistake(asked.span().start, message))
}

fn launch(
    source: SourceFile<'_>,
    table: &ApplicationTable,
    command: Option<&Spanned<Words>>,
) -> Result<Launch, FileError> {
    let has_port = command.is_some();
    let words = |it| words_of(source, it, has_port, &[]);
    Ok(Launch {
        command: command.map(words).transpose()?.unwrap_or_default(),
        directory: directory(source, table.directory.as_deref()),
        env: env_of(source, &table.env, has_port, &[])?,
        prepare: table.prepare.iter().map(words).collect::<Result<_, _>>()?,
    })
}

/// A folder as seen from that of the file. Whether it is there is found when a program starts: the
/// console reads files of visitors, who must not learn what folders this machine has.
pub(super) fn directory(source: SourceFile<'_>, named: Option<&str>) -> PathBuf {
    let folder = Path::new(source.name).parent().unwrap_or(Path::new(""));
    folder.join(named.unwrap_or("."))
}

/// The names that have a value: those of places, and the client's own.
fn known<'n>(places: &[&'n str], has_port: bool, own: &[&'n str]) -> Vec<&'n str> {
    let places = places.iter().filter(|it| has_port || **it != "app_port");
    places.chain(own).copied().collect()
}

/// Variables of an environment.
pub(super) fn env_of(
    source: SourceFile<'_>,
    env: &BTreeMap<String, Spanned<String>>,
    has_port: bool,
    own: &[&str],
) -> Result<Vec<(String, Pattern)>, FileError> {
    let known = known(&PLACES, has_port, own);
    let patterns = Patterns {
        source,
        known: &known,
    };
    let read = |(name, value): (&String, &Spanned<String>)| {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("{name:?} cannot name a variable: a name has a letter, and no =");
            return Err(source.mistake(value.span().start, message));
        }
        Ok((name.clone(), patterns.read(value)?))
    };
    env.iter().map(read).collect()
}

/// A program and its arguments. `own` are the names that have a value for one client alone.
pub(super) fn words_of(
    source: SourceFile<'_>,
    command: &Spanned<Words>,
    has_port: bool,
    own: &[&str],
) -> Result<Vec<Pattern>, FileError> {
    let known = known(&PLACES_FOR_ALL_TO_READ, has_port, own);
    let at = command.span().start;
    let words = &command.get_ref().0;
    if words.is_empty() {
        let message = "a command has a program, and perhaps arguments: [\"node\", \"server.js\"]";
        return Err(source.mistake(at, message));
    }
    let read = |word: &String| {
        let pattern = Pattern::parse(word);
        let pattern = pattern.map_err(|error| source.mistake(at, error.message))?;
        let unknown = pattern.names().find(|name| !known.contains(name));
        let message = unknown.map(|name| {
            let secret = if matches!(name, "db_password" | "db_url") {
                ". A password belongs in `env`: arguments can be read by everybody on this machine"
            } else {
                ""
            };
            let known = in_braces(&known);
            format!("{{{name}}} has no value here; there are {known}{secret}")
        });
        match message {
            None => Ok(pattern),
            Some(message) => Err(source.mistake(at, message)),
        }
    };
    words.iter().map(read).collect()
}

fn in_braces(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|it| format!("{{{it}}}")).collect();
    names.join(", ")
}

fn base_url(source: SourceFile<'_>, url: &Spanned<String>) -> Result<String, FileError> {
    let text = url.get_ref().trim_end_matches('/');
    let read = Url::parse(text).ok();
    let is_http = read.is_some_and(|it| it.scheme() == "http" && it.has_host());
    if is_http {
        Ok(text.to_owned())
    } else {
        let message = format!("{text:?} is no address of an application: http://127.0.0.1:8000");
        Err(source.mistake(url.span().start, message))
    }
}

fn listen(
    source: SourceFile<'_>,
    listen: Option<&Spanned<String>>,
) -> Result<Option<SocketAddr>, FileError> {
    let Some(listen) = listen else {
        return Ok(None);
    };
    match listen.get_ref().parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) => {
            let message = format!(
                "{:?} is no address to listen on: an IP address and a port, e.g. 127.0.0.1:3307",
                listen.get_ref()
            );
            Err(source.mistake(listen.span().start, message))
        }
    }
}

fn restoring(
    source: SourceFile<'_>,
    restore: Option<&Spanned<RestoreTable>>,
    is_started: bool,
) -> Result<Restoring, FileError> {
    let Some(restore) = restore else {
        return Ok(Restoring::Copies);
    };
    match restore.get_ref() {
        RestoreTable::Request(request) => {
            let request = RequestPlan::read(source, request, &[])?;
            Ok(Restoring::Request(Box::new(request)))
        }
        RestoreTable::Text(text) => match text.trim() {
            "auto" => Ok(Restoring::Copies),
            "restart" if is_started => Ok(Restoring::Restart),
            "restart" => {
                let message = "an application that is not started here cannot be restarted: \
                               \"auto\", SQL, or a request to it";
                Err(source.mistake(restore.span().start, message))
            }
            sql if sql.contains(char::is_whitespace) => Ok(Restoring::Sql(sql.to_owned())),
            other => {
                let message = format!(
                    "{other:?} brings nothing back: \"auto\", \"restart\", SQL, or a request"
                );
                Err(source.mistake(restore.span().start, message))
            }
        },
    }
}

impl RequestClient {
    /// Reads what a file says of a client that sends a request.
    pub(in crate::scenarios) fn read(
        source: SourceFile<'_>,
        before: &[RequestTable],
        request: &RequestTable,
        acknowledged: Option<&AnswerTable>,
    ) -> Result<Self, FileError> {
        let (sent, known) = RequestPlan::read_in_turn(source, before)?;
        let names: Vec<_> = known.iter().map(String::as_str).collect();
        Ok(Self {
            before: sent,
            request: RequestPlan::read(source, request, &names)?,
            acknowledged: Acknowledged::read(source, acknowledged)?,
        })
    }
}

/// What the application must answer when all clients have come to their end.
#[derive(Debug)]
pub(in crate::scenarios) struct Probe {
    pub(super) path: String,
    pub(super) pointer: String,
    pub(super) equals: serde_json::Value,
}

impl Probe {
    /// Reads what a file says of a probe.
    pub(in crate::scenarios) fn read(
        source: SourceFile<'_>,
        table: &ProbeTable,
    ) -> Result<Self, FileError> {
        let pointer = table.pointer.as_ref();
        if let Some(pointer) = pointer.filter(|it| {
            let text = it.get_ref();
            !text.is_empty() && !text.starts_with('/')
        }) {
            let message = "a JSON pointer begins with a slash: /account/balance";
            return Err(source.mistake(pointer.span().start, message));
        }
        if !table.path.get_ref().starts_with('/') {
            let message = "`path` begins with a slash: the application's address is known";
            return Err(source.mistake(table.path.span().start, message));
        }
        Ok(Self {
            path: table.path.get_ref().clone(),
            pointer: pointer.map(|it| it.get_ref().clone()).unwrap_or_default(),
            equals: table.equals.clone(),
        })
    }

    /// The same without the value that it expects, and without the query of its path.
    pub(in crate::scenarios) fn without_values(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("GET {path} at {:?} = ?", self.pointer)
    }

    /// A few words that name it.
    pub(in crate::scenarios) fn in_words(&self) -> String {
        format!("GET {} at {:?} = {}", self.path, self.pointer, self.equals)
    }
}
