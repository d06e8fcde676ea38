//! A client that is a command: what a file says of it, parsed.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::capture::Capture;
use super::exit::{Exit, ExitMeaning};
use super::file::{CommandTable, RequestTable};
use super::pattern::Pattern;
use super::plan::{ApplicationPlan, directory, env_of, words_of};
use super::request::RequestPlan;
use crate::scenarios::place::{FileError, SourceFile};

/// The longest that a command may take in one run, in seconds. The scheduler waits a little longer
/// for a sign of a client.
const MOST_SECONDS: u64 = 60;

/// A program that is started in each run.
#[derive(Debug)]
pub(in crate::scenarios) struct CommandClient {
    /// Sent once, before any run.
    pub(super) before: Vec<RequestPlan>,
    pub(super) words: Vec<Pattern>,
    pub(super) directory: PathBuf,
    pub(super) env: Vec<(String, Pattern)>,
    pub(super) exits: ExitMeaning,
    pub(super) capture: Vec<(String, Capture)>,
    pub(super) ends_within: Duration,
    /// Whether a value of its own is in its arguments or its environment.
    has_own_values: bool,
}

impl CommandClient {
    /// Reads what a file says of a command beside this application.
    pub(in crate::scenarios) fn read(
        source: SourceFile<'_>,
        application: &ApplicationPlan,
        before: &[RequestTable],
        command: &CommandTable,
    ) -> Result<Self, FileError> {
        let (before, own) = RequestPlan::read_in_turn(source, before)?;
        let own: Vec<_> = own.iter().map(String::as_str).collect();
        let words = words_of(source, &command.run, application.has_port(), &own)?;
        let env = env_of(source, &command.env, application.has_port(), &own)?;
        let capture = command.capture.iter();
        let capture =
            capture.map(|(name, what)| Ok((name.clone(), Capture::of_output(source, what)?)));
        let patterns = words.iter().chain(env.iter().map(|(_, value)| value));
        let has_own_values = patterns
            .flat_map(Pattern::names)
            .any(|name| own.contains(&name));
        Ok(Self {
            has_own_values,
            directory: match &command.directory {
                Some(named) => directory(source, Some(named)),
                None => application.directory(source),
            },
            before,
            words,
            env,
            exits: ExitMeaning::read(
                source,
                command.acknowledged.as_ref(),
                command.declined.as_ref(),
            )?,
            capture: capture.collect::<Result<_, _>>()?,
            ends_within: ends_within(source, command.ends_within.as_ref())?,
        })
    }

    /// Whether it has a number, a session or a captured value of its own.
    pub(in crate::scenarios) fn is_somebody(&self) -> bool {
        self.has_own_values || !self.before.is_empty()
    }

    /// Whether it sends requests before any run.
    pub(in crate::scenarios) fn has_before(&self) -> bool {
        !self.before.is_empty()
    }

    /// Whether this exit status says that the program has crashed.
    pub(in crate::scenarios) fn has_crashed(&self, status: u8) -> bool {
        self.exits.of(status) == Exit::Failed
    }

    /// The names that it captures of its output.
    pub(in crate::scenarios) fn captured_names(&self) -> impl Iterator<Item = &str> {
        self.capture.iter().map(|(name, _)| name.as_str())
    }

    /// The program and its arguments, as the file has them.
    pub(in crate::scenarios) fn as_written(&self) -> String {
        let words: Vec<_> = self.words.iter().map(Pattern::as_written).collect();
        words.join(" ")
    }
}

fn ends_within(
    source: SourceFile<'_>,
    seconds: Option<&Spanned<u64>>,
) -> Result<Duration, FileError> {
    match seconds {
        None => Ok(Duration::from_secs(MOST_SECONDS)),
        Some(it) if (1..=MOST_SECONDS).contains(it.get_ref()) => {
            Ok(Duration::from_secs(*it.get_ref()))
        }
        Some(it) => {
            let message = format!("`ends_within` is from 1 to {MOST_SECONDS} seconds");
            Err(source.mistake(it.span().start, message))
        }
    }
}
