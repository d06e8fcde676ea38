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

/// More deposits than that make a transaction long, and its members wait for it.
const LARGEST_BATCH: usize = 128;

/// Two batches may wait while a third is being written. Beyond that there is nothing to be gained by taking more.
const QUEUE: usize = 2 * LARGEST_BATCH;

/// An account's writer, as those see it who have a deposit for it. Once nobody has, its task makes what is still in
/// the queue, and ends.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Waiting>,
    /// How long to wait for a place in the queue.
    patience: Duration,
}

/// A deposit in the queue, and where its answer is awaited.
#[derive(Debug)]
struct Waiting {
    deposit: Deposit,
    pace: Pace,
    answer: oneshot::Sender<Answer>,
}

/// What became of a deposit, and the steps of its batch.
#[derive(Debug)]
struct Answer {
    fate: Fate,
    records: Arc<[Record]>,
}

impl Writer {
    /// Starts the task. Its sessions are on this database, and the observer sees their steps.
    pub(super) fn start(database: Database, observer: Arc<dyn Observer>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let patience = database.settings().acquire_timeout;
        tokio::spawn(write(database, waiting, observer));
        Self { queue, patience }
    }

    /// Has a deposit made, and waits until it is known what became of it. Whoever stops waiting has made it
    /// all the same, unless it was still waiting for a place in the queue.
    ///
    /// # Errors
    /// The refusal of the deposit or of its batch; that there was no place in the queue in time.
    pub(super) async fn make(
        &self,
        deposit: Deposit,
        pace: Pace,
        observer: &dyn Observer,
    ) -> Result<Receipt, Failure> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
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

    /// Waits for a place as long as others do for a connection.
    async fn enqueue(&self, waiting: Waiting) -> Result<(), Fault> {
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

/// The task: batch after batch, until nobody can have a deposit for it any more.
async fn write(
    database: Database,
    mut queue: mpsc::Receiver<Waiting>,
    observer: Arc<dyn Observer>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
        let recorder = Recorder::around(Arc::clone(&observer));
        let fates = write_batch(&database, &batch, &recorder).await;
        let records: Arc<[Record]> = recorder.into_records().into();
        for (waiting, fate) in batch.drain(..).zip(fates) {
            let records = Arc::clone(&records);
            // Who has left has made the deposit all the same.
            let _ = waiting.answer.send(Answer { fate, records });
        }
    }
}

/// In a session of its own, which is over before anybody is answered.
async fn write_batch(database: &Database, batch: &[Waiting], recorder: &Recorder) -> Vec<Fate> {
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

/// The writer has taken the deposit and given no answer.
fn died() -> Failure {
    Failure {
        refusal: Refusal::Engine(Fault::unavailable("the writer died")),
        outcome: Outcome::Unknown,
    }
}
