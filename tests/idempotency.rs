//! Idempotency keys: a deposit that is sent several times is made once, in every schedule and on every
//! engine.

use std::sync::Arc;
use std::time::Duration;

use racy::accounts;
use racy::engine::{Database, Fault, Session};
use racy::exhibits::deposits::keys::{Conflict, Terms};
use racy::exhibits::deposits::{
    Deposit, DepositAnswer, Failure, Memory, OnceKey, Pace, Refusal, Retry, STRATEGIES, Strategy,
    UNBALANCED,
};
use racy::explore::{
    self, Cast, Client, Ended, Moment, Pending, Plan, Schedules, Stop, Subject, Trace,
};
use racy::step::{Observer, Unobserved};
use racy::verdict::{Outcome, Verdict};
use reqwest::Response;
use serde_json::Value;

use crate::support::client::{Arrivals, Gate};
use crate::support::lab::DEPOSIT;
use crate::support::service::{RunningService, problem, settings};
use crate::support::{Lab, TestEngine};

on_engines!(
    every:
        a_deposit_that_is_sent_again_is_made_once,
        while_the_first_is_in_flight_the_second_is_told_so,
        a_refused_deposit_gives_its_claim_up,
        a_claim_whose_owner_died_is_taken_over,
        a_key_expires,
        two_clients_with_one_key_deposit_once_in_every_schedule,
        make_requests_deposits_twice_without_keys_and_once_with_them,
    ;
    innodb:
);

fn named(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

async fn send(service: &RunningService, strategy: &str, key: &str, amount: i64) -> Response {
    let request = service.post(&format!("/demo/{strategy}/"));
    let request = request.header("Idempotency-Key", key);
    let request = request.form(&[("account", 1), ("amount", amount)]);
    request.send().await.unwrap()
}

async fn receipt(response: Response, replayed: bool) -> [Value; 6] {
    assert_eq!(response.status(), 200);
    let told = response.headers().get("idempotency-replayed");
    assert_eq!(
        told.map(|it| it.as_bytes()),
        replayed.then_some(&b"true"[..])
    );
    let answer: Value = response.json().await.unwrap();
    let parts = [
        "strategy",
        "account",
        "amount",
        "balance_read",
        "balance_written",
        "attempts",
    ];
    parts.map(|part| answer[part].clone())
}

async fn a_deposit_that_is_sent_again_is_made_once(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (deposits, strategy) in (1..).zip(&STRATEGIES) {
        let name = strategy.name;
        let first = receipt(send(&service, name, name, 100).await, false).await;
        // The key is the same in quotes.
        let again = send(&service, name, &format!("\"{name}\""), 100).await;
        assert_eq!(receipt(again, true).await, first);
        let another = send(&service, name, name, 101).await;
        let told = problem(another, 422, "key-of-another-deposit").await;
        assert_eq!(told["outcome"], "refused");
        let account = lab.account().await;
        assert_eq!(
            (account.transactions, account.lost),
            (deposits, 0),
            "{name}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_400() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    for key in ["", "\"open", "a b", &"k".repeat(256)] {
        let told = problem(
            send(&service, "atomic_update", key, 1).await,
            400,
            "invalid-request",
        );
        let told = told.await;
        assert!(
            told["detail"]
                .as_str()
                .unwrap()
                .contains("1 to 255 visible ASCII"),
            "{told}"
        );
    }
    let twice = service
        .post("/demo/atomic_update/")
        .form(&[("account", 1), ("amount", 1)]);
    let twice = twice
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    problem(twice.send().await.unwrap(), 400, "invalid-request").await;
    assert_eq!(lab.account().await.transactions, 0);
    service.stop().await;
}

async fn while_the_first_is_in_flight_the_second_is_told_so(engine: TestEngine) {
    let lab = engine.lab().await;
    let (gate, mut arrived) = Gate::new();
    let gate = Arc::new(gate);
    let service =
        RunningService::start_with(&lab.database, &settings(), gate, |router| router).await;
    let request = service
        .post("/demo/atomic_update/")
        .header("Idempotency-Key", "k");
    let request = request.form(&[("account", 1), ("amount", 100)]);
    let first = tokio::spawn(request.send());
    let mut step = arrived.next().await.unwrap();
    while step.label != "begin" {
        step.go();
        step = arrived.next().await.unwrap();
    }
    let steps = arrived.let_all_through();
    let second = send(&service, "atomic_update", "k", 100).await;
    assert_eq!(second.headers()["retry-after"], "1");
    let told = problem(second, 409, "key-in-flight").await;
    assert_eq!(
        (&told["retryable"], &told["outcome"]),
        (&true.into(), &"refused".into())
    );

    step.go();
    receipt(first.await.unwrap().unwrap(), false).await;
    receipt(send(&service, "atomic_update", "k", 100).await, true).await;
    assert_eq!(lab.account().await.balance, 100);
    service.stop().await;
    steps.await.unwrap();
}

const TERMS: Terms = Terms {
    kept_for: Duration::from_hours(1),
    claim_lasts: Duration::from_mins(1),
};

fn under(key: &str) -> OnceKey {
    OnceKey {
        key: key.parse().unwrap(),
        terms: TERMS,
    }
}

async fn make(
    database: &Database,
    deposit: &Deposit,
    key: &str,
    observer: &dyn Observer,
) -> Result<DepositAnswer, Failure> {
    let strategy = named("atomic_update");
    let (once, memory) = (under(key), Memory::default());
    let made = strategy.perform_once(database, deposit, &once, &memory, Pace::default(), observer);
    made.await
}

async fn keys(lab: &Lab) -> i64 {
    let count = "SELECT CAST(COUNT(*) AS SIGNED) FROM idempotency_keys";
    let rows = lab.database.rows(count, &[]).await.unwrap();
    rows[0].integer(0).unwrap()
}

async fn grow_older(lab: &Lab, by: Duration) {
    let update = "UPDATE idempotency_keys SET claimed_at = claimed_at - ?";
    let by = i64::try_from(by.as_secs()).unwrap() + 1;
    lab.database.execute(update, &[by.into()]).await.unwrap();
}

async fn a_refused_deposit_gives_its_claim_up(engine: TestEngine) {
    let lab = engine.lab().await;
    let nowhere = Deposit {
        account: 404,
        ..DEPOSIT
    };
    for _ in 0..2 {
        let refused = make(&lab.database, &nowhere, "k", &Unobserved).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.refusal, Refusal::UnknownAccount);
        assert_eq!(refused.outcome, Outcome::Refused);
        assert_eq!(keys(&lab).await, 0);
    }
    // Free for whatever deposit.
    make(&lab.database, &DEPOSIT, "k", &Unobserved)
        .await
        .unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

/// The owner was only slow: it finds out, and keeps nothing.
async fn a_claim_whose_owner_died_is_taken_over(engine: TestEngine) {
    let lab = engine.lab().await;
    let (gate, mut arrived) = Gate::new();
    let database = lab.database.clone();
    let slow = tokio::spawn(async move { make(&database, &DEPOSIT, "k", &gate).await });
    let mut step = arrived.next().await.unwrap();
    while step.label != "begin" {
        step.go();
        step = arrived.next().await.unwrap();
    }
    let early = make(&lab.database, &DEPOSIT, "k", &Unobserved).await;
    let early = early.unwrap_err().refusal;
    assert!(
        matches!(early, Refusal::Key(Conflict::InFlight { .. })),
        "{early:?}"
    );

    grow_older(&lab, TERMS.claim_lasts).await;
    let made = make(&lab.database, &DEPOSIT, "k", &Unobserved)
        .await
        .unwrap();
    assert!(!made.replayed);

    step.go();
    let steps = arrived.let_all_through();
    let refused = slow.await.unwrap().unwrap_err();
    assert_eq!(refused.refusal, Refusal::Key(Conflict::ClaimLost));
    assert_eq!(refused.outcome, Outcome::Refused);
    steps.await.unwrap();
    let again = make(&lab.database, &DEPOSIT, "k", &Unobserved)
        .await
        .unwrap();
    assert_eq!((again.receipt, again.replayed), (made.receipt, true));
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (100, 1, 0)
    );
}

async fn a_key_expires(engine: TestEngine) {
    let lab = engine.lab().await;
    for key in ["a", "b"] {
        make(&lab.database, &DEPOSIT, key, &Unobserved)
            .await
            .unwrap();
    }
    grow_older(&lab, TERMS.kept_for).await;
    // A new key under an old name, also for a client that does not tidy up first.
    let (once, memory) = (under("a"), Memory::default());
    let session = lab.database.session(&Unobserved).await.unwrap();
    let made = named("atomic_update")
        .perform_once_in(session, &DEPOSIT, &once, &memory)
        .await;
    assert!(!made.unwrap().replayed);
    assert_eq!(keys(&lab).await, 2);
    // Whoever comes next forgets the old ones.
    assert!(
        make(&lab.database, &DEPOSIT, "a", &Unobserved)
            .await
            .unwrap()
            .replayed
    );
    assert_eq!(keys(&lab).await, 1);
    assert_eq!(lab.account().await.transactions, 3);
}

async fn two_clients_with_one_key_deposit_once_in_every_schedule(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in &STRATEGIES {
        let found = verdicts(&lab.database, OneKey::sent_by_all(strategy)).await;
        assert_eq!(found, [Verdict::Safe], "{} on {engine:?}", strategy.name);
    }
    // And it is the key that does it.
    let found = verdicts(
        &lab.database,
        OneKey::sent_by_nobody(named("atomic_update")),
    )
    .await;
    assert_eq!(found, [Verdict::Anomaly(&UNBALANCED)]);
}

async fn verdicts(database: &Database, subject: &'static OneKey) -> Vec<Verdict> {
    let plan = Plan {
        schedules: Schedules::All { reduced: false },
        clients: 2,
        instances: 2,
        limit: None,
    };
    let lanes = database.lanes(2, 2).await.unwrap();
    let (finding, ended) =
        explore::explore(&lanes.lanes, subject, &plan, &Stop::default(), &|_| ()).await;
    ended.unwrap();
    lanes.close().await.unwrap();
    assert!(finding.is_exhaustive() && finding.tally.schedules > 2);
    finding.tally.verdicts.into_keys().collect()
}

/// One deposit, which two clients send with one key.
#[derive(Debug)]
struct OneKey {
    strategy: &'static Strategy,
    is_sent: bool,
}

impl OneKey {
    fn sent_by_all(strategy: &'static Strategy) -> &'static Self {
        Box::leak(Box::new(Self {
            strategy,
            is_sent: true,
        }))
    }

    fn sent_by_nobody(strategy: &'static Strategy) -> &'static Self {
        Box::leak(Box::new(Self {
            strategy,
            is_sent: false,
        }))
    }
}

fn key_of(stake: i64) -> String {
    format!("of-account-{stake}")
}

impl Subject for OneKey {
    fn name(&self) -> &'static str {
        self.strategy.name
    }

    fn anomalies(&self) -> &'static [&'static racy::verdict::Anomaly] {
        &racy::exhibits::deposits::ANOMALIES
    }

    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        self.strategy.open(database, count)
    }

    fn look(&self) -> &'static str {
        self.strategy.look()
    }

    fn set_up(&self) -> &'static str {
        self.strategy.set_up()
    }

    fn is_unmistakable(&self, stake: i64) -> bool {
        self.strategy.is_unmistakable(stake)
    }

    fn cast(&self, _instances: usize) -> Arc<dyn Cast> {
        Arc::new(Self { ..*self })
    }

    /// Safe is what was made exactly once, and acknowledged by somebody.
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(async move {
            let account = accounts::find(database, stake).await?.unwrap();
            let acknowledged = ended.iter().any(|it| it.outcome == Outcome::Applied);
            Ok(match (account.balance, account.transactions) {
                (100, 1) if acknowledged => Verdict::Safe,
                (0, 0) => Verdict::Declined,
                _ => Verdict::Anomaly(&UNBALANCED),
            })
        })
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            for stake in stakes {
                let delete = "DELETE FROM idempotency_keys WHERE name = ?";
                database
                    .execute(delete, &[key_of(*stake).as_str().into()])
                    .await?;
            }
            self.strategy.remove(database, stakes).await
        })
    }

    fn moment(&self, _trace: &Trace, _ended: &[Ended]) -> Option<Moment> {
        None
    }
}

impl Cast for OneKey {
    fn perform<'a>(
        &'a self,
        _client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        Box::pin(async move {
            let session = session
                .pausing(Retry::pauses_in_no_time())
                .drawing_the_first();
            let deposit = Deposit {
                account: stake,
                ..DEPOSIT
            };
            let (once, memory) = (under(&key_of(stake)), Memory::default());
            let made = match self.is_sent {
                true => {
                    self.strategy
                        .perform_once_in(session, &deposit, &once, &memory)
                        .await
                }
                false => {
                    let made = self.strategy.perform_in(session, &deposit, &memory).await;
                    made.map(DepositAnswer::now)
                }
            };
            match made {
                Ok(_) => Ended {
                    saw: None,
                    outcome: Outcome::Applied,
                    fault: None,
                },
                Err(failure) => Ended {
                    saw: None,
                    outcome: failure.outcome,
                    fault: None,
                },
            }
        })
    }
}

/// The only request gets no answer, because its commit is held up until it has been sent again.
async fn make_requests_deposits_twice_without_keys_and_once_with_them(engine: TestEngine) {
    for (idempotency, sent_again_at) in [(false, "begin"), (true, "claim key")] {
        let lab = engine.lab().await;
        let (gate, arrived) = Gate::new();
        let gate = Arc::new(gate);
        let service =
            RunningService::start_with(&lab.database, &settings(), gate, |router| router).await;
        let steps = tokio::spawn(hold_the_first_commit(arrived, sent_again_at));
        let plan = make_requests::Plan {
            base_url: format!("http://{}", service.address).parse().unwrap(),
            target: make_requests::Deposits {
                strategy: "atomic_update".parse().unwrap(),
                account: 1,
                amount: 100.try_into().unwrap(),
                retry_timeouts: true,
                idempotency,
            }
            .into(),
            pace: make_requests::Pace::Together,
            requests: 1.try_into().unwrap(),
            timeout: Duration::from_secs(1),
        };
        let report = make_requests::run(&plan, |_| {}).await.unwrap();
        service.stop().await;
        steps.await.unwrap();

        assert_eq!(report.acknowledged(), 1, "{report:?}");
        assert!(report.sent_again() >= 1);
        let transactions = lab.account().await.transactions;
        if idempotency {
            assert_eq!(report.verdict(), make_requests::Verdict::Safe);
            assert_eq!(transactions, 1);
        } else {
            assert_eq!(report.verdict().name(), "double_deposits");
            assert!(transactions >= 2);
        }
    }
}

/// Lets everybody through but the first who wants to commit: that one only when somebody comes to this
/// step afterwards.
async fn hold_the_first_commit(mut arrived: Arrivals, until: &str) {
    let mut step = arrived.next().await.unwrap();
    while step.label != "commit" {
        step.go();
        step = arrived.next().await.unwrap();
    }
    let commit = step;
    let mut step = arrived.next().await.unwrap();
    while step.label != until {
        step.go();
        step = arrived.next().await.unwrap();
    }
    step.go();
    commit.go();
    arrived.let_all_through().await.unwrap();
}
