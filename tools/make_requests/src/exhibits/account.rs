//! An account, and the audit that the service makes of it.

use reqwest::Url;
use serde::Deserialize;

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::service::Service;

/// An account as the service shows it.
///
/// Its invariant is `balance = opening_balance + transactions_sum`. Sums have a wider type than
/// what they add up, so that a service whose balances are at the limit can still be audited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Account {
    /// It may be the sum of several stored numbers, and wider than each.
    pub(crate) balance: i128,
    /// The balance before the first deposit.
    pub(crate) opening_balance: i64,
    /// How many deposits were kept.
    pub(crate) transactions: u64,
    /// The sum of those deposits.
    pub(crate) transactions_sum: i128,
}

impl Account {
    /// Where the account is read.
    pub(crate) fn url(base_url: &BaseUrl, account: i64) -> Url {
        base_url.join(["accounts", &account.to_string()])
    }

    /// Reads the account and its audit.
    pub(crate) async fn read(service: &Service, account: i64) -> Result<Self, Error> {
        let url = Self::url(&service.base_url, account);
        let read = service.get(&url, "an account and its audit").await;
        read.map_err(|error| {
            if error.is_not_found() {
                let url = url.to_string();
                Error::UnknownAccount { account, url }
            } else {
                error
            }
        })
    }

    /// By how much the balance is less than the transactions say: all that was ever lost.
    pub(crate) fn lost(&self) -> i128 {
        self.transactions_sum
            .saturating_add(self.opening_balance.into())
            .saturating_sub(self.balance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_may_exceed_what_a_balance_can_hold() {
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
