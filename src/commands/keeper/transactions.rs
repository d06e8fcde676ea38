//! `racy transactions`: deletes transactions.

use clap::Subcommand;

use super::{ACTOR, MUTEX_IN_PROCESS_WARNING, Report, report_on};
use crate::commands::CommandResult;
use crate::commands::database::DatabaseOptions;
use crate::commands::terminal::complain;
use crate::engine::Database;
use crate::keeper;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Command {
    /// Delete an account's transactions, and add their amounts to its opening balance.
    ///
    /// So neither the account's balance nor what it has lost changes.
    ///
    /// Deposits may be made meanwhile. Only those by mutex_in_process do not notice the change, and
    /// may overwrite it. While such deposits are made, delete the transactions at /admin.
    Delete {
        /// The account's number.
        #[arg(long, value_name = "N")]
        account: i64,

        #[command(flatten)]
        database: DatabaseOptions,
    },
}

impl Command {
    pub(in crate::commands) async fn run(self) -> CommandResult {
        match self {
            Self::Delete { account, database } => {
                report_on(&database, async |it| delete(it, account).await).await
            }
        }
    }
}

async fn delete(database: &Database, account: i64) -> Report {
    let deleted = keeper::delete_transactions(database, ACTOR, account).await?;
    complain(MUTEX_IN_PROCESS_WARNING);
    Ok(format!(
        "{deleted} transactions of account {account} are deleted.\n"
    ))
}
