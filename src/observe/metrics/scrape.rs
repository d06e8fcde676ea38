//! What is looked up for one scrape, and all metrics as text.

use std::fmt;

use prometheus_client::encoding::text::encode_registry;

use super::count::Metrics;
use super::declare::{AccountLabel, ScrapeGauges};
use crate::engine::PoolUse;

/// The media type of what `/metrics` shows: Prometheus' own text format, which every version of it
/// and every tool around it reads.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is true at the moment of a scrape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScrapeFacts<'f> {
    /// The pool of database connections.
    pub(crate) pool: PoolUse,
    /// Whether the database answers.
    pub(crate) database_up: bool,
    /// What was lost in each account, as far as the accounts could be read.
    pub(crate) accounts: &'f [AccountLoss],
    /// The export folder. None if it could not be read.
    pub(crate) exports: Option<FolderUse>,
}

/// What was lost in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AccountLoss {
    /// The account's number.
    pub(crate) account: i64,
    /// What the account should hold, minus what it holds.
    pub(crate) amount: i128,
    /// The least number of updates that must be missing to explain the amount.
    pub(crate) updates: u128,
}

/// How full a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderUse {
    /// The number of files.
    pub(crate) files: u64,
    /// The size of all files, in bytes.
    pub(crate) bytes: u64,
}

impl Metrics {
    /// All metrics as text, for Prometheus.
    pub(crate) fn text(&self, facts: &ScrapeFacts<'_>) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.process.registry)?;
        encode_registry(&mut text, &self.counters.registry)?;
        encode_registry(&mut text, &ScrapeGauges::of(facts).registry)?;
        Ok(text)
    }
}

impl ScrapeGauges {
    fn of(facts: &ScrapeFacts<'_>) -> Self {
        let gauges = Self::unused();
        let pool = facts.pool;
        gauges.pool_connections_in_use.set(whole(pool.in_use));
        gauges.pool_connections_idle.set(whole(pool.idle));
        gauges.pool_connections_limit.set(whole(pool.limit));
        gauges.pool_waiting_requests.set(whole(pool.waiting));
        gauges.database_up.set(facts.database_up.into());
        if let Some(FolderUse { files, bytes }) = facts.exports {
            gauges.exports_files.set(files);
            gauges.exports_bytes.set(bytes);
        }
        for loss in facts.accounts {
            let label = AccountLabel {
                account: loss.account,
            };
            // Prometheus has no other numbers: beyond 2^53 the last digits are lost.
            let (amount, updates) = (loss.amount as f64, loss.updates as f64);
            gauges.lost_amount.get_or_create(&label).set(amount);
            gauges.lost_updates.get_or_create(&label).set(updates);
        }
        gauges
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
