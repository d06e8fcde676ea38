//! Instances of the service for the runs of the console, each on a free port of its own.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::console::runs::{InstancePlan, RunningInstance};
use crate::exhibits::deposits::{LongDelay, Retry};
use crate::exhibits::exports::Folder;
use crate::exhibits::tables::Tables;
use crate::http::{Instance, Limits, Service, Settings, serve};
use crate::step::Unobserved;

/// How long an idempotency key is kept. Runs send none.
const KEYS_ARE_KEPT: Duration = Duration::from_hours(1);

/// Starts an instance, which no other host can reach.
pub(in crate::http) fn start(
    plan: InstancePlan,
) -> Pin<Box<dyn Future<Output = io::Result<RunningInstance>> + Send>> {
    Box::pin(async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let tables = Tables::at(plan.exports.join("tables"));
        tables.create()?;
        let settings = Settings {
            workers: plan.workers,
            // Equal delays would let all clients write at once, and most would end in deadlocks.
            long_delay: LongDelay(plan.delay / 2..=plan.delay),
            retry: Retry::default(),
            header_timeout: plan.timeout,
            request_timeout: plan.timeout,
            idempotency_ttl: KEYS_ARE_KEPT,
            behind_proxy: false,
            instance: Instance::of_this_host(),
            exports: Folder::at(&plan.exports),
            tables,
            limits: Limits::default(),
        };
        let service = Service::new(plan.database, &settings, Arc::new(Unobserved));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = tokio::spawn(serve(listener, service, async move {
            stopped.cancelled().await;
        }));
        Ok(RunningInstance {
            base_url,
            stop,
            serving,
        })
    })
}
