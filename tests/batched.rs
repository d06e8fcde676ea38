//! `batched`: what becomes of the members of a batch, of those who wait for the next, and of all of them when the
//! service is killed.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use racy::accounts::{self, Page};
use racy::engine::{FaultKind, Session, Settings};
use racy::exhibits::deposits::{
    Deposit, Failure, Memory, Pace, Place, Receipt, Refusal, Retry, Strategy, batched,
};
use racy::recorder::Recorder;
use racy::step::Unobserved;
use racy::verdict::Outcome;
use racy::watch::parse;
use reqwest::{Client, RequestBuilder};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};

use crate::support::lab::DEPOSIT;
use crate::support::process::{Served, signal};
use crate::support::service::{RunningService, problem, settings};
use crate::support::stepper::{Arrivals, Arrived, Gate};
use crate::support::{Lab, TestEngine, open_folder};

on_engines!(
    every:
        a_member_that_cannot_be_made_keeps_no_other_from_being_made,
        who_leaves_the_queue_has_made_the_deposit,
        a_full_queue_makes_clients_wait_and_then_turns_them_away,
        what_was_acknowledged_survives_kills,
    ;
    servers:
        an_account_that_is_locked_keeps_nobody_from_another,
        a_batch_that_waits_for_too_long_is_refused_as_a_whole,
        a_commit_without_an_answer_leaves_the_whole_batch_unknown,
    ;
    innodb:
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
        let lock = "lock and read balance";
        assert_eq!(
            steps,
            [
                "begin",
                lock,
                "insert transactions",
                "write balance",
                "commit"
            ]
        );
    }
    let (unknown, _) = deposit(&instance.lab, &instance.memory, 4711, 100).await;
    assert_eq!(unknown, Err(refused(Refusal::UnknownAccount)));
    let account = accounts::find(&instance.lab.database, account).await;
    let account = account.unwrap().unwrap();
    assert_eq!(account.balance, i128::from(FULL - 70));
    assert_eq!((account.transactions, account.lost), (3, 0));
    drop(instance.memory);
    steps.await.unwrap();
}

async fn who_leaves_the_queue_has_made_the_deposit(engine: TestEngine) {
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

async fn an_account_that_is_locked_keeps_nobody_from_another(engine: TestEngine) {
    let lab = engine.lab().await;
    let memory = Arc::new(Memory::default());
    let locked = accounts::open(&lab.database, 0).await.unwrap();
    let somebody = lock(&lab, locked).await;
    let waiting = tokio::spawn(deposit(&lab, &memory, locked, 10));
    let (made, _) = deposit(&lab, &memory, 1, 20).await;
    assert_eq!(made, Ok(receipt(0, 20, 1, 1)));
    somebody.end().await;
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
    let somebody = lock(&instance.lab, 1).await;
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
    somebody.end().await;
    let account = instance.lab.account().await;
    assert_eq!((account.transactions, account.lost), (1, 0));
    assert!(!instance.lab.has_open_transactions().await);
}

/// Somebody who keeps the account's row locked, until the session ends.
async fn lock(lab: &Lab, account: i64) -> Session<'_> {
    let mut somebody = lab.database.session(&Unobserved).await.unwrap();
    somebody.begin_for_update().await.unwrap();
    let lock = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";
    somebody.read("lock", lock, &[account]).await.unwrap();
    somebody
}

/// And nothing of it is tried again.
async fn a_commit_without_an_answer_leaves_the_whole_batch_unknown(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut writing = crate::support::Client::start_with(&lab.database, |session| {
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

async fn a_full_queue_makes_clients_wait_and_then_turns_them_away(engine: TestEngine) {
    let lab = engine.lab_with(Settings {
        acquire_timeout: Duration::from_secs(2),
        ..Settings::default()
    });
    let lab = lab.await;
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &settings()).await;
    let service = Arc::new(service);
    let mut clients = JoinSet::new();
    let send = |clients: &mut JoinSet<_>| {
        let service = Arc::clone(&service);
        clients.spawn(async move { service.deposit("batched", 1, 100).await });
    };
    send(&mut clients);
    let first = arrived.next().await.unwrap();
    for _ in 0..=QUEUE {
        send(&mut clients);
    }
    // All but one have a place. Nothing is written, so that nobody else can have been answered.
    let turned_away = clients.join_next().await.unwrap().unwrap();
    let problem = problem(turned_away, 503, "unavailable").await;
    assert!(
        problem["detail"].as_str().unwrap().contains("queue of 256"),
        "{problem}"
    );
    assert_eq!(problem["outcome"], "refused");
    // Those who wait hold no connection, and the writer has one.
    assert_eq!(lab.database.pool_use().in_use, 1);

    first.go();
    let steps = arrived.let_all_through();
    while let Some(answer) = clients.join_next().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let account = lab.account().await;
    assert_eq!(account.balance, i128::from(100 * (QUEUE + 1)));
    assert_eq!((account.transactions, account.lost), (QUEUE + 1, 0));
    // One, and then all of the queue in as few batches as there may be.
    let metrics = service.get("/metrics").send().await.unwrap();
    let samples = parse(&metrics.text().await.unwrap()).unwrap();
    let value = |name: &str| {
        let sample = samples.iter().find(|sample| sample.name == name);
        sample.map(|sample| sample.value)
    };
    assert_eq!(value("racy_batch_deposits_count"), Some(3.0));
    assert_eq!(value("racy_batch_deposits_sum"), Some(257.0));
    Arc::into_inner(service).unwrap().stop().await;
    steps.await.unwrap();
}

/// Kills a service again and again, while clients deposit amounts of which no two are the same. Every other
/// amount has a key, and is sent again in the end where it got no answer.
async fn what_was_acknowledged_survives_kills(engine: TestEngine) {
    const CLIENTS: usize = 16;
    let kills = match engine {
        TestEngine::MySql => 20,
        _ => 3,
    };
    let lab = engine.lab().await;
    let url = lab.url(engine);
    let folder = open_folder();
    let start = |options: &[&str]| block_in_place(|| Served::start(&url, folder.path(), options));
    let next_amount = Arc::new(AtomicI64::new(1));
    let mut acknowledged = BTreeSet::new();
    let mut unanswered = BTreeSet::new();
    for kill in 0..kills {
        let served = start(&["--db-connections", "4"]);
        let (acknowledge, mut answers) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(deposit_until_it_dies(
                served.base_url.clone(),
                Arc::clone(&next_amount),
                acknowledge.clone(),
            ));
        }
        drop(acknowledge);
        // Another moment each time.
        for _ in 0..100 + 7 * kill {
            acknowledged.insert(answers.recv().await.unwrap());
        }
        signal("KILL", &served.process);
        while let Some(amount) = answers.recv().await {
            acknowledged.insert(amount);
        }
        unanswered.extend(clients.join_all().await);
        block_in_place(|| served.wait());
    }
    assert_eq!(unanswered.len(), kills * CLIENTS);
    let made_before = amounts_on_record(&lab).await;

    // Claims whose owner was killed are taken over after that time.
    let served = start(&["--request-timeout", "1s"]);
    let with_a_key: Vec<_> = unanswered
        .iter()
        .copied()
        .filter(|it| has_key(*it))
        .collect();
    assert!(!with_a_key.is_empty());
    for amount in &with_a_key {
        let replayed = deposit_until_it_is_answered(&served.base_url, *amount).await;
        assert_eq!(replayed, made_before.contains(amount), "{amount}");
        acknowledged.insert(*amount);
    }
    signal("TERM", &served.process);
    block_in_place(|| served.wait());

    let amounts = amounts_on_record(&lab).await;
    let missing: Vec<_> = acknowledged.difference(&amounts).collect();
    assert!(missing.is_empty(), "acknowledged, not there: {missing:?}");
    let more: BTreeSet<_> = amounts.difference(&acknowledged).copied().collect();
    assert!(more.is_subset(&unanswered), "{more:?} of {unanswered:?}");
}

/// The amounts of all deposits, which are there as a whole, and once.
async fn amounts_on_record(lab: &Lab) -> BTreeSet<i64> {
    assert_eq!(lab.account().await.lost, 0, "a deposit is half there");
    let every = Page {
        after: 0,
        limit: i64::MAX,
    };
    let transactions = accounts::transactions(&lab.database, 1, every)
        .await
        .unwrap();
    let amounts: BTreeSet<_> = transactions.iter().map(|it| it.amount).collect();
    assert_eq!(amounts.len(), transactions.len(), "one is there twice");
    amounts
}

fn has_key(amount: i64) -> bool {
    amount % 2 == 0
}

fn request(client: &Client, base_url: &str, amount: i64) -> RequestBuilder {
    let request = client.post(format!("{base_url}/demo/batched/"));
    let request = request.form(&[("account", 1), ("amount", amount)]);
    match has_key(amount) {
        true => request.header("Idempotency-Key", format!("deposit-of-{amount}")),
        false => request,
    }
}

/// Returns the amount that was never answered.
async fn deposit_until_it_dies(
    base_url: String,
    next_amount: Arc<AtomicI64>,
    acknowledge: mpsc::UnboundedSender<i64>,
) -> i64 {
    let client = Client::new();
    loop {
        let amount = next_amount.fetch_add(1, Ordering::Relaxed);
        let Ok(response) = request(&client, &base_url, amount).send().await else {
            return amount;
        };
        assert_eq!(response.status(), 200);
        let _ = acknowledge.send(amount);
    }
}

/// Sends it as long as it is said to be in flight. Returns whether it had been made before.
async fn deposit_until_it_is_answered(base_url: &str, amount: i64) -> bool {
    let client = Client::new();
    loop {
        let response = request(&client, base_url, amount).send().await.unwrap();
        match response.status().as_u16() {
            200 => return response.headers().contains_key("idempotency-replayed"),
            409 => problem(response, 409, "key-in-flight").await,
            status => panic!("{status}"),
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
