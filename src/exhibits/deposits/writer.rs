//! The writer: the task of an instance that makes the deposits of [`batched`] into one account, and
//! the queue before it.
//!
//! It never waits for more deposits to come. What arrives while it commits is its next batch. So
//! batches grow with the load, and a deposit that comes alone does not wait for others. An
//! account's writer exists while a client holds a handle to it, and then until its queue is empty.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::batched::{self, Fate};
use super::{Deposit, Failure, Pace, Receipt, Refusal};
use crate::engine::{Database, Fault};
use crate::recorder::Recorder;
use crate::step::{Observer, Record};
use crate::verdict::Outcome;

/// The largest number of deposits in a transaction. All its clients wait for its end.
const LARGEST_BATCH: usize = 128;

/// The largest number of deposits that wait while a batch is written: two batches. A longer queue
/// would gain nothing.
const QUEUE: usize = 2 * LARGEST_BATCH;

/// The handle to an account's writer task. When the last handle is dropped, the task empties its
/// queue and ends.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<QueuedDeposit>,
    /// The longest wait for a place in the queue.
    patience: Duration,
}

/// A deposit in the queue, and where to send its answer.
#[derive(Debug)]
struct QueuedDeposit {
    deposit: Deposit,
    pace: Pace,
    answer: oneshot::Sender<Answer>,
}

/// The outcome of a deposit, and the steps of its batch.
#[derive(Debug)]
struct Answer {
    fate: Fate,
    records: Arc<[Record]>,
}

impl Writer {
    /// Starts the task. Its sessions are on `database`, and `observer` sees their steps.
    pub(super) fn start(database: Database, observer: Arc<dyn Observer>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let patience = database.settings().acquire_timeout;
        tokio::spawn(write(database, waiting, observer));
        Self { queue, patience }
    }

    /// Queues a deposit and waits for its outcome. If the caller stops waiting, the deposit is made
    /// all the same, unless it had no place in the queue yet.
    ///
    /// # Errors
    /// The refusal of the deposit or of its batch; or that the queue was full for too long.
    pub(super) async fn make(
        &self,
        deposit: Deposit,
        pace: Pace,
        observer: &dyn Observer,
    ) -> Result<Receipt, Failure> {
        let (answer, answered) = oneshot::channel();
        let waiting = QueuedDeposit {
            deposit,
            pace,
            answer,
        };
        self.enqueue(waiting)
            .await
            .map_err(Failure::before_the_first_step)?;
        let Answer { fate, records } = answered.await.map_err(|_dropped| died())?;
        for record in &*records {
            observer.after(record);
        }
        fate
    }

    /// Waits for a place in the queue, at most as long as other clients wait for a connection.
    async fn enqueue(&self, waiting: QueuedDeposit) -> Result<(), Fault> {
        match timeout(self.patience, self.queue.send(waiting)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_ended)) => Err(Fault::unavailable("the writer has ended")),
            Err(_elapsed) => Err(Fault::unavailable(format!(
                "the writer's queue of {QUEUE} deposits has been full for {:?}",
                self.patience
            ))),
        }
    }
}

/// The task: writes batch after batch, until the last handle is dropped and the queue is empty.
async fn write(
    database: Database,
    mut queue: mpsc::Receiver<QueuedDeposit>,
    observer: Arc<dyn Observer>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
        let recorder = Recorder::around(Arc::clone(&observer));
        let fates = write_batch(&database, &batch, &recorder).await;
        let records: Arc<[Record]> = recorder.into_records().into();
        for (waiting, fate) in batch.drain(..).zip(fates) {
            let records = Arc::clone(&records);
            // If the client has left, its deposit was made all the same.
            let _ = waiting.answer.send(Answer { fate, records });
        }
    }
}

/// Writes a batch in a session of its own, which ends before any client is answered.
async fn write_batch(
    database: &Database,
    batch: &[QueuedDeposit],
    recorder: &Recorder,
) -> Vec<Fate> {
    let mut session = match database.session(recorder).await {
        Ok(session) => session,
        Err(fault) => {
            let failure = Failure::before_the_first_step(fault);
            return vec![Err(failure); batch.len()];
        }
    };
    if let Some(first) = batch.first() {
        session = session.pausing(first.pace.pauses.clone());
    }
    let deposits: Vec<_> = batch.iter().map(|waiting| waiting.deposit).collect();
    let fates = batched::write(&mut session, &deposits).await;
    session.end().await;
    fates
}

/// The failure of a deposit that the writer has taken and not answered.
fn died() -> Failure {
    Failure {
        refusal: Refusal::Engine(Fault::unavailable("the writer died")),
        outcome: Outcome::Unknown,
    }
}
