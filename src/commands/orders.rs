//! `racy orders process`: ships the waiting orders of a book.

use std::process::ExitCode;

use clap::Subcommand;

use super::database::DatabaseOptions;
use super::terminal::{complain, print};
use super::{CommandResult, log};
use crate::engine::choice::Lifetime;
use crate::exhibits::orders::consumer;
use crate::step::Unobserved;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ship the waiting orders of a book, once.
    ///
    /// The consumer reads the heads that are not processed. For each it reads the lines, and marks
    /// the head as processed.
    Process(ProcessArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ProcessArgs {
    /// The number of the order book.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = clap::value_parser!(i64).range(1..)
    )]
    book: i64,

    #[command(flatten)]
    database: DatabaseOptions,
}

impl Command {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::Process(args) => args.run().await,
        }
    }
}

impl ProcessArgs {
    async fn run(self) -> CommandResult {
        log::start_for_people()?;
        let opened = self.database.open(Lifetime::Kept, &complain).await?;
        let result = consumer::perform(&opened.database, self.book, &Unobserved).await;
        opened.close().await?;
        let shipped = result?;
        if shipped.is_empty() {
            print(&format!("Nothing waits in book {}.\n", self.book))?;
        }
        for order in shipped {
            let (id, customer, lines) = (order.order, order.customer_no, order.lines);
            print(&format!(
                "Shipped order {id} of customer {customer}, with {lines} lines.\n"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
