//! A folder of exported files that behaves as a test wants.

use std::sync::{Barrier, Mutex};

use serde_json::json;

use crate::stand_in::{Reply, Request, StandIn, ok, problem};

/// A folder of files, each with the exports that its two rows are from.
#[derive(Default)]
pub(crate) struct Folder {
    files: Mutex<Vec<(String, [u64; 2])>>,
    exports: Mutex<u64>,
}

impl Folder {
    pub(crate) fn next_export(&self) -> u64 {
        let mut exports = self.exports.lock().unwrap();
        *exports += 1;
        *exports
    }

    pub(crate) fn write_row(&self, name: &str, row: usize, export: u64) {
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

    /// Serves the routes. Files are made by `export`.
    pub(crate) fn open(export: impl Fn(&Self) -> Reply + Send + Sync + 'static) -> StandIn {
        let folder = Self::default();
        StandIn::start("", move |request: &Request| {
            let segments: Vec<_> = request.path.split('/').skip(1).collect();
            match (&*request.method, &*segments) {
                ("GET", ["accounts", "1"]) => empty_account(),
                ("POST", ["exports", "x", ""]) if request.body == "account=1" => export(&folder),
                ("GET", ["exports", file]) => folder.download(file),
                ("GET", ["exports", file, "audit"]) => folder.audit(file),
                _ => problem(404, &json!({"title": "Not found"})),
            }
        })
    }

    /// A service whose exports all write t.csv, which is downloaded like this.
    pub(crate) fn with_download(download: impl Fn() -> Reply + Send + Sync + 'static) -> StandIn {
        let folder = Self::default();
        folder.write_row("t.csv", 0, 1);
        StandIn::start("", move |request| match &*request.path {
            "/accounts/1" => empty_account(),
            "/exports/x/" => receipt(1, "t.csv"),
            "/exports/t.csv" => download(),
            _ => folder.audit("t.csv"),
        })
    }
}

fn empty_account() -> Reply {
    ok(&json!({
        "balance": 0, "opening_balance": 0, "transactions": 0, "transactions_sum": 0,
    }))
}

pub(crate) fn receipt(export: u64, file: &str) -> Reply {
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

/// A folder whose clients all write the first row of one file, and then the second row. In the end
/// the two rows are from different exports.
pub(crate) fn racing_folder(clients: u64) -> StandIn {
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
