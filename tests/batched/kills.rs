//! Services that are killed while their clients deposit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use racy::accounts::{self, Page};
use reqwest::{Client, RequestBuilder};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};

use crate::support::process::{Served, signal};
use crate::support::service::problem;
use crate::support::{Lab, TestEngine, open_folder};

on_engines!(
    every:
        what_was_acknowledged_survives_kills;
);

const CLIENTS: usize = 16;

/// The amounts of which a client knows that they were made, and those that were never answered.
#[derive(Default)]
struct Amounts {
    acknowledged: BTreeSet<i64>,
    unanswered: BTreeSet<i64>,
}

/// Kills a service several times, while clients deposit amounts of which no two are the same. Every
/// other amount has a key, and is sent again in the end if it got no answer.
async fn what_was_acknowledged_survives_kills(engine: TestEngine) {
    let kills = match engine {
        TestEngine::MySql => 20,
        TestEngine::MariaDb | TestEngine::Postgres | TestEngine::Sqlite => 3,
    };
    let lab = engine.lab().await;
    let url = lab.url(engine);
    let folder = open_folder();
    let start = |options: &[&str]| block_in_place(|| Served::start(&url, folder.path(), options));
    let next_amount = Arc::new(AtomicI64::new(1));
    let mut amounts = Amounts::default();
    for kill in 0..kills {
        let served = start(&["--db-connections", "4"]);
        // Another moment each time.
        let answers = 100 + 7 * kill;
        kill_after(answers, served, &next_amount, &mut amounts).await;
    }
    assert_eq!(amounts.unanswered.len(), kills * CLIENTS);

    // Claims whose owner was killed are taken over after that time.
    let served = start(&["--request-timeout", "1s"]);
    send_again_what_has_a_key(&lab, &served.base_url, &mut amounts).await;
    signal("TERM", &served.process);
    block_in_place(|| served.wait());
    assert_is_on_record(&lab, &amounts).await;
}

/// Kills the service when this number of deposits is answered.
async fn kill_after(
    deposits: usize,
    served: Served,
    next_amount: &Arc<AtomicI64>,
    amounts: &mut Amounts,
) {
    let (acknowledge, mut answers) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(deposit_until_it_dies(
            served.base_url.clone(),
            Arc::clone(next_amount),
            acknowledge.clone(),
        ));
    }
    drop(acknowledge);
    for _ in 0..deposits {
        amounts.acknowledged.insert(answers.recv().await.unwrap());
    }
    signal("KILL", &served.process);
    while let Some(amount) = answers.recv().await {
        amounts.acknowledged.insert(amount);
    }
    amounts.unanswered.extend(clients.join_all().await);
    block_in_place(|| served.wait());
}

/// Each such deposit is made by now, and said to be a replay if it had been made before.
async fn send_again_what_has_a_key(lab: &Lab, base_url: &str, amounts: &mut Amounts) {
    let made_before = amounts_on_record(lab).await;
    let with_a_key = amounts.unanswered.iter().copied().filter(|it| has_key(*it));
    let with_a_key: Vec<_> = with_a_key.collect();
    assert!(!with_a_key.is_empty());
    for amount in with_a_key {
        let replayed = deposit_until_it_is_answered(base_url, amount).await;
        assert_eq!(replayed, made_before.contains(&amount), "{amount}");
        amounts.acknowledged.insert(amount);
    }
}

/// Everything that was acknowledged is there, and nothing that no client has sent.
async fn assert_is_on_record(lab: &Lab, amounts: &Amounts) {
    let there = amounts_on_record(lab).await;
    let missing: Vec<_> = amounts.acknowledged.difference(&there).collect();
    assert!(missing.is_empty(), "acknowledged, not there: {missing:?}");
    let more: BTreeSet<_> = there.difference(&amounts.acknowledged).copied().collect();
    let unanswered = &amounts.unanswered;
    assert!(more.is_subset(unanswered), "{more:?} of {unanswered:?}");
}

/// The amounts of all deposits, each of which is there as a whole, and once.
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
    if has_key(amount) {
        request.header("Idempotency-Key", format!("deposit-of-{amount}"))
    } else {
        request
    }
}

/// Deposits again and again, and returns the amount that was never answered.
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

/// Sends a deposit until it is said no more to be in flight. Returns whether it had been made
/// before.
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
