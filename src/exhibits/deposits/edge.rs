//! Deposits that could take what an account holds past a BIGINT.
//!
//! `append_only` and `partitioned` do not read the sum, and are fast because of that. So they keep
//! their distance from the edge instead. They take only amounts up to [`ORDINARY`], and only while
//! the balance column is at most [`FAR`]. A billion ordinary deposits add up to no more than
//! [`FAR`]. So no sum has to be read for them, and no two of them together can cross the edge.
//!
//! All other deposits come here. They go into the balance column, under the row's lock, after a
//! look at all that the account holds. Without the distance every deposit would have to do this,
//! and lose its speed. Once the balance column has grown that far, later deposits come here as
//! well.
//!
//! A strategy that adds to the balance column knows nothing of the slots and of what was appended.
//! In an account that is used by several strategies the sum may still be more than a BIGINT holds.
//! The audit shows all its digits.

use super::{Deposit, Receipt, Refusal};
use crate::accounts;
use crate::engine::Session;

/// The largest amount that needs no look at the sum.
pub(super) const ORDINARY: i64 = 1 << 31;

/// A larger balance is near the edge. The appended transactions, the slots and the balance column
/// each hold at most this much, so that their sum fits.
pub(super) const FAR: i64 = 1 << 61;

/// Makes the deposit in the balance column, if the whole sum fits.
///
/// # Errors
/// [`Refusal::Overflow`] if it does not fit, or the refusal of a statement or of the commit.
/// Nothing is kept then.
pub(super) async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // The lock first: other deposits near the edge wait here, and look at the sum afterwards.
    let most = i64::MAX - d.amount;
    let matched = s
        .run(
            "add near the edge",
            "UPDATE accounts SET balance = balance + ? WHERE id = ? AND balance <= ?",
            &[d.amount, d.account, most],
        )
        .await?;
    if matched == 0 {
        let held = accounts::held(s, d.account).await?;
        return Err(
            held.map_or(Refusal::UnknownAccount, |balance| Refusal::Overflow {
                balance,
            }),
        );
    }
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    match accounts::held(s, d.account).await? {
        Some(held) if held > i64::MAX.into() => Err(Refusal::Overflow {
            balance: held - i128::from(d.amount),
        }),
        _ => d.commit(s, Receipt::without_a_balance()).await,
    }
}
