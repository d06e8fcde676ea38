//! The command line: one file for each command, with its arguments. Each option of a service or a
//! database is an environment variable as well.
//!
//! | file | |
//! |---|---|
//! | `demo`, `serve`, `explore`, `proxy`, `watch`, `orders` | the command itself |
//! | `migrate`, `healthcheck` | the command itself |
//! | `keeper` | `createsuperuser`, `account`, `transactions` and `token` |
//! | `scenarios` | `new` and `schema`; `subjects`: what `explore` is to explore |
//! | `isolation_tests` | what `explore` does with PostgreSQL's isolation test files |
//! | `build` | what `explore` tells a build: JUnit XML, a summary, annotations |
//! | `documents` | `completions` and `man` |
//! | `database` | which database: the options that most commands share |
//! | `times` | how a time is written |
//! | `signals`, `terminal`, `log`, `progress` | what surrounds a command |

mod build;
mod database;
mod demo;
mod documents;
mod explore;
mod healthcheck;
mod isolation_tests;
mod keeper;
mod log;
mod migrate;
mod orders;
mod progress;
mod proxy;
mod scenarios;
mod serve;
mod signals;
mod stopping;
mod subjects;
mod terminal;
mod times;
mod watch;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use signals::Signals;

/// A laboratory of race conditions: a service in which money gets lost on purpose.
#[derive(Debug, Parser)]
#[command(name = "racy", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Release ten requests of each strategy together, and show how they ended.
    ///
    /// The strategies work on accounts and order books of their own in the database.
    ///
    /// The exit status is 0. It is 1 if something went wrong with a strategy that must be safe, and
    /// 2 if the demo could not run.
    Demo(demo::Args),
    /// Serve the exhibits over HTTP until Ctrl-C or SIGTERM.
    ///
    /// Requests in flight are finished first. A second Ctrl-C or SIGTERM does not wait for them.
    Serve(Box<serve::Args>),
    /// Run every schedule of a strategy's or a scenario's clients, and count how each ends.
    ///
    /// The clients run step by step on the real engine, with the functions that serve requests.
    /// The databases (MySQL, MariaDB), schemas (PostgreSQL) or files (SQLite) in which they run are
    /// the explorer's own. They are named racy_explore_… and racy_lane_…, and are removed at the
    /// end. Ctrl-C ends the exploration early and prints what was found so far.
    ///
    /// The exit status is 0. It is 1 if a strategy that must be safe showed an anomaly, or if a
    /// scenario is not as its file expects. It is 2 if a file is wrong, if a run did not come to
    /// its end, or if the engine does not show which clients wait for a lock.
    Explore(explore::Args),
    /// Stand before a database server, show what an application sends, and record it.
    ///
    /// Everything passes as it is, and nothing is held. With --record the statements become a
    /// scenario file: their values are literals, and a value that was read before and comes back is
    /// captured. Send the racing request twice, one after the other: what differs between the two
    /// recordings tells what was read from what was known before. The file and the last lines say
    /// where it cannot be right. racy explore runs it without the application.
    ///
    /// The exit status is 0 after Ctrl-C or SIGTERM. It is 2 if nothing was recorded, or if the
    /// file has to be edited before it can be explored.
    Proxy(proxy::Args),
    /// Write a scenario file to begin with: commented, and it runs.
    New(scenarios::NewArgs),
    /// Print the JSON Schema of scenario files, from which editors complete.
    Schema,
    /// Show live what the strategies of a running service do, from its /metrics.
    ///
    /// Each interval has a line per strategy. It shows the requests and the applied ones per
    /// second, and the share of requests that were answered with 409 (conflict). Then it shows the
    /// retries per request, and the times in which half of the requests and 99 of 100 were answered
    /// (p50, p99).
    ///
    /// On a terminal the picture is redrawn. Into a pipe, lines are appended. The command ends with
    /// exit status 0 at Ctrl-C, or when the terminal or the pipe's reader is gone.
    Watch(watch::Args),
    /// Process orders, as the consumer of an order book does.
    #[command(subcommand)]
    Orders(orders::Command),
    #[command(flatten)]
    Keeper(keeper::Command),
    /// Bring a database's schema up to date.
    ///
    /// The commands that work on your data do this too, unless they are given --no-migrate.
    Migrate(migrate::Args),
    /// Ask the service on this host whether it is ready, as a container's health check does.
    ///
    /// The exit status is 0 if it is ready, and 1 if it is not or does not answer.
    Healthcheck(healthcheck::Args),
    /// Print a completion script for a shell.
    ///
    /// For example: racy completions bash >~/.local/share/bash-completion/completions/racy
    Completions(documents::CompletionsArgs),
    /// Print the manual page of this program or of one of its commands.
    ///
    /// For example: racy man | man -l -, or racy man account add | man -l -
    Man(documents::ManArgs),
}

type CommandResult = Result<ExitCode, Box<dyn Error>>;

/// The exit status of a command that could not do its work.
const FAILED: u8 = 2;

/// Parses the command line. Ends the process if there is nothing to run: with help, or with a
/// complaint that shows no password.
pub fn parse() -> Arguments {
    let command = without_empty_variables(Arguments::command());
    command
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .unwrap_or_else(|error| make_requests::without_credentials(error).exit())
}

/// Makes an environment variable that is set to nothing count as not set. A Compose file cannot
/// leave a variable out.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let value = argument.get_env().and_then(env::var_os);
        if value.is_some_and(|value| value.is_empty()) {
            argument.env(None::<&str>)
        } else {
            argument
        }
    });
    command.mut_subcommands(without_empty_variables)
}

/// Runs a command to its end, and returns the exit status of the process.
pub async fn run(arguments: Arguments) -> ExitCode {
    run_command(arguments.command)
        .await
        .unwrap_or_else(|error| {
            terminal::complain(&format!("racy: {error}"));
            ExitCode::from(FAILED)
        })
}

async fn run_command(command: Command) -> CommandResult {
    let signals = Signals::count()?;
    match command {
        Command::Demo(args) => signals.unless_stopped(args.run()).await,
        Command::Serve(args) => args.run(signals).await,
        Command::Explore(args) => args.run(signals).await,
        Command::Proxy(args) => args.run(signals).await,
        Command::New(args) => args.run(),
        Command::Schema => scenarios::print_schema(),
        Command::Watch(args) => args.run(signals).await,
        Command::Orders(command) => signals.unless_stopped(command.run()).await,
        Command::Keeper(command) => command.run(signals).await,
        Command::Migrate(args) => signals.unless_stopped(args.run()).await,
        Command::Healthcheck(args) => signals.unless_stopped(args.run()).await,
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
    }
}
