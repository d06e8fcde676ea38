//! Accounts as the explorer's fixtures: each is opened for one run. Deposits, statements and
//! exports work on accounts, and share these.

use crate::accounts::OPEN_SLOTS;
use crate::engine::{Database, Fault};
use crate::explore::{Pending, Rows, StoredValue, session_to_look_in};
use crate::step::Unobserved;

/// The amount of each deposit, and of each transaction that an account is opened with.
pub(crate) const AMOUNT: i64 = 100;

/// A client that makes its deposit in parts makes this number of them.
pub(crate) const PARTS: i64 = 2;

/// Empties account 1, for a person to run.
pub(crate) const SETUP_SQL: &str = "UPDATE accounts SET balance = 0, opening_balance = 0, version = 0 WHERE id = 1;\n\
     UPDATE account_slots SET balance = 0 WHERE account_id = 1;\n\
     DELETE FROM transactions WHERE account_id = 1;";

/// Shows what account 1 holds, and the sum of its transactions.
pub(crate) const INSPECT_SQL: &str = "SELECT balance FROM accounts WHERE id = 1;\n\
     SELECT SUM(balance) FROM account_slots WHERE account_id = 1;\n\
     SELECT SUM(amount) FROM transactions WHERE account_id = 1 AND appended = 1;\n\
     SELECT SUM(amount) FROM transactions WHERE account_id = 1;";

/// Looks at what an account holds in all places, and at the sum of its transactions.
pub(crate) fn look(
    database: &Database,
    account: i64,
) -> Pending<'_, Result<Vec<StoredValue>, Fault>> {
    Box::pin(async move {
        let mut session = session_to_look_in(database).await?;
        let row = session
            .row::<4>(
                "look at the account",
                "SELECT a.balance, \
                     (SELECT CAST(COALESCE(SUM(s.balance), 0) AS SIGNED) \
                      FROM account_slots s WHERE s.account_id = a.id), \
                     (SELECT CAST(COALESCE(SUM(t.amount * t.appended), 0) AS SIGNED) \
                      FROM transactions t WHERE t.account_id = a.id), \
                     (SELECT CAST(COALESCE(SUM(t.amount), 0) AS SIGNED) \
                      FROM transactions t WHERE t.account_id = a.id) \
                 FROM accounts a WHERE a.id = ?",
                &[account],
            )
            .await;
        session.end().await;
        let values = row?.map(|[column, slots, appended, transactions]| {
            vec![
                StoredValue::new("balance", column + slots + appended),
                StoredValue::new("sum of transactions", transactions),
            ]
        });
        Ok(values.unwrap_or_default())
    })
}

/// An account for each run.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountFixtures {
    /// The number of transactions that each account is opened with.
    pub transactions: usize,
    /// Whether the clients read the engine's clock. Each run then happens in the second in which
    /// its account was opened.
    pub reads_the_clock: bool,
}

impl Rows for AccountFixtures {
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(async move {
            let accounts = open(database, count).await?;
            if self.transactions > 0 {
                record(database, &accounts, self.transactions).await?;
            }
            Ok(accounts)
        })
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(remove(database, ids))
    }

    /// Amounts and balances are multiples of a part of the amount. Versions and limits are small.
    fn id_is_unambiguous(&self, id: i64) -> bool {
        id > 16 && id % (AMOUNT / PARTS) != 0
    }

    fn clock_second<'a>(
        &'a self,
        database: &'a Database,
    ) -> Option<Pending<'a, Result<i64, Fault>>> {
        self.reads_the_clock
            .then(|| Box::pin(second(database)) as Pending<'a, _>)
    }
}

/// Opens accounts in one transaction, because it is commits that take time.
async fn open(database: &Database, count: usize) -> Result<Vec<i64>, Fault> {
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

async fn record(database: &Database, accounts: &[i64], count: usize) -> Result<(), Fault> {
    let rows = accounts.iter().map(|account| [*account, AMOUNT]);
    let rows: Vec<_> = rows.flat_map(|row| vec![row; count]).collect();
    let mut session = database.session(&Unobserved).await?;
    let sql = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
    let inserted = session.insert_rows("insert transactions", sql, &rows).await;
    session.end().await;
    inserted
}

/// The second by the engine's clock, as the strategies read it.
async fn second(database: &Database) -> Result<i64, Fault> {
    let mut session = database.session(&Unobserved).await?;
    let clock = "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED)";
    let second = session.read("look at the clock", clock, &[]).await;
    session.end().await;
    second?.ok_or_else(|| Fault::other("the engine has no clock"))
}

async fn remove(database: &Database, accounts: &[i64]) -> Result<(), Fault> {
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
