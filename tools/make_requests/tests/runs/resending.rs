//! Deposits that are sent again because no answer came in time.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use make_requests::output::write_json;
use make_requests::{Deposits, Outcome, Pace, Plan, Report, Verdict};
use serde_json::Value;

use crate::bank::{self, Bank, Deposit, Ledger};
use crate::stand_in::Reply;

/// A burst whose requests are sent again after 3 seconds, far more than the bank takes to answer.
fn plan(bank: &Bank, requests: u32, idempotency: bool) -> Plan {
    let deposits = Deposits {
        retry_timeouts: true,
        idempotency,
        ..bank::deposits()
    };
    Plan {
        target: deposits.into(),
        timeout: Duration::from_secs(3),
        ..bank::plan(bank, Pace::Together, requests)
    }
}

fn transactions(report: &Report) -> u64 {
    let mut json = Vec::new();
    write_json(report, &mut json).unwrap();
    let document: Value = serde_json::from_slice(&json).unwrap();
    document["transactions"].as_u64().unwrap()
}

/// A bank that makes every deposit, and does not answer the first four.
fn bank_that_is_slow_at_first() -> Bank {
    Bank::new(|ledger: &Ledger, deposit: &Deposit| {
        assert_eq!(deposit.key, None);
        let receipt = ledger.deposit(deposit);
        match ledger.enter() {
            1..=4 => Reply::Silence,
            _ => receipt,
        }
    })
}

/// A bank that makes the deposit of each key once. It does not answer the first time. The second
/// time it answers that the deposit is in flight, and then with the receipt.
fn bank_that_knows_keys() -> Bank {
    let seen: Mutex<HashMap<String, u32>> = Mutex::default();
    Bank::new(move |ledger: &Ledger, deposit: &Deposit| {
        let key = deposit.key.clone().unwrap();
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(key).and_modify(|it| *it += 1).or_insert(1);
        match times {
            1 => {
                ledger.deposit(deposit);
                Reply::Silence
            }
            2 => Reply::Raw(b"HTTP/1.1 409 -\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"),
            _ => Reply::Http(200, "application/json", r#"{"amount": 100}"#.to_owned()),
        }
    })
}

#[tokio::test]
async fn without_keys_a_deposit_that_is_sent_again_is_made_again() {
    let bank = bank_that_is_slow_at_first();
    let report = make_requests::run(&plan(&bank, 4, false), |_| {}).await;
    let report = report.unwrap();
    let verdict = report.verdict();
    assert_eq!(
        (verdict.name(), verdict.exit_status()),
        ("double_deposits", 1)
    );
    assert_eq!(report.answers.acknowledged(), 4);
    assert_eq!(report.answers.sent_again(), 4);
    assert_eq!(transactions(&report), 8);
}

#[tokio::test]
async fn with_keys_it_is_made_once() {
    let bank = bank_that_knows_keys();
    let report = make_requests::run(&plan(&bank, 4, true), |_| {}).await;
    let report = report.unwrap();
    assert_eq!(report.verdict(), Verdict::Safe);
    assert_eq!(report.answers.acknowledged(), 4);
    assert_eq!(report.answers.sent_again(), 8);
    assert_eq!(transactions(&report), 4);
}

#[tokio::test]
async fn a_request_is_sent_again_at_most_five_times() {
    let bank = Bank::new(|_, _| Reply::Silence);
    let plan = Plan {
        timeout: Duration::from_millis(200),
        ..plan(&bank, 1, true)
    };
    let report = make_requests::run(&plan, |_| {}).await.unwrap();
    assert!(matches!(report.answers[0].outcome, Outcome::NoAnswer(_)));
    assert_eq!(report.answers.sent_again(), 5);
    assert_eq!(report.verdict().exit_status(), 2);
}
