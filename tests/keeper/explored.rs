//! The keeper beside one deposit, in every schedule that there is: what load finds only with luck.

use std::sync::Arc;
use std::time::Duration;

use racy::accounts;
use racy::engine::{Database, Fault, Session, Settings};
use racy::exhibits::deposits::{
    Deposit, Failure, LOST_UPDATE, Memory, Refusal, STRATEGIES, Strategy, UNBALANCED,
};
use racy::explore::{
    Cast, Client, Ended, Finding, Moment, Pending, Plan, Schedules, Stop, Subject, Trace, refusal,
};
use racy::keeper::{self, Actor, Edit, NotChanged};
use racy::survey::{self, Survey};
use racy::verdict::{Outcome, Verdict};

use super::ADA;
use crate::support::TestEngine;

on_engines!(
    every:
        a_change_beside_a_safe_deposit_is_right_in_every_schedule;
    servers:
        a_change_in_another_process_does_not_know_this_ones_locks;
);

/// The keeper is client A, and B deposits 100. Their account holds 100 in its balance, 100 that
/// were only appended, and nothing at first.
#[derive(Debug, Clone, Copy)]
struct Beside {
    name: &'static str,
    edit: Edit,
    /// In a process that makes no deposits.
    elsewhere: bool,
    strategy: &'static Strategy,
}

const AMOUNT: i64 = 100;

/// Of the account's number; so each knows which transaction to delete.
const ONE: Edit = Edit::DeleteTransaction(0);

fn beside(edit: Edit, elsewhere: bool, strategy: &'static Strategy) -> &'static Beside {
    let name = format!("{edit:?} beside {}", strategy.name);
    Box::leak(Box::new(Beside {
        name: name.leak(),
        edit,
        elsewhere,
        strategy,
    }))
}

/// All that deposits rely on, each once. Load tries all strategies, in `amid`.
const EACH_RELIES_ON_SOMETHING_ELSE: [&str; 8] = [
    "row_locking_atomic_long_delay",
    "atomic_update_insert_first",
    "optimistic_retry",
    "serializable_retry",
    "append_only",
    "partitioned",
    "advisory_lock",
    "mutex_in_process",
];

async fn a_change_beside_a_safe_deposit_is_right_in_every_schedule(engine: TestEngine) {
    let lab = engine
        .lab_with(survey::settings(&Settings::default()))
        .await;
    let pair = |edit, name| -> &'static dyn Subject {
        beside(edit, false, Strategy::named(name).unwrap())
    };
    let resets = EACH_RELIES_ON_SOMETHING_ELSE.map(|name| pair(Edit::Reset, name));
    let mut pairs = resets.to_vec();
    // Deleting differs from resetting in what it writes, and deleting one from deleting all in what
    // it moves.
    for name in ["optimistic_retry", "advisory_lock", "mutex_in_process"] {
        pairs.push(pair(Edit::DeleteTransactions, name));
    }
    pairs.push(pair(ONE, "append_only"));
    for found in explored(&lab.database, pairs).await {
        let (name, tally) = (found.strategy(), &found.tally);
        assert!(found.complete && tally.schedules > 1, "{name}");
        assert_eq!(tally.anomalies(), 0, "{name}: {tally:?}");
    }
}

/// Where they rely on the process alone. This is what the pages and the commands say.
async fn a_change_in_another_process_does_not_know_this_ones_locks(engine: TestEngine) {
    let lab = engine
        .lab_with(survey::settings(&Settings::default()))
        .await;
    let mutex = Strategy::named("mutex_in_process").unwrap();
    let reset = beside(Edit::Reset, true, mutex);
    for found in explored(&lab.database, vec![reset]).await {
        let is_weak = !lab.database.engine().snapshot_isolation;
        assert_eq!(found.tally.anomalies() > 0, is_weak, "{:?}", found.tally);
    }
}

async fn explored(database: &Database, pairs: Vec<&'static dyn Subject>) -> Vec<Finding> {
    let survey = Survey {
        strategies: pairs,
        plan: Plan {
            schedules: Schedules::All { reduced: true },
            clients: 2,
            instances: 1,
            limit: None,
        },
        instances: None,
        parallel: survey::PARALLEL,
        stop: &Stop::default(),
    };
    let found = survey.on(database, &|_, _, _| ()).await;
    assert!(found.trouble.is_none(), "{:?}", found.trouble);
    found.findings
}

impl Subject for Beside {
    fn name(&self) -> &'static str {
        self.name
    }

    fn anomalies(&self) -> &'static [&'static racy::verdict::Anomaly] {
        &racy::exhibits::deposits::ANOMALIES
    }

    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(open(database, count))
    }

    fn look(&self) -> &'static str {
        self.strategy.look()
    }

    fn set_up(&self) -> &'static str {
        self.strategy.set_up()
    }

    fn is_unmistakable(&self, _stake: i64) -> bool {
        true
    }

    fn clients_are_alike(&self) -> bool {
        false
    }

    fn cast(&self, _instances: usize) -> Arc<dyn Cast> {
        Arc::new(KeeperAndClient {
            roles: *self,
            memory: Memory::default(),
        })
    }

    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(self.judge_account(database, stake, ended))
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        self.strategy.remove(database, stakes)
    }

    fn moment(&self, _trace: &Trace, _ended: &[Ended]) -> Option<Moment> {
        None
    }
}

/// Between two accounts there is one without deposits. InnoDB's locks reach to the neighbouring
/// record, and no run is to wait for another's.
async fn open(database: &Database, count: usize) -> Result<Vec<i64>, Fault> {
    let accounts = STRATEGIES[0].open(database, 2 * count).await?;
    let mut work = database.begin_work().await?;
    let filled = async {
        for account in &accounts {
            work.execute(
                APPENDED,
                &[(-account).into(), account.into(), AMOUNT.into()],
            )
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
}

const APPENDED: &str =
    "INSERT INTO transactions (id, account_id, amount, appended) VALUES (?, ?, ?, 1)";
const RECORDED: &str = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
const HELD: &str = "UPDATE accounts SET balance = ? WHERE id = ?";

impl Beside {
    /// Nothing may be missing; and where nothing was reset, all is there that was ever deposited.
    async fn judge_account(
        &self,
        database: &Database,
        stake: i64,
        ended: &[Ended],
    ) -> Result<Verdict, Fault> {
        let account = accounts::find(database, stake).await?.unwrap();
        let [edited, deposited] = [0, 1].map(|client| ended[client].outcome == Outcome::Applied);
        let all = i128::from(AMOUNT) * (2 + i128::from(deposited));
        Ok(if account.lost != 0 {
            Verdict::Anomaly(&LOST_UPDATE)
        } else if account.balance != all && !(edited && self.edit == Edit::Reset) {
            Verdict::Anomaly(&UNBALANCED)
        } else if let Some(fault) = refusal(ended) {
            Verdict::Refused(fault.kind)
        } else {
            Verdict::Safe
        })
    }
}

#[derive(Debug)]
struct KeeperAndClient {
    roles: Beside,
    memory: Memory,
}

impl Cast for KeeperAndClient {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        let session = session.thinking_in_no_time().drawing_the_first();
        match client.index() {
            // A change that was given up is made again. A deposit would only be another one.
            0 => Box::pin(self.edit(session.pausing(vec![Duration::ZERO]), stake)),
            _ => Box::pin(self.deposit(session, stake)),
        }
    }
}

impl KeeperAndClient {
    async fn edit(&self, session: Session<'_>, account: i64) -> Ended {
        let memory = (!self.roles.elsewhere).then_some(&self.memory);
        let edit = match self.roles.edit {
            Edit::DeleteTransaction(_) => Edit::DeleteTransaction(-account),
            other => other,
        };
        match keeper::edit_in(session, Actor { memory, ..ADA }, account, edit).await {
            Ok(_deleted) => ended(Outcome::Applied, None),
            Err(NotChanged::Fault(fault)) => ended(Outcome::Refused, Some(fault)),
            Err(other) => panic!("{other}"),
        }
    }

    async fn deposit(&self, session: Session<'_>, account: i64) -> Ended {
        let deposit = Deposit {
            account,
            amount: AMOUNT,
            claim: None,
        };
        let made = self
            .roles
            .strategy
            .perform_in(session, &deposit, &self.memory);
        match made.await {
            Ok(_receipt) => ended(Outcome::Applied, None),
            Err(Failure { refusal, outcome }) => match refusal {
                Refusal::Engine(fault) => ended(outcome, Some(fault)),
                _ => ended(outcome, None),
            },
        }
    }
}

fn ended(outcome: Outcome, fault: Option<Fault>) -> Ended {
    Ended {
        outcome,
        fault,
        saw: None,
    }
}
