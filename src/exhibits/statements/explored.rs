//! A statement as the explorer runs it: client A reads one, and every other client deposits
//! meanwhile.

use std::sync::Arc;

use super::{ANOMALIES, READ_SKEW, READERS, Reader, Statement, StatementRequest};
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::account_fixtures::{AMOUNT, INSPECT_SQL, SETUP_SQL};
use crate::exhibits::card::Card;
use crate::exhibits::deposits::{Deposit, Refusal, atomic_update};
use crate::exhibits::{AccountFixtures, Exhibit, Setting, Specimen, account_fixtures};
use crate::explore::{
    About, Client, ClientResult, Clients, Fixture, Fixtures, Highlight, InSession, Judge,
    Judgement, Pending, StoredValue, Subject, Trace, verdict_of,
};
use crate::step::Action;
use crate::verdict::Anomaly;

/// The exhibit, for listings.
pub static EXHIBIT: Exhibit = Exhibit {
    name: "statements",
    anomalies: &ANOMALIES,
    specimens: || READERS.iter().map(|it| it as &dyn Specimen).collect(),
};

/// More than the deposits of a run, so that all of them are listed.
const LIMIT: i64 = 10;

impl Specimen for Reader {
    fn name(&self) -> &'static str {
        self.name
    }

    fn full_name(&self) -> &'static str {
        self.full_name
    }

    fn card(&self) -> &'static Card {
        self.card
    }

    fn reads(&self) -> bool {
        true
    }

    fn settings(&self) -> Vec<Setting> {
        vec![Setting::alone(self.card.expected)]
    }

    fn subject(&self, setting: &Setting) -> Subject {
        let reader = *self;
        Subject {
            about: About {
                name: setting.name_of(self).into(),
                source_file: Some(self.card().file),
                anomalies: ANOMALIES.into(),
                nothing: "lost",
                setup_sql: SETUP_SQL.into(),
                inspect_sql: INSPECT_SQL.into(),
                clients_are_alike: false,
                shares_memory: false,
                scenario: None,
            },
            fixtures: Fixtures::Rows(Arc::new(AccountFixtures::default())),
            clients: Arc::new(move |_instances| -> Arc<dyn Clients> {
                Arc::new(ReaderAndWriters(reader))
            }),
            rehearsal: None,
            judge: Arc::new(Balance { setting: *setting }),
        }
    }
}

/// Judges by what the reader has seen. Whether the database is right is what the writers' own
/// strategy is explored for.
#[derive(Debug)]
struct Balance {
    setting: Setting,
}

impl Judge for Balance {
    fn judge<'a>(
        &'a self,
        _database: &'a Database,
        _fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        let anomaly = results.iter().find_map(|it| it.saw);
        Box::pin(std::future::ready(Ok(verdict_of(anomaly, results).into())))
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
        _results: &[ClientResult],
        _anomaly: &'static Anomaly,
    ) -> Option<Highlight> {
        fell_apart(trace)
    }

    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.setting.promises_safety(engine, instances)
    }
}

/// The clients of one run: the first reads, the others write.
#[derive(Debug)]
struct ReaderAndWriters(Reader);

impl InSession for ReaderAndWriters {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        match client.index() {
            0 => Box::pin(read(&self.0, session, fixture.id())),
            _ => Box::pin(write(session, fixture.id())),
        }
    }
}

async fn read(reader: &Reader, session: Session<'_>, account: i64) -> ClientResult {
    let wanted = StatementRequest {
        account,
        limit: LIMIT,
    };
    match reader.perform_in(session, &wanted).await {
        Ok(Some(statement)) => ClientResult {
            saw: skew(&statement),
            ..ClientResult::APPLIED
        },
        Ok(None) => ClientResult::refused(None),
        Err(fault) => ClientResult::refused(Some(fault)),
    }
}

async fn write(mut session: Session<'_>, account: i64) -> ClientResult {
    let deposit = Deposit {
        account,
        amount: AMOUNT,
        claim: None,
    };
    let deposited = atomic_update::deposit(&mut session, &deposit).await;
    session.end().await;
    match deposited {
        Ok(_receipt) => ClientResult::APPLIED,
        Err(Refusal::Engine(fault)) => ClientResult::refused(Some(fault)),
        Err(_) => ClientResult::refused(None),
    }
}

/// What is wrong with a statement that was read from a database that is right at every moment.
fn skew(statement: &Statement) -> Option<&'static Anomaly> {
    let comes_from_one_moment = statement.balances && statement.list_agrees;
    (!comes_from_one_moment).then_some(&READ_SKEW)
}

/// The row in which the reader read what does not belong to what it had read before.
fn fell_apart(trace: &Trace) -> Option<Highlight> {
    let rows = trace.rows.iter().enumerate();
    let reads = rows.filter(|(_, row)| {
        row.client.index() == 0 && row.step.action == Action::Read && row.ending().is_some()
    });
    let [(_, balance), (at_sum, sum), (at_list, _)] = reads.collect::<Vec<_>>()[..] else {
        return None;
    };
    let (balance, sum) = (balance.value()?, sum.value()?);
    Some(if balance == sum {
        Highlight {
            row: at_list,
            words: format!(
                "A has transactions of {sum} and a list of others: there was no such moment"
            ),
        }
    } else {
        Highlight {
            row: at_sum,
            words: format!(
                "A has a balance of {balance} and transactions of {sum}: there was no such moment"
            ),
        }
    })
}
