//! # Read in one snapshot
//!
//! The same queries as in `torn`, in a transaction that only reads, at REPEATABLE READ. The
//! transaction asks for its level itself, whatever the connection's is.
//!
//! ## Why it holds
//!
//! The first query takes a snapshot, and all others read from it. Of every deposit the statement
//! shows both the new balance and the transaction, or neither.
//!
//! That is as much as the deposit itself promises. A deposit in autocommit (`non_atomic_no_delay`,
//! `lock_without_transaction`) commits its transaction before the balance. A snapshot taken in
//! between truthfully shows the one half, and does not balance.
//!
//! The snapshot does not make the writer wait, because InnoDB, PostgreSQL and SQLite's WAL keep the
//! old versions of what the writer changes. SQLite with its rollback journal keeps none. There the
//! reader has a shared lock until it commits, and a writer's commit waits for that. This is as
//! right, but a long statement holds all writers up.
//!
//! The level matters; a transaction alone is not enough. At READ COMMITTED, which is PostgreSQL's
//! default, each query takes a snapshot of its own, and the statement is torn again. SERIALIZABLE
//! would balance too. But on InnoDB its reads lock, so that readers and writers wait for each other
//! and may deadlock.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have 252 schedules, and all are safe.
//!
//! ## What it costs
//!
//! Two round trips more. While the transaction is open, the engine keeps every old version that it
//! could still read. A report that takes hours lets the undo log (InnoDB), the dead rows
//! (PostgreSQL) or the WAL (SQLite) grow for hours.
//!
//! ## Where people meet it
//!
//! `START TRANSACTION READ ONLY`, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`, in Spring
//! `@Transactional(readOnly = true, isolation = REPEATABLE_READ)`.

use super::{Statement, StatementRequest, balance, latest, sum};
use crate::engine::{Fault, Session};
use crate::exhibits::card::{Card, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Read in one snapshot",
    expected: &on_every_engine(&[safe(252)]),
    file: file!(),
    source: include_str!("snapshot.rs"),
};

/// Reads the statement from one snapshot.
pub async fn read(
    s: &mut Session<'_>,
    wanted: &StatementRequest,
) -> Result<Option<Statement>, Fault> {
    s.begin_snapshot().await?;
    // The snapshot is taken here.
    let Some(held) = balance(s, wanted).await? else {
        return Ok(None);
    };
    let recorded = sum(s, wanted).await?;
    let latest = latest(s, wanted).await?;
    s.commit().await?;
    Ok(Some(Statement::new(wanted, held, recorded, latest)))
}
