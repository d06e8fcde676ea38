//! An account's transactions, read page by page, so that a million of them take no more room than a page.

use std::vec;

use super::{Refusal, Wanted};
use crate::accounts::Transaction;
use crate::engine::{Fault, Session};

/// How many transactions are read at once.
const PAGE: i64 = 1000;

/// The transactions from the first to the last, in the order of their numbers.
#[derive(Debug)]
pub(super) struct Rows {
    account: i64,
    page: vec::IntoIter<Transaction>,
    /// After which number the next page begins; none where there is no other.
    next: Option<i64>,
}

impl Rows {
    /// Reads the first page.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccount`], or as the engine refuses.
    pub(super) async fn of(s: &mut Session<'_>, wanted: &Wanted) -> Result<Self, Refusal> {
        let mut rows = Self {
            account: wanted.account,
            page: Vec::new().into_iter(),
            next: None,
        };
        match rows.read(s, 0).await? {
            true => Ok(rows),
            false => Err(Refusal::UnknownAccount),
        }
    }

    /// The next transaction; none where there is no other.
    ///
    /// # Errors
    /// As the engine refuses.
    pub(super) async fn next(&mut self, s: &mut Session<'_>) -> Result<Option<Transaction>, Fault> {
        if self.page.len() == 0
            && let Some(after) = self.next
        {
            self.read(s, after).await?;
        }
        Ok(self.page.next())
    }

    /// Reads a page; false where there is no such account. It answers with a row also where the account has no
    /// transaction, which saves the question whether there is one.
    async fn read(&mut self, s: &mut Session<'_>, after: i64) -> Result<bool, Fault> {
        let rows = s
            .rows::<3>(
                "read transactions",
                "SELECT t.id, t.amount, t.created_at FROM accounts a \
                 LEFT JOIN transactions t ON t.account_id = a.id AND t.id > ? \
                 WHERE a.id = ? ORDER BY t.id LIMIT ?",
                &[after, self.account, PAGE],
            )
            .await?;
        let is_known = !rows.is_empty();
        let transaction = |[id, amount, created_at_us]: [Option<i64>; 3]| {
            Some(Transaction {
                id: id?,
                amount: amount?,
                created_at_us: created_at_us?,
            })
        };
        let page: Vec<_> = rows.into_iter().filter_map(transaction).collect();
        let is_full = i64::try_from(page.len()) == Ok(PAGE);
        self.next = page.last().map(|last| last.id).filter(|_| is_full);
        self.page = page.into_iter();
        Ok(is_known)
    }
}
