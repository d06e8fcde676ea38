//! The options of the service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::commands::log::LogFormat;
use crate::commands::times::{duration, positive_duration};
use crate::engine::local;
use crate::exhibits::deposits::{LongDelay, Retry};
use crate::exhibits::exports::Folder;
use crate::exhibits::exports::janitor::Janitor;
use crate::exhibits::tables::Tables;
use crate::exhibits::tables::expiry::Expiry;
use crate::http::{self, Instance, Limits};

/// The address of the service, for the service and for its health check.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub(in crate::commands) struct ListenOption {
    /// Where to listen, as IP:PORT. Port 0 takes a free port.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "RACY_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = listen_address
    )]
    pub(in crate::commands) listen: SocketAddr,
}

/// How the service treats its clients.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub(super) struct ServiceOptions {
    #[command(flatten)]
    pub(super) listening: ListenOption,

    /// The most requests that are carried out at a time [default: no limit].
    ///
    /// It makes the service behave like one with this number of synchronous workers. With 1, no
    /// race is possible. The keeper's requests need no worker.
    #[arg(long, value_name = "N", env = "RACY_WORKERS", value_parser = workers)]
    pub(super) workers: Option<usize>,

    /// How long a strategy with a long delay thinks: a time, or a range to draw from.
    ///
    /// The delay gives other requests time to interfere. These strategies have it: *_long_delay,
    /// lock_without_transaction, lock_after_read, retry_same_snapshot, retry_only_statement and
    /// mutex_in_process.
    #[arg(
        long,
        value_name = "MIN..MAX",
        env = "RACY_LONG_DELAY",
        default_value = "3s..10s",
        value_parser = long_delay
    )]
    long_delay: LongDelay,

    /// How strategies that retry pause between two attempts. There are at most six attempts.
    #[arg(
        long,
        value_name = "POLICY",
        env = "RACY_RETRY",
        default_value = "jitter"
    )]
    retry: Retry,

    /// How long a client may take to send its headers, and again for its body.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_HEADER_TIMEOUT",
        default_value = "10s",
        value_parser = positive_duration
    )]
    header_timeout: Duration,

    /// How long a client waits for an answer. The work goes on after that.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_REQUEST_TIMEOUT",
        default_value = "120s",
        value_parser = positive_duration
    )]
    pub(super) request_timeout: Duration,

    /// How long a client may read nothing of its answer before it is cut off.
    ///
    /// A slow client is not cut off if it reads some 16 KB in that time.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_WRITE_TIMEOUT",
        default_value = "30s",
        value_parser = positive_duration
    )]
    write_timeout: Duration,

    /// The most connections of clients. It is lower if the process may open too few files.
    ///
    /// When all are taken, idle ones are closed. If none is idle, only health, metrics and the
    /// keeper's requests are carried out. All others are answered with 503.
    #[arg(
        long,
        value_name = "N",
        env = "RACY_CLIENT_CONNECTIONS",
        default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub(super) client_connections: u32,

    /// How long an Idempotency-Key is known. After that, the same key is a new one.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_IDEMPOTENCY_TTL",
        default_value = "24h",
        value_parser = positive_duration
    )]
    idempotency_ttl: Duration,

    /// Believe the headers of a proxy in front of the service.
    ///
    /// They say who the client is (X-Forwarded-For or X-Real-IP), whether it came over TLS
    /// (X-Forwarded-Proto), and the request's id (X-Request-Id). Use this only if no client can
    /// get past the proxy, and if the proxy sets these headers itself.
    #[arg(long, env = "RACY_BEHIND_PROXY", value_parser = BoolishValueParser::new())]
    behind_proxy: bool,

    /// The name of this instance, for X-Racy-Instance in every response [default: the host's].
    #[arg(long, value_name = "NAME", env = "RACY_INSTANCE")]
    instance: Option<Instance>,

    /// Where to write exports [default: the folder exports in the lab's own data].
    ///
    /// The folder is created if it is missing. Replicas that share it write the same files.
    #[arg(long, value_name = "FOLDER", env = "RACY_EXPORT_DIR")]
    export_dir: Option<PathBuf>,

    /// How long an export is kept after it was written.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_EXPORT_TTL",
        default_value = "1h",
        value_parser = positive_duration
    )]
    export_ttl: Duration,

    /// How often to look for older exports and delete them.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_EXPORT_SWEEP",
        default_value = "1m",
        value_parser = positive_duration
    )]
    export_sweep: Duration,

    /// Where the tables are [default: the folder tables in the lab's own data].
    ///
    /// The folder is created if it is missing. Replicas that share it append to the same tables.
    #[arg(long, value_name = "FOLDER", env = "RACY_TABLE_DIR")]
    table_dir: Option<PathBuf>,

    /// How many of its newest snapshots a table keeps. Older ones are removed, unless they are
    /// being read.
    #[arg(
        long,
        value_name = "N",
        env = "RACY_TABLE_KEEP",
        default_value = "100",
        value_parser = snapshots
    )]
    table_keep: usize,

    /// How often to look for older snapshots, and for files that no snapshot names.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_TABLE_SWEEP",
        default_value = "1m",
        value_parser = positive_duration
    )]
    table_sweep: Duration,

    /// How to write the log.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "RACY_LOG_FORMAT",
        default_value = "text"
    )]
    pub(super) log_format: LogFormat,
}

impl ServiceOptions {
    /// The export folder, which is created if it is missing.
    pub(super) fn export_folder(&self) -> Result<Folder, String> {
        let path = match &self.export_dir {
            Some(path) => path.clone(),
            None => local::default_root()
                .map_err(|_| {
                    "there is no place for exports: \
                     give --export-dir a folder (or set RACY_DATA_DIR, or HOME)"
                        .to_owned()
                })?
                .join("exports"),
        };
        let folder = Folder::at(path);
        folder.create().map_err(|error| {
            format!(
                "the export folder {} cannot be used: {error}; --export-dir takes another",
                folder.path().display()
            )
        })?;
        Ok(folder)
    }

    /// The janitor that deletes old exports.
    pub(super) fn janitor(&self, folder: Folder) -> Janitor {
        Janitor {
            folder,
            ttl: self.export_ttl,
            every: self.export_sweep,
        }
    }

    /// The folder of the tables, which is created if it is missing.
    pub(super) fn table_folder(&self) -> Result<Tables, String> {
        let path = match &self.table_dir {
            Some(path) => path.clone(),
            None => local::default_root()
                .map_err(|_| {
                    "there is no place for tables: \
                     give --table-dir a folder (or set RACY_DATA_DIR, or HOME)"
                        .to_owned()
                })?
                .join("tables"),
        };
        let tables = Tables::at(path);
        tables.create().map_err(|error| {
            format!(
                "the folder of the tables {} cannot be used: {error}; --table-dir takes another",
                tables.path().display()
            )
        })?;
        Ok(tables)
    }

    /// The expiry that removes old snapshots.
    pub(super) fn expiry(&self, tables: Tables) -> Expiry {
        Expiry {
            tables,
            keep: self.table_keep,
            every: self.table_sweep,
        }
    }

    /// The settings for the service: at most `clients` connections of clients, and `kept`
    /// connections to the database for the keeper, health and metrics.
    pub(super) fn settings(
        &self,
        exports: Folder,
        tables: Tables,
        clients: u32,
        kept: u32,
    ) -> http::Settings {
        http::Settings {
            exports,
            tables,
            workers: self.workers,
            long_delay: self.long_delay.clone(),
            retry: self.retry,
            header_timeout: self.header_timeout,
            request_timeout: self.request_timeout,
            idempotency_ttl: self.idempotency_ttl,
            behind_proxy: self.behind_proxy,
            instance: self.instance.clone().unwrap_or_else(Instance::of_this_host),
            limits: Limits {
                connections: clients as usize,
                kept_database_connections: kept,
                write_timeout: self.write_timeout,
            },
        }
    }
}

fn snapshots(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err("give a number of snapshots, at least 1".to_owned()),
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "give an IP address and a port, e.g. 127.0.0.1:8080 or [::1]:8080".to_owned())
}

const MOST_WORKERS: usize = 100_000;

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(workers) if (1..=MOST_WORKERS).contains(&workers) => Ok(workers),
        _ => Err(format!(
            "give a number from 1 to {MOST_WORKERS}; leave it out for no limit"
        )),
    }
}

fn long_delay(text: &str) -> Result<LongDelay, String> {
    let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
    let (shortest, longest) = (duration(shortest)?, duration(longest)?);
    if shortest > longest {
        return Err("the shorter time comes first, e.g. 3s..10s".to_owned());
    }
    Ok(LongDelay(shortest..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_delay_is_a_time_or_a_range() {
        let range = |shortest, longest| {
            Ok(LongDelay(
                Duration::from_millis(shortest)..=Duration::from_millis(longest),
            ))
        };
        assert_eq!(long_delay("3s..10s"), range(3000, 10000));
        assert_eq!(long_delay("50ms..150ms"), range(50, 150));
        assert_eq!(long_delay("20ms"), range(20, 20));
        assert_eq!(long_delay("0"), range(0, 0));
        assert!(long_delay("10s..3s").unwrap_err().contains("shorter"));
        assert!(long_delay("..").is_err());
    }

    #[test]
    fn no_workers_is_not_a_number_of_workers() {
        assert_eq!(workers("4"), Ok(4));
        assert!(workers("0").unwrap_err().contains("leave it out"));
        assert!(workers("many").is_err());
    }
}
