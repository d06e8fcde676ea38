//! The run's own records, as the table has them.

use std::collections::{BTreeMap, HashMap};

use hyper::StatusCode;
use reqwest::Url;
use serde::Deserialize;

use crate::answer::Outcome;
use crate::answers::Answers;
use crate::audit::{Anomaly, Id};
use crate::error::{Error, UnexpectedAnswer};
use crate::key::Keys;
use crate::service::Service;
use crate::table_name::TableName;

/// How many records are asked for at a time. With the longest keys an answer has less than a
/// mebibyte.
const PAGE: u64 = 1000;

/// How often the reading begins at most. It begins again if its snapshot is removed meanwhile,
/// which happens to a table that others append to.
const BEGINNINGS: u32 = 5;

/// What a table is asked for.
const EXPECTED: &str = "records of a table";

/// Records of one snapshot of a table.
#[derive(Debug, Deserialize)]
struct Page {
    /// How many records the snapshot has.
    total: u64,
    snapshot: Id,
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    key: String,
}

/// What became of the records of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OwnRecords {
    /// How many of them are in the table, each counted once.
    pub(super) there: u64,
    /// Those of them that were neither acknowledged nor refused.
    pub(super) there_in_doubt: u64,
    /// The keys of those that were acknowledged and are not there.
    lost: Vec<String>,
    /// The keys of those that are there more than once.
    duplicate: Vec<String>,
    /// The keys of those that were refused and are there.
    refused: Vec<String>,
}

impl OwnRecords {
    /// Reads the whole table as it is in one snapshot, and looks for the run's keys.
    pub(super) async fn read(
        service: &Service,
        table: &TableName,
        keys: Keys,
        answers: &Answers,
    ) -> Result<Self, Error> {
        let requests = answers.iter().map(|it| (keys.of(it.request), it.request));
        let requests: HashMap<_, _> = requests.collect();
        let mut beginnings = 1;
        loop {
            match copies(service, table, &requests).await {
                Err(error) if error.is_not_found() && beginnings < BEGINNINGS => beginnings += 1,
                Err(error) => return Err(error),
                Ok(copies) => return Ok(Self::of(answers, keys, &copies)),
            }
        }
    }

    /// What follows from how often the record of each request is in the table.
    pub(super) fn of(answers: &Answers, keys: Keys, copies: &BTreeMap<u32, u64>) -> Self {
        let mut own = Self::default();
        for answer in answers.iter() {
            let copies = copies.get(&answer.request).copied().unwrap_or(0);
            let key = || keys.of(answer.request);
            own.there += u64::from(copies > 0);
            if copies > 1 {
                own.duplicate.push(key());
            }
            match &answer.outcome {
                Outcome::Acknowledged { .. } if copies == 0 => own.lost.push(key()),
                Outcome::Refused(_) if copies > 0 => own.refused.push(key()),
                outcome if outcome.is_in_doubt() => own.there_in_doubt += u64::from(copies > 0),
                _ => {}
            }
        }
        own
    }

    /// What is wrong with them.
    pub(super) fn anomalies(&self) -> Vec<Anomaly> {
        let anomaly = |name: &str, keys: &[String], what: &str| Anomaly {
            name: name.to_owned(),
            count: keys.len() as u64,
            example: keys.first().map(|key| format!("{key} {what}")),
        };
        vec![
            anomaly(
                "lost_append",
                &self.lost,
                "was acknowledged, and is not there",
            ),
            anomaly(
                "duplicate_append",
                &self.duplicate,
                "is there several times",
            ),
            anomaly(
                "kept_though_refused",
                &self.refused,
                "was refused, and is there",
            ),
        ]
    }
}

/// How often the table has the record of each request, page by page.
async fn copies(
    service: &Service,
    table: &TableName,
    requests: &HashMap<String, u32>,
) -> Result<BTreeMap<u32, u64>, Error> {
    let mut copies = BTreeMap::new();
    let (mut snapshot, mut offset) = (None, 0);
    loop {
        let url = page_url(service, table, snapshot.as_ref(), offset);
        let page: Page = service.get(&url, EXPECTED).await?;
        for record in &page.records {
            if let Some(request) = requests.get(&record.key) {
                *copies.entry(*request).or_default() += 1;
            }
        }
        offset += page.records.len() as u64;
        if offset >= page.total {
            return Ok(copies);
        }
        let is_another = snapshot.as_ref().is_some_and(|it| *it != page.snapshot);
        if page.records.is_empty() || is_another {
            let cause = if is_another {
                "the page is of another snapshot"
            } else {
                "the page is empty before the last record"
            };
            let answer = UnexpectedAnswer::of_status(&url, StatusCode::OK, EXPECTED);
            let cause = cause.to_owned();
            return Err(UnexpectedAnswer { cause, ..answer }.into());
        }
        snapshot = Some(page.snapshot);
    }
}

fn page_url(service: &Service, table: &TableName, snapshot: Option<&Id>, offset: u64) -> Url {
    let mut url = service.base_url.join(["tables", table.as_str(), "records"]);
    let mut query = url.query_pairs_mut();
    if let Some(snapshot) = snapshot {
        query.append_pair("snapshot", &snapshot.to_string());
    }
    query.append_pair("offset", &offset.to_string());
    query.append_pair("limit", &PAGE.to_string());
    drop(query);
    url
}
