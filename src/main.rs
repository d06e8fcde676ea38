//! The program: parses the command line, and runs the command.

use std::process::ExitCode;

use racy::commands;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run(commands::parse()).await
}
