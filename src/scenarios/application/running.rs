//! The process of a command in one run, with its connections: started, watched, and ended.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::exit::status_of;
use super::output::Output;
use super::process::Process;
use super::start::Start;
use super::under_way::UnderWay;
use crate::proxy::ClientListener;

/// The pause between two looks at a process.
const PAUSE: Duration = Duration::from_millis(5);

/// How long the connections of a program that was killed may take until they are closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// What a program has printed, up to a limit.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) out: String,
    pub(super) err: String,
}

/// What has become of a program.
#[derive(Debug)]
pub(super) enum Ended {
    /// It has ended with this status, and so have its connections.
    Exited { status: u8, printed: Printed },
    /// It still runs, and its time is over.
    RunsOn { printed: Printed },
    /// It has ended, and something that it has started keeps a connection.
    LeavesSomething { printed: Printed },
}

/// A program that was started for one run. If this is dropped, the run was broken off: then the
/// program is ended, with all that it has started.
#[derive(Debug)]
pub(super) struct RunningCommand {
    ended: oneshot::Receiver<Ended>,
    stop: DropGuard,
    watching: JoinHandle<()>,
}

impl RunningCommand {
    /// Starts a program whose connections come in at this listener. It is ended after this time.
    ///
    /// # Errors
    /// Why it cannot be started, in words.
    pub(super) fn start(
        start: &Start,
        listener: ClientListener,
        ends_within: Duration,
        under_way: UnderWay,
    ) -> Result<Self, String> {
        let (process, outputs) =
            Process::start_with_outputs(&start.words, &start.folder, &start.env)?;
        let (sender, ended) = oneshot::channel();
        let stop = CancellationToken::new();
        let watched = Watched {
            process,
            outputs,
            listener,
            deadline: Instant::now() + ends_within,
            stop: stop.clone(),
            _under_way: under_way,
        };
        Ok(Self {
            ended,
            stop: stop.drop_guard(),
            watching: tokio::spawn(watched.watch(sender)),
        })
    }

    /// Waits until it has ended, or its time is over.
    ///
    /// # Errors
    /// That nothing watches it any more.
    pub(super) async fn ended(&mut self) -> Result<Ended, String> {
        let ended = (&mut self.ended).await;
        ended.map_err(|_| "the program is not watched any more".to_owned())
    }

    /// Ends it, with all that it has started. Its connections are closed then.
    pub(super) async fn end(self) {
        drop(self.stop);
        if let Err(error) = self.watching.await {
            tracing::warn!(%error, "the end of a command cannot be waited for");
        }
    }
}

/// A program as the task sees it that watches it. The order matters: the listener ends after the
/// process, and the client is under way until both have.
struct Watched {
    process: Process,
    outputs: [Output; 2],
    listener: ClientListener,
    deadline: Instant,
    stop: CancellationToken,
    _under_way: UnderWay,
}

impl Watched {
    async fn watch(mut self, ended: oneshot::Sender<Ended>) {
        let exited = tokio::select! {
            status = until_exited(&mut self.process, &mut self.outputs) => Some(status),
            () = sleep_until(self.deadline) => None,
            () = self.stop.cancelled() => None,
        };
        let are_closed = match exited {
            None => false,
            Some(_) => tokio::select! {
                () = self.listener.until_all_are_closed() => true,
                () = sleep_until(self.deadline) => false,
                () = self.stop.cancelled() => false,
            },
        };
        let [out, err] = self.outputs.map(Output::end);
        let printed = Printed { out, err };
        let told = match (exited, are_closed) {
            (Some(status), true) => Ended::Exited { status, printed },
            (Some(_), false) => Ended::LeavesSomething { printed },
            (None, _) => Ended::RunsOn { printed },
        };
        // Nobody listens if the run was broken off.
        let _ = ended.send(told);
        if are_closed {
            return;
        }
        self.stop.cancelled().await;
        let process = self.process;
        let gone = tokio::task::spawn_blocking(move || drop(process)).await;
        if let Err(error) = gone {
            tracing::warn!(%error, "the end of a command cannot be waited for");
        }
        let closed = timeout(CLOSED_WITHIN, self.listener.until_all_are_closed());
        if closed.await.is_err() {
            tracing::warn!("a connection of a command that was ended is cut off");
        }
    }
}

/// Waits until the program has ended, and reads what it prints meanwhile.
async fn until_exited(process: &mut Process, outputs: &mut [Output; 2]) -> u8 {
    let mut look = interval(PAUSE);
    let [out, err] = outputs;
    loop {
        tokio::select! {
            _ = look.tick() => {
                if let Some(status) = process.ended() {
                    return status_of(status);
                }
            }
            () = out.read(), if out.is_open => {}
            () = err.read(), if err.is_open => {}
        }
    }
}
