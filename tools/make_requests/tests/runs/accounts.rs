//! The account's audits before and after a run.

use serde_json::json;

use crate::bank::{Bank, Ledger, racing_bank};
use crate::stand_in::{Reply, ok};
use crate::tool::{assert_contains, assert_exit, burst, burst_json, run, stderr, stdout};

type Account = fn(&Ledger) -> Reply;

/// Answers that are not an account, and a part of the complaint.
const NO_ACCOUNTS: [(Account, &str); 6] = [
    (
        |_| Reply::Http(200, "text/html", "<html>hello</html>".into()),
        "answered 200, but not with an account",
    ),
    (
        |_| ok(&json!({"balance": 1})),
        "missing field `opening_balance`",
    ),
    (|_| ok(&json!([])), "answered 200, but not with an account"),
    (
        |_| Reply::Http(500, "text/html", "<html>".into()),
        "Internal Server Error; try again later",
    ),
    (|_| Reply::Raw(b"hello\r\n\r\n"), "answer was not HTTP"),
    (|_| Reply::HangUp, "connection closed before the answer"),
];

#[test]
fn an_answer_that_is_not_an_account_proves_nothing() {
    for (account, complaint) in NO_ACCOUNTS {
        let bank = Bank::with_account(Ledger::deposit, account);
        let output = burst(&bank.url(), 10);
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        assert_contains(&stderr(&output), complaint);
    }
}

#[test]
fn an_unknown_account_is_named() {
    let output = run(&Bank::new(Ledger::deposit).url(), &["--account", "7"]);
    assert_exit(&output, 2);
    assert_contains(&stderr(&output), "account 7 is unknown");
    assert_contains(&stderr(&output), "GET /accounts lists all accounts");
}

#[test]
fn an_account_that_is_gone_afterwards_proves_nothing() {
    let bank = Bank::with_account(Ledger::deposit, |ledger| match ledger.transactions() {
        0 => ledger.audit(),
        _ => Reply::HangUp,
    });
    let (report, status) = burst_json(&bank.url(), 10);
    assert_eq!(status, Some(2));
    assert_eq!(report["acknowledged"], 10);
    assert_eq!(report["balance"], json!(null));
    assert_eq!(report["lost"], json!(null));
    let doubt = "could not tell: the audit could not be read after the run";
    assert_contains(report["explanation"].as_str().unwrap(), doubt);
}

#[test]
fn a_connection_that_closes_without_notice_does_not_crash_the_tool() {
    let bank = Bank::with_account(Ledger::deposit, |ledger| {
        Reply::Last(Box::new(ledger.audit()))
    });
    let output = burst(&bank.url(), 10);
    // The tool may notice the end of a connection before or after the release: this is chance.
    assert_exit(&output, 2);
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn a_connection_that_does_not_stay_open_cannot_be_warmed() {
    let bank = Bank::with_account(Ledger::deposit, |_| {
        Reply::Raw(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 78\r\n\r\n\
              {\"balance\": 0, \"opening_balance\": 0, \
              \"transactions\": 0, \"transactions_sum\": 0}",
        )
    });
    let output = burst(&bank.url(), 10);
    assert_exit(&output, 2);
    let complaint = "the service must keep idle connections open";
    assert_contains(&stderr(&output), complaint);
}

#[test]
fn another_user_of_the_account_is_remarked() {
    let bank = Bank::new(|ledger, deposit| {
        ledger.deposit(deposit);
        ledger.deposit(deposit)
    });
    let output = burst(&bank.url(), 3);
    assert_exit(&output, 0);
    let remark = "Transactions that are not from this run: 3. Another client used the account.";
    assert_contains(&stdout(&output), remark);
}

#[test]
fn an_earlier_loss_does_not_count() {
    // The bank is correct now, but 100 was lost before the run.
    let bank = Bank::with_account(Ledger::deposit, |ledger| {
        let balance = ledger.balance();
        ok(&json!({
            "balance": balance, "opening_balance": 0, "transactions": ledger.transactions(),
            "transactions_sum": balance + 100,
        }))
    });
    let output = burst(&bank.url(), 10);
    assert_exit(&output, 0);
    let remark = "The account had already lost 100 before this run.";
    assert_contains(&stdout(&output), remark);
}

#[test]
fn only_the_loss_of_this_run_counts() {
    let bank = racing_bank(2);
    for _ in 0..2 {
        let (report, status) = burst_json(&bank.url(), 2);
        assert_eq!((&report["lost"], status), (&json!(100), Some(1)));
    }
}
