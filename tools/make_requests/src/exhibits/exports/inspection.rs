//! An exported file, downloaded and audited.

use serde::Deserialize;

use crate::audit::Anomaly;
use crate::error::Error;
use crate::service::Service;
use crate::transport::TransportError;

/// The audit of an exported file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FileAudit {
    pub(super) anomalies: Vec<Anomaly>,
}

/// An exported file, downloaded and audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspection {
    /// The file's name.
    pub(super) file: String,
    /// The download's length in bytes, or why it did not end well.
    download: Result<u64, Error>,
    /// What the service's audit said right after the download.
    pub(super) audit: Result<FileAudit, Error>,
}

impl Inspection {
    /// Downloads a file to its end, and has the service audit it.
    pub(super) async fn of(service: &Service, file: &str, url: &str) -> Self {
        // Only the path counts: an answer cannot send the download to another server.
        let segments = url.split('/').skip_while(|segment| segment.is_empty());
        let download = service.download(&service.base_url.join(segments)).await;
        let audit_url = service.base_url.join(["exports", file, "audit"]);
        Self {
            file: file.to_owned(),
            download,
            audit: service.get(&audit_url, "an audit of the file").await,
        }
    }

    /// Why the download ended before the length that the service had announced. This happens if the
    /// file is emptied meanwhile.
    pub(super) fn broken_off(&self) -> Option<&TransportError> {
        match &self.download {
            Err(Error::BrokenOff { cause, .. }) => Some(cause),
            _ => None,
        }
    }

    /// Why the download or the audit failed. A download that broke off is an anomaly instead.
    pub(super) fn failure(&self) -> Option<&Error> {
        let download = self.download.as_ref().err();
        let download = download.filter(|_| self.broken_off().is_none());
        download.or(self.audit.as_ref().err())
    }
}
