//! One way to export: its facts, and how a client exports with it.

use std::pin::Pin;

use super::{Export, ExportRequest, Folder, Refusal, STRATEGIES};
use crate::engine::{Database, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;

/// The future that a strategy's function returns.
type ExportFuture<'f> = Pin<Box<dyn Future<Output = Result<Export, Refusal>> + Send + 'f>>;

/// One way to export: an entry of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name among the strategies of all exhibits.
    pub full_name: &'static str,
    /// Its name within the exhibit, as a request gives it.
    pub name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// What is expected of one client that downloads and one that exports.
    pub with_reader: &'static [Expectation],
    /// The function itself.
    pub export: for<'f> fn(&'f mut Session<'_>, &'f Folder, &'f ExportRequest) -> ExportFuture<'f>,
}

impl Strategy {
    /// The strategy with that name within the exhibit.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|it| it.name == name)
    }

    /// Exports on a connection from the pool.
    pub async fn perform(
        &self,
        database: &Database,
        folder: &Folder,
        request: &ExportRequest,
        observer: &dyn Observer,
    ) -> Result<Export, Refusal> {
        let session = database.session(observer).await?;
        self.perform_in(session, folder, request).await
    }

    /// As [`perform`](Self::perform), in a session that is open already.
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        folder: &Folder,
        request: &ExportRequest,
    ) -> Result<Export, Refusal> {
        let exported = (self.export)(&mut session, folder, request).await;
        session.end().await;
        exported
    }
}
