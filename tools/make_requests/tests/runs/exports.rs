//! Exports: into one file, and into one file each.

use serde_json::json;

use crate::folder::{Folder, racing_folder, receipt};
use crate::stand_in::{Reply, StandIn, ok, problem};
use crate::tool::{assert_contains, assert_exit, json, redacted, run, stderr, stdout};

const FOUR_AT_ONCE: &[&str] = &["--target", "exports/x", "--wait", "0", "--requests", "4"];
const ONE: &[&str] = &["--target", "exports/x", "--requests", "1"];

/// A folder in which each export writes its own file.
fn folder_with_a_file_for_each(rows: u64) -> StandIn {
    Folder::open(move |folder| {
        let export = folder.next_export();
        let file = format!("t-{export}.csv");
        folder.write_row(&file, 0, export);
        ok(&json!({
            "export": export, "file": file, "url": format!("/exports/{file}"), "rows": rows,
        }))
    })
}

#[test]
fn a_mixed_file_is_found_by_every_inspection() {
    let folder = racing_folder(4);
    let output = run(&folder.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    let text = redacted(&stdout(&output), &folder.url());
    insta::assert_snapshot!("mixed_exports_text", text);
}

#[test]
fn the_json_report_counts_inspections() {
    let (report, status) = json(&racing_folder(4).url(), FOUR_AT_ONCE);
    assert_eq!(status, Some(1));
    assert_eq!(report["verdict"], "mixed_exports");
    assert_eq!(report["files"], json!(["t.csv"]));
    // One for each answer, and one at the end.
    assert_eq!(report["looks"], 5);
    assert_eq!(report["anomalies"][1]["count"], 5);
    assert_eq!(report["account"], 1);
}

#[test]
fn a_file_for_each_export_is_safe() {
    for wait in ["0", "0.001"] {
        let args = ["--target", "exports/x", "--wait", wait, "--requests", "4"];
        let output = run(&folder_with_a_file_for_each(2).url(), &args);
        assert_exit(&output, 0);
        let files = "  files             4, looked at 4 times\n";
        assert_contains(&stdout(&output), files);
    }
}

#[test]
fn a_file_that_cannot_be_examined_proves_nothing() {
    let folder = Folder::open(|folder| receipt(folder.next_export(), "gone.csv"));
    let output = run(&folder.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(&stdout(&output), "5 of the inspections of files failed: ");
}

#[test]
fn answers_without_a_file_prove_nothing() {
    let folder = Folder::open(|_| ok(&json!({})));
    let output = run(&folder.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(&stdout(&output), "no answer said which file it wrote");
}

#[test]
fn a_download_that_breaks_off_is_an_anomaly() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nexport\n";
    let folder = Folder::with_download(move || Reply::Last(Box::new(Reply::Raw(half))));
    let output = run(&folder.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    let text = stdout(&output);
    let figure = "broken download   5: t.csv: connection closed before the answer";
    assert_contains(&text, figure);
    assert_contains(&text, "\n5 × broken download\n");
}

#[test]
fn a_large_file_is_downloaded_to_its_end() {
    let large = || Reply::Http(200, "text/csv", "x".repeat(2 << 20));
    let folder = Folder::with_download(large);
    assert_exit(&run(&folder.url(), ONE), 0);
}

#[test]
fn an_answer_cannot_send_the_download_elsewhere() {
    let elsewhere = StandIn::start("", |_| problem(404, &json!({"title": "Not found"})));
    let url = format!("{}/exports/t.csv", elsewhere.url());
    let service = Folder::open(move |folder| {
        let export = folder.next_export();
        folder.write_row("t.csv", 0, export);
        ok(&json!({
            "export": export, "file": "t.csv", "url": url, "rows": 2, "timeline": [],
        }))
    });
    assert_exit(&run(&service.url(), ONE), 2);
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn an_account_without_transactions_is_remarked() {
    let output = run(&folder_with_a_file_for_each(0).url(), FOUR_AT_ONCE);
    assert_exit(&output, 0);
    assert_contains(&stdout(&output), "Note: The account has no transactions");
}

#[test]
fn an_unknown_account_is_named() {
    let args = ["--target", "exports/x", "--account", "7"];
    let output = run(&racing_folder(1).url(), &args);
    assert_exit(&output, 2);
    assert_contains(&stderr(&output), "account 7 is unknown");
}
