//! The binary: its exit status, what it prints and where.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;

use serde_json::json;

use crate::bank::{Bank, Deposit, Ledger};
use crate::stand_in::{Reply, deadlock, ok, problem};
use crate::tool::{assert_contains, assert_exit, command, redacted_at, run_at, stderr, stdout};

const TOGETHER: &[&str] = &["--wait", "0"];

fn run(bank: &Bank, args: &[&str]) -> Output {
    run_at(&bank.url(), args)
}

fn redacted(text: &str, bank: &Bank) -> String {
    redacted_at(text, &bank.url())
}

/// A bank whose clients all meet after they have read, and write one after another.
fn racing_bank(clients: usize) -> Bank {
    let all_have_read = Barrier::new(clients);
    Bank::new(move |ledger, deposit| {
        let balance = ledger.balance();
        all_have_read.wait();
        ledger.write(balance, deposit)
    })
}

/// A bank that lets `clients` in at the same time and loses nothing.
fn correct_bank(clients: usize) -> Bank {
    let all_have_arrived = Barrier::new(clients);
    Bank::new(move |ledger, deposit| {
        all_have_arrived.wait();
        ledger.deposit(deposit)
    })
}

/// A bank that keeps the first deposits and treats the later ones differently.
fn bank_that_keeps(
    kept: usize,
    otherwise: impl Fn(&Ledger, &Deposit) -> Reply + Send + Sync + 'static,
) -> Bank {
    Bank::new(move |ledger, deposit| {
        if ledger.enter() <= kept {
            ledger.deposit(deposit)
        } else {
            otherwise(ledger, deposit)
        }
    })
}

#[test]
fn lost_updates_are_reported_as_text() {
    let bank = racing_bank(4);
    let output = run(&bank, &["--wait", "0", "--requests", "4"]);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!("lost_update_text", redacted(&stdout(&output), &bank));
}

#[test]
fn lost_updates_are_reported_as_json() {
    let bank = racing_bank(4);
    let output = run(
        &bank,
        &["--wait", "0", "--requests", "4", "--format", "json"],
    );
    assert_exit(&output, 1);
    insta::assert_snapshot!("lost_update_json", redacted(&stdout(&output), &bank));
}

#[test]
fn lost_updates_are_reported_as_csv() {
    let bank = racing_bank(4);
    let output = run(
        &bank,
        &["--wait", "0", "--requests", "4", "--format", "csv"],
    );
    assert_exit(&output, 1);
    let rows = stdout(&output);
    let mut lines = rows.lines();
    assert_eq!(
        lines.next().unwrap(),
        "request,started_us,latency_us,status,outcome,fault,code,balance_read,balance_written"
    );
    for (line, request) in lines.by_ref().take(4).zip(1..) {
        let columns: Vec<_> = line.split(',').collect();
        assert_eq!(columns[0], request.to_string());
        let (started, latency) = (columns[1].parse::<u64>(), columns[2].parse::<u64>());
        assert!(started.is_ok() && latency.is_ok(), "{line}");
        assert_eq!(columns[3..], ["200", "acknowledged", "", "", "0", "100"]);
    }
    assert_eq!(lines.next(), None);
    assert_contains(
        &stderr(&output),
        "lost update: the balance is 300 less than",
    );
}

#[test]
fn a_correct_bank_is_safe() {
    let bank = correct_bank(4);
    let output = run(&bank, &["--wait", "0", "--requests", "4", "--amount", "25"]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_contains(
        &text,
        "expected balance  100\n  actual balance    100\n  lost              0\n",
    );
    assert_contains(
        &text,
        "safe: every request was acknowledged and nothing went wrong",
    );
    assert_contains(&text, "Two of the requests, which overlapped:");
    assert_contains(&text, "… → 25 after 10 ms");
}

#[test]
fn spaced_requests_do_not_wait_for_answers() {
    // The bank answers nobody until all four are there.
    let bank = racing_bank(4);
    let output = run(&bank, &["-wait", "0.002", "-requests=4", "-format", "json"]);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "\"lost\": 300");
    assert_contains(&stdout(&output), "\"spread_us\": null");
}

#[test]
fn the_original_options_work() {
    let bank = racing_bank(10);
    let output = run(&bank, &["-target", "nested/x", "-wait=0"]);
    assert_exit(&output, 1);
    assert_contains(
        &stdout(&output),
        "nested/x: 10 deposits of 100 into account 1, all together",
    );
}

#[test]
fn a_prefix_of_the_base_url_is_kept() {
    let bank = Bank::start("/lab", Ledger::deposit, Ledger::audit);
    for url in [bank.url(), bank.url() + "/"] {
        assert_exit(&command(&url, TOGETHER).output().unwrap(), 0);
        assert_exit(&command(&url, &["--wait", "0.001"]).output().unwrap(), 0);
    }
}

#[test]
fn refusals_are_counted_by_fault_and_code() {
    let bank = bank_that_keeps(2, |_, _| deadlock());
    let output = run(&bank, &["--wait", "0", "--requests", "5"]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_contains(
        &text,
        "  acknowledged      2\n  refused           3: 3 × deadlock (1213)\n",
    );
    assert_contains(
        &text,
        "refused: some requests were refused, and nothing went wrong",
    );

    let bank = bank_that_keeps(2, |_, _| deadlock());
    let rows = stdout(&run(
        &bank,
        &["--wait", "0", "--requests", "5", "--format", "csv"],
    ));
    assert_eq!(
        rows.matches(",409,refused,deadlock,1213,,\n").count(),
        3,
        "{rows}"
    );
}

#[test]
fn refusals_are_groups_in_json() {
    let bank = bank_that_keeps(2, |_, _| deadlock());
    let output = run(
        &bank,
        &["--wait", "0", "--requests", "5", "--format", "json"],
    );
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["refused"], 3);
    assert_eq!(
        document["refusals"],
        json!([{
            "fault": "deadlock", "code": "1213", "status": 409, "title": "Deadlock", "requests": 3,
        }])
    );
    assert_eq!(document["verdict"], "refused");
}

#[test]
fn what_was_not_acknowledged_cannot_be_lost() {
    let output = run(&bank_that_keeps(0, |_, _| deadlock()), TOGETHER);
    assert_exit(&output, 2);
    assert_contains(
        &stdout(&output),
        "could not tell: no request was acknowledged",
    );

    let output = run(&bank_that_keeps(1, |_, _| deadlock()), TOGETHER);
    assert_exit(&output, 0);
    assert_contains(
        &stdout(&output),
        "Only one deposit was acknowledged, and a lost update needs two.",
    );
}

#[test]
fn a_single_request_is_what_was_asked_for() {
    let output = run(
        &Bank::new(Ledger::deposit),
        &["--wait", "0", "--requests", "1"],
    );
    assert_exit(&output, 0);
    let output = run(&bank_that_keeps(0, |_, _| deadlock()), &["--requests", "1"]);
    assert_exit(&output, 2);
}

#[test]
fn silence_times_out() {
    for wait in ["0", "0.001"] {
        let bank = bank_that_keeps(2, |_, _| Reply::Silence);
        let output = run(
            &bank,
            &["--wait", wait, "--requests", "3", "--timeout", "1"],
        );
        assert_exit(&output, 2);
        let text = stdout(&output);
        assert_contains(&text, "1: 1 × no answer in time (given up after 1 s)");
        assert_contains(
            &text,
            "expected balance  200 to 300\n  actual balance    200\n",
        );
        assert_contains(&text, "1 of the requests brought no clear answer");
    }
}

#[test]
fn a_loss_is_found_although_others_hang() {
    let all_have_read = Barrier::new(2);
    let bank = Bank::new(move |ledger, deposit| {
        let balance = ledger.balance();
        if ledger.enter() > 2 {
            return Reply::Silence;
        }
        all_have_read.wait();
        ledger.write(balance, deposit)
    });
    let output = run(&bank, &["--wait", "0", "--requests", "3", "--timeout", "1"]);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "  lost              100\n");
}

#[test]
fn a_closed_connection_is_a_transport_error() {
    for wait in ["0", "0.001"] {
        let bank = bank_that_keeps(2, |_, _| Reply::HangUp);
        let output = run(
            &bank,
            &["--wait", wait, "--requests", "3", "--format", "json"],
        );
        assert_exit(&output, 2);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["transport_errors"][0]["kind"], "closed");
        assert_eq!(document["transport_errors"][0]["requests"], 1);
        assert_eq!(document["expected_balance_at_most"], 300);
    }
}

#[test]
fn an_answer_that_is_not_http_is_a_transport_error() {
    for wait in ["0", "0.001"] {
        let bank = bank_that_keeps(0, |_, _| Reply::Raw(b"\x00\x01 what is this?\r\n\r\n"));
        let output = run(&bank, &["--wait", wait, "--requests", "2"]);
        assert_exit(&output, 2);
        assert_contains(&stdout(&output), "2 × answer was not HTTP");
    }
}

#[test]
fn an_endless_answer_is_not_read_to_the_end() {
    let endless = || Reply::Http(200, "text/plain", "x".repeat(2 << 20));
    for wait in ["0", "0.001"] {
        let bank = bank_that_keeps(0, move |_, _| endless());
        let output = run(&bank, &["--wait", wait, "--requests", "2"]);
        assert_exit(&output, 2);
        assert_contains(&stdout(&output), "2 × answer was too long");
    }
}

#[test]
fn nobody_listening_is_a_clear_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for wait in ["0", "1"] {
        let output = command(&url, &["--wait", wait]).output().unwrap();
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        assert_contains(
            &stderr(&output),
            &format!("no answer from {url}/accounts/1"),
        );
        assert_contains(&stderr(&output), "is the service running there?");
        assert!(!stderr(&output).contains("panicked"));
    }
}

#[test]
fn an_unknown_account_is_named() {
    let output = run(&Bank::new(Ledger::deposit), &["--account", "7"]);
    assert_exit(&output, 2);
    assert_contains(&stderr(&output), "account 7 is unknown");
    assert_contains(&stderr(&output), "GET /accounts lists all accounts");
}

#[test]
fn an_unknown_target_is_named() {
    let bank = Bank::new(Ledger::deposit);
    let output = run(&bank, &["--target", "nope", "--wait", "0"]);
    assert_exit(&output, 2);
    assert_contains(
        &stdout(&output),
        &format!(
            "the target is unknown: {}/demo/nope/ answered 404 to every request \
             (no such thing here)",
            bank.url()
        ),
    );
}

#[test]
fn what_is_not_an_account_proves_nothing() {
    type Account = fn(&Ledger) -> Reply;
    let cases: [(Account, &str); 6] = [
        (
            |_| Reply::Http(200, "text/html", "<html>hello</html>".into()),
            "answered 200, but not",
        ),
        (
            |_| ok(&json!({"balance": 1})),
            "missing field `opening_balance`",
        ),
        (|_| ok(&json!([])), "answered 200, but not"),
        (
            |_| Reply::Http(500, "text/html", "<html>".into()),
            "Internal Server Error",
        ),
        (|_| Reply::Raw(b"hello\r\n\r\n"), "answer was not HTTP"),
        (|_| Reply::HangUp, "connection closed before the answer"),
    ];
    for (account, sentence) in cases {
        let output = run(&Bank::with_account(Ledger::deposit, account), TOGETHER);
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        assert_contains(&stderr(&output), sentence);
    }
}

#[test]
fn an_account_that_is_gone_afterwards_proves_nothing() {
    let bank = Bank::with_account(Ledger::deposit, |ledger| match ledger.transactions() {
        0 => ledger.audit(),
        _ => Reply::HangUp,
    });
    let output = run(&bank, &["--wait", "0", "--format", "json"]);
    assert_exit(&output, 2);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["acknowledged"], 10);
    assert_eq!(document["balance"], json!(null));
    assert_eq!(document["lost"], json!(null));
    let explanation = document["explanation"].as_str().unwrap();
    assert_contains(
        explanation,
        "could not tell: the audit could not be read after the run",
    );
}

#[test]
fn connections_that_do_not_stay_open_cannot_be_warmed() {
    let bank = Bank::with_account(Ledger::deposit, |ledger| {
        Reply::Last(Box::new(ledger.audit()))
    });
    let output = run(&bank, TOGETHER);
    // Whether the end of a connection is noticed before or after the release is a matter of luck.
    assert_exit(&output, 2);
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));

    let bank = Bank::with_account(Ledger::deposit, |_| {
        Reply::Raw(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 78\r\n\r\n\
              {\"balance\": 0, \"opening_balance\": 0, \"transactions\": 0, \"transactions_sum\": 0}",
        )
    });
    let output = run(&bank, TOGETHER);
    assert_exit(&output, 2);
    assert_contains(
        &stderr(&output),
        "the service must keep idle connections open",
    );
}

#[test]
fn a_success_without_a_receipt_counts() {
    let html = |ledger: &Ledger, deposit: &Deposit| {
        ledger.deposit(deposit);
        Reply::Http(200, "text/html", "<html>thanks</html>".into())
    };
    let output = run(&Bank::new(html), TOGETHER);
    assert_exit(&output, 0);
    assert_contains(&stdout(&output), "acknowledged      10");
    assert!(!stdout(&output).contains("Two of the requests"));
}

#[test]
fn acknowledged_deposits_that_leave_no_trace_are_lost() {
    let output = run(&Bank::new(|_, _| ok(&json!({"amount": 100}))), TOGETHER);
    assert_exit(&output, 1);
    assert_contains(
        &stdout(&output),
        "lost deposits: 10 of the acknowledged deposits left no transaction",
    );
}

#[test]
fn unknown_outcomes_make_the_expectation_a_range() {
    let commit_lost = |ledger: &Ledger, deposit: &Deposit| {
        ledger.deposit(deposit);
        problem(
            503,
            &json!({"title": "Lost", "fault": "unavailable", "outcome": "unknown"}),
        )
    };
    let output = run(
        &bank_that_keeps(2, commit_lost),
        &["--wait", "0", "--requests", "3"],
    );
    assert_exit(&output, 2);
    let text = stdout(&output);
    assert_contains(&text, "outcome unknown   1: 1 × unavailable\n");
    assert_contains(
        &text,
        "expected balance  200 to 300\n  actual balance    300\n",
    );
}

#[test]
fn a_failure_half_way_is_a_loss() {
    let half_way = |ledger: &Ledger, deposit: &Deposit| {
        ledger.insert_only(deposit);
        problem(
            500,
            &json!({"title": "Failed", "fault": "other", "outcome": "partial"}),
        )
    };
    let output = run(
        &bank_that_keeps(2, half_way),
        &["--wait", "0", "--requests", "3"],
    );
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "failed half way   1: 1 × other\n");
    assert_contains(&stdout(&output), "  lost              100\n");
}

#[test]
fn other_users_of_the_account_are_remarked() {
    let bank = Bank::new(|ledger, deposit| {
        ledger.deposit(deposit);
        ledger.deposit(deposit)
    });
    let output = run(&bank, &["--wait", "0", "--requests", "3"]);
    assert_exit(&output, 0);
    assert_contains(
        &stdout(&output),
        "Transactions that are not from this run: 3.",
    );
}

#[test]
fn only_this_run_is_judged() {
    let bank = racing_bank(2);
    assert_exit(&run(&bank, &["--wait", "0", "--requests", "2"]), 1);
    // The same account again, now with nobody to race with.
    let bank = Bank::with_account(Ledger::deposit, |ledger| {
        let kept = ledger.transactions();
        let balance = ledger.balance();
        ok(
            &json!({"balance": balance, "opening_balance": 0, "transactions": kept,
            "transactions_sum": balance + 100}),
        )
    });
    let output = run(&bank, TOGETHER);
    assert_exit(&output, 0);
    assert_contains(
        &stdout(&output),
        "The account had already lost 100 before this run.",
    );
}

#[test]
fn wrong_usage_says_what_would_be_right() {
    for (args, hint) in [
        (
            &["--wait", "-1"][..],
            "the wait is 0 (all together) or 0.001 to 3600 seconds",
        ),
        (&["-wait=nan"], "the wait is 0"),
        (&["--requests", "0"], "the number of requests is 1 to 10000"),
        (
            &["--requests", "10001"],
            "the number of requests is 1 to 10000",
        ),
        (
            &["--amount", "0"],
            "an amount is a whole number, 1 to 9223372036854775807",
        ),
        (&["--account", "one"], "invalid digit"),
        (&["--timeout", "0"], "a timeout is 0.001 to 86400 seconds"),
        (
            &["--target", "../accounts"],
            "a target is a name of letters",
        ),
        (&["--target", "orders"], "as in orders/NAME"),
        (
            &["--target", "orders/x", "--account", "1"],
            "--account has no use for orders",
        ),
        (
            &["--target", "orders/x", "--retry-timeouts"],
            "--retry-timeouts has no use for orders",
        ),
        (
            &["--target", "exports/x", "--amount", "5"],
            "--amount has no use for exports",
        ),
        (
            &["--target", "exports/x", "--idempotency"],
            "--idempotency has no use for exports",
        ),
        (
            &["--base-url", "https://localhost"],
            "https is not supported",
        ),
        (&["--base-url", "localhost:8080"], "http://localhost:8080"),
        (&["--format", "xml"], "text, json, csv"),
        (&["--nonsense"], "unexpected argument"),
        (&["extra"], "unrecognized subcommand"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_make_requests"))
            .args(args)
            .output()
            .unwrap();
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        assert_contains(&stderr(&output), hint);
    }
}

#[test]
fn help_tells_the_exit_status() {
    let output = Command::new(env!("CARGO_BIN_EXE_make_requests"))
        .arg("-help")
        .output()
        .unwrap();
    assert_exit(&output, 0);
    insta::assert_snapshot!("help", stdout(&output));
}

#[test]
fn a_reader_that_leaves_early_does_not_change_the_verdict() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let bank = racing_bank(2);
    let output = command(&bank.url(), &["--wait", "0", "--requests", "2"])
        .stdout(Stdio::from(writer))
        .output()
        .unwrap();
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
}
