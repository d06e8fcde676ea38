//! The instances of the service that the demo's requests go to.

use std::io;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{DemoError, TIMEOUT};
use crate::engine::Database;
use crate::exhibits::deposits::{LongDelay, Retry};
use crate::exhibits::exports::Folder;
use crate::exhibits::tables::Tables;
use crate::http::{self, Instance, Limits, Service};
use crate::step::Unobserved;

/// The 3 to 10 seconds of racy-django, scaled down: somebody watches the demo.
const LONG_DELAY: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_millis(150);

/// An instance of the service.
pub(super) struct RunningService {
    pub(super) base_url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl RunningService {
    pub(super) async fn start(database: &Database, exports: &Path) -> Result<Self, DemoError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let service = service(database, exports)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(http::serve(listener, service, async {
            let _ = stopped.await;
        }));
        Ok(Self {
            base_url,
            stop,
            serving,
        })
    }

    pub(super) async fn stop(self) -> Result<(), DemoError> {
        drop(self.stop);
        Ok(self.serving.await?)
    }
}

fn service(database: &Database, exports: &Path) -> io::Result<Service> {
    let tables = Tables::at(exports.join("tables"));
    tables.create()?;
    let settings = http::Settings {
        workers: None,
        long_delay: LongDelay(LONG_DELAY),
        retry: Retry::default(),
        header_timeout: TIMEOUT,
        request_timeout: TIMEOUT,
        idempotency_ttl: Duration::from_hours(24),
        behind_proxy: false,
        instance: Instance::of_this_host(),
        exports: Folder::at(exports),
        tables,
        limits: Limits::default(),
    };
    let observer = Arc::new(Unobserved);
    Ok(Service::new(database.clone(), &settings, observer))
}
