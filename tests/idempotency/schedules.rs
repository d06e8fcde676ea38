//! Two clients with one key, in every schedule.

use std::sync::Arc;

use racy::accounts;
use racy::engine::{Database, Fault, LaneKind, Session};
use racy::exhibits::AccountFixtures;
use racy::exhibits::deposits::{
    Deposit, DepositAnswer, Memory, Retry, STRATEGIES, Strategy, UNBALANCED,
};
use racy::explore::{
    self, Client, ClientResult, Clients, Fixture, Fixtures, InSession, Judge, Judgement, Pending,
    Plan, Rows, Stop, Subject,
};
use racy::verdict::{Outcome, Verdict};

use super::{named, under};
use crate::support::TestEngine;
use crate::support::explored::{REDUCED, plan, subject};
use crate::support::lab::DEPOSIT;

on_engines!(
    every:
        two_clients_with_one_key_deposit_once_in_every_schedule;
);

async fn two_clients_with_one_key_deposit_once_in_every_schedule(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in &STRATEGIES {
        let found = verdicts(&lab.database, one_key(strategy, true)).await;
        assert_eq!(found, [Verdict::Safe], "{} on {engine:?}", strategy.name);
    }
    // Without the key it is made twice.
    let without = one_key(named("atomic_update"), false);
    let found = verdicts(&lab.database, without).await;
    assert_eq!(found, [Verdict::Anomaly(&UNBALANCED)]);
}

async fn verdicts(database: &Database, subject: Arc<Subject>) -> Vec<Verdict> {
    let plan = Plan {
        instances: 2,
        ..plan(REDUCED, 2)
    };
    let lanes = database.lanes(2, 2, LaneKind::Rows).await.unwrap();
    let stop = Stop::default();
    let (finding, ended) = explore::explore(&lanes.lanes, &subject, &plan, &stop, &|_, _| ()).await;
    ended.unwrap();
    lanes.close().await.unwrap();
    assert!(finding.is_exhaustive() && finding.tally.schedules > 1);
    finding.tally.verdicts.into_keys().collect()
}

/// One deposit, which two clients send, with one key if it is sent.
fn one_key(strategy: &'static Strategy, is_sent: bool) -> Arc<Subject> {
    Arc::new(Subject {
        fixtures: Fixtures::Rows(Arc::new(AccountsWithKeys(AccountFixtures::default()))),
        clients: Arc::new(move |_instances| -> Arc<dyn Clients> {
            Arc::new(OneKey { strategy, is_sent })
        }),
        judge: Arc::new(MadeOnce),
        ..Subject::clone(&subject(strategy))
    })
}

#[derive(Debug)]
struct OneKey {
    strategy: &'static Strategy,
    is_sent: bool,
}

fn key_of(account: i64) -> String {
    format!("of-account-{account}")
}

/// A run is safe if the deposit was made exactly once, and acknowledged to a client.
#[derive(Debug)]
struct MadeOnce;

impl Judge for MadeOnce {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let account = accounts::find(database, fixture.id()).await?.unwrap();
            let acknowledged = results.iter().any(|it| it.outcome == Outcome::Applied);
            Ok(match (account.balance, account.transactions) {
                (100, 1) if acknowledged => Verdict::Safe,
                (0, 0) => Verdict::Declined,
                _ => Verdict::Anomaly(&UNBALANCED),
            }
            .into())
        })
    }
}

/// Accounts whose keys are removed with them.
#[derive(Debug)]
struct AccountsWithKeys(AccountFixtures);

impl Rows for AccountsWithKeys {
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        self.0.make(database, count)
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            for id in ids {
                let delete = "DELETE FROM idempotency_keys WHERE name = ?";
                let name = key_of(*id);
                database.execute(delete, &[name.as_str().into()]).await?;
            }
            self.0.remove(database, ids).await
        })
    }

    fn id_is_unambiguous(&self, id: i64) -> bool {
        self.0.id_is_unambiguous(id)
    }
}

impl InSession for OneKey {
    fn perform<'a>(
        &'a self,
        _client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        Box::pin(async move {
            let session = session
                .pausing(Retry::pauses_in_no_time())
                .drawing_the_first();
            let deposit = Deposit {
                account: fixture.id(),
                ..DEPOSIT
            };
            let (once, memory) = (under(&key_of(fixture.id())), Memory::default());
            let made = if self.is_sent {
                let made = self
                    .strategy
                    .perform_once_in(session, &deposit, &once, &memory);
                made.await
            } else {
                let made = self.strategy.perform_in(session, &deposit, &memory).await;
                made.map(DepositAnswer::now)
            };
            match made {
                Ok(_) => ClientResult::APPLIED,
                Err(failure) => ClientResult::failed(failure.outcome, None),
            }
        })
    }
}
