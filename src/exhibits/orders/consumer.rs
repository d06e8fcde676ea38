//! The consumer, the ERP's side: ships the orders that wait.
//!
//! Such a program reads the heads that are not processed. For each head it reads the lines and
//! marks the head. It runs every few minutes, each statement commits by itself, and it cannot be
//! changed. It ignores how many lines a head says it has. In the lab it records that number, so
//! that the audit can tell which orders were shipped incomplete.
//!
//! Two consumers at once ship nothing twice, because the mark says which was first. A mark is for a
//! *number*: of two heads with the same one, one shipment is made, with the lines of both.

use serde::Serialize;
use utoipa::ToSchema;

use super::tables::Pair;
use super::{OrderId, PAIRS};
use crate::engine::{Database, Fault, Session};
use crate::step::{Argument, Observer};

/// A shipped order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Shipment {
    /// Its number or UUID.
    pub order: OrderId,
    /// The customer who gets it.
    pub customer_no: i64,
    /// How many lines were found.
    pub lines: i64,
}

/// A head that waits for the consumer.
struct WaitingHead {
    order: OrderId,
    customer_no: i64,
    lines_due: i64,
}

/// Ships all orders that wait in a book, on a connection from the pool.
///
/// # Errors
/// The engine's fault. Orders that were shipped before it are on record.
pub async fn perform(
    database: &Database,
    book: i64,
    observer: &dyn Observer,
) -> Result<Vec<Shipment>, Fault> {
    let mut session = database.session(observer).await?;
    let mut shipped = Vec::new();
    let mut processed = Ok(());
    for pair in PAIRS {
        if processed.is_ok() {
            processed = process(&mut session, book, pair, &mut shipped).await;
        }
    }
    session.end().await;
    processed.map(|()| shipped)
}

/// Ships all orders of a book that wait in one pair of tables, and adds them to `shipped`.
pub(super) async fn process(
    s: &mut Session<'_>,
    book: i64,
    pair: &Pair,
    shipped: &mut Vec<Shipment>,
) -> Result<(), Fault> {
    for head in waiting(s, book, pair).await? {
        let of_order = || [book.into(), Argument::from(&head.order)];
        // Lines that are written after this are not shipped.
        let quantities = s.rows::<1>("read lines", pair.lines, of_order()).await?;
        let quantity: i64 = quantities.iter().flatten().flatten().sum();
        let lines = i64::try_from(quantities.len()).unwrap_or(i64::MAX);
        if s.run("mark head", pair.mark, of_order()).await? == 0 {
            // Another consumer was faster, or the mark was made for another head with the same
            // number.
            continue;
        }
        s.write(
            "record shipment",
            lines,
            "INSERT INTO shipments (book, order_id, customer_no, line_count, lines_due, quantity) \
             VALUES (?, ?, ?, ?, ?, ?)",
            [
                book.into(),
                head.order.to_string().as_str().into(),
                head.customer_no.into(),
                lines.into(),
                head.lines_due.into(),
                quantity.into(),
            ],
        )
        .await?;
        shipped.push(Shipment {
            order: head.order,
            customer_no: head.customer_no,
            lines,
        });
    }
    Ok(())
}

async fn waiting(s: &mut Session<'_>, book: i64, pair: &Pair) -> Result<Vec<WaitingHead>, Fault> {
    let rows = s.records("read heads", pair.waiting, &[book]).await?;
    let waiting = rows.iter().map(|row| {
        Ok(WaitingHead {
            order: pair.id(row)?,
            customer_no: row.integer(1)?,
            lines_due: row.integer(2)?,
        })
    });
    waiting.collect()
}
