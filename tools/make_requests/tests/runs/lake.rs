//! A table that behaves as a test wants.

use std::sync::{Barrier, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::stand_in::{Reply, Request, StandIn, ok, problem};

/// A service with one table, whatever its name is. It keeps every snapshot.
#[derive(Default)]
pub(crate) struct Lake {
    /// The records of each snapshot. The number of a snapshot is its place, from 0.
    snapshots: Mutex<Vec<Vec<Value>>>,
    /// The keys of the appends that were acknowledged.
    acknowledged: Mutex<Vec<String>>,
    /// The queries of all pages that were read.
    pages: Mutex<Vec<String>>,
}

/// How many records a page has at most. The run's own limit is far above it.
const PAGE: usize = 3;

impl Lake {
    /// A lake whose table has these records already.
    pub(crate) fn with_records(keys: &[&str]) -> Self {
        let lake = Self::default();
        let records = keys.iter().map(|key| json!({"key": key, "value": 0}));
        lake.snapshots().push(records.collect());
        lake
    }

    pub(crate) fn snapshots(&self) -> MutexGuard<'_, Vec<Vec<Value>>> {
        self.snapshots.lock().unwrap()
    }

    pub(crate) fn pages(&self) -> Vec<String> {
        self.pages.lock().unwrap().clone()
    }

    /// The records of the current snapshot.
    pub(crate) fn current(&self) -> Vec<Value> {
        self.snapshots().last().cloned().unwrap_or_default()
    }

    /// Makes a snapshot of these records and the append's own the current one.
    pub(crate) fn commit(&self, mut records: Vec<Value>, append: &Value) -> Reply {
        records.push(append.clone());
        let mut snapshots = self.snapshots();
        let version = records.len();
        snapshots.push(records);
        self.acknowledge(append);
        receipt(version, snapshots.len() - 1, append)
    }

    /// Notes that the client is told of its record.
    pub(crate) fn acknowledge(&self, append: &Value) {
        let key = append["key"].as_str().unwrap().to_owned();
        self.acknowledged.lock().unwrap().push(key);
    }

    pub(crate) fn records(&self, request: &Request) -> Reply {
        let (_, query) = request.path.split_once('?').unwrap();
        self.pages.lock().unwrap().push(query.to_owned());
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
            let value = pairs.find(|(it, _)| *it == name).map(|(_, value)| value);
            value.map(|it| it.parse::<usize>().unwrap())
        };
        let snapshots = self.snapshots();
        let snapshot = parameter("snapshot").unwrap_or(snapshots.len().saturating_sub(1));
        let Some(records) = snapshots.get(snapshot) else {
            return unknown("There is no such snapshot");
        };
        let page = records.iter().skip(parameter("offset").unwrap());
        let page: Vec<_> = page.take(PAGE).collect();
        ok(&json!({
            "table": "t", "total": records.len(), "counted_in": snapshot, "snapshot": snapshot,
            "version": records.len(), "is_one_snapshot": true, "records": page,
        }))
    }

    pub(crate) fn audit(&self) -> Reply {
        if self.snapshots().is_empty() {
            return unknown("There is no such table");
        }
        let records = self.current();
        let copies = |key: &str| records.iter().filter(|it| it["key"] == *key).count();
        let acknowledged = self.acknowledged.lock().unwrap();
        let missing = acknowledged.iter().filter(|key| copies(key) == 0).count();
        let anomaly = |name: &str, count: usize| {
            let example = (count > 0).then_some("one of them");
            json!({"name": name, "count": count, "example": example})
        };
        ok(&json!({
            "table": "t", "version": records.len(), "records": records.len(),
            "acknowledged": acknowledged.len(), "anomalies": [
                anomaly("missing_records", missing),
                anomaly("broken_lineage", missing),
                anomaly("orphan_files", 1),
                anomaly("absent_files", 0),
            ],
        }))
    }

    /// Serves the routes. Records are appended by `append`.
    pub(crate) fn open(
        self,
        append: impl Fn(&Self, &Value) -> Reply + Send + Sync + 'static,
    ) -> StandIn {
        StandIn::start("", move |request: &Request| self.serve(request, &append))
    }

    pub(crate) fn serve(
        &self,
        request: &Request,
        append: &dyn Fn(&Self, &Value) -> Reply,
    ) -> Reply {
        let path = request.path.split('?').next().unwrap();
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match (&*request.method, &*segments) {
            ("POST", ["tables", "x", ""]) => {
                append(self, &serde_json::from_str(&request.body).unwrap())
            }
            ("GET", ["tables"]) => ok(&json!({"tables": ["another"]})),
            ("GET", ["tables", _, "records"]) => self.records(request),
            ("GET", ["tables", _, "audit"]) => self.audit(),
            _ => problem(404, &json!({"title": "Not found"})),
        }
    }
}

fn unknown(title: &str) -> Reply {
    problem(404, &json!({"title": title, "outcome": "refused"}))
}

/// The receipt of an append. All arrive in the first millisecond, each client 10 µs after the one
/// before.
pub(crate) fn receipt(version: usize, snapshot: usize, append: &Value) -> Reply {
    let client = append["value"].as_u64().unwrap();
    let step = |action: &str, label: &str, start_us: u64| json!({"action": action, "label": label, "start_us": start_us, "duration_us": 90});
    ok(&json!({
        "strategy": "x", "table": append["table"], "version": version, "snapshot": snapshot,
        "records": 1, "outcome": "applied", "attempts": 2,
        "arrived_at_us": 1_763_804_000_000_000_u64 + 10 * client,
        "timeline": [
            step("read", "read current", 10),
            step("write", "write data", 150),
            step("write", "write pointer", 300),
        ],
    }))
}

/// The refusal of an append.
pub(crate) fn refusal(status: u16, name: &str, attempts: u32) -> Reply {
    problem(
        status,
        &json!({
            "type": format!("urn:racy:problem:{name}"), "title": name.replace('-', " "),
            "status": status, "detail": "no record was appended", "attempts": attempts,
            "outcome": "refused",
        }),
    )
}

/// A lake whose clients all read the current snapshot before any of them commits. They commit in
/// the order of their numbers, so the last one's record is kept.
pub(crate) fn racing_lake(clients: usize) -> StandIn {
    let all_have_read = Barrier::new(clients);
    let all_have_committed = Barrier::new(clients);
    let waiting: Mutex<Vec<Value>> = Mutex::default();
    Lake::default().open(move |lake, append| {
        let current = lake.current();
        waiting.lock().unwrap().push(append.clone());
        if all_have_read.wait().is_leader() {
            let mut waiting = waiting.lock().unwrap();
            waiting.sort_by_key(|append| append["value"].as_u64());
            for append in waiting.drain(..) {
                lake.commit(current.clone(), &append);
            }
        }
        all_have_committed.wait();
        let client = append["value"].as_u64().unwrap();
        receipt(current.len() + 1, usize::try_from(client).unwrap(), append)
    })
}

/// An append that loses nothing: one client at a time.
pub(crate) fn append_in_turn() -> impl Fn(&Lake, &Value) -> Reply + Send + Sync + 'static {
    let turn = Mutex::new(());
    move |lake, append| {
        let _mine = turn.lock().unwrap();
        lake.commit(lake.current(), append)
    }
}
