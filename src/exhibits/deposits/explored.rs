//! A deposit strategy as the explorer runs it: clients that deposit into an account opened for
//! them.

use std::sync::Arc;

use super::{
    ANOMALIES, Commits, Delay, Deposit, Failure, LOST_UPDATE, Memory, Receipt, Refusal, Retry,
    STRATEGIES, Strategy, UNBALANCED, batched,
};
use crate::accounts;
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::account_fixtures::{AMOUNT, INSPECT_SQL, PARTS, SETUP_SQL};
use crate::exhibits::card::Card;
use crate::exhibits::{AccountFixtures, Exhibit, Setting, Specimen, account_fixtures};
use crate::explore::{
    About, Client, ClientResult, Clients, Fixture, Fixtures, Highlight, InSession, Judge,
    Judgement, Pending, Row, StoredValue, Subject, Trace, verdict_of,
};
use crate::verdict::{Anomaly, Outcome};

/// The exhibit, for listings.
pub static EXHIBIT: Exhibit = Exhibit {
    name: "deposits",
    anomalies: &ANOMALIES,
    specimens: || STRATEGIES.iter().map(|it| it as &dyn Specimen).collect(),
};

/// Put before [`SETUP_SQL`]'s run by hand, if the strategy reads the clock.
const ABOUT_THE_CLOCK: &str = "\n\
     -- The second below stands for the account's updated_at: put that in its place.\n\
     -- All that follows has to happen within that second: it is the same only from a script.";

impl Specimen for Strategy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn full_name(&self) -> &'static str {
        self.name
    }

    fn card(&self) -> &'static Card {
        self.card
    }

    fn thinks(&self) -> bool {
        self.delay == Delay::Long
    }

    fn settings(&self) -> Vec<Setting> {
        vec![self.setting()]
    }

    fn subject(&self, setting: &Setting) -> Subject {
        let strategy = *self;
        let reads_the_clock = self.reads_the_clock();
        let about_the_clock = if reads_the_clock { ABOUT_THE_CLOCK } else { "" };
        Subject {
            about: About {
                name: setting.name_of(self).into(),
                source_file: Some(self.card().file),
                anomalies: ANOMALIES.into(),
                nothing: "lost",
                setup_sql: format!("{SETUP_SQL}{about_the_clock}").into(),
                inspect_sql: INSPECT_SQL.into(),
                clients_are_alike: true,
                shares_memory: setting.expected_apart.is_some(),
                scenario: None,
            },
            fixtures: Fixtures::Rows(Arc::new(AccountFixtures {
                reads_the_clock,
                ..AccountFixtures::default()
            })),
            clients: Arc::new(move |instances| -> Arc<dyn Clients> {
                let memories = std::iter::repeat_with(Memory::default);
                Arc::new(Depositors {
                    strategy,
                    memories: memories.take(instances).collect(),
                })
            }),
            rehearsal: None,
            judge: Arc::new(Books { setting: *setting }),
        }
    }
}

/// The clients of one run, each of which comes to one of the instances.
#[derive(Debug)]
struct Depositors {
    strategy: Strategy,
    /// The memory of each instance. There is at least one.
    memories: Vec<Memory>,
}

impl InSession for Depositors {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        let memory = &self.memories[client.index() % self.memories.len()];
        Box::pin(async move {
            let session = match self.strategy.delay {
                Delay::None => session,
                Delay::Long => session.thinking_in_no_time(),
            };
            let session = session
                .pausing(Retry::pauses_in_no_time())
                .drawing_the_first();
            let deposited = match self.strategy.commits {
                Commits::Alone => {
                    let deposit = Deposit {
                        account: fixture.id(),
                        amount: AMOUNT,
                        claim: None,
                    };
                    let depositing = self.strategy.perform_in(session, &deposit, memory);
                    depositing.await
                }
                Commits::Together => write_in_parts(session, fixture.id()).await,
            };
            result_of(deposited)
        })
    }
}

/// How a client ended that made a deposit.
pub(crate) fn result_of(deposited: Result<Receipt, Failure>) -> ClientResult {
    match deposited {
        Ok(_receipt) => ClientResult::APPLIED,
        Err(Failure { refusal, outcome }) => ClientResult::failed(outcome, fault_of(refusal)),
    }
}

fn fault_of(refusal: Refusal) -> Option<Fault> {
    match refusal {
        Refusal::Engine(fault) => Some(fault),
        Refusal::UnknownAccount
        | Refusal::Overflow { .. }
        | Refusal::GaveUp { .. }
        | Refusal::Key(_) => None,
    }
}

/// A writer with one batch. It has made its deposit if it has made all parts of it.
async fn write_in_parts(mut session: Session<'_>, account: i64) -> Result<Receipt, Failure> {
    let part = Deposit {
        account,
        amount: AMOUNT / PARTS,
        claim: None,
    };
    let fates = batched::write(&mut session, &[part; PARTS as usize]).await;
    session.end().await;
    let made = fates.iter().filter(|fate| fate.is_ok()).count();
    let all = fates.into_iter().reduce(Result::and);
    let nothing = || Fault::other("the batch came to nothing");
    let all = all.unwrap_or_else(|| Err(Failure::before_the_first_step(nothing())));
    all.map_err(|failure| match made {
        0 => failure,
        _ => Failure {
            outcome: Outcome::Partial,
            ..failure
        },
    })
}

/// Judges by the account's balance, its transactions, and what was acknowledged.
#[derive(Debug)]
struct Books {
    setting: Setting,
}

impl Judge for Books {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let account = accounts::find(database, fixture.id()).await?;
            let account = account.ok_or_else(|| Fault::other("the account is gone"))?;
            let applied = results.iter().filter(|it| it.outcome == Outcome::Applied);
            let acknowledged = applied.count() as i128 * i128::from(AMOUNT);
            let held = account.balance - i128::from(account.opening_balance);
            let anomaly = if held < acknowledged {
                Some(&LOST_UPDATE)
            } else if account.lost != 0 {
                Some(&UNBALANCED)
            } else {
                None
            };
            Ok(verdict_of(anomaly, results).into())
        })
    }

    fn look<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
    ) -> Option<Pending<'a, Result<Vec<StoredValue>, Fault>>> {
        Some(account_fixtures::look(database, fixture.id()))
    }

    fn highlight(
        &self,
        trace: &Trace,
        results: &[ClientResult],
        _anomaly: &'static Anomaly,
    ) -> Option<Highlight> {
        overwritten(trace, results)
    }

    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.setting.promises_safety(engine, instances)
    }
}

/// The last write whose value was computed without a write of another client in between.
fn overwritten(trace: &Trace, results: &[ClientResult]) -> Option<Highlight> {
    let applied = |row: &Row| results[row.client.index()].outcome == Outcome::Applied;
    let rows = trace.rows.iter().enumerate();
    let writes: Vec<_> = rows
        .filter(|(_, row)| row.is_write() && applied(row))
        .collect();
    writes.iter().rev().find_map(|(at, write)| {
        let read = trace.rows[..*at]
            .iter()
            .rposition(|row| row.client == write.client && row.is_read())?;
        let (_, unseen) = writes
            .iter()
            .rfind(|(other, row)| (read..*at).contains(other) && row.client != write.client)?;
        Some(Highlight {
            row: *at,
            words: format!(
                "{} overwrites {}'s {} unseen: {}'s deposit is lost",
                write.client,
                unseen.client,
                unseen.value()?,
                unseen.client
            ),
        })
    })
}
