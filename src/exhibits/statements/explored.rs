//! A statement as the explorer sees it: client A reads one, and every other makes a deposit meanwhile.

use std::sync::Arc;

use super::{ANOMALIES, READ_SKEW, Reader, Statement, StatementRequest};
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::deposits::explored::{
    AMOUNT, LOOK, SET_UP, is_unmistakable, open_accounts, remove_accounts,
};
use crate::exhibits::deposits::{Deposit, Refusal, atomic_update};
use crate::explore::{Cast, Client, Ended, Moment, Pending, Subject, Trace, refusal};
use crate::step::Action;
use crate::verdict::{Anomaly, Outcome, Verdict};

/// More than the deposits of a run, so that all of them are listed.
const LIMIT: i64 = 10;

impl Subject for Reader {
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

    fn look(&self) -> &'static str {
        LOOK
    }

    fn set_up(&self) -> &'static str {
        SET_UP
    }

    fn is_unmistakable(&self, stake: i64) -> bool {
        is_unmistakable(stake)
    }

    /// Nobody keeps anything in an instance's memory.
    fn cast(&self, _instances: usize) -> Arc<dyn Cast> {
        Arc::new(ReaderAndWriters(*self))
    }

    fn judge<'a>(
        &'a self,
        _database: &'a Database,
        _stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(std::future::ready(Ok(judge(ended))))
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(remove_accounts(database, stakes))
    }

    /// One reads and the others write.
    fn clients_are_alike(&self) -> bool {
        false
    }

    fn promises_safety(&self, engine: &Engine, _instances: usize) -> bool {
        self.card.must_be_safe_on(engine)
    }

    fn moment(&self, trace: &Trace, _ended: &[Ended]) -> Option<Moment> {
        fell_apart(trace)
    }
}

/// By what the reader has seen. That the books are right is what the writers' own strategy is explored for.
fn judge(ended: &[Ended]) -> Verdict {
    if let Some(anomaly) = ended.iter().find_map(|it| it.saw) {
        Verdict::Anomaly(anomaly)
    } else if let Some(fault) = refusal(ended) {
        Verdict::Refused(fault.kind)
    } else if ended.iter().any(|it| it.outcome != Outcome::Applied) {
        Verdict::Declined
    } else {
        Verdict::Safe
    }
}

/// The clients of one run: the first reads, the others write.
#[derive(Debug)]
struct ReaderAndWriters(Reader);

impl Cast for ReaderAndWriters {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        match client.index() {
            0 => Box::pin(read(&self.0, session, stake)),
            _ => Box::pin(write(session, stake)),
        }
    }
}

async fn read(reader: &Reader, session: Session<'_>, account: i64) -> Ended {
    let wanted = StatementRequest {
        account,
        limit: LIMIT,
    };
    match reader.perform_in(session, &wanted).await {
        Ok(Some(statement)) => Ended {
            saw: skew(&statement),
            ..APPLIED
        },
        Ok(None) => refused(None),
        Err(fault) => refused(Some(fault)),
    }
}

async fn write(mut session: Session<'_>, account: i64) -> Ended {
    let deposit = Deposit {
        account,
        amount: AMOUNT,
        claim: None,
    };
    let deposited = atomic_update::deposit(&mut session, &deposit).await;
    session.end().await;
    match deposited {
        Ok(_receipt) => APPLIED,
        Err(Refusal::Engine(fault)) => refused(Some(fault)),
        Err(_) => refused(None),
    }
}

const APPLIED: Ended = Ended {
    outcome: Outcome::Applied,
    fault: None,
    saw: None,
};

fn refused(fault: Option<Fault>) -> Ended {
    Ended {
        outcome: Outcome::Refused,
        fault,
        saw: None,
    }
}

/// What is wrong with a statement of books that are right at every moment.
fn skew(statement: &Statement) -> Option<&'static Anomaly> {
    let comes_from_one_moment = statement.balances && statement.list_agrees;
    (!comes_from_one_moment).then_some(&READ_SKEW)
}

/// Where the reader got to see something that does not belong to what it had seen before.
fn fell_apart(trace: &Trace) -> Option<Moment> {
    let rows = trace.rows.iter().enumerate();
    let reads = rows.filter(|(_, row)| {
        row.client.index() == 0 && row.step.action == Action::Read && row.ending().is_some()
    });
    let [(_, balance), (at_sum, sum), (at_list, _)] = reads.collect::<Vec<_>>()[..] else {
        return None;
    };
    let (balance, sum) = (balance.value()?, sum.value()?);
    Some(if balance == sum {
        Moment {
            row: at_list,
            words: format!(
                "A has transactions of {sum} and a list of others: there was no such moment"
            ),
        }
    } else {
        Moment {
            row: at_sum,
            words: format!(
                "A has a balance of {balance} and transactions of {sum}: there was no such moment"
            ),
        }
    })
}
