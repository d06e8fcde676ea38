//! The command line.

use std::ffi::OsString;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use make_requests::output::Format;
use make_requests::{Amount, BaseUrl, Pace, Plan, Requests, Target, parse_timeout};

/// Fire concurrent deposits at a service and say what was lost.
///
/// Reads the account, fires the requests, reads the account again, and compares: what was
/// acknowledged, what the balance should be, what it is, and what was lost.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    /// The endpoint below /demo/
    #[arg(long, value_name = "NAME", default_value = "atomic_long_delay")]
    target: Target,

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

    /// The account that all deposits go to
    #[arg(
        long,
        value_name = "ID",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    account: i64,

    /// What each deposit adds
    #[arg(
        long,
        value_name = "N",
        default_value = "100",
        allow_negative_numbers = true
    )]
    amount: Amount,

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
  0  nothing was lost; some requests may have been refused
  1  lost updates: the balance fell behind the account's transactions; or double deposits:
     more transactions than requests
  2  could not tell: wrong usage, no answer from the service, an unknown account or target,
     a request without a clear answer (although nothing was lost so far), acknowledged deposits
     without a transaction, or no deposit acknowledged at all";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// For people
    Text,
    /// One object
    Json,
    /// One row per request; the summary goes to stderr
    Csv,
}

impl Args {
    pub(crate) fn format(&self) -> Format {
        match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Json => Format::Json,
            FormatArg::Csv => Format::Csv,
        }
    }

    pub(crate) fn into_plan(self) -> Plan {
        Plan {
            base_url: self.base_url,
            target: self.target,
            pace: self.wait,
            requests: self.requests,
            account: self.account,
            amount: self.amount,
            timeout: self.timeout,
            retry_timeouts: self.retry_timeouts,
            idempotency: self.idempotency,
        }
    }
}

/// Gives each long option that came with one dash its second: the Go original took one.
pub(crate) fn with_two_dashes(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut command = Args::command();
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
        Args::command().debug_assert();
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
