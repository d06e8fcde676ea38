//! The command line: what it takes, what it refuses, and its help.

use std::process::Stdio;

use crate::bank::{Bank, Ledger, racing_bank};
use crate::tool::{assert_contains, assert_exit, binary, command, run, stderr, stdout};

/// Arguments that cannot be used, and a part of the complaint.
const WRONG: &[(&[&str], &str)] = &[
    (
        &["--wait", "-1"],
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
    (&["--target", "tables"], "as in tables/NAME"),
    (
        &["--target", "tables/read_snapshot"],
        "GET /tables/TABLE/records?reader=read_snapshot",
    ),
    (
        &["--target", "tables/read_latest_twice"],
        "name a strategy that appends, such as tables/exclusive_create",
    ),
    (
        &["--target", "tables/x", "--table", "../etc"],
        "a table is named by at most 64 small letters",
    ),
    (
        &["--target", "tables/x", "--partition", "EU"],
        "a partition is named by at most 64 small letters",
    ),
    (
        &["--target", "tables/x", "--retry-timeouts"],
        "--retry-timeouts has no use for tables",
    ),
    (
        &["--target", "orders/x", "--table", "events"],
        "--table has no use for orders",
    ),
    (&["--partition", "eu"], "--partition has no use for demo"),
    (
        &["--base-url", "https://localhost"],
        "https is not supported",
    ),
    (&["--base-url", "localhost:8080"], "http://localhost:8080"),
    (&["--format", "xml"], "text, json, csv"),
    (&["--nonsense"], "unexpected argument"),
    (&["extra"], "unrecognized subcommand"),
];

#[test]
fn a_complaint_says_what_would_be_right() {
    for (args, hint) in WRONG {
        let output = binary().args(*args).output().unwrap();
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        assert_contains(&stderr(&output), hint);
    }
}

#[test]
fn the_original_options_work() {
    let output = run(&racing_bank(10).url(), &["-target", "nested/x", "-wait=0"]);
    assert_exit(&output, 1);
    let headline = "nested/x: 10 deposits of 100 into account 1, all together";
    assert_contains(&stdout(&output), headline);
}

#[test]
fn a_prefix_of_the_base_url_is_kept() {
    let bank = Bank::start("/lab", Ledger::deposit, Ledger::audit);
    for url in [bank.url(), bank.url() + "/"] {
        for wait in ["0", "0.001"] {
            assert_exit(&run(&url, &["--wait", wait]), 0);
        }
    }
}

#[test]
fn help_tells_the_exit_status() {
    let output = binary().arg("-help").output().unwrap();
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
