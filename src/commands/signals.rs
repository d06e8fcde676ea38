//! Ctrl-C and SIGTERM.

use std::future::pending;
use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::CommandResult;

/// Counts the Ctrl-Cs and SIGTERMs since the start, so that none is missed between two waits.
#[derive(Debug, Clone)]
pub(super) struct Signals(watch::Receiver<SignalCount>);

#[derive(Debug, Clone, Copy, Default)]
struct SignalCount {
    number: usize,
    /// The exit status that the last signal asks for.
    last_status: u8,
}

impl Signals {
    /// Starts to count. From now on a signal no longer ends the process by itself.
    pub(super) fn count() -> io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let (counter, count) = watch::channel(SignalCount::default());
        tokio::spawn(async move {
            loop {
                // The exit statuses by which shells tell the two apart.
                let status = tokio::select! {
                    _ = interrupts.recv() => 130,
                    _ = terminations.recv() => 143,
                };
                counter.send_modify(|count| {
                    count.number += 1;
                    count.last_status = status;
                });
            }
        });
        Ok(Self(count))
    }

    /// Waits until this many signals have come. Returns the exit status that the last one asks for.
    pub(super) async fn nth(&mut self, number: usize) -> ExitCode {
        ExitCode::from(self.nth_status(number).await)
    }

    /// Like [`nth`](Self::nth), with the status as a number.
    pub(super) async fn nth_status(&mut self, number: usize) -> u8 {
        match self.0.wait_for(|count| count.number >= number).await {
            Ok(count) => count.last_status,
            // The counting task ends with the runtime only.
            Err(_) => pending().await,
        }
    }

    /// Runs a command, and drops it at the first signal. A private server that the command has
    /// started is dropped with it.
    pub(super) async fn unless_stopped(
        mut self,
        command: impl Future<Output = CommandResult>,
    ) -> CommandResult {
        tokio::select! {
            result = command => result,
            exit_code = self.nth(1) => Ok(exit_code),
        }
    }
}
