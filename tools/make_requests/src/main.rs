//! `make_requests`: fires concurrent requests and says what went wrong.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use make_requests::output::{self, Format};
use make_requests::{Plan, Progress, Report};

use crate::args::Args;

mod args;

/// The exit status where nothing can be said about the target.
const COULD_NOT_TELL: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::try_parse_from(args::with_two_dashes(std::env::args_os()));
    let args = args.unwrap_or_else(|error| stop(error));
    let format = args.format();
    let plan = args.into_plan().unwrap_or_else(|error| stop(error));

    let report = match make_requests::run(&plan, narrator(&plan)).await {
        Ok(report) => report,
        Err(error) => {
            say(&format!("make_requests: could not tell: {error}\n"));
            return COULD_NOT_TELL.into();
        }
    };
    match print(format, &report) {
        // A reader that has seen enough, such as `head`, does not change the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!(
                "make_requests: the result could not be written: {error}\n"
            ));
            COULD_NOT_TELL.into()
        }
        _ => report.verdict().exit_status().into(),
    }
}

/// Says what is wrong with the command line, and ends.
fn stop(error: clap::Error) -> ! {
    make_requests::without_credentials(error).exit()
}

/// Tells a person at the terminal how far the run has come.
fn narrator(plan: &Plan) -> impl FnMut(Progress) {
    let requests = plan.requests.get();
    let watched = io::stderr().is_terminal();
    let mut answered = 0;
    move |progress| {
        if !watched {
            return;
        }
        match progress {
            Progress::Probed => say("The service knows what is raced for.\n"),
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

/// The result goes to stdout. A table has no room for the summary, so that goes to stderr.
fn print(format: Format, report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    output::write(format, report, &mut out)?;
    out.flush()?;
    if format == Format::Csv {
        output::write_summary(report, &mut io::stderr().lock())?;
    }
    Ok(())
}

/// Writes to stderr. Where that is closed, there is nobody to tell so.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
