//! The statements on the legacy interface that several strategies share.

use std::time::Duration;

use super::Order;
use crate::engine::{Fault, Session, shared_work};

/// The number after the highest in the book.
#[track_caller]
pub(super) fn next_number(
    s: &mut Session<'_>,
    o: &Order,
) -> impl Future<Output = Result<i64, Fault>> {
    shared_work!(s, {
        let highest = s
            .read(
                "read highest number",
                "SELECT MAX(id) FROM order_head WHERE book = ?",
                &[o.book],
            )
            .await?;
        Ok(highest.unwrap_or_default() + 1)
    })
}

/// Attempts at a clean-up statement. Without it, other writers would stay blocked.
const TRIES: u64 = 30;

/// Runs a clean-up statement, by which a writer makes room for others. A collision is tried again:
/// PostgreSQL at SERIALIZABLE refuses even single statements that overlap. The pauses grow. In the
/// explorer there are none, because one statement ends before the next begins.
#[track_caller]
pub(super) fn tidy_up(
    s: &mut Session<'_>,
    label: &'static str,
    sql: &'static str,
    args: &[i64],
) -> impl Future<Output = Result<(), Fault>> {
    shared_work!(s, {
        for lost in 1..TRIES {
            match s.run(label, sql, args).await {
                Ok(_) => return Ok(()),
                Err(fault) if fault.kind.is_collision() => {}
                Err(fault) => return Err(fault),
            }
            tokio::time::sleep(Duration::from_millis(lost)).await;
        }
        s.run(label, sql, args).await.map(|_| ())
    })
}

/// Writes the head, which the consumer may take from now on.
#[track_caller]
pub(super) fn insert_head(
    s: &mut Session<'_>,
    o: &Order,
    number: i64,
) -> impl Future<Output = Result<(), Fault>> {
    shared_work!(s, {
        s.write(
            "insert head",
            number,
            "INSERT INTO order_head (book, id, customer_no, delivery_date, processed, line_count) \
         VALUES (?, ?, ?, ?, 0, ?)",
            &[
                o.book,
                number,
                o.customer_no,
                o.delivery_date.number(),
                o.line_count(),
            ],
        )
        .await?;
        Ok(())
    })
}

/// Writes the lines, one statement each.
#[track_caller]
pub(super) fn insert_lines(
    s: &mut Session<'_>,
    o: &Order,
    number: i64,
) -> impl Future<Output = Result<(), Fault>> {
    shared_work!(s, {
        for line in &o.lines {
            s.write(
                "insert line",
                number,
                "INSERT INTO orderline (book, order_id, item_no, quantity, written_by) \
             VALUES (?, ?, ?, ?, ?)",
                [
                    o.book.into(),
                    number.into(),
                    line.item_no.into(),
                    line.quantity.into(),
                    o.customer_no.into(),
                ],
            )
            .await?;
        }
        Ok(())
    })
}
