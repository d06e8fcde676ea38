//! The second way to race: by reading. A statement shows an account's balance together with the
//! transactions that make it up, while other clients deposit.
//!
//! | file | strategy |
//! |---|---|
//! | [`torn`] | `statement_torn`, and `torn` for short |
//! | [`snapshot`] | `statement_snapshot`, and `snapshot` for short |
//!
//! The invariant is the deposits' own, `balance = opening_balance + Σ transactions.amount`, but of
//! what was *read*. It can be broken although it holds in the database at every moment: then the
//! two sides were read at two moments. That is *read skew* (A5A of Berenson et al.). It is also
//! read skew if the list of transactions was read at another moment than their sum. If an update
//! was lost, the account itself does not balance, and neither does any statement of it. The
//! statement then shows the same difference as the account's audit.
//!
//! In the explorer client A reads a statement, and every other client makes a deposit with
//! [`atomic_update`](crate::exhibits::deposits::atomic_update). This is the only use of one exhibit
//! by another: a race between reading and writing needs a writer, and this exhibit has none of its
//! own.

mod anomalies;
mod explored;
pub mod snapshot;
pub mod torn;

use std::pin::Pin;

use serde::Serialize;
use utoipa::ToSchema;

pub use anomalies::{ANOMALIES, READ_SKEW};

use crate::accounts::{Transaction, of_halves};
use crate::engine::{Database, Fault, Session};
use crate::exhibits::card::Card;
use crate::step::Observer;

/// Which statement is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The account's number.
    pub account: i64,
    /// At most so many transactions are listed. The sums are of all of them.
    pub limit: i64,
}

/// An account's balance, and the transactions that should make it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Statement {
    /// What the account holds: its balance column, its slots, and the transactions that were only appended.
    #[schema(value_type = i128)]
    pub balance: i128,
    /// What it held at first.
    pub opening_balance: i64,
    /// How many transactions are on record, also those that are not listed.
    pub transactions: i64,
    /// What they amount to, also those that are not listed.
    #[schema(value_type = i128)]
    pub transactions_sum: i128,
    /// What the account should hold: the opening balance plus the sum.
    #[schema(value_type = i128)]
    pub expected: i128,
    /// Whether balance and expected are the same.
    pub balances: bool,
    /// Whether the listed transactions can be those that were summed up: they are as many, or as many as were
    /// wanted; and where all are listed, they amount to the same. Where not all are, one that was committed between
    /// the sum and the list goes unnoticed.
    pub list_agrees: bool,
    /// The newest transactions, the newest first.
    pub latest: Vec<Transaction>,
}

impl Statement {
    fn new(wanted: &Wanted, held: Held, recorded: Recorded, latest: Vec<Transaction>) -> Self {
        let expected = i128::from(held.opening_balance) + recorded.sum;
        let list_agrees = recorded.agrees_with(&latest, wanted.limit);
        Self {
            balance: held.balance,
            opening_balance: held.opening_balance,
            transactions: recorded.transactions,
            transactions_sum: recorded.sum,
            expected,
            balances: held.balance == expected,
            list_agrees,
            latest,
        }
    }
}

/// What a strategy's function returns; no statement where there is no such account.
pub type Reading<'f> = Pin<Box<dyn Future<Output = Result<Option<Statement>, Fault>> + Send + 'f>>;

/// One way to read a statement, as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its name among the strategies of all exhibits.
    pub name: &'static str,
    /// Its name where only statements are spoken of, as a request gives it.
    pub short_name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// The function itself.
    pub read: for<'f> fn(&'f mut Session<'_>, &'f Wanted) -> Reading<'f>,
}

/// All ways to read a statement, in the order in which they are taught.
pub static READERS: [Reader; 2] = [
    Reader {
        name: "statement_torn",
        short_name: "torn",
        card: &torn::CARD,
        read: |s, wanted| Box::pin(torn::read(s, wanted)),
    },
    Reader {
        name: "statement_snapshot",
        short_name: "snapshot",
        card: &snapshot::CARD,
        read: |s, wanted| Box::pin(snapshot::read(s, wanted)),
    },
];

impl Reader {
    /// The one of that name, be it the short one or the other.
    pub fn named(name: &str) -> Option<&'static Self> {
        let mut readers = READERS.iter();
        readers.find(|reader| [reader.short_name, reader.name].contains(&name))
    }

    /// Reads one statement on a connection from the pool; none where there is no such account.
    ///
    /// # Errors
    /// The engine's fault.
    pub async fn perform(
        &self,
        database: &Database,
        wanted: &Wanted,
        observer: &dyn Observer,
    ) -> Result<Option<Statement>, Fault> {
        let session = database.session(observer).await?;
        self.perform_in(session, wanted).await
    }

    /// As [`perform`](Self::perform), in a session that is there already.
    ///
    /// # Errors
    /// As [`perform`](Self::perform).
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        wanted: &Wanted,
    ) -> Result<Option<Statement>, Fault> {
        let statement = (self.read)(&mut session, wanted).await;
        session.end().await;
        statement
    }
}

/// What an account holds.
struct Held {
    balance: i128,
    opening_balance: i64,
}

/// What its transactions add up to.
struct Recorded {
    transactions: i64,
    sum: i128,
}

impl Recorded {
    /// Whether these can be the newest of what was summed up, of which so many were wanted.
    fn agrees_with(&self, latest: &[Transaction], limit: i64) -> bool {
        let listed = i64::try_from(latest.len()).unwrap_or(i64::MAX);
        let all_are_listed = self.transactions <= limit;
        let amounts = latest.iter().map(|it| i128::from(it.amount));
        listed == self.transactions.min(limit)
            && (!all_are_listed || amounts.sum::<i128>() == self.sum)
    }
}

/// What the account holds in all places, read in one statement; none where there is no such account.
async fn balance(s: &mut Session<'_>, wanted: &Wanted) -> Result<Option<Held>, Fault> {
    // Halves of amounts are summed apart, because their sums cannot leave 64 bits.
    let row = s
        .row(
            "read balance",
            "SELECT a.balance, a.opening_balance, \
                 (SELECT CAST(COALESCE(SUM(s.balance >> 32), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM(s.balance & 4294967295), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM((t.amount >> 32) * t.appended), 0) AS SIGNED) \
                  FROM transactions t WHERE t.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM((t.amount & 4294967295) * t.appended), 0) AS SIGNED) \
                  FROM transactions t WHERE t.account_id = a.id) \
             FROM accounts a WHERE a.id = ?",
            &[wanted.account],
        )
        .await?;
    let held = |[
        column,
        opening_balance,
        upper_slots,
        lower_slots,
        upper,
        lower,
    ]: [i64; 6]| Held {
        balance: i128::from(column) + of_halves(upper_slots, lower_slots) + of_halves(upper, lower),
        opening_balance,
    };
    Ok(row.map(held))
}

/// What all of the account's transactions add up to.
async fn sum(s: &mut Session<'_>, wanted: &Wanted) -> Result<Recorded, Fault> {
    let row = s
        .row(
            "sum up transactions",
            "SELECT CAST(COALESCE(SUM(amount & 4294967295), 0) AS SIGNED), \
                 CAST(COALESCE(SUM(amount >> 32), 0) AS SIGNED), COUNT(*) \
             FROM transactions WHERE account_id = ?",
            &[wanted.account],
        )
        .await?;
    let [lower, upper, transactions] = row.unwrap_or_default();
    Ok(Recorded {
        transactions,
        sum: of_halves(upper, lower),
    })
}

/// The newest of them.
async fn latest(s: &mut Session<'_>, wanted: &Wanted) -> Result<Vec<Transaction>, Fault> {
    let rows = s
        .rows::<3>(
            "list transactions",
            "SELECT id, amount, created_at FROM transactions \
             WHERE account_id = ? ORDER BY id DESC LIMIT ?",
            &[wanted.account, wanted.limit],
        )
        .await?;
    let transaction = |row: [Option<i64>; 3]| {
        let [id, amount, created_at_us] = row.map(Option::unwrap_or_default);
        Transaction {
            id,
            amount,
            created_at_us,
        }
    };
    Ok(rows.into_iter().map(transaction).collect())
}
