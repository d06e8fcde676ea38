//! Exports as an exhibit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;

use super::evidence::FileEvidence;
use super::inspection::Inspection;
use super::parameters::Exports;
use super::receipt::Export;
use crate::answers::Answers;
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::Error;
use crate::exhibits::account::Account;
use crate::fields::Fields;
use crate::key::Keys;
use crate::race::{Auditor, Evidence, Exhibit, Pending, Race, Target};
use crate::receipt::Receipt;
use crate::service::Service;
use crate::strategy::Strategy;
use crate::verdict::Trace;

/// Exports.
pub(crate) static EXHIBIT: Exhibit = Exhibit {
    prefix: Some("exports"),
    route: "exports",
    options: &["--account"],
    target: |strategy, options| {
        let account = options.account_or_first();
        Ok(Exports { strategy, account }.into())
    },
    csv_columns: ["export", "file"],
    product: "export",
    incident: "a collision",
    incident_caption: "which wrote the same file at the same time",
    while_in_doubt: "The files may still change.",
    trace: Trace {
        missing: "exports left no file",
        place: "folder",
    },
};

impl From<Exports> for Target {
    fn from(exports: Exports) -> Self {
        Self::new(exports)
    }
}

impl Race for Exports {
    fn exhibit(&self) -> &'static Exhibit {
        &EXHIBIT
    }

    fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    fn probe_url(&self, base_url: &BaseUrl) -> Url {
        Account::url(base_url, self.account)
    }

    fn body(&self, _request: u32, _keys: Keys) -> Body {
        Body::form(format!("account={}", self.account))
    }

    fn receipt(&self, body: &[u8]) -> Option<Receipt> {
        Receipt::read::<Export>(body)
    }

    fn purpose(&self) -> String {
        format!("of account {}", self.account)
    }

    fn fields(&self) -> Fields {
        Fields::default().number("account", self.account)
    }

    fn look<'a>(
        &'a self,
        service: &'a Service,
        _keys: Keys,
    ) -> Pending<'a, Result<Arc<dyn Auditor>, Error>> {
        Box::pin(async {
            Account::read(service, self.account).await?;
            let auditor: Arc<dyn Auditor> = Arc::new(FileAuditor {
                service: service.clone(),
                inspections: Mutex::default(),
            });
            Ok(auditor)
        })
    }
}

#[derive(Debug)]
struct FileAuditor {
    service: Service,
    /// By the number of the request whose file it is.
    inspections: Mutex<BTreeMap<u32, Inspection>>,
}

impl FileAuditor {
    fn inspections(&self) -> MutexGuard<'_, BTreeMap<u32, Inspection>> {
        // Nothing panics while it holds the lock.
        let lock = self.inspections.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Auditor for FileAuditor {
    fn examine<'a>(&'a self, request: u32, receipt: &'a Receipt) -> Pending<'a, ()> {
        Box::pin(async move {
            if let Some(export) = receipt.product_as::<Export>() {
                let inspection = Inspection::of(&self.service, &export.file, &export.url).await;
                self.inspections().insert(request, inspection);
            }
        })
    }

    fn finish<'a>(&'a self, answers: &'a Answers) -> Pending<'a, Box<dyn Evidence>> {
        Box::pin(async {
            let mut inspections: Vec<_> = self.inspections().values().cloned().collect();
            for (file, url) in written_by_several(answers) {
                inspections.push(Inspection::of(&self.service, file, url).await);
            }
            let evidence: Box<dyn Evidence> = Box::new(FileEvidence { inspections });
            evidence
        })
    }
}

/// The files that several requests were answered with, and their URLs.
fn written_by_several(answers: &Answers) -> Vec<(&str, &str)> {
    let mut requests: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    let receipts = answers.iter().filter_map(|answer| answer.receipt());
    for export in receipts.filter_map(|it| it.product_as::<Export>()) {
        let (number, _) = requests.entry(&export.file).or_insert((0, &export.url));
        *number += 1;
    }
    let several = requests.into_iter().filter(|(_, (number, _))| *number > 1);
    several.map(|(file, (_, url))| (file, url)).collect()
}
