//! One way to export: its facts, and how a client exports with it.

use std::pin::Pin;

use super::{Export, ExportRequest, Folder, Refusal, STRATEGIES};
use crate::engine::{Database, Engine, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;

/// What a strategy's function returns.
type ExportFuture<'f> = Pin<Box<dyn Future<Output = Result<Export, Refusal>> + Send + 'f>>;

/// One way to export, as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name among the strategies of all exhibits.
    pub name: &'static str,
    /// Its name where only exports are spoken of, as a request gives it.
    pub short_name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// What the schedules of one who downloads and one who exports lead to, engine by engine.
    pub with_reader: &'static [Expectation],
    /// The function itself.
    pub export: for<'f> fn(&'f mut Session<'_>, &'f Folder, &'f ExportRequest) -> ExportFuture<'f>,
}

impl Strategy {
    /// The one of that short name.
    pub fn named(short_name: &str) -> Option<&'static Self> {
        let mut strategies = STRATEGIES.iter();
        strategies.find(|it| it.short_name == short_name)
    }

    /// Whether no export is ever mixed or broken on this engine, for those who write and for those who download.
    pub fn must_be_safe_on(&self, engine: &Engine) -> bool {
        let with_reader = Expectation::on(engine, self.with_reader);
        self.card.must_be_safe_on(engine) && with_reader.is_some_and(Expectation::is_safe)
    }

    /// Exports on a connection from the pool.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn perform(
        &self,
        database: &Database,
        folder: &Folder,
        wanted: &ExportRequest,
        observer: &dyn Observer,
    ) -> Result<Export, Refusal> {
        let session = database.session(observer).await?;
        self.perform_in(session, folder, wanted).await
    }

    /// As [`perform`](Self::perform), in a session that is there already.
    ///
    /// # Errors
    /// As [`perform`](Self::perform).
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        folder: &Folder,
        wanted: &ExportRequest,
    ) -> Result<Export, Refusal> {
        let exported = (self.export)(&mut session, folder, wanted).await;
        session.end().await;
        exported
    }
}
