//! `racy migrate`: brings a database's schema up to date.

use std::process::ExitCode;

use super::database::EngineOptions;
use super::terminal::{complain, print};
use super::{CommandResult, log};
use crate::engine::choice::Lifetime;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    engine: EngineOptions,
}

impl Args {
    pub(super) async fn run(self) -> CommandResult {
        log::start_for_people()?;
        let opened = self.engine.open(Lifetime::Kept, &complain).await?;
        opened.close().await?;
        print("The schema is up to date.\n")?;
        Ok(ExitCode::SUCCESS)
    }
}
