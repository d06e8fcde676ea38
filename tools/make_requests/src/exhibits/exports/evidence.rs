//! All inspections of a run's files, and what follows from them.

use std::collections::BTreeSet;

use super::inspection::Inspection;
use super::receipt::{Export, claim};
use crate::answers::Answers;
use crate::audit::Anomaly;
use crate::error::Error;
use crate::fields::Fields;
use crate::pair::{self, Pair};
use crate::race::Evidence;
use crate::verdict::Verdict;

/// The files of a run.
#[derive(Debug)]
pub(super) struct FileEvidence {
    /// One inspection for each answer, then one for each file that several requests wrote: by then
    /// no request overwrites it any more.
    pub(super) inspections: Vec<Inspection>,
}

impl FileEvidence {
    fn files(&self) -> BTreeSet<&String> {
        self.inspections.iter().map(|it| &it.file).collect()
    }
}

impl Evidence for FileEvidence {
    fn audit_error(&self) -> Option<&Error> {
        None
    }

    /// Each anomaly is counted once for each inspection that found it. The audits' anomalies come
    /// first, then the downloads that broke off.
    fn anomalies(&self) -> Vec<Anomaly> {
        let mut anomalies: Vec<Anomaly> = Vec::new();
        let audits = self.inspections.iter().flat_map(|it| &it.audit);
        for found in audits.flat_map(|audit| &audit.anomalies) {
            count(&mut anomalies, found);
        }
        anomalies.push(broken_downloads(&self.inspections));
        anomalies
    }

    fn anomaly(&self, _answers: &Answers) -> Option<Verdict> {
        Verdict::of(&self.anomalies())
    }

    fn traces(&self) -> Option<u64> {
        None
    }

    fn not_examined(&self) -> Option<String> {
        if self.inspections.is_empty() {
            return Some("no answer said which file it wrote".to_owned());
        }
        let failures = || self.inspections.iter().filter_map(Inspection::failure);
        let (cause, number) = (failures().next()?, failures().count());
        Some(format!(
            "nothing went wrong so far, but {number} of the inspections of files failed: {cause}"
        ))
    }

    fn remarks(&self, answers: &Answers) -> Vec<String> {
        let receipts = answers.receipts().into_iter();
        let exports: Vec<_> = receipts
            .filter_map(|it| it.product_as::<Export>())
            .collect();
        let no_rows = !exports.is_empty() && exports.iter().all(|export| export.rows == 0);
        let remark = no_rows.then(|| {
            "The account has no transactions, so no rows could be mixed: deposit first, or choose \
             another --account."
                .to_owned()
        });
        remark.into_iter().collect()
    }

    fn figures(&self, _answers: &Answers) -> Vec<(&'static str, String)> {
        let (files, inspections) = (self.files().len(), self.inspections.len());
        let times = if inspections == 1 { "time" } else { "times" };
        let figure = format!("{files}, looked at {inspections} {times}");
        vec![("files", figure)]
    }

    fn fields(&self, _answers: &Answers) -> Fields {
        let files = self.files().into_iter().cloned().collect();
        Fields::default()
            .texts("files", files)
            .number("looks", self.inspections.len() as i128)
            .anomalies("anomalies", self.anomalies())
    }

    fn incident<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        self.anomaly(answers)?;
        pair::collision(&answers.receipts(), claim)
    }

    fn overlap<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        pair::overlap(&answers.receipts())
    }
}

/// Adds one to the anomaly of this name, if the audit found it.
fn count(anomalies: &mut Vec<Anomaly>, found: &Anomaly) {
    let one = u64::from(found.count > 0);
    match anomalies.iter_mut().find(|it| it.name == found.name) {
        Some(known) => {
            known.count += one;
            if known.example.is_none() {
                known.example.clone_from(&found.example);
            }
        }
        None => anomalies.push(Anomaly {
            count: one,
            ..found.clone()
        }),
    }
}

fn broken_downloads(inspections: &[Inspection]) -> Anomaly {
    let examples = || {
        let broken = |it: &Inspection| Some(format!("{}: {}", it.file, it.broken_off()?));
        inspections.iter().filter_map(broken)
    };
    Anomaly {
        name: "broken_download".to_owned(),
        count: examples().count() as u64,
        example: examples().next(),
    }
}
