//! What the audit and the run's own records say about a run.

use super::attempts::Attempts;
use super::audit::TableAudit;
use super::receipt::claim;
use super::records::OwnRecords;
use crate::answers::Answers;
use crate::audit::Anomaly;
use crate::error::Error;
use crate::fields::Fields;
use crate::pair::{self, Pair};
use crate::race::Evidence;
use crate::verdict::Verdict;
use crate::words::known;

/// An anomaly that the audit counts in the whole table, and the one of the run's own records.
const OF_ALL_CLIENTS: [(&str, &str); 2] = [
    ("missing_records", "lost_append"),
    ("duplicate_records", "duplicate_append"),
];

/// A table before and after a run.
#[derive(Debug)]
pub(super) struct TableEvidence {
    /// Whether no other client knows the table.
    pub(super) is_alone: bool,
    pub(super) attempts: Attempts,
    /// Before the first request. It is empty if there was no such table.
    pub(super) before: TableAudit,
    /// After the last answer, or why it could not be read.
    pub(super) after: Result<TableAudit, Error>,
    /// What became of the run's records, or why they could not be read.
    pub(super) own: Result<OwnRecords, Error>,
}

impl TableEvidence {
    fn after(&self) -> Option<&TableAudit> {
        self.after.as_ref().ok()
    }

    fn own(&self) -> Option<&OwnRecords> {
        self.own.as_ref().ok()
    }

    /// What the audit found in the whole table since the run began.
    fn of_all_clients(&self) -> Vec<Anomaly> {
        let after = self.after().map(|it| it.anomalies.as_slice());
        Anomaly::since(after.unwrap_or_default(), &self.before.anomalies)
    }

    /// What is wrong, each once: a record of this run that is missing is also one of those that
    /// are missing in the whole table.
    fn wrong(&self) -> Vec<Anomaly> {
        let anomalies = self.anomalies();
        let is_wrong = |name: &str| anomalies.iter().any(|it| it.name == name && it.is_wrong());
        let is_said = |name: &str| {
            let mut pairs = OF_ALL_CLIENTS.iter();
            pairs.any(|(of_all, own)| *of_all == name && is_wrong(own))
        };
        let wrong = anomalies.iter().filter(|it| it.is_wrong());
        wrong.filter(|it| !is_said(&it.name)).cloned().collect()
    }
}

impl Evidence for TableEvidence {
    /// If the audit says that the table is damaged, it is no wonder that it could not be read.
    fn audit_error(&self) -> Option<&Error> {
        match &self.after {
            Err(error) => Some(error),
            Ok(after) if after.is_damaged() => None,
            Ok(_) => self.own.as_ref().err(),
        }
    }

    /// Those of the run's own requests, and those that the audit found. In a table of several
    /// clients the audit also counts records of others: those are none of this run's anomalies.
    fn anomalies(&self) -> Vec<Anomaly> {
        let own = self.own().map(OwnRecords::anomalies).unwrap_or_default();
        let is_of_all = |name: &str| OF_ALL_CLIENTS.iter().any(|(of_all, _)| *of_all == name);
        let audited = self.of_all_clients().into_iter();
        let audited = audited.filter(|it| self.is_alone || !is_of_all(&it.name));
        let own = own.into_iter().chain([self.attempts.anomaly()]);
        own.chain(audited).collect()
    }

    fn anomaly(&self, _answers: &Answers) -> Option<Verdict> {
        Verdict::of(&self.wrong())
    }

    /// A record that left no trace was lost: each is known by its key.
    fn traces(&self) -> Option<u64> {
        None
    }

    fn not_examined(&self) -> Option<String> {
        None
    }

    fn remarks(&self, _answers: &Answers) -> Vec<String> {
        let mut remarks = Vec::new();
        let in_doubt = self.own().map_or(0, |own| own.there_in_doubt);
        if in_doubt > 0 {
            remarks.push(format!(
                "The table has the records of {in_doubt} of the requests without a clear answer."
            ));
        }
        if let Err(error) = &self.own {
            remarks.push(format!("The records could not be read: {error}."));
        }
        if !self.is_alone {
            remarks.push(format!(
                "The table had {} records before this run. Only records of this run are judged.",
                self.before.records
            ));
            let mut of_all = self.of_all_clients().into_iter();
            let missing = of_all.find(|it| it.name == "missing_records" && it.is_wrong());
            remarks.extend(missing.map(|missing| {
                format!(
                    "In the whole table {} acknowledged records are missing since then.",
                    missing.count
                )
            }));
        }
        remarks
    }

    fn figures(&self, _answers: &Answers) -> Vec<(&'static str, String)> {
        let attempts = &self.attempts;
        let own = known(self.own().map(|own| own.there));
        let all = known(self.after().map(|audit| audit.records));
        vec![
            ("conflicts", attempts.conflicts.to_string()),
            ("gave up", attempts.gave_up.to_string()),
            (
                "attempts",
                format!(
                    "{}, {} of them retries",
                    attempts.attempts, attempts.retries
                ),
            ),
            ("records", format!("{own} of this run, {all} in the table")),
        ]
    }

    fn fields(&self, _answers: &Answers) -> Fields {
        let attempts = &self.attempts;
        Fields::default()
            .number("conflicts", attempts.conflicts as i128)
            .number("gave_up", attempts.gave_up as i128)
            .number("attempts", attempts.attempts)
            .number("retries", attempts.retries)
            .optional("version", self.after().and_then(|audit| audit.version))
            .optional("records", self.own().map(|own| own.there))
            .optional("records_in_table", self.after().map(|audit| audit.records))
            .anomalies("anomalies", self.anomalies())
            .anomalies("anomalies_in_table", self.of_all_clients())
    }

    fn incident<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        if self.wrong().is_empty() {
            return None;
        }
        pair::collision(&answers.receipts(), claim)
    }

    fn overlap<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        pair::overlap(&answers.receipts())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::answers::samples::acknowledged;
    use crate::key::Keys;

    fn audit(missing: u64, unreadable: u64) -> TableAudit {
        serde_json::from_value(json!({
            "version": 3, "records": 3, "acknowledged": 3 + missing, "anomalies": [
                {"name": "missing_records", "count": missing, "example": null},
                {"name": "orphan_files", "count": 5, "example": null},
                {"name": "unreadable_files", "count": unreadable, "example": null},
            ],
        }))
        .unwrap()
    }

    /// Two appends were acknowledged, and the table has the first one this often.
    fn own(copies: u64) -> OwnRecords {
        let answers = acknowledged(&[(0, 1), (0, 1)]);
        let copies = BTreeMap::from([(1, copies), (2, 1)]);
        OwnRecords::of(&answers, Keys::of_a_new_run(), &copies)
    }

    fn evidence(
        is_alone: bool,
        own: Result<OwnRecords, Error>,
        after: TableAudit,
    ) -> TableEvidence {
        TableEvidence {
            is_alone,
            attempts: Attempts::default(),
            before: TableAudit::default(),
            after: Ok(after),
            own,
        }
    }

    fn verdict(evidence: &TableEvidence) -> Option<String> {
        let verdict = evidence.anomaly(&acknowledged(&[]));
        verdict.map(|it| it.to_string())
    }

    #[test]
    fn records_that_are_there_once_are_right() {
        assert_eq!(own(1).there, 2);
        assert_eq!(verdict(&evidence(true, Ok(own(1)), audit(0, 0))), None);
    }

    #[test]
    fn a_lost_record_is_said_once_although_the_audit_counts_it_too() {
        let lost = evidence(true, Ok(own(0)), audit(1, 0));
        assert_eq!(verdict(&lost).as_deref(), Some("1 × lost append"));
        let duplicate = evidence(true, Ok(own(2)), audit(0, 0));
        assert_eq!(verdict(&duplicate).as_deref(), Some("1 × duplicate append"));
    }

    #[test]
    fn records_of_others_are_judged_only_where_there_should_be_none() {
        let alone = evidence(true, Ok(own(1)), audit(2, 0));
        assert_eq!(verdict(&alone).as_deref(), Some("2 × missing records"));
        let shared = evidence(false, Ok(own(1)), audit(2, 0));
        assert_eq!(verdict(&shared), None);
        assert_eq!(shared.of_all_clients()[0].count, 2);
    }

    #[test]
    fn what_was_missing_before_is_not_counted() {
        let evidence = TableEvidence {
            before: audit(2, 0),
            ..evidence(true, Ok(own(1)), audit(2, 0))
        };
        assert_eq!(verdict(&evidence), None);
    }

    #[test]
    fn a_damaged_table_is_an_anomaly_also_if_it_cannot_be_read() {
        let error = || Err(Error::Client("no".to_owned()));
        let damaged = evidence(true, error(), audit(0, 1));
        assert!(damaged.audit_error().is_none());
        assert_eq!(verdict(&damaged).as_deref(), Some("1 × unreadable files"));
        let whole = evidence(true, error(), audit(0, 0));
        assert!(whole.audit_error().is_some());
    }
}
