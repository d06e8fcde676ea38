//! Exports: into one file and into one each.

use std::sync::{Barrier, Mutex};

use serde_json::{Value, json};

use crate::stand_in::{Arrived, Reply, StandIn, ok, problem};
use crate::tool::{assert_contains, assert_exit, redacted_at, run_at, stderr, stdout};

const FOUR_AT_ONCE: &[&str] = &["--target", "exports/x", "--wait", "0", "--requests", "4"];

/// A folder of files, each with the exports that its two rows are from.
#[derive(Default)]
struct Folder {
    files: Mutex<Vec<(String, [u64; 2])>>,
    exports: Mutex<u64>,
}

impl Folder {
    fn next_export(&self) -> u64 {
        let mut exports = self.exports.lock().unwrap();
        *exports += 1;
        *exports
    }

    fn write_row(&self, name: &str, row: usize, export: u64) {
        let mut files = self.files.lock().unwrap();
        let at = files.iter().position(|(file, _)| file == name);
        let at = at.unwrap_or_else(|| {
            files.push((name.to_owned(), [export; 2]));
            files.len() - 1
        });
        files[at].1[row] = export;
    }

    fn rows(&self, name: &str) -> Option<[u64; 2]> {
        let files = self.files.lock().unwrap();
        let file = files.iter().find(|(file, _)| file == name);
        file.map(|(_, rows)| *rows)
    }

    fn download(&self, name: &str) -> Reply {
        match self.rows(name) {
            Some([first, second]) => {
                Reply::Http(200, "text/csv", format!("export\n{first}\n{second}\n"))
            }
            None => problem(404, &json!({"title": "No such file"})),
        }
    }

    fn audit(&self, name: &str) -> Reply {
        let Some([first, second]) = self.rows(name) else {
            return problem(404, &json!({"title": "No such file"}));
        };
        let mixed = u64::from(first != second);
        let example = (mixed > 0).then_some("line 3 is of another export than line 2");
        ok(&json!({
            "file": name, "rows": 2, "exports": [first, second], "anomalies": [
                {"name": "unparsable", "count": 0, "example": null},
                {"name": "mixed_exports", "count": mixed, "example": example},
            ],
        }))
    }

    /// Serves the routes; files are made by `export`.
    fn open(export: impl Fn(&Self) -> Reply + Send + Sync + 'static) -> StandIn {
        let folder = Self::default();
        StandIn::start("", move |arrived: &Arrived| {
            let segments: Vec<_> = arrived.path.split('/').skip(1).collect();
            match (&*arrived.method, &*segments) {
                ("GET", ["accounts", "1"]) => ok(&json!({
                    "balance": 0, "opening_balance": 0, "transactions": 0, "transactions_sum": 0,
                })),
                ("POST", ["exports", "x", ""]) if arrived.body == "account=1" => export(&folder),
                ("GET", ["exports", file]) => folder.download(file),
                ("GET", ["exports", file, "audit"]) => folder.audit(file),
                _ => problem(404, &json!({"title": "Not found"})),
            }
        })
    }
}

fn receipt(export: u64, file: &str) -> Reply {
    ok(&json!({
        "strategy": "x", "account": 1, "export": export, "file": file,
        "url": format!("/exports/{file}"), "rows": 2, "bytes": 11, "outcome": "applied",
        "arrived_at_us": 1_763_804_000_000_000_u64 + 10 * export,
        "timeline": [
            {"action": "write", "label": "write rows", "start_us": 10, "duration_us": 90},
            {"action": "write", "label": "write rows", "start_us": 150, "duration_us": 90},
        ],
    }))
}

/// All write the first row of the same file, in turn, and then the second, in the opposite order.
fn racing_folder(clients: u64) -> StandIn {
    let all_have_written = Barrier::new(usize::try_from(clients).unwrap());
    let last_rows = Mutex::new(0);
    let all_are_done = Barrier::new(usize::try_from(clients).unwrap());
    Folder::open(move |folder| {
        let export = folder.next_export();
        folder.write_row("t.csv", 0, 1);
        all_have_written.wait();
        let mut last = last_rows.lock().unwrap();
        *last = export.max(2).max(*last);
        folder.write_row("t.csv", 1, *last);
        drop(last);
        all_are_done.wait();
        receipt(export, "t.csv")
    })
}

#[test]
fn a_mixed_file_is_found_by_every_look() {
    let folder = racing_folder(4);
    let output = run_at(&folder.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    let text = redacted_at(&stdout(&output), &folder.url());
    insta::assert_snapshot!("mixed_exports_text", text);
}

#[test]
fn looks_are_counted_in_json() {
    let folder = racing_folder(4);
    let output = run_at(
        &folder.url(),
        &[FOUR_AT_ONCE, &["--format", "json"]].concat(),
    );
    assert_exit(&output, 1);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["verdict"], "mixed_exports");
    assert_eq!(document["files"], json!(["t.csv"]));
    // One per answer, and one at the end.
    assert_eq!(document["looks"], 5);
    assert_eq!(document["anomalies"][1]["count"], 5);
    assert_eq!(document["account"], 1);
}

#[test]
fn a_file_for_each_is_safe() {
    for wait in ["0", "0.001"] {
        let folder = Folder::open(|folder| {
            let export = folder.next_export();
            let file = format!("t-{export}.csv");
            folder.write_row(&file, 0, export);
            receipt(export, &file)
        });
        let args = ["--target", "exports/x", "--wait", wait, "--requests", "4"];
        let output = run_at(&folder.url(), &args);
        assert_exit(&output, 0);
        assert_contains(
            &stdout(&output),
            "  files             4, looked at 4 times\n",
        );
    }
}

#[test]
fn a_file_that_cannot_be_looked_at_proves_nothing() {
    let gone = Folder::open(|folder| receipt(folder.next_export(), "gone.csv"));
    let output = run_at(&gone.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(&stdout(&output), "5 of the inspections of files failed: ");

    let silent = Folder::open(|_| ok(&json!({})));
    let output = run_at(&silent.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(&stdout(&output), "no answer said which file it wrote");
}

#[test]
fn a_download_that_breaks_off_is_an_anomaly() {
    let folder = Folder::default();
    folder.write_row("t.csv", 0, 1);
    let service = StandIn::start("", move |arrived| match &*arrived.path {
        "/accounts/1" => ok(&json!({
            "balance": 0, "opening_balance": 0, "transactions": 0, "transactions_sum": 0,
        })),
        "/exports/x/" => receipt(1, "t.csv"),
        "/exports/t.csv" => {
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nexport\n";
            Reply::Last(Box::new(Reply::Raw(half)))
        }
        _ => folder.audit("t.csv"),
    });
    let output = run_at(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    let text = stdout(&output);
    assert_contains(
        &text,
        "broken download   5: t.csv: connection closed before the answer",
    );
    assert_contains(&text, "\n5 × broken download\n");
}

#[test]
fn a_large_file_is_downloaded_to_its_end() {
    let folder = Folder::default();
    folder.write_row("t.csv", 0, 1);
    let service = StandIn::start("", move |arrived| match &*arrived.path {
        "/accounts/1" => ok(&json!({
            "balance": 0, "opening_balance": 0, "transactions": 0, "transactions_sum": 0,
        })),
        "/exports/x/" => receipt(1, "t.csv"),
        "/exports/t.csv" => Reply::Http(200, "text/csv", "x".repeat(2 << 20)),
        _ => folder.audit("t.csv"),
    });
    let args = ["--target", "exports/x", "--requests", "1"];
    assert_exit(&run_at(&service.url(), &args), 0);
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
    let args = ["--target", "exports/x", "--requests", "1"];
    assert_exit(&run_at(&service.url(), &args), 2);
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn an_account_without_transactions_is_remarked() {
    let folder = Folder::open(|folder| {
        let export = folder.next_export();
        let file = format!("t-{export}.csv");
        folder.write_row(&file, 0, export);
        ok(&json!({
            "export": export, "file": file, "url": format!("/exports/{file}"), "rows": 0,
        }))
    });
    let output = run_at(&folder.url(), FOUR_AT_ONCE);
    assert_exit(&output, 0);
    assert_contains(&stdout(&output), "Note: The account has no transactions");
}

#[test]
fn an_unknown_account_is_named() {
    let args = ["--target", "exports/x", "--account", "7"];
    let output = run_at(&racing_folder(1).url(), &args);
    assert_exit(&output, 2);
    assert_contains(&stderr(&output), "account 7 is unknown");
}
