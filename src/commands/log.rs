//! The log, on standard error.

use std::env;
use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How to write the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line per event, for people.
    Text,
    /// A JSON object per event, for programs.
    Json,
}

/// Starts the log at this level, unless RUST_LOG asks for others.
pub(super) fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let directives = env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or(level))
        .map_err(|error| format!("RUST_LOG: {error}; give a level, e.g. info or racy=debug"))?;
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && !no_color)
        // It would report a reader that has left to that same reader.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

/// Starts the log of a command that people run: warnings, as text.
pub(super) fn start_for_people() -> Result<(), String> {
    start(LogFormat::Text, "warn")
}
