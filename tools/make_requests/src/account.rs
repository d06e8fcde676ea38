//! The account that a run deposits into, and the audit that its service makes of it.

use serde::Deserialize;

/// An account as the service shows it.
///
/// Its invariant is `balance = opening_balance + transactions_sum`. Sums are wider than what
/// they add up, so that a service whose balances are at the limit can still be audited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// What the account holds. It may be kept in several places, whose sum is wider than each.
    pub balance: i128,
    /// What it held before its first deposit.
    pub opening_balance: i64,
    /// How many deposits were kept.
    pub transactions: u64,
    /// What those deposits add up to.
    pub transactions_sum: i128,
}

impl Account {
    /// What the kept deposits say the account should hold but does not: all that was ever lost.
    #[must_use]
    pub fn lost(&self) -> i128 {
        self.transactions_sum
            .saturating_add(self.opening_balance.into())
            .saturating_sub(self.balance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_may_exceed_what_a_balance_can_hold() {
        let account: Account = serde_json::from_str(
            r#"{"id": 1, "balance": 18446744073709551614, "opening_balance": 9223372036854775807,
                "version": 0, "transactions": 2, "transactions_sum": 18446744073709551614,
                "expected": 27670116110564327421, "lost": 9223372036854775807}"#,
        )
        .unwrap();
        assert_eq!(account.balance, 18_446_744_073_709_551_614);
        assert_eq!(account.lost(), i128::from(i64::MAX));
    }
}
