//! The command line.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use make_requests::output::Format;
use make_requests::{
    Amount, BaseUrl, Pace, Plan, Requests, TargetName, TargetOptions, parse_timeout,
};

/// Fire concurrent requests at a service and say what went wrong.
///
/// Deposits: reads the account, fires the requests, reads the account again, and compares: what was
/// acknowledged, what the balance should be, what it is, and what was lost.
///
/// Orders: each is another customer's, in a book that nobody else uses. The consumer ships once
/// while requests are in flight and once afterwards; then the book is audited.
///
/// Exports: each file is downloaded and audited as soon as it is answered, and once more at the end
/// if several requests wrote it.
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
    /// What to race for: a deposit's strategy, orders/NAME or exports/NAME
    #[arg(long, value_name = "NAME", default_value = "atomic_long_delay")]
    target: TargetName,

    /// The time between two requests, fractions are fine; 0 releases all together
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

    /// The account that all deposits go to, or that is exported [default: 1]
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    account: Option<i64>,

    /// What each deposit adds [default: 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    amount: Option<Amount>,

    /// Where the service answers; only http://
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    base_url: BaseUrl,

    /// How long one request may take
    #[arg(long, value_name = "SECONDS", default_value = "120", allow_negative_numbers = true,
          value_parser = parse_timeout)]
    timeout: Duration,

    /// Send a deposit again whose answer does not come in time, five times at most
    #[arg(long)]
    retry_timeouts: bool,

    /// Give each deposit a key of its own (Idempotency-Key), the same each time it is sent
    #[arg(long)]
    idempotency: bool,

    /// The form of the result
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    format: FormatArg,
}

const EXIT_STATUS: &str = "\
Options are taken with one dash as well: -target NAME.

Exit status:
  0  nothing went wrong; some requests may have been refused
  1  an anomaly: lost updates (the balance fell behind the account's transactions), double deposits
     (more transactions than requests), or what an audit of orders or of a file found
  2  could not tell: wrong usage, no answer from the service, an unknown account or target,
     a request without a clear answer (although nothing went wrong so far), acknowledged requests
     that left no trace, files that could not be read, or no request acknowledged at all";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// For people
    Text,
    /// One object
    Json,
    /// One row per request; the summary goes to stderr
    Csv,
}

impl RunArguments {
    pub(crate) fn format(&self) -> Format {
        match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Json => Format::Json,
            FormatArg::Csv => Format::Csv,
        }
    }

    /// The plan. An option that has no meaning for the target is refused.
    pub(crate) fn into_plan(self) -> Result<Plan, clap::Error> {
        let options = TargetOptions {
            account: self.account,
            amount: self.amount,
            retry_timeouts: self.retry_timeouts,
            idempotency: self.idempotency,
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

/// Gives each long option that came with one dash its second: the Go original took one.
pub(crate) fn with_two_dashes(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut command = Arguments::command();
    // Only a built command lists --help and --version too.
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

    #[test]
    fn one_dash_becomes_two_where_an_option_is_known() {
        let given = [
            "-target",
            "x",
            "-wait=0",
            "--amount",
            "-5",
            "-base-url=u",
            "-h",
            "-help",
            "-no",
            "-",
        ];
        let taken = with_two_dashes(given.iter().map(OsString::from));
        assert_eq!(
            taken,
            [
                "--target",
                "x",
                "--wait=0",
                "--amount",
                "-5",
                "--base-url=u",
                "-h",
                "--help",
                "-no",
                "-"
            ]
        );
    }
}
