//! The second way to race: by reading. A statement shows an account's balance together with the
//! transactions that make it up, while other clients deposit.
//!
//! | file | strategy |
//! |---|---|
//! | [`torn`] | `statement_torn`, and `torn` for short |
//! | [`snapshot`] | `statement_snapshot`, and `snapshot` for short |
//!
//! The invariant is the deposits' own, `balance = opening_balance + Σ transactions.amount`, but of
//! what was *read*. It can be broken although it holds in the database at every moment: then the
//! two sides were read at two moments. That is *read skew* (A5A of Berenson et al.). It is also
//! read skew if the list of transactions was read at another moment than their sum. If an update
//! was lost, the account itself does not balance, and neither does any statement of it. The
//! statement then shows the same difference as the account's audit.
//!
//! In the explorer client A reads a statement, and every other client makes a deposit with
//! [`atomic_update`](crate::exhibits::deposits::atomic_update). This is the only use of one exhibit
//! by another: a race between reading and writing needs a writer, and this exhibit has none of its
//! own.

mod anomalies;
mod explored;
mod queries;
mod reader;
pub mod snapshot;
mod statement;
pub mod torn;

pub use anomalies::{ANOMALIES, READ_SKEW};
pub use explored::EXHIBIT;
pub use reader::Reader;
pub use statement::{Statement, StatementRequest};

use queries::{balance, latest, sum};

/// All ways to read a statement, in the order in which they are taught.
pub static READERS: [Reader; 2] = [
    Reader {
        full_name: "statement_torn",
        name: "torn",
        card: &torn::CARD,
        read: |s, wanted| Box::pin(torn::read(s, wanted)),
    },
    Reader {
        full_name: "statement_snapshot",
        name: "snapshot",
        card: &snapshot::CARD,
        read: |s, wanted| Box::pin(snapshot::read(s, wanted)),
    },
];
