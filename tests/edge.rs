//! Deposits past the edge of what a BIGINT holds, by strategies that know no sum.

use std::time::Duration;

use make_requests::{Deposits, Pace as Spacing, Plan};
use racy::accounts;
use racy::engine::Database;
use racy::exhibits::deposits::{
    Deposit, Failure, Memory, Pace, Receipt, Refusal, STRATEGIES, Strategy,
};
use racy::keeper::{self, Actor, ChangeError};
use racy::step::Unobserved;
use racy::verdict::Outcome;
use serde_json::Value;

use crate::support::service::RunningService;
use crate::support::{Lab, TestEngine};

/// What changes the account between two deposits.
const KEEPER: Actor<'_> = Actor {
    name: "keeper",
    memory: None,
};

on_engines!(
    every:
        what_would_not_fit_the_sum_is_refused_by_those_who_do_not_know_it,
        clients_who_meet_at_the_edge_do_not_cross_it,
        a_sum_wider_than_a_bigint_is_shown_read_and_reset;
);

/// They keep no balance that they would read.
const WITHOUT_A_SUM: [&str; 2] = ["append_only", "partitioned"];

async fn deposit(
    database: &Database,
    strategy: &str,
    account: i64,
    amount: i64,
) -> Result<Receipt, Failure> {
    let deposit = Deposit {
        account,
        amount,
        claim: None,
    };
    Strategy::named(strategy)
        .unwrap()
        .perform(
            database,
            &deposit,
            &Memory::default(),
            Pace::default(),
            &Unobserved,
        )
        .await
}

async fn balance(lab: &Lab, account: i64) -> i128 {
    let account = accounts::find(&lab.database, account).await;
    let account = account.unwrap().unwrap();
    assert_eq!(account.lost, 0);
    account.balance
}

async fn what_would_not_fit_the_sum_is_refused_by_those_who_do_not_know_it(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in WITHOUT_A_SUM {
        let account = accounts::open(&lab.database, 0).await.unwrap();
        let deposit = async |amount| deposit(&lab.database, strategy, account, amount).await;
        deposit(40).await.unwrap();
        deposit(i64::MAX - 100).await.unwrap();
        let refused = Failure {
            refusal: Refusal::Overflow {
                balance: i128::from(i64::MAX - 60),
            },
            outcome: Outcome::Refused,
        };
        assert_eq!(deposit(61).await, Err(refused.clone()), "{strategy}");
        assert_eq!(deposit(i64::MAX - 50).await, Err(refused), "{strategy}");
        deposit(60).await.unwrap();
        assert_eq!(balance(&lab, account).await, i128::from(i64::MAX));
    }
    // What was appended counts for the other as well.
    let account = accounts::open(&lab.database, 0).await.unwrap();
    deposit(&lab.database, "append_only", account, 1)
        .await
        .unwrap();
    let refused = deposit(&lab.database, "partitioned", account, i64::MAX).await;
    assert_eq!(
        refused.unwrap_err().refusal,
        Refusal::Overflow { balance: 1 }
    );
    lab.until_nothing_is_open().await;
}

async fn clients_who_meet_at_the_edge_do_not_cross_it(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in WITHOUT_A_SUM {
        let opening = i64::MAX - 300;
        let account = accounts::open(&lab.database, opening).await.unwrap();
        let clients: Vec<_> = (0..6)
            .map(|_| {
                let database = lab.database.clone();
                tokio::spawn(async move { deposit(&database, strategy, account, 100).await })
            })
            .collect();
        let mut made = 0;
        for client in clients {
            match client.await.unwrap() {
                Ok(_) => made += 1,
                Err(failure) => {
                    let full = matches!(failure.refusal, Refusal::Overflow { .. });
                    assert!(full, "{strategy}: {failure:?}");
                }
            }
        }
        assert_eq!(made, 3, "{strategy}");
        assert_eq!(balance(&lab, account).await, i128::from(i64::MAX));
    }
}

/// A strategy that adds to the balance column knows nothing of what was appended.
async fn a_sum_wider_than_a_bigint_is_shown_read_and_reset(engine: TestEngine) {
    let lab = engine.lab().await;
    deposit(&lab.database, "append_only", 1, 100).await.unwrap();
    deposit(&lab.database, "partitioned", 1, 100).await.unwrap();
    let full = deposit(&lab.database, "atomic_update", 1, i64::MAX).await;
    full.unwrap();
    let wide = i128::from(i64::MAX) + 200;
    assert_eq!(balance(&lab, 1).await, wide);

    let service = RunningService::start(&lab.database).await;
    let shown = service
        .client
        .get(format!("http://{}/accounts/1", service.address));
    let shown: Value =
        serde_json::from_str(&shown.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(shown["lost"], 0, "{shown}");
    for strategy in STRATEGIES.iter().map(|it| it.name) {
        let report = make_requests::run(&two_of_100(&service, strategy), |_| {}).await;
        let report = report.unwrap();
        assert_eq!(report.answers.acknowledged(), 0, "{strategy}");
        // Not a lost update: every deposit was refused, and the balance is as before.
        assert_eq!(report.verdict().name(), "could_not_tell", "{strategy}");
    }
    service.stop().await;

    let deleted = keeper::delete_transactions(&lab.database, KEEPER, 1).await;
    assert!(matches!(deleted, Err(ChangeError::TooMuch)), "{deleted:?}");
    assert_eq!(balance(&lab, 1).await, wide);
    keeper::reset_account(&lab.database, KEEPER, 1)
        .await
        .unwrap();
    assert_eq!(balance(&lab, 1).await, 0);
}

fn two_of_100(service: &RunningService, strategy: &str) -> Plan {
    Plan {
        base_url: format!("http://{}", service.address).parse().unwrap(),
        target: Deposits {
            strategy: strategy.parse().unwrap(),
            account: 1,
            amount: "100".parse().unwrap(),
            retry_timeouts: false,
            idempotency: false,
        }
        .into(),
        pace: Spacing::Together,
        requests: "2".parse().unwrap(),
        timeout: Duration::from_secs(20),
    }
}
