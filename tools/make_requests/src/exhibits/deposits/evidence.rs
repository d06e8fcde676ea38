//! The account before and after a run, and what follows from the two.

use std::ops::RangeInclusive;

use super::lost_update;
use crate::amount::Amount;
use crate::answers::Answers;
use crate::audit::Anomaly;
use crate::error::Error;
use crate::exhibits::account::Account;
use crate::fields::Fields;
use crate::pair::Pair;
use crate::race::Evidence;
use crate::verdict::Verdict;
use crate::words::known;

/// An account before and after a run.
#[derive(Debug)]
pub(super) struct AccountEvidence {
    /// What each deposit of the run added.
    pub(super) amount: Amount,
    /// Before the first request.
    pub(super) before: Account,
    /// After the last answer, or why it could not be read.
    pub(super) after: Result<Account, Error>,
}

impl AccountEvidence {
    fn after(&self) -> Option<&Account> {
        self.after.as_ref().ok()
    }

    /// By how much the balance fell behind the transactions during the run. None if the account
    /// could not be read afterwards.
    fn lost(&self) -> Option<i128> {
        Some(self.after()?.lost().saturating_sub(self.before.lost()))
    }

    /// How many transactions were added. None if there are fewer than before.
    fn new_transactions(&self) -> Option<u64> {
        let after = self.after()?;
        after.transactions.checked_sub(self.before.transactions)
    }

    /// Whether there is no sign that another client reset the account or deleted transactions. A
    /// deletion moves their amounts into the opening balance. A reset of an account without
    /// transactions leaves no sign.
    fn is_undisturbed(&self) -> bool {
        self.after().is_some_and(|after| {
            after.opening_balance == self.before.opening_balance
                && after.transactions >= self.before.transactions
        })
    }

    /// The balance that the account should have after the run: at least the balance before plus
    /// the acknowledged deposits, at most also those in doubt.
    fn expected_balance(&self, answers: &Answers) -> RangeInclusive<i128> {
        let amount = i128::from(self.amount.get());
        let sum = |requests: usize| amount * i128::try_from(requests).unwrap_or(i128::MAX);
        let least = self.before.balance + sum(answers.acknowledged());
        least..=least + sum(answers.in_doubt())
    }

    /// How many more transactions there are than this run can have made if it made each deposit
    /// once. None if there are none.
    fn extra_transactions(&self, answers: &Answers) -> Option<u64> {
        let own = answers.acknowledged() + answers.in_doubt();
        let extra = self
            .new_transactions()?
            .checked_sub(u64::try_from(own).ok()?);
        extra.filter(|extra| *extra > 0)
    }

    /// How many deposits were made more than once. None if no request was sent more than once.
    fn doubled(&self, answers: &Answers) -> Option<u64> {
        self.extra_transactions(answers)
            .filter(|_| answers.sent_again() > 0)
    }

    /// How many transactions another client has added during the run. None if there are none.
    fn of_others(&self, answers: &Answers) -> Option<u64> {
        self.extra_transactions(answers)
            .filter(|_| self.doubled(answers).is_none())
    }

    fn lost_update(&self) -> Option<Verdict> {
        let lost = self.lost().filter(|lost| *lost != 0)?;
        let direction = if lost > 0 { "less" } else { "more" };
        Some(anomaly(
            "lost_update",
            format!(
                "lost update: the balance is {} {direction} than the account's own transactions \
                 add up to",
                lost.unsigned_abs()
            ),
        ))
    }

    /// Acknowledged deposits that neither the balance nor the transactions have. Only the answers
    /// show them: the account agrees with itself.
    fn lost_deposits(&self, answers: &Answers) -> Option<Verdict> {
        let deposits = answers.without_trace(self.traces()?)?;
        self.is_undisturbed().then(|| {
            let explanation = format!(
                "lost deposits: {deposits} of the acknowledged deposits left no transaction, and \
                 the balance lacks them too, so no audit of the account can see it"
            );
            anomaly("lost_deposits", explanation)
        })
    }

    fn double_deposits(&self, answers: &Answers) -> Option<Verdict> {
        let deposits = self.doubled(answers)?;
        let explanation = format!(
            "double deposits: {deposits} more transactions than requests, because deposits that \
             were sent again were made again"
        );
        Some(anomaly("double_deposits", explanation))
    }
}

fn anomaly(name: &str, explanation: String) -> Verdict {
    let name = name.to_owned();
    Verdict::Anomaly { name, explanation }
}

impl Evidence for AccountEvidence {
    fn audit_error(&self) -> Option<&Error> {
        self.after.as_ref().err()
    }

    fn anomalies(&self) -> Vec<Anomaly> {
        Vec::new()
    }

    fn anomaly(&self, answers: &Answers) -> Option<Verdict> {
        self.lost_update()
            .or_else(|| self.lost_deposits(answers))
            .or_else(|| self.double_deposits(answers))
    }

    fn traces(&self) -> Option<u64> {
        Some(self.new_transactions().unwrap_or(0))
    }

    fn not_examined(&self) -> Option<String> {
        None
    }

    fn remarks(&self, answers: &Answers) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(extra) = self.of_others(answers) {
            remarks.push(format!(
                "Transactions that are not from this run: {extra}. Another client used the account."
            ));
        }
        let lost_before = self.before.lost();
        if lost_before != 0 {
            remarks.push(format!(
                "The account had already lost {lost_before} before this run."
            ));
        }
        remarks
    }

    fn figures(&self, answers: &Answers) -> Vec<(&'static str, String)> {
        let (least, most) = self.expected_balance(answers).into_inner();
        let expected = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        let balance = self.after().map(|account| account.balance);
        vec![
            ("expected balance", expected),
            ("actual balance", known(balance)),
            ("lost", known(self.lost())),
        ]
    }

    fn fields(&self, answers: &Answers) -> Fields {
        let (least, most) = self.expected_balance(answers).into_inner();
        let after = self.after();
        Fields::default()
            .optional("doubled", self.doubled(answers))
            .optional("transactions_of_others", self.of_others(answers))
            .number("opening_balance", self.before.opening_balance)
            .number("balance_before", self.before.balance)
            .number("expected_balance", least)
            .number("expected_balance_at_most", most)
            .optional("balance", after.map(|account| account.balance))
            .optional("transactions", after.map(|account| account.transactions))
            .optional(
                "transactions_sum",
                after.map(|account| account.transactions_sum),
            )
            .optional("lost", self.lost())
    }

    fn incident<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        // The receipts are not believed if the audit says that nothing was lost.
        if self.lost() == Some(0) {
            return None;
        }
        lost_update::find(&answers.receipts())
    }

    fn overlap<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        lost_update::overlap(&answers.receipts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::samples::acknowledged;

    fn account(balance: i128, transactions: u64, transactions_sum: i128) -> Account {
        Account {
            balance,
            opening_balance: 0,
            transactions,
            transactions_sum,
        }
    }

    /// Deposits of 100 into an account that was empty.
    fn evidence(after: Account) -> AccountEvidence {
        AccountEvidence {
            amount: Amount::default(),
            before: account(0, 0, 0),
            after: Ok(after),
        }
    }

    /// Two acknowledged deposits.
    fn two() -> Answers {
        acknowledged(&[(0, 9), (0, 9)])
    }

    fn name(evidence: &AccountEvidence) -> Option<String> {
        let anomaly = evidence.anomaly(&two())?;
        Some(anomaly.name().to_owned())
    }

    #[test]
    fn a_balance_that_is_too_high_is_found_too() {
        let anomaly = evidence(account(300, 2, 200)).anomaly(&two()).unwrap();
        assert_eq!((anomaly.name(), anomaly.exit_status()), ("lost_update", 1));
        assert_eq!(
            anomaly.to_string(),
            "lost update: the balance is 100 more than the account's own transactions add up to"
        );
    }

    #[test]
    fn a_deposit_without_transaction_is_lost() {
        let lost = evidence(account(100, 1, 100));
        assert_eq!(name(&lost).as_deref(), Some("lost_deposits"));
    }

    #[test]
    fn a_missing_transaction_proves_nothing_if_others_were_deleted() {
        let deleted = evidence(Account {
            opening_balance: 100,
            ..account(200, 1, 100)
        });
        assert_eq!(name(&deleted), None);
        assert_eq!(two().without_trace(deleted.traces().unwrap()), Some(1));
    }

    #[test]
    fn a_missing_transaction_proves_nothing_after_a_reset() {
        let reset = AccountEvidence {
            before: account(300, 3, 300),
            ..evidence(account(100, 1, 100))
        };
        assert_eq!(name(&reset), None);
        assert_eq!(two().without_trace(reset.traces().unwrap()), Some(2));
    }

    #[test]
    fn transactions_beyond_the_runs_own_are_another_clients() {
        let shared = evidence(account(100, 5, 500));
        assert_eq!(shared.of_others(&two()), Some(3));
        assert_eq!(evidence(account(200, 2, 200)).of_others(&two()), None);
    }

    #[test]
    fn an_extreme_account_is_counted_without_overflow() {
        let extreme = AccountEvidence {
            before: account(i64::MAX.into(), u64::MAX, i128::MIN),
            ..evidence(account(i64::MIN.into(), 2, i128::MAX))
        };
        assert_eq!(extreme.lost(), Some(i128::MAX));
        let least = *extreme.expected_balance(&two()).start();
        assert_eq!(least, i128::from(i64::MAX) + 200);
        assert_eq!(name(&extreme).as_deref(), Some("lost_update"));
        assert_eq!(extreme.extra_transactions(&two()), None);
    }
}
