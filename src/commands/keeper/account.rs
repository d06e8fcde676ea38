//! `racy account`: opens, resets and lists accounts.

use std::fmt::Write as _;

use clap::Subcommand;

use super::{ACTOR, MUTEX_IN_PROCESS_WARNING, Report, report_on};
use crate::accounts::{self, Account, Page};
use crate::commands::CommandResult;
use crate::commands::database::DatabaseOptions;
use crate::commands::terminal::complain;
use crate::engine::Database;
use crate::keeper;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Command {
    /// Open an account, and print its number.
    Add {
        /// The balance that the account begins with.
        #[arg(
            long,
            value_name = "AMOUNT",
            default_value_t = 0,
            value_parser = clap::value_parser!(i64).range(0..)
        )]
        opening_balance: i64,

        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Reset an account to its opening balance, and delete its transactions.
    ///
    /// Deposits may be made meanwhile. Only those by mutex_in_process do not notice the change, and
    /// may overwrite it. While such deposits are made, reset the account at /admin.
    Reset {
        /// The account's number.
        account: i64,

        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// List all accounts with their audit.
    List {
        #[command(flatten)]
        database: DatabaseOptions,
    },
}

impl Command {
    pub(in crate::commands) async fn run(self) -> CommandResult {
        match self {
            Self::Add {
                opening_balance,
                database,
            } => report_on(&database, async |it| add(it, opening_balance).await).await,
            Self::Reset { account, database } => {
                report_on(&database, async |it| reset(it, account).await).await
            }
            Self::List { database } => report_on(&database, list).await,
        }
    }
}

async fn add(database: &Database, opening_balance: i64) -> Report {
    let account = keeper::open_account(database, ACTOR.name, opening_balance).await?;
    Ok(format!("{account}\n"))
}

async fn reset(database: &Database, account: i64) -> Report {
    let deleted = keeper::reset_account(database, ACTOR, account).await?;
    complain(MUTEX_IN_PROCESS_WARNING);
    Ok(format!(
        "Account {account} is back at its opening balance; {deleted} transactions are deleted.\n"
    ))
}

async fn list(database: &Database) -> Report {
    const PAGE: i64 = 1000;
    let mut text = String::from("account      balance     expected         lost transactions\n");
    let mut after = 0;
    loop {
        let page = Page { after, limit: PAGE };
        let accounts = accounts::list(database, page).await?;
        for account in &accounts {
            write_row(&mut text, account);
        }
        match accounts.last() {
            Some(last) if accounts.len() as i64 == PAGE => after = last.id,
            _ => return Ok(text),
        }
    }
}

fn write_row(text: &mut String, account: &Account) {
    let Account {
        id,
        balance,
        expected,
        lost,
        transactions,
        ..
    } = account;
    let _ = writeln!(
        text,
        "{id:>7} {balance:>12} {expected:>12} {lost:>12} {transactions:>12}"
    );
}
