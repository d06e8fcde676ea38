//! The service's audit of a table.

use reqwest::Url;
use serde::Deserialize;

use crate::audit::Anomaly;
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::service::Service;
use crate::table_name::TableName;

/// The audit of a table: of the records of all clients that append to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct TableAudit {
    /// The current version. None if the table has none that can be read.
    pub(super) version: Option<u64>,
    /// How many records there are.
    pub(super) records: u64,
    pub(super) anomalies: Vec<Anomaly>,
}

impl TableAudit {
    /// What shows that the service has tables at all. It is there before the table of the run is.
    pub(super) fn probe_url(base_url: &BaseUrl) -> Url {
        base_url.join(["tables"])
    }

    /// Reads the audit. None if there is no such table.
    pub(super) async fn read(service: &Service, table: &TableName) -> Result<Option<Self>, Error> {
        let url = service.base_url.join(["tables", table.as_str(), "audit"]);
        match service.get(&url, "an audit of a table").await {
            Ok(audit) => Ok(Some(audit)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether files are damaged or absent, so that the table can not be read as a whole.
    pub(super) fn is_damaged(&self) -> bool {
        let mut anomalies = self.anomalies.iter();
        anomalies.any(|it| it.is_wrong() && DAMAGES.contains(&it.name.as_str()))
    }
}

/// The anomalies after which a table can not be read as a whole.
const DAMAGES: [&str; 2] = ["absent_files", "unreadable_files"];
