//! `racy healthcheck`: asks the service on this host whether it is ready.

use std::process::ExitCode;

use super::CommandResult;
use super::serve::ListenOption;
use super::terminal::complain;
use crate::http;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    listening: ListenOption,
}

impl Args {
    pub(super) async fn run(self) -> CommandResult {
        Ok(match http::probe(self.listening.listen).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                complain(&why);
                ExitCode::FAILURE
            }
        })
    }
}
