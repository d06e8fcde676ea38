//! Two clients with one key, in every schedule.

use std::sync::Arc;

use racy::accounts;
use racy::engine::{Database, Fault, Session};
use racy::exhibits::deposits::{
    Deposit, DepositAnswer, Memory, Retry, STRATEGIES, Strategy, UNBALANCED,
};
use racy::explore::{
    self, Cast, Client, Ended, Moment, Pending, Plan, Schedules, Stop, Subject, Trace,
};
use racy::verdict::{Outcome, Verdict};

use super::{named, under};
use crate::support::TestEngine;
use crate::support::lab::DEPOSIT;

on_engines!(
    every:
        two_clients_with_one_key_deposit_once_in_every_schedule;
);

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

    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        self.strategy.open(database, count)
    }

    fn anomalies(&self) -> &'static [&'static racy::verdict::Anomaly] {
        &racy::exhibits::deposits::ANOMALIES
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
