//! What a client asks for, and the steps that several strategies take for it.

use super::{Claim, Receipt, Refusal};
use crate::engine::{Fault, Kept, Session, shared_work};

/// What a client asks for: add an amount to an account's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// The account's number.
    pub account: i64,
    /// What is to be added; not negative.
    pub amount: i64,
    /// The claim to the client's key. None if the client has given no key.
    pub claim: Option<Claim>,
}

impl Deposit {
    /// Commits the deposit's transaction. If the deposit has a key, the answer is stored in the
    /// same transaction, so that both are kept or neither. This is how a strategy with a
    /// transaction ends.
    ///
    /// # Errors
    /// [`Conflict::ClaimLost`](super::keys::Conflict::ClaimLost) if another request has taken the
    /// claim over. The caller must keep nothing then.
    #[track_caller]
    pub(super) fn commit(
        &self,
        s: &mut Session<'_>,
        receipt: Receipt,
    ) -> impl Future<Output = Result<Receipt, Refusal>> {
        shared_work!(s, {
            if let Some(claim) = self.claim {
                claim.answer(s, &receipt).await?;
            }
            s.commit().await?;
            Ok(receipt)
        })
    }

    /// Stores the answer if the deposit has a key, for a strategy without a transaction. It is a
    /// statement of its own, *before* the deposit writes anything. If the service dies afterwards,
    /// the deposit was made at most once, and perhaps not at all, or in part.
    ///
    /// # Errors
    /// [`Conflict::ClaimLost`](super::keys::Conflict::ClaimLost) if another request has taken the
    /// claim over.
    #[track_caller]
    pub(super) fn answer_first(
        &self,
        s: &mut Session<'_>,
        receipt: &Receipt,
    ) -> impl Future<Output = Result<(), Refusal>> {
        shared_work!(s, {
            if let Some(claim) = self.claim {
                let stored = claim.answer(s, receipt).await;
                // The stored answer is no part of the deposit, of which nothing is kept yet.
                if s.kept() == Kept::Something {
                    s.count_anew();
                }
                return stored;
            }
            Ok(())
        })
    }

    /// The same deposit, under this claim.
    pub(super) fn under(&self, claim: Claim) -> Self {
        Self {
            claim: Some(claim),
            ..*self
        }
    }

    /// The balance after the deposit.
    ///
    /// # Errors
    /// [`Refusal::Overflow`] if the sum does not fit the column.
    pub fn added_to(&self, balance: i64) -> Result<i64, Refusal> {
        balance.checked_add(self.amount).ok_or(Refusal::Overflow {
            balance: balance.into(),
        })
    }

    /// Why an `UPDATE … WHERE balance <= …` has matched no row: the balance is too large, or there
    /// is no such account.
    #[track_caller]
    pub(super) fn why_not_added(
        &self,
        s: &mut Session<'_>,
    ) -> impl Future<Output = Result<Refusal, Fault>> {
        shared_work!(s, {
            let balance = s
                .read(
                    "look why not",
                    "SELECT balance FROM accounts WHERE id = ?",
                    &[self.account],
                )
                .await?;
            Ok(match balance {
                Some(balance) => Refusal::Overflow {
                    balance: balance.into(),
                },
                None => Refusal::UnknownAccount,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_that_would_not_fit_is_refused() {
        let deposit = Deposit {
            account: 1,
            amount: 2,
            claim: None,
        };
        assert_eq!(deposit.added_to(i64::MAX - 2), Ok(i64::MAX));
        assert_eq!(
            deposit.added_to(i64::MAX - 1),
            Err(Refusal::Overflow {
                balance: i128::from(i64::MAX - 1)
            })
        );
    }
}
