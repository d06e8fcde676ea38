//! `make_requests`: fires concurrent requests and says what went wrong.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use make_requests::output::{self, Format};
use make_requests::trace::Trace;
use make_requests::{Plan, Progress, Report};

use crate::args::{Arguments, Command, RunArguments};

mod args;

/// The exit status if nothing can be said about the target.
const COULD_NOT_TELL: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::try_parse_from(args::with_two_dashes(std::env::args_os()));
    let Arguments { run, command } = arguments.unwrap_or_else(|error| stop(error));
    match command {
        Some(command) => exit_status(print_document(command), 0).into(),
        None => fire(run).await.into(),
    }
}

/// Fires the requests and prints the report. Returns the exit status.
async fn fire(arguments: RunArguments) -> u8 {
    let format = arguments.format;
    let trace = arguments.trace.clone();
    let plan = arguments.into_plan().unwrap_or_else(|error| stop(error));
    match make_requests::run(&plan, narrator(&plan)).await {
        Ok(report) => {
            let printed = print(format, &report);
            let traced = trace.map_or(Ok(()), |path| write_trace(&path, &report));
            exit_status(printed.and(traced), report.verdict().exit_status())
        }
        Err(error) => {
            say(&format!("make_requests: could not tell: {error}\n"));
            COULD_NOT_TELL
        }
    }
}

/// Reports a command line that cannot be used, and ends the process.
fn stop(error: clap::Error) -> ! {
    make_requests::without_credentials(error).exit()
}

/// Tells a person at the terminal how far the run has come.
fn narrator(plan: &Plan) -> impl FnMut(Progress) {
    let requests = plan.requests.get();
    let is_watched = io::stderr().is_terminal();
    let mut answered = 0;
    move |progress| {
        if !is_watched {
            return;
        }
        match progress {
            Progress::Probed => say("The service knows the target.\n"),
            Progress::Warm => say(&format!("{requests} connections are open and warm.\n")),
            Progress::Answered { .. } => {
                answered += 1;
                let end = if answered == requests { "\n\n" } else { "" };
                say(&format!(
                    "\r{answered} of {requests} requests answered{end}"
                ));
            }
        }
    }
}

/// Prints the report to stdout. A table has no room for the summary, so that goes to stderr.
fn print(format: Format, report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    output::write(format, report, &mut out)?;
    out.flush()?;
    if format == Format::Csv {
        output::write_summary(report, &mut io::stderr().lock())?;
    }
    Ok(())
}

/// Writes the run as a trace.
fn write_trace(path: &Path, report: &Report) -> io::Result<()> {
    let mut trace = Trace::default();
    trace.add(&report.plan.target.to_string(), report);
    let mut file = BufWriter::new(File::create(path)?);
    trace.write(&mut file)?;
    file.flush()
}

/// Prints a completion script or the manual page to stdout.
fn print_document(command: Command) -> io::Result<()> {
    let document = command.document()?;
    let mut out = io::stdout().lock();
    out.write_all(&document)?;
    out.flush()
}

/// The exit status after printing. A reader that leaves early, such as `head`, does not change it.
fn exit_status(printed: io::Result<()>, status: u8) -> u8 {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!(
                "make_requests: the result could not be written: {error}\n"
            ));
            COULD_NOT_TELL
        }
        _ => status,
    }
}

/// Writes to stderr. An error is dropped, because there is no other place to report it.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
