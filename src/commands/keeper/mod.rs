//! The keeper's commands: what the keeper does between two lessons. They also work on the lab's own
//! private server or file while `racy serve` has it open.

mod account;
mod superuser;
mod token;
mod transactions;

use std::error::Error;
use std::process::ExitCode;

use clap::Subcommand;

use super::database::DatabaseOptions;
use super::signals::Signals;
use super::terminal::{complain, print};
use super::{CommandResult, log};
use crate::engine::Database;
use crate::engine::choice::Lifetime;
use crate::keeper::Actor;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a user who may sign in at /admin.
    ///
    /// There a user opens, resets and lists accounts, and deletes transactions.
    ///
    /// The command asks for what is not given. The password comes from RACY_SUPERUSER_PASSWORD,
    /// else from standard input: at a terminal it is typed twice, otherwise it is the first line.
    Createsuperuser(superuser::Args),
    /// Open, reset and list accounts.
    #[command(subcommand)]
    Account(account::Command),
    /// Delete transactions.
    #[command(subcommand)]
    Transactions(transactions::Command),
    /// Create and revoke API tokens for scripts.
    #[command(subcommand)]
    Token(token::Command),
}

/// What a command prints once its work is done.
type Report = Result<String, Box<dyn Error>>;

/// The actor of a command, where no user is signed in. The process of a command makes no deposits,
/// so there are none that it would have to keep out.
const ACTOR: Actor<'_> = Actor {
    name: "(command line)",
    memory: None,
};

/// A command cannot take the lock of `mutex_in_process`, which is in the memory of the service.
const MUTEX_IN_PROCESS_WARNING: &str = "\
    if a service was making deposits by mutex_in_process meanwhile, look at the account: they do \
    not notice a change made by a command. The pages at /admin and the API take that lock, each in \
    its own instance.";

impl Command {
    pub(super) async fn run(self, signals: Signals) -> CommandResult {
        match self {
            Self::Createsuperuser(args) => args.run(signals).await,
            Self::Account(command) => signals.unless_stopped(command.run()).await,
            Self::Transactions(command) => signals.unless_stopped(command.run()).await,
            Self::Token(command) => signals.unless_stopped(command.run()).await,
        }
    }
}

/// Opens the database, works on it, and prints the report.
async fn report_on(
    options: &DatabaseOptions,
    work: impl AsyncFnOnce(&Database) -> Report,
) -> CommandResult {
    log::start_for_people()?;
    let opened = options.open(Lifetime::Shared, &complain).await?;
    let report = work(&opened.database).await;
    opened.close().await?;
    print(&report?)?;
    Ok(ExitCode::SUCCESS)
}
