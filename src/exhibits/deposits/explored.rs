//! A deposit strategy as the explorer sees it: clients that deposit into an account opened for them.

use std::sync::Arc;

use super::{
    ANOMALIES, Commits, Delay, Deposit, Failure, LOST_UPDATE, Memory, Receipt, Refusal, Retry,
    Strategy, UNBALANCED, batched,
};
use crate::accounts::{self, OPEN_SLOTS};
use crate::engine::{Database, Engine, Fault, Session};
use crate::explore::{Cast, Client, Ended, Moment, Pending, Row, Subject, Trace, refusal};
use crate::step::Unobserved;
use crate::verdict::{Anomaly, Outcome, Verdict};

/// What each client deposits.
pub(crate) const AMOUNT: i64 = 100;

/// Empties account 1.
pub(crate) const SET_UP: &str = "UPDATE accounts SET balance = 0, opening_balance = 0, version = 0 WHERE id = 1;\n\
     UPDATE account_slots SET balance = 0 WHERE account_id = 1;\n\
     DELETE FROM transactions WHERE account_id = 1;";

/// Shows what account 1 holds, and what its transactions add up to.
pub(crate) const LOOK: &str = "SELECT balance FROM accounts WHERE id = 1;\n\
     SELECT SUM(balance) FROM account_slots WHERE account_id = 1;\n\
     SELECT SUM(amount) FROM transactions WHERE account_id = 1 AND appended = 1;\n\
     SELECT SUM(amount) FROM transactions WHERE account_id = 1;";

/// Where deposits are committed together, each client is a writer, and its batch has that many parts of the amount.
const PARTS: i64 = 2;

impl Subject for Strategy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn anomalies(&self) -> &'static [&'static Anomaly] {
        &ANOMALIES
    }

    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(open_accounts(database, count))
    }

    fn set_up(&self) -> &'static str {
        match self.looks_at_the_clock() {
            false => SET_UP,
            true => {
                "UPDATE accounts SET balance = 0, opening_balance = 0, version = 0 WHERE id = 1;\n\
                 UPDATE account_slots SET balance = 0 WHERE account_id = 1;\n\
                 DELETE FROM transactions WHERE account_id = 1;\n\
                 -- The second below stands for the account's updated_at: put that in its place.\n\
                 -- All that follows has to happen within that second: it is the same only from a script."
            }
        }
    }

    fn look(&self) -> &'static str {
        LOOK
    }

    /// Balances, amounts and versions are multiples of the amount or of a part of it, or small.
    fn is_unmistakable(&self, stake: i64) -> bool {
        is_unmistakable(stake)
    }

    /// Of the strategies that look at the clock, each has a run in one second: the second in which its
    /// account was opened.
    fn tick<'a>(&'a self, database: &'a Database) -> Option<Pending<'a, Result<i64, Fault>>> {
        self.looks_at_the_clock()
            .then(|| Box::pin(this_second(database)) as Pending<'a, _>)
    }

    fn cast(&self, instances: usize) -> Arc<dyn Cast> {
        let memories = std::iter::repeat_with(Memory::default);
        Arc::new(Served {
            strategy: *self,
            memories: memories.take(instances).collect(),
        })
    }

    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(async move {
            let account = accounts::find(database, stake).await?;
            let account = account.ok_or_else(|| Fault::other("the account is gone"))?;
            let applied = ended.iter().filter(|it| it.outcome == Outcome::Applied);
            let applied = applied.count();
            let acknowledged = applied as i128 * i128::from(AMOUNT);
            Ok(
                if account.balance - i128::from(account.opening_balance) < acknowledged {
                    Verdict::Anomaly(&LOST_UPDATE)
                } else if account.lost != 0 {
                    Verdict::Anomaly(&UNBALANCED)
                } else if let Some(fault) = refusal(ended) {
                    Verdict::Refused(fault.kind)
                } else if applied < ended.len() {
                    Verdict::Declined
                } else {
                    Verdict::Safe
                },
            )
        })
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(remove_accounts(database, stakes))
    }

    fn instances(&self, clients: usize) -> Vec<usize> {
        Self::instances(self, clients)
    }

    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.must_be_safe_on(engine, instances)
    }

    fn moment(&self, trace: &Trace, ended: &[Ended]) -> Option<Moment> {
        overwritten(trace, ended)
    }
}

/// The clients of one run, each of whom comes to one of the instances.
#[derive(Debug)]
struct Served {
    strategy: Strategy,
    /// Of the instances, at least one.
    memories: Vec<Memory>,
}

impl Cast for Served {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        let memory = &self.memories[client.index() % self.memories.len()];
        Box::pin(async move {
            let session = match self.strategy.delay {
                Delay::None => session,
                Delay::Long => session.thinking_in_no_time(),
            };
            let session = session
                .pausing(Retry::pauses_in_no_time())
                .drawing_the_first();
            let performed = match self.strategy.commits {
                Commits::Alone => {
                    let deposit = Deposit {
                        account: stake,
                        amount: AMOUNT,
                        claim: None,
                    };
                    let performed = self.strategy.perform_in(session, &deposit, memory);
                    performed.await
                }
                Commits::Together => write_in_parts(session, stake).await,
            };
            match performed {
                Ok(_receipt) => Ended {
                    outcome: Outcome::Applied,
                    fault: None,
                    saw: None,
                },
                Err(Failure { refusal, outcome }) => Ended {
                    outcome,
                    fault: match refusal {
                        Refusal::Engine(fault) => Some(fault),
                        Refusal::UnknownAccount
                        | Refusal::Overflow { .. }
                        | Refusal::GaveUp { .. }
                        | Refusal::Key(_) => None,
                    },
                    saw: None,
                },
            }
        })
    }
}

/// A writer with one batch. It has made its deposit if it has made all of its parts.
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

/// Whether no balance, amount, version or limit could be taken for this account's number.
pub(crate) fn is_unmistakable(account: i64) -> bool {
    account > 16 && account % (AMOUNT / PARTS) != 0
}

/// All in one transaction, because it is commits that take time.
pub(crate) async fn open_accounts(database: &Database, count: usize) -> Result<Vec<i64>, Fault> {
    let mut session = database.session(&Unobserved).await?;
    let opened = async {
        session.begin_for_update().await?;
        let mut accounts = Vec::new();
        for _ in 0..count {
            let open = "INSERT INTO accounts (balance, opening_balance, updated_at) \
                        VALUES (?, ?, UNIX_TIMESTAMP())";
            let account = session.insert("open account", open, &[0, 0]).await?;
            session.run("make slots", OPEN_SLOTS, &[account]).await?;
            accounts.push(account);
        }
        session.commit().await?;
        Ok(accounts)
    }
    .await;
    session.end().await;
    opened
}

/// By the engine's clock, as the strategies see it.
async fn this_second(database: &Database) -> Result<i64, Fault> {
    let mut session = database.session(&Unobserved).await?;
    let clock = "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED)";
    let second = session.read("look at the clock", clock, &[]).await;
    session.end().await;
    second?.ok_or_else(|| Fault::other("the engine has no clock"))
}

pub(crate) async fn remove_accounts(database: &Database, accounts: &[i64]) -> Result<(), Fault> {
    const AT_A_TIME: usize = 100;
    let mut session = database.session(&Unobserved).await?;
    let removed = async {
        for some in accounts.chunks(AT_A_TIME) {
            session.begin_for_update().await?;
            for account in some {
                for delete in [
                    "DELETE FROM account_slots WHERE account_id = ?",
                    "DELETE FROM transactions WHERE account_id = ?",
                    "DELETE FROM accounts WHERE id = ?",
                ] {
                    session.run("remove account", delete, &[*account]).await?;
                }
            }
            session.commit().await?;
        }
        Ok(())
    }
    .await;
    session.end().await;
    removed
}

/// The last write whose value was computed without what somebody else had written meanwhile.
fn overwritten(trace: &Trace, ended: &[Ended]) -> Option<Moment> {
    let applied = |row: &Row| ended[row.client.index()].outcome == Outcome::Applied;
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
        Some(Moment {
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
