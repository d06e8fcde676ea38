//! Outcomes of requests, and what they do to the verdict on deposits.

use std::net::TcpListener;
use std::sync::Barrier;

use serde_json::json;

use crate::bank::{Bank, Deposit, Ledger, bank_that_keeps, racing_bank};
use crate::stand_in::{Reply, deadlock, ok, problem};
use crate::tool::{assert_contains, assert_exit, burst, json, run, stderr, stdout};

/// Together, and one after another.
const WAITS: [&str; 2] = ["0", "0.001"];

#[test]
fn spaced_requests_do_not_wait_for_answers() {
    // The bank answers no request until all four are there.
    let args = ["-wait", "0.002", "-requests=4"];
    let (report, status) = json(&racing_bank(4).url(), &args);
    assert_eq!(status, Some(1));
    assert_eq!(report["lost"], 300);
    assert_eq!(report["spread_us"], json!(null));
}

#[test]
fn without_an_acknowledged_request_nothing_can_be_lost() {
    let output = burst(&bank_that_keeps(0, |_, _| deadlock()).url(), 10);
    assert_exit(&output, 2);
    let doubt = "could not tell: no request was acknowledged";
    assert_contains(&stdout(&output), doubt);
}

#[test]
fn one_acknowledged_request_of_several_is_remarked() {
    let output = burst(&bank_that_keeps(1, |_, _| deadlock()).url(), 10);
    assert_exit(&output, 0);
    let remark = "Only one deposit was acknowledged, and a lost update needs two.";
    assert_contains(&stdout(&output), remark);
}

#[test]
fn a_single_request_is_not_remarked() {
    let output = burst(&Bank::new(Ledger::deposit).url(), 1);
    assert_exit(&output, 0);
    assert!(!stdout(&output).contains("Note:"), "{}", stdout(&output));
}

#[test]
fn requests_that_never_overlap_are_remarked() {
    let args = ["--wait", "0.2", "--requests", "2"];
    let output = run(&Bank::new(Ledger::deposit).url(), &args);
    assert_exit(&output, 0);
    let remark = "No two requests were in flight at the same time";
    assert_contains(&stdout(&output), remark);
}

#[test]
fn silence_times_out() {
    for wait in WAITS {
        let bank = bank_that_keeps(2, |_, _| Reply::Silence);
        let args = ["--wait", wait, "--requests", "3", "--timeout", "1"];
        let output = run(&bank.url(), &args);
        assert_exit(&output, 2);
        let text = stdout(&output);
        for part in [
            "1: 1 × no answer in time (given up after 1 s)",
            "expected balance  200 to 300\n  actual balance    200\n",
            "1 of the requests brought no clear answer",
        ] {
            assert_contains(&text, part);
        }
    }
}

#[test]
fn a_loss_is_found_although_other_requests_hang() {
    let all_have_read = Barrier::new(2);
    let bank = Bank::new(move |ledger, deposit| {
        let balance = ledger.balance();
        if ledger.enter() > 2 {
            return Reply::Silence;
        }
        all_have_read.wait();
        ledger.write(balance, deposit)
    });
    let args = ["--wait", "0", "--requests", "3", "--timeout", "1"];
    let output = run(&bank.url(), &args);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "  lost              100\n");
}

#[test]
fn a_closed_connection_is_a_transport_error() {
    for wait in WAITS {
        let bank = bank_that_keeps(2, |_, _| Reply::HangUp);
        let (report, status) = json(&bank.url(), &["--wait", wait, "--requests", "3"]);
        assert_eq!(status, Some(2));
        assert_eq!(report["transport_errors"][0]["kind"], "closed");
        assert_eq!(report["transport_errors"][0]["requests"], 1);
        assert_eq!(report["expected_balance_at_most"], 300);
    }
}

#[test]
fn an_answer_that_is_not_http_is_a_transport_error() {
    for wait in WAITS {
        let bank = bank_that_keeps(0, |_, _| Reply::Raw(b"\x00\x01 what is this?\r\n\r\n"));
        let output = run(&bank.url(), &["--wait", wait, "--requests", "2"]);
        assert_exit(&output, 2);
        assert_contains(&stdout(&output), "2 × answer was not HTTP");
    }
}

#[test]
fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let long = || Reply::Http(200, "text/plain", "x".repeat(2 << 20));
    for wait in WAITS {
        let bank = bank_that_keeps(0, move |_, _| long());
        let output = run(&bank.url(), &["--wait", wait, "--requests", "2"]);
        assert_exit(&output, 2);
        assert_contains(&stdout(&output), "2 × answer was too long");
    }
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for wait in ["0", "1"] {
        let output = run(&url, &["--wait", wait]);
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        let complaint = stderr(&output);
        assert_contains(&complaint, &format!("no answer from {url}/accounts/1"));
        assert_contains(&complaint, "is the service running there?");
        assert!(!complaint.contains("panicked"), "{complaint}");
    }
}

#[test]
fn an_unknown_target_is_named() {
    let bank = Bank::new(Ledger::deposit);
    let output = run(&bank.url(), &["--target", "nope", "--wait", "0"]);
    assert_exit(&output, 2);
    let doubt = format!(
        "the target is unknown: {}/demo/nope/ answered 404 to every request (no such thing here)",
        bank.url()
    );
    assert_contains(&stdout(&output), &doubt);
}

#[test]
fn a_success_without_a_receipt_counts() {
    let html = |ledger: &Ledger, deposit: &Deposit| {
        ledger.deposit(deposit);
        Reply::Http(200, "text/html", "<html>thanks</html>".into())
    };
    let output = burst(&Bank::new(html).url(), 10);
    assert_exit(&output, 0);
    assert_contains(&stdout(&output), "acknowledged      10");
    assert!(!stdout(&output).contains("Two of the requests"));
}

#[test]
fn acknowledged_deposits_that_leave_no_trace_are_lost() {
    let bank = Bank::new(|_, _| ok(&json!({"amount": 100})));
    let output = burst(&bank.url(), 10);
    assert_exit(&output, 1);
    let verdict = "lost deposits: 10 of the acknowledged deposits left no transaction";
    assert_contains(&stdout(&output), verdict);
}

#[test]
fn an_unknown_outcome_makes_the_expectation_a_range() {
    let commit_lost = |ledger: &Ledger, deposit: &Deposit| {
        ledger.deposit(deposit);
        let body = json!({"title": "Lost", "fault": "unavailable", "outcome": "unknown"});
        problem(503, &body)
    };
    let output = burst(&bank_that_keeps(2, commit_lost).url(), 3);
    assert_exit(&output, 2);
    let text = stdout(&output);
    assert_contains(&text, "outcome unknown   1: 1 × unavailable\n");
    let balances = "expected balance  200 to 300\n  actual balance    300\n";
    assert_contains(&text, balances);
    assert_contains(&text, "The expected balance is a range");
}

#[test]
fn a_failure_half_way_is_a_loss() {
    let half_way = |ledger: &Ledger, deposit: &Deposit| {
        ledger.insert_only(deposit);
        let body = json!({"title": "Failed", "fault": "other", "outcome": "partial"});
        problem(500, &body)
    };
    let output = burst(&bank_that_keeps(2, half_way).url(), 3);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "failed half way   1: 1 × other\n");
    assert_contains(&stdout(&output), "  lost              100\n");
}
