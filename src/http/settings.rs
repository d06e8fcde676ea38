//! How the service treats its clients.

use std::time::Duration;

use super::instance::Instance;
use super::limits::Limits;
use crate::exhibits::deposits::{LongDelay, Retry};
use crate::exhibits::exports::Folder;
use crate::exhibits::tables::Tables;

/// How the service treats its clients.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many requests are carried out at a time, at most, like that many synchronous workers.
    /// None if there is no limit.
    pub workers: Option<usize>,
    /// How long the `*_long_delay` strategies think.
    pub long_delay: LongDelay,
    /// How strategies that retry pause between their attempts.
    pub retry: Retry,
    /// How long a client may take to send its request's headers, and again for its body.
    pub header_timeout: Duration,
    /// How long a client waits for an answer, at most. The work goes on after that.
    pub request_timeout: Duration,
    /// How long an idempotency key is kept.
    pub idempotency_ttl: Duration,
    /// Whether a proxy stands between the clients and the service. Only then its headers are
    /// believed: the client's address and scheme (`X-Forwarded-For`, `X-Forwarded-Proto`) and the
    /// request's id (`X-Request-Id`).
    pub behind_proxy: bool,
    /// The name that tells this instance of the service from the others.
    pub instance: Instance,
    /// Where exports are written.
    pub exports: Folder,
    /// Where the tables are.
    pub tables: Tables,
    /// How much the clients may take together.
    pub limits: Limits,
}
