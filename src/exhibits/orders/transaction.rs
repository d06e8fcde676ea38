//! # All of it in one transaction
//!
//! `BEGIN`, then the statements of [`max_id_head_first`](super::max_id_head_first), then `COMMIT`:
//! "we use transactions, so that nothing can happen".
//!
//! ## Why it holds, and why it breaks
//!
//! It is the cure for the reader. Head and lines become visible at one moment, so the consumer sees
//! all of an order or nothing. An order whose writer fails leaves nothing behind either.
//!
//! Between two writers it makes the window wider. The head that takes the number stays invisible
//! until the commit, and a writer that reads the highest number before that gets the same. No two
//! rows collide, because no number is unique. Nor are two inserts a write conflict for a snapshot:
//! REPEATABLE READ refuses nothing, on any engine.
//!
//! - **SERIALIZABLE** sees it. InnoDB's plain reads lock, the two clients wait for each other, and
//!   one is refused as a deadlock's victim (1213). PostgreSQL refuses one with 40001. SQLite has no
//!   other level. It refuses a client that has read before another one has written (517 or 5).
//! - **READ UNCOMMITTED** (InnoDB) shows the head before its commit. That gives fewer numbers
//!   twice, and takes the cure away: the consumer sees incomplete orders again.
//!
//! ## The smallest schedule that breaks it
//!
//! Two writers: 'A A A A B B B B B A'. Of 252 schedules (with one line each) 240 give a number
//! twice on PostgreSQL and InnoDB at READ COMMITTED and REPEATABLE READ. These are all but those in
//! which one client begins to read after the other has committed. At SERIALIZABLE PostgreSQL
//! refuses the same 240; InnoDB has 42, and refuses in 12.
//!
//! Beside the consumer: There is none, except at InnoDB's READ UNCOMMITTED, where 3 of 13 ship an
//! order incomplete.
//!
//! ## What it costs
//!
//! Two round trips more, and one commit instead of many.
//!
//! ## Where people meet it
//!
//! As the usual answer to the question. It is half of the answer.

use super::anomalies::{duplicate, shipped_incomplete};
use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, Expectation, RC_RR, RU, SER, SQLITE_LEVEL, busy, conflict, deadlock, on,
    on_every_engine_but_dirty, safe, serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "All of it in one transaction",
    expected: &[
        on(InnoDb, RU, &[duplicate(120), safe(132)]),
        on(InnoDb, RC_RR, &[duplicate(240), safe(12)]),
        on(InnoDb, SER, &[deadlock(12), safe(30)]),
        on(InnoDbSnapshot, RU, &[duplicate(120), safe(132)]),
        on(InnoDbSnapshot, RC_RR, &[duplicate(240), safe(12)]),
        on(InnoDbSnapshot, SER, &[deadlock(12), safe(30)]),
        on(Postgres, RC_RR, &[duplicate(240), safe(12)]),
        on(Postgres, SER, &[serialization(240), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[conflict(30), busy(50), safe(12)]),
        on(SqliteRollback, SQLITE_LEVEL, &[busy(80), safe(12)]),
    ],
    file: file!(),
    source: include_str!("transaction.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine_but_dirty(&[shipped_incomplete(3), safe(10)], &[safe(6)]);

/// Writes the order in one transaction.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // A client that reads before the commit gets the same number.
    let number = next_number(s, o).await?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    s.commit().await?;
    Ok(Receipt::at_first_try(number))
}
