//! `batched`: what becomes of the members of a batch, of deposits that wait for the next, and of
//! all of them when the service is killed.

mod kills;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use racy::accounts;
use racy::engine::{FaultKind, Session, Settings};
use racy::exhibits::deposits::{
    Deposit, Failure, Memory, Pace, Place, Receipt, Refusal, Retry, Strategy, batched,
};
use racy::recorder::Recorder;
use racy::step::Unobserved;
use racy::verdict::Outcome;
use racy::watch::parse;
use reqwest::Response;
use tokio::task::JoinSet;

use crate::support::lab::DEPOSIT;
use crate::support::service::{RunningService, problem_with, settings};
use crate::support::stepper::{Arrivals, Arrived, Gate};
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        a_member_that_cannot_be_made_keeps_no_other_from_being_made,
        an_unknown_account_is_refused,
        a_client_that_leaves_the_queue_has_made_its_deposit,
        a_full_queue_turns_clients_away;
    servers:
        an_account_that_is_locked_keeps_no_other_waiting,
        a_batch_that_waits_for_too_long_is_refused_as_a_whole,
        a_commit_without_an_answer_leaves_the_whole_batch_unknown;
);

/// What a deposit came to, and the labels of the steps that were shown for it.
type Made = (Result<Receipt, Failure>, Vec<String>);

/// An instance whose writer stands before the first step of a batch of one.
struct Instance {
    lab: Lab,
    memory: Arc<Memory>,
    arrived: Arrivals,
    step: Arrived,
    first: tokio::task::JoinHandle<Made>,
}

impl Instance {
    /// The batch is a deposit of 100 into that account.
    async fn with_a_busy_writer(lab: Lab, account: i64) -> Self {
        let (gate, mut arrived) = Gate::new();
        let memory = Arc::new(Memory::observed_by(Arc::new(gate)));
        let first = tokio::spawn(deposit(&lab, &memory, account, 100));
        let step = arrived.next().await.unwrap();
        assert_eq!(step.label, "begin");
        Self {
            lab,
            memory,
            arrived,
            step,
            first,
        }
    }

    /// Puts a deposit into the queue, and no more.
    async fn queue(
        &self,
        account: i64,
        amount: i64,
    ) -> Pin<Box<impl Future<Output = Made> + use<>>> {
        let mut made = Box::pin(deposit(&self.lab, &self.memory, account, amount));
        poll_fn(|context| {
            assert!(made.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        made
    }
}

fn deposit(
    lab: &Lab,
    memory: &Arc<Memory>,
    account: i64,
    amount: i64,
) -> impl Future<Output = Made> + use<> {
    let (database, memory) = (lab.database.clone(), Arc::clone(memory));
    async move {
        let recorder = Recorder::around(Arc::new(Unobserved));
        let deposit = Deposit {
            account,
            amount,
            claim: None,
        };
        let pace = Pace {
            pauses: Retry::pauses_in_no_time(),
            ..Pace::default()
        };
        let batched = Strategy::named("batched").unwrap();
        let made = batched
            .perform(&database, &deposit, &memory, pace, &recorder)
            .await;
        let records = recorder.into_records().into_iter();
        (
            made,
            records
                .map(|record| record.step.label.into_owned())
                .collect(),
        )
    }
}

fn receipt(read: i64, written: i64, number: u32, of: u32) -> Receipt {
    Receipt {
        batch: Some(Place { number, of }),
        ..Receipt::at_first_try(read, written)
    }
}

fn refused(refusal: Refusal) -> Failure {
    Failure {
        refusal,
        outcome: Outcome::Refused,
    }
}

/// The steps of a batch, as each of its members is shown them.
const BATCH: [&str; 5] = [
    "begin",
    "lock and read balance",
    "insert transactions",
    "write balance",
    "commit",
];

async fn a_member_that_cannot_be_made_keeps_no_other_from_being_made(engine: TestEngine) {
    const FULL: i64 = i64::MAX;
    let lab = engine.lab().await;
    let account = accounts::open(&lab.database, FULL - 200).await.unwrap();
    let instance = Instance::with_a_busy_writer(lab, account).await;
    let members = [
        instance.queue(account, 10).await,
        instance.queue(account, 100).await,
        instance.queue(account, 20).await,
    ];
    instance.step.go();
    let steps = instance.arrived.let_all_through();
    let (first, _) = instance.first.await.unwrap();
    assert_eq!(first, Ok(receipt(FULL - 200, FULL - 100, 1, 1)));

    let expected = [
        Ok(receipt(FULL - 100, FULL - 90, 1, 2)),
        Err(refused(Refusal::Overflow {
            balance: (FULL - 90).into(),
        })),
        Ok(receipt(FULL - 90, FULL - 70, 2, 2)),
    ];
    for (member, expected) in members.into_iter().zip(expected) {
        let (made, steps) = member.await;
        assert_eq!(made, expected);
        assert_eq!(steps, BATCH);
    }
    let account = accounts::find(&instance.lab.database, account).await;
    let account = account.unwrap().unwrap();
    assert_eq!(account.balance, i128::from(FULL - 70));
    assert_eq!((account.transactions, account.lost), (3, 0));
    drop(instance.memory);
    steps.await.unwrap();
}

async fn an_unknown_account_is_refused(engine: TestEngine) {
    let lab = engine.lab().await;
    let (unknown, _) = deposit(&lab, &Arc::default(), 4711, 100).await;
    assert_eq!(unknown, Err(refused(Refusal::UnknownAccount)));
}

async fn a_client_that_leaves_the_queue_has_made_its_deposit(engine: TestEngine) {
    let instance = Instance::with_a_busy_writer(engine.lab().await, 1).await;
    drop(instance.queue(1, 10).await);
    let stayed = instance.queue(1, 20).await;
    instance.step.go();
    let _steps = instance.arrived.let_all_through();
    let (made, _) = stayed.await;
    assert_eq!(made, Ok(receipt(110, 130, 2, 2)));
    let account = instance.lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (130, 3, 0)
    );
    assert!(!instance.lab.has_open_transactions().await);
}

async fn an_account_that_is_locked_keeps_no_other_waiting(engine: TestEngine) {
    let lab = engine.lab().await;
    let memory = Arc::new(Memory::default());
    let locked = accounts::open(&lab.database, 0).await.unwrap();
    let locking = lock(&lab, locked).await;
    let waiting = tokio::spawn(deposit(&lab, &memory, locked, 10));
    let (made, _) = deposit(&lab, &memory, 1, 20).await;
    assert_eq!(made, Ok(receipt(0, 20, 1, 1)));
    locking.end().await;
    let (made, _) = waiting.await.unwrap();
    assert_eq!(made, Ok(receipt(0, 10, 1, 1)));
}

async fn a_batch_that_waits_for_too_long_is_refused_as_a_whole(engine: TestEngine) {
    let lab = engine.lab_with(Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    });
    let mut instance = Instance::with_a_busy_writer(lab.await, 1).await;
    let members = [instance.queue(1, 10).await, instance.queue(1, 20).await];
    instance.step.go();
    // The writer's next batch begins when the row is locked no more.
    let begin = instance.arrived.go_to("begin").await;
    let locking = lock(&instance.lab, 1).await;
    begin.go();
    let _steps = instance.arrived.let_all_through();
    for member in members {
        let (made, steps) = member.await;
        let failure = made.unwrap_err();
        assert_eq!(failure.outcome, Outcome::Refused);
        let Refusal::Engine(fault) = failure.refusal else {
            panic!("{failure:?}");
        };
        assert_eq!(fault.kind, FaultKind::LockTimeout);
        assert_eq!(&steps[..2], ["begin", "lock and read balance"]);
        assert!(!steps[2..].contains(&"begin".to_owned()), "{steps:?}");
    }
    locking.end().await;
    let account = instance.lab.account().await;
    assert_eq!((account.transactions, account.lost), (1, 0));
    assert!(!instance.lab.has_open_transactions().await);
}

/// A session that keeps the account's row locked until it ends.
async fn lock(lab: &Lab, account: i64) -> Session<'_> {
    let mut locking = lab.database.session(&Unobserved).await.unwrap();
    locking.begin_for_update().await.unwrap();
    let lock = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";
    locking.read("lock", lock, &[account]).await.unwrap();
    locking
}

/// Nothing of it is tried again.
async fn a_commit_without_an_answer_leaves_the_whole_batch_unknown(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut writing = Client::start_with(&lab.database, |session| {
        Box::pin(async move {
            let mut session = session.pausing(Retry::pauses_in_no_time());
            let fates = batched::write(&mut session, &[DEPOSIT; 3]).await;
            session.end().await;
            fates
        })
    })
    .await;
    writing.go_to("commit").await;
    lab.kill(writing.connection()).await;
    writing.go().await;

    assert_eq!(writing.next_step().await, None, "it is tried again");
    let fates = writing.finish().await;
    assert_eq!(fates.len(), 3);
    for fate in fates {
        assert_eq!(fate.unwrap_err().outcome, Outcome::Unknown);
    }
}

/// The writer's queue has this many places.
const QUEUE: i64 = 256;

/// A service whose writer is parked before the first step of a batch of one.
struct BusyService {
    lab: Lab,
    service: RunningService,
    arrived: Arrivals,
    step: Arrived,
    clients: JoinSet<reqwest::Result<Response>>,
}

impl BusyService {
    async fn start(engine: TestEngine) -> Self {
        let impatient = Settings {
            acquire_timeout: Duration::from_secs(2),
            ..Settings::default()
        };
        let lab = engine.lab_with(impatient).await;
        let (service, mut arrived) = RunningService::start_gated(&lab.database, &settings()).await;
        let mut clients = JoinSet::new();
        clients.spawn(service.deposit_request("batched", 1, 100).send());
        Self {
            lab,
            service,
            step: arrived.next().await.unwrap(),
            arrived,
            clients,
        }
    }

    /// Sends this number of deposits more.
    fn send(&mut self, deposits: i64) {
        for _ in 0..deposits {
            let deposit = self.service.deposit_request("batched", 1, 100);
            self.clients.spawn(deposit.send());
        }
    }
}

/// One deposit, and then all of the queue in as few batches as there may be.
fn assert_made_in_three_batches(metrics: &str) {
    let samples = parse(metrics).unwrap();
    let value = |name: &str| {
        let sample = samples.iter().find(|sample| sample.name == name);
        sample.map(|sample| sample.value)
    };
    assert_eq!(value("racy_batch_deposits_count"), Some(3.0));
    assert_eq!(value("racy_batch_deposits_sum"), Some(257.0));
}

async fn a_full_queue_turns_clients_away(engine: TestEngine) {
    let mut busy = BusyService::start(engine).await;
    busy.send(QUEUE + 1);
    // All but one have a place. Nothing is written, so that no other can have been answered.
    let turned_away = busy.clients.join_next().await.unwrap();
    let words = "queue of 256";
    let refused = problem_with(turned_away.unwrap().unwrap(), 503, "unavailable", words).await;
    assert_eq!(refused["outcome"], "refused");
    // Clients that wait hold no connection, and the writer has one.
    assert_eq!(busy.lab.database.pool_use().in_use, 1);

    busy.step.go();
    let steps = busy.arrived.let_all_through();
    while let Some(answer) = busy.clients.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    let account = busy.lab.account().await;
    assert_eq!(account.balance, i128::from(100 * (QUEUE + 1)));
    assert_eq!((account.transactions, account.lost), (QUEUE + 1, 0));
    assert_made_in_three_batches(&busy.service.metrics().await);
    busy.service.stop().await;
    steps.await.unwrap();
}
