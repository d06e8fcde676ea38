//! Deposits that are sent again because no answer came in time: twice without keys, once with them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use make_requests::output::write_json;
use make_requests::{Deposits, Outcome, Pace, Plan, Report, Verdict};

use serde_json::Value;

use crate::bank::{Bank, Deposit, Ledger};
use crate::stand_in::Reply;

fn plan(bank: &Bank, idempotency: bool) -> Plan {
    Plan {
        base_url: bank.url().parse().unwrap(),
        target: Deposits {
            strategy: "atomic_long_delay".parse().unwrap(),
            account: 1,
            amount: 100.try_into().unwrap(),
            retry_timeouts: true,
            idempotency,
        }
        .into(),
        pace: Pace::Together,
        requests: 4.try_into().unwrap(),
        // Far more than the bank takes to answer.
        timeout: Duration::from_secs(3),
    }
}

fn transactions(report: &Report) -> u64 {
    let mut json = Vec::new();
    write_json(report, &mut json).unwrap();
    let document: Value = serde_json::from_slice(&json).unwrap();
    document["transactions"].as_u64().unwrap()
}

/// Makes every deposit, and does not answer the first four.
fn slow_at_first(ledger: &Ledger, deposit: &Deposit) -> Reply {
    assert_eq!(deposit.key, None);
    let made = ledger.deposit(deposit);
    match ledger.enter() {
        1..=4 => Reply::Silence,
        _ => made,
    }
}

#[tokio::test]
async fn without_keys_what_is_sent_again_is_made_again() {
    let bank = Bank::new(slow_at_first);
    let report = make_requests::run(&plan(&bank, false), |_| {})
        .await
        .unwrap();
    assert_eq!(report.verdict().name(), "double_deposits");
    assert_eq!(report.verdict().exit_status(), 1);
    assert_eq!(
        (report.answers.acknowledged(), report.answers.sent_again()),
        (4, 4)
    );
    assert_eq!(transactions(&report), 8);
}

#[tokio::test]
async fn with_keys_it_is_made_once() {
    let seen: Mutex<HashMap<String, u32>> = Mutex::default();
    // The first time no answer, then that it is in flight, then the receipt.
    let bank = Bank::new(move |ledger: &Ledger, deposit: &Deposit| {
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
    });
    let report = make_requests::run(&plan(&bank, true), |_| {})
        .await
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Safe);
    assert_eq!(
        (report.answers.acknowledged(), report.answers.sent_again()),
        (4, 8)
    );
    assert_eq!(transactions(&report), 4);
}

#[tokio::test]
async fn a_request_is_not_sent_again_for_ever() {
    let bank = Bank::new(|_, _| Reply::Silence);
    let plan = Plan {
        requests: 1.try_into().unwrap(),
        timeout: Duration::from_millis(200),
        ..plan(&bank, true)
    };
    let report = make_requests::run(&plan, |_| {}).await.unwrap();
    assert!(matches!(report.answers[0].outcome, Outcome::NoAnswer(_)));
    assert_eq!(report.answers.sent_again(), 5);
    assert_eq!(report.verdict().exit_status(), 2);
}
