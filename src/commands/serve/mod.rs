//! `racy serve`: the service, until it is stopped.

mod options;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub(super) use options::ListenOption;

use super::database::DatabaseOptions;
use super::signals::Signals;
use super::{CommandResult, FAILED, log};
use crate::descriptors::{self, Share};
use crate::engine::choice::{Lifetime, OpenDatabase};
use crate::http::{self, Service};
use crate::step::Unobserved;
use options::ServiceOptions;

/// How much longer than a request the shutdown may take. After the request timeout no client waits
/// for an answer any more.
const SHUTDOWN_SLACK: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseOptions,

    #[command(flatten)]
    service: ServiceOptions,
}

impl Args {
    pub(super) async fn run(mut self, mut signals: Signals) -> CommandResult {
        log::start(self.service.log_format, "info")?;
        let listener = self.bind().await?;
        let exports = self.service.export_folder()?;
        let tables = self.service.table_folder()?;
        let share = self.share_files();
        let kept = kept_connections(share.database);
        self.database.engine.db_connections = share.database - kept;

        let say = |line: &str| tracing::info!("{line}");
        let opened = tokio::select! {
            opened = self.database.open(Lifetime::Kept, &say) => opened?,
            exit_code = signals.nth(1) => {
                tracing::info!("stopped before the database was open");
                return Ok(exit_code);
            }
        };
        self.warn_of_a_pool_that_does_not_fit(&opened, kept);

        let settings =
            (self.service).settings(exports.clone(), tables.clone(), share.clients, kept);
        let service = Service::new(opened.database.clone(), &settings, Arc::new(Unobserved));
        // Dropped with this function. No client waits for a sweep, so the shutdown does not either.
        let mut upkeep = JoinSet::new();
        upkeep.spawn(self.service.janitor(exports).run());
        upkeep.spawn(self.service.expiry(tables).run());
        let address = listener.local_addr()?;
        tracing::info!("listening on http://{address}, documentation at /docs");
        self.serve(listener, service, opened, signals).await
    }

    async fn bind(&self) -> Result<TcpListener, String> {
        let address = self.service.listening.listen;
        TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}; --listen takes another"))
    }

    /// Serves until the first signal, or until the private server is gone. Then it waits for the
    /// requests in flight: for a limited time, and not beyond a second signal.
    async fn serve(
        &self,
        listener: TcpListener,
        service: Service,
        mut opened: OpenDatabase,
        mut signals: Signals,
    ) -> CommandResult {
        let requests = service.requests();
        let (stopping, stopped) = oneshot::channel();
        let mut first_signal = signals.clone();
        let serve_to_the_end = async move {
            let stop = async {
                tokio::select! {
                    _ = first_signal.nth(1) => tracing::info!(
                        "stopping; a second signal does not wait for requests in flight"
                    ),
                    () = opened.server_ended() => {
                        tracing::error!("the private server is gone: stopping");
                    }
                }
                // It fails only if the command is over already.
                let _ = stopping.send(());
            };
            http::serve(listener, service, stop).await;
            opened.close().await
        };
        let lose_patience = async {
            let _ = stopped.await;
            let exit_code = tokio::select! {
                () = sleep(self.service.request_timeout + SHUTDOWN_SLACK) => ExitCode::from(FAILED),
                exit_code = signals.nth(2) => exit_code,
            };
            tracing::warn!("{} requests were not finished", requests.len());
            exit_code
        };
        tokio::select! {
            closed = serve_to_the_end => Ok(closed.map(|()| ExitCode::SUCCESS)?),
            exit_code = lose_patience => Ok(exit_code),
        }
    }

    /// Shares the files that the process may open among the connections, so that none is opened
    /// beyond them.
    fn share_files(&self) -> Share {
        let requested = Share {
            database: self.database.engine.db_connections,
            clients: self.service.client_connections,
        };
        let files = descriptors::raise_to(requested.files());
        let share = requested.limited_to(files);
        if share != requested {
            tracing::warn!(
                "only {files} files may be open: there are at most {} connections of clients and \
                 {} to the database; ulimit -n allows more",
                share.clients,
                share.database
            );
        }
        share
    }

    fn warn_of_a_pool_that_does_not_fit(&self, opened: &OpenDatabase, kept: u32) {
        let connections = opened.database.connections();
        match self.service.workers {
            Some(workers) if (connections as usize) < workers => tracing::warn!(
                "{connections} database connections for {workers} workers: requests will queue for \
                 a connection instead of racing; --db-connections allows more"
            ),
            Some(_) => {}
            None => tracing::info!(
                "up to {connections} requests meet in the database, further ones queue for a \
                 connection"
            ),
        }
        let all = connections + kept;
        if let Some(limit) = opened.database.most_connections()
            && limit <= i64::from(all)
        {
            tracing::warn!(
                "--db-connections is {all}, and the server allows at most {limit}: once all are \
                 open, further clients are refused, and so are the keeper's commands"
            );
        }
    }
}

/// How many connections to the database are kept for the keeper, health and metrics. The exhibits'
/// requests cannot take them.
fn kept_connections(all: u32) -> u32 {
    (all / 4).min(3)
}
