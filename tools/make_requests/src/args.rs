//! The command line.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use make_requests::output::Format;
use make_requests::{
    Amount, BaseUrl, Pace, PartitionName, Plan, Requests, TableName, TargetName, TargetOptions,
    parse_timeout,
};

/// Fire concurrent requests at a service and say what went wrong.
///
/// Deposits: reads the account before and after the requests. Compares the balance with the
/// deposits that were acknowledged, and with the account's own transactions.
///
/// Orders: writes orders in a new book, each for another customer. The service's consumer ships
/// orders once during the run and once after it. Then the service audits the book.
///
/// Exports: downloads each exported file and has the service audit it. A file that several requests
/// wrote is examined once more after the last answer.
///
/// Tables: appends records to a new table, each with a key that no other record has. Afterwards
/// reads the table page by page and looks for each key, and has the service audit the table.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = EXIT_STATUS,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the tool does instead of firing requests.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Print a completion script for a shell
    Completions {
        /// The shell that reads the script
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    /// What the command prints.
    pub(crate) fn document(self) -> io::Result<Vec<u8>> {
        let mut document = Vec::new();
        let mut arguments = Arguments::command();
        match self {
            Self::Completions { shell } => {
                clap_complete::generate(shell, &mut arguments, "make_requests", &mut document);
            }
            Self::Man => clap_mangen::Man::new(arguments).render(&mut document)?,
        }
        Ok(document)
    }
}

/// The options of a run.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// What to race for: a deposit's strategy, orders/NAME, exports/NAME or tables/NAME
    #[arg(long, value_name = "NAME", default_value = "atomic_long_delay")]
    target: TargetName,

    /// The time between two requests, e.g. 0.5. With 0 all start together
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "1",
        allow_negative_numbers = true
    )]
    wait: Pace,

    /// How many requests to fire
    #[arg(
        long,
        value_name = "N",
        default_value = "10",
        allow_negative_numbers = true
    )]
    requests: Requests,

    /// The account of the deposits or exports [default: 1]
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    account: Option<i64>,

    /// What each deposit adds [default: 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    amount: Option<Amount>,

    /// The table to append to [default: a new one for each run]
    #[arg(long, value_name = "NAME")]
    table: Option<TableName>,

    /// The partition that all appends belong to [default: each request has its own]
    #[arg(long, value_name = "NAME")]
    partition: Option<PartitionName>,

    /// The address of the service, http:// only
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    base_url: BaseUrl,

    /// How long to wait for the answer to one request
    #[arg(long, value_name = "SECONDS", default_value = "120", allow_negative_numbers = true,
          value_parser = parse_timeout)]
    timeout: Duration,

    /// Send a deposit again if its answer does not come in time, at most five times
    #[arg(long)]
    retry_timeouts: bool,

    /// Give each deposit its own Idempotency-Key, the same each time it is sent
    #[arg(long)]
    idempotency: bool,

    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Also write the run as a trace, which ui.perfetto.dev and chrome://tracing open
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

const EXIT_STATUS: &str = "\
Options may have one dash instead of two: -target NAME.

Exit status:
  0  Nothing went wrong. Some requests may have been refused.
  1  An anomaly was found:
     - lost updates: the balance fell behind the account's transactions
     - lost deposits: acknowledged deposits have no transaction
     - double deposits: there are more transactions than requests
     - lost appends: acknowledged records are not in the table
     - duplicate appends: records are in the table more than once
     - broken table: an append found files of the table damaged
     - what the audit of a book, a file or a table found
  2  It could not be told:
     - wrong usage, no answer from the service, or an unknown account or target
     - nothing went wrong so far, but some requests have no clear answer
     - acknowledged orders are not in the book
     - a file could not be examined, or no request was acknowledged";

impl RunArguments {
    /// The plan. An option that has no meaning for the target is refused.
    pub(crate) fn into_plan(self) -> Result<Plan, clap::Error> {
        let options = TargetOptions {
            account: self.account,
            amount: self.amount,
            retry_timeouts: self.retry_timeouts,
            idempotency: self.idempotency,
            table: self.table,
            partition: self.partition,
        };
        let target = self
            .target
            .target(&options)
            .map_err(|error| Arguments::command().error(ErrorKind::ArgumentConflict, error))?;
        Ok(Plan {
            base_url: self.base_url,
            target,
            pace: self.wait,
            requests: self.requests,
            timeout: self.timeout,
        })
    }
}

/// Gives a long option with one dash its second one. The original, written in Go, takes one dash.
pub(crate) fn with_two_dashes(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut command = Arguments::command();
    // A command lists --help and --version only after it was built.
    command.build();
    let is_long = |name: &str| {
        command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
    };

    args.map(
        |arg| match arg.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(rest) if is_long(rest.split('=').next().unwrap_or(rest)) => {
                OsString::from(format!("--{rest}"))
            }
            _ => arg,
        },
    )
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    /// An argument as it is given, and as it is read.
    const DASHES: &[(&str, &str)] = &[
        ("-target", "--target"),
        ("x", "x"),
        ("-wait=0", "--wait=0"),
        ("--amount", "--amount"),
        ("-5", "-5"),
        ("-base-url=u", "--base-url=u"),
        ("-h", "-h"),
        ("-help", "--help"),
        ("-no", "-no"),
        ("-", "-"),
    ];

    #[test]
    fn one_dash_becomes_two_if_the_option_is_known() {
        let given = DASHES.iter().map(|(given, _)| OsString::from(given));
        let read: Vec<_> = DASHES
            .iter()
            .map(|(_, read)| OsString::from(read))
            .collect();
        assert_eq!(with_two_dashes(given), read);
    }
}
