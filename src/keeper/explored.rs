//! The keeper beside one deposit, as the explorer runs it: client A changes the account, and every
//! other client deposits.
//!
//! What is expected: a change is safe in every schedule beside each strategy that is safe among its
//! own clients, on the same engine and level. Beside a strategy that loses updates, the change or
//! the deposit can get lost too: the strategy takes no lock that the keeper could respect.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Actor, ChangeError, Edit, edit_in};
use crate::accounts;
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::deposits::{
    ANOMALIES, Deposit, LOST_UPDATE, Memory, STRATEGIES, Strategy, UNBALANCED, result_of,
};
use crate::exhibits::{AccountFixtures, Specimen as _};
use crate::explore::{
    About, Client, ClientResult, Clients, Fixture, Fixtures, InSession, Judge, Judgement, Pending,
    Rows, Subject, verdict_of,
};
use crate::verdict::Outcome;

/// A change of the keeper's, as the explorer knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The account is reset.
    Reset,
    /// All of its transactions are deleted.
    DeleteTransactions,
    /// One of its transactions is deleted.
    DeleteTransaction,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::Reset,
        Self::DeleteTransactions,
        Self::DeleteTransaction,
    ];

    /// The name by which the explorer is asked for it.
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Reset => "keeper/reset",
            Self::DeleteTransactions => "keeper/delete_transactions",
            Self::DeleteTransaction => "keeper/delete_transaction",
        }
    }

    /// The edit. `one` is the id of the transaction to delete.
    fn edit(self, one: i64) -> Edit {
        match self {
            Self::Reset => Edit::Reset,
            Self::DeleteTransactions => Edit::DeleteTransactions,
            Self::DeleteTransaction => Edit::DeleteTransaction(one),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.full_name())
    }
}

/// The change beside a deposit by each strategy.
pub fn subjects_of(change: Change) -> Vec<Arc<Subject>> {
    let strategies = STRATEGIES.iter();
    strategies
        .map(|strategy| Arc::new(subject(change, strategy)))
        .collect()
}

/// The change beside a deposit by this strategy.
///
/// With one instance the keeper works in the instance that makes the deposit. With an instance for
/// each client the keeper is a command, in a process of its own.
pub fn subject(change: Change, strategy: &'static Strategy) -> Subject {
    let setting = strategy.setting();
    let about = strategy.subject(&setting).about;
    Subject {
        about: About {
            name: format!("{change}, {}", strategy.name).into(),
            anomalies: ANOMALIES.into(),
            clients_are_alike: false,
            ..about
        },
        fixtures: Fixtures::Rows(Arc::new(KeptAccounts::default())),
        clients: Arc::new(move |instances| -> Arc<dyn Clients> {
            Arc::new(KeeperAndDepositors {
                change,
                is_elsewhere: instances > 1,
                strategy,
                memory: Memory::default(),
            })
        }),
        rehearsal: None,
        judge: Arc::new(KeptBooks { change, strategy }),
    }
}

/// What an account holds at first, in each of two places: 100 in its balance, and 100 that were
/// only appended.
const AMOUNT: i64 = 100;

const APPENDED: &str =
    "INSERT INTO transactions (id, account_id, amount, appended) VALUES (?, ?, ?, 1)";
const RECORDED: &str = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
const HELD: &str = "UPDATE accounts SET balance = ? WHERE id = ?";

/// The id of an account's appended transaction, so that each run knows which one to delete.
fn appended_id(account: i64) -> i64 {
    -account
}

/// Accounts with transactions. Between two of them there is one without deposits: InnoDB's locks
/// reach to the neighbouring record, and no run waits for another's.
#[derive(Debug, Default)]
struct KeptAccounts(AccountFixtures);

impl Rows for KeptAccounts {
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(async move {
            let accounts = self.0.make(database, 2 * count).await?;
            let mut work = database.begin_work().await?;
            let filled = async {
                for account in &accounts {
                    let id = appended_id(*account);
                    work.execute(APPENDED, &[id.into(), account.into(), AMOUNT.into()])
                        .await?;
                }
                for account in accounts.iter().step_by(2) {
                    work.execute(RECORDED, &[account.into(), AMOUNT.into()])
                        .await?;
                    work.execute(HELD, &[AMOUNT.into(), account.into()]).await?;
                }
                Ok::<_, Fault>(())
            };
            let filled = filled.await;
            work.end(filled).await?;
            Ok(accounts.into_iter().step_by(2).collect())
        })
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        self.0.remove(database, ids)
    }

    fn id_is_unambiguous(&self, id: i64) -> bool {
        self.0.id_is_unambiguous(id)
    }
}

/// Judges by the account's balance and its transactions.
#[derive(Debug)]
struct KeptBooks {
    change: Change,
    strategy: &'static Strategy,
}

impl Judge for KeptBooks {
    /// Nothing may be missing. Unless the account was reset, everything is there that was ever
    /// deposited.
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let account = accounts::find(database, fixture.id()).await?;
            let account = account.ok_or_else(|| Fault::other("the account is gone"))?;
            let is_applied = |it: &&ClientResult| it.outcome == Outcome::Applied;
            let was_reset =
                self.change == Change::Reset && results.first().is_some_and(|it| is_applied(&it));
            let deposited = results.iter().skip(1).filter(is_applied).count();
            let all = i128::from(AMOUNT) * (2 + deposited as i128);
            let anomaly = if account.lost != 0 {
                Some(&LOST_UPDATE)
            } else if account.balance != all && !was_reset {
                Some(&UNBALANCED)
            } else {
                None
            };
            Ok(verdict_of(anomaly, results).into())
        })
    }

    /// The keeper's own promise holds beside every strategy that is safe itself.
    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.strategy.setting().promises_safety(engine, instances)
    }
}

#[derive(Debug)]
struct KeeperAndDepositors {
    change: Change,
    /// Whether the keeper works in another process than the service.
    is_elsewhere: bool,
    strategy: &'static Strategy,
    memory: Memory,
}

impl InSession for KeeperAndDepositors {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        let session = session.thinking_in_no_time().drawing_the_first();
        match client.index() {
            // A change that was refused is made again. A deposit would only be another one.
            0 => Box::pin(self.change(session.pausing(vec![Duration::ZERO]), fixture.id())),
            _ => Box::pin(self.deposit(session, fixture.id())),
        }
    }
}

impl KeeperAndDepositors {
    async fn change(&self, session: Session<'_>, account: i64) -> ClientResult {
        let actor = Actor {
            name: "explorer",
            memory: (!self.is_elsewhere).then_some(&self.memory),
        };
        let edit = self.change.edit(appended_id(account));
        match edit_in(session, actor, account, edit).await {
            Ok(_deleted) => ClientResult::APPLIED,
            Err(ChangeError::Fault(fault)) => ClientResult::refused(Some(fault)),
            Err(
                ChangeError::UnknownAccount(_)
                | ChangeError::UnknownTransaction { .. }
                | ChangeError::TooMuch,
            ) => ClientResult::refused(None),
        }
    }

    async fn deposit(&self, session: Session<'_>, account: i64) -> ClientResult {
        let deposit = Deposit {
            account,
            amount: AMOUNT,
            claim: None,
        };
        let deposited = self
            .strategy
            .perform_in(session, &deposit, &self.memory)
            .await;
        result_of(deposited)
    }
}
