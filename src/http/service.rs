//! The service: an application behind its router, ready to be served.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::STREAMS;
use super::app::App;
use super::completion::{BODY_LIMIT, Completion};
use super::limits::Limits;
use super::part::Part;
use super::router::router;
use super::settings::Settings;
use crate::engine::Database;
use crate::exhibits::{self, Specimen};
use crate::observe::metrics::Metrics;
use crate::step::Observer;

/// The service, ready to be served, and the requests it is carrying out.
#[derive(Debug)]
pub struct Service {
    pub(super) router: Router,
    pub(super) requests: TaskTracker,
    pub(super) header_timeout: Duration,
    pub(super) limits: Limits,
    pub(super) behind_proxy: bool,
    pub(super) stopping: CancellationToken,
    /// Connections that the service has for itself. None if it shares those of the database.
    kept: Option<Database>,
}

impl Service {
    /// Builds the service over a database. The observer sees every step of every strategy; outside
    /// of tests it is [`Unobserved`](crate::step::Unobserved).
    pub fn new(database: Database, settings: &Settings, observer: Arc<dyn Observer>) -> Self {
        Self::with_streams(database, settings, observer, &STREAMS)
    }

    pub(super) fn with_streams(
        database: Database,
        settings: &Settings,
        observer: Arc<dyn Observer>,
        streams: &[&Part],
    ) -> Self {
        let completion = Completion {
            tasks: TaskTracker::new(),
            workers: settings
                .workers
                .map(|workers| Arc::new(Semaphore::new(workers))),
            body_limit: BODY_LIMIT,
            body_timeout: settings.header_timeout,
            request_timeout: settings.request_timeout,
            shown_by: None,
        };
        let kept = match settings.limits.kept_database_connections {
            0 => None,
            connections => Some(database.beside(connections)),
        };
        let metrics = Arc::new(metrics());
        let tasks = completion.tasks.clone();
        let app = App::new(database, kept.clone(), settings, observer, metrics, tasks);
        Self {
            requests: completion.tasks.clone(),
            stopping: app.stopping.clone(),
            router: router(Arc::new(app), &completion, streams),
            header_timeout: settings.header_timeout,
            limits: settings.limits,
            kept,
            behind_proxy: settings.behind_proxy,
        }
    }

    /// The requests under way, also those whose clients have left.
    pub fn requests(&self) -> TaskTracker {
        self.requests.clone()
    }

    /// Closes the connections to the database that the service has for itself.
    pub(super) async fn close(&self) {
        if let Some(kept) = &self.kept {
            kept.close().await;
        }
    }

    /// Puts a layer around the whole service, e.g. one that watches its requests come and go.
    pub fn wrapped(mut self, wrap: impl FnOnce(Router) -> Router) -> Self {
        self.router = wrap(self.router);
        self
    }
}

/// Metrics with series for every strategy.
fn metrics() -> Metrics {
    let (readers, writers): (Vec<_>, Vec<_>) = exhibits::specimens().partition(|it| it.reads());
    Metrics::new(writers.into_iter().map(Specimen::full_name))
        .with_readers(readers.into_iter().map(Specimen::full_name))
}
