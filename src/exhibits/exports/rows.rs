//! An account's transactions, read page by page, so that a million of them need no more memory than
//! a page.

use std::vec;

use super::{ExportRequest, Refusal};
use crate::accounts::Transaction;
use crate::engine::{Fault, Session, shared_work};

/// The number of transactions in a page.
const PAGE: i64 = 1000;

/// An account's transactions, in the order of their numbers.
#[derive(Debug)]
pub(super) struct Rows {
    account: i64,
    page: vec::IntoIter<Transaction>,
    /// The number after which the next page begins. None if there is no other page.
    next: Option<i64>,
}

impl Rows {
    /// Reads the first page.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccount`], or the engine's refusal.
    #[track_caller]
    pub(super) fn of(
        s: &mut Session<'_>,
        request: &ExportRequest,
    ) -> impl Future<Output = Result<Self, Refusal>> {
        shared_work!(s, {
            let mut rows = Self {
                account: request.account,
                page: Vec::new().into_iter(),
                next: None,
            };
            rows.read(s, 0).await?;
            if rows.page.len() == 0 && !exists(s, request.account).await? {
                return Err(Refusal::UnknownAccount);
            }
            Ok(rows)
        })
    }

    /// The next transaction. None at the end.
    #[track_caller]
    pub(super) fn next(
        &mut self,
        s: &mut Session<'_>,
    ) -> impl Future<Output = Result<Option<Transaction>, Fault>> {
        shared_work!(s, {
            if self.page.len() == 0
                && let Some(after) = self.next
            {
                self.read(s, after).await?;
            }
            Ok(self.page.next())
        })
    }

    /// Reads a page. The statement names no other table. If it were joined with the accounts, MySQL
    /// would sort all remaining rows for each page, which takes minutes for a million of them.
    async fn read(&mut self, s: &mut Session<'_>, after: i64) -> Result<(), Fault> {
        let rows = s
            .rows::<3>(
                "read transactions",
                "SELECT id, amount, created_at FROM transactions \
                 WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?",
                &[self.account, after, PAGE],
            )
            .await?;
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
        Ok(())
    }
}

/// Whether there is such an account. Asked only if no transaction has shown it already.
async fn exists(s: &mut Session<'_>, account: i64) -> Result<bool, Fault> {
    let sql = "SELECT id FROM accounts WHERE id = ?";
    let rows = s.rows::<1>("look for the account", sql, &[account]).await?;
    Ok(!rows.is_empty())
}
