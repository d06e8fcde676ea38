//! # Read one after the other
//!
//! The balance with one query, the transactions with the next, each in autocommit.
//!
//! ## Why it breaks
//!
//! Each query sees the database as it is when the query begins. Between two of them a deposit can
//! be committed. Then the balance is from before the deposit and the transactions are from after
//! it. Both are right, and they do not belong together: *read skew*. Nothing is lost, and a second
//! look shows a statement that balances. What the first look led to (a report, an alarm, a
//! "correction" of the balance) stays.
//!
//! A higher isolation level does not help: it holds within a transaction, and here each query is
//! one of its own. A lower one makes it worse. At READ UNCOMMITTED InnoDB shows the balance as soon
//! as the deposit has written it, and the transaction as soon as it is inserted. Both are long
//! before the commit: a dirty read.
//!
//! ## The smallest schedule that breaks it
//!
//! ```text
//! A A              A reads a balance of 0, and transactions of 0
//!     B B B B B    B deposits 100, commits
//! A                A lists a transaction of 100
//! ```
//!
//! (`racy explore statement_torn` finds it, and `--schedule 'A A B B B B B A'` runs it again. With
//! 'A B B B B B A A' it is the balance that does not belong to the rest.)
//!
//! Of 56 schedules 20 break it. In 5 B's commit comes between A's first query and the second: then
//! the balance lacks what the transactions have. In 15 it comes between the second and the third:
//! then balance and sum agree, and the list shows a transaction more. At READ UNCOMMITTED 31 do. In
//! four of those the balance has what the transactions do not have yet.
//!
//! ## What it costs
//!
//! Three round trips, no lock, no waiting. The snapshot costs two round trips more.
//!
//! ## Where people meet it
//!
//! In ORMs, when a page shows `account.balance` and then walks through `account.transactions`.
//! Django, Rails and most others read outside any transaction unless told otherwise.

use super::anomalies::skewed;
use super::{Statement, StatementRequest, balance, latest, sum};
use crate::engine::{Fault, Session};
use crate::exhibits::card::{Card, Count, on_every_engine_but_dirty, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Read one after the other",
    expected: &on_every_engine_but_dirty(DIRTY, BETWEEN_TWO_QUERIES),
    file: file!(),
    source: include_str!("torn.rs"),
};

const BETWEEN_TWO_QUERIES: &[Count] = &[skewed(20), safe(36)];
const DIRTY: &[Count] = &[skewed(31), safe(25)];

/// Reads the statement query by query.
pub async fn read(
    s: &mut Session<'_>,
    wanted: &StatementRequest,
) -> Result<Option<Statement>, Fault> {
    let Some(held) = balance(s, wanted).await? else {
        return Ok(None);
    };
    // A deposit that is committed here is in the transactions and not in the balance.
    let recorded = sum(s, wanted).await?;
    let latest = latest(s, wanted).await?;
    Ok(Some(Statement::new(wanted, held, recorded, latest)))
}
