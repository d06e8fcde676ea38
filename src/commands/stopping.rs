//! The end of an exploration that a signal stops.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::sleep;

use super::CommandResult;
use super::signals::Signals;
use super::terminal::complain;
use crate::explore::Stop;

/// How long an exploration that is stopped may take to end. Waiting for a lock and creating a lane
/// take far less. A database that does not answer could take forever.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Does the work until a signal comes, and then brings it to its end early.
pub(super) async fn until_stopped(
    work: impl Future<Output = CommandResult>,
    stop: &Stop,
    signals: Signals,
) -> CommandResult {
    let mut first_signal = signals.clone();
    tokio::pin!(work);
    tokio::select! {
        result = &mut work => result,
        exit_code = first_signal.nth(1) => {
            stop.stop();
            wait_for_the_end(work, exit_code, signals).await
        }
    }
}

/// Waits for an exploration that was stopped: for a limited time, and not beyond a second signal.
async fn wait_for_the_end(
    exploring: impl Future<Output = CommandResult>,
    exit_code: ExitCode,
    mut signals: Signals,
) -> CommandResult {
    complain(
        "stopping: the runs under way come to their end. A second signal does not wait for them, \
         prints nothing, and on a server of yours leaves racy_explore_… or racy_lane_… behind",
    );
    tokio::select! {
        result = exploring => result.map(|_| exit_code),
        exit_code = signals.nth(2) => Ok(exit_code),
        () = sleep(STOP_TIMEOUT) => {
            complain(
                "the runs under way do not come to their end: stopped without them. On a server of \
                 yours racy_explore_… or racy_lane_… may be left",
            );
            Ok(exit_code)
        }
    }
}
