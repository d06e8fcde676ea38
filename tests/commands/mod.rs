//! The commands as a person runs them: processes, signals, exit statuses, what is printed.

mod demo;
mod log;
mod options;
mod requests;
mod serve;

use std::process::{Command, Output};

pub async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
