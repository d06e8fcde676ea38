//! What is stored in an order book, as the explorer shows it after each step.

use super::tables::{LEGACY, Pair};
use crate::engine::{Database, Fault, Session};
use crate::explore::{Pending, StoredValue, session_to_look_in};

/// Looks at a book.
pub(super) fn look<'a>(
    database: &'a Database,
    book: i64,
    pair: &'static Pair,
) -> Pending<'a, Result<Vec<StoredValue>, Fault>> {
    Box::pin(async move {
        let mut session = session_to_look_in(database).await?;
        let looked = look_in(&mut session, book, pair).await;
        session.end().await;
        looked
    })
}

/// Numbers that the engine draws differ from run to run, so that only those of the legacy interface
/// are named.
async fn look_in(
    s: &mut Session<'_>,
    book: i64,
    pair: &'static Pair,
) -> Result<Vec<StoredValue>, Fault> {
    let counts = s.row("count", pair.counts, &[book, book]).await?;
    let [heads, waiting, lines] = counts.unwrap_or_default();
    let (heads, lines) = if std::ptr::eq(pair, &LEGACY) {
        let heads = s.rows::<1>("look at the heads", HEADS, &[book]).await?;
        let lines = s.rows::<1>("look at the lines", LINES, &[book]).await?;
        (numbers(&heads), numbers(&lines))
    } else {
        (heads.to_string(), lines.to_string())
    };
    Ok(vec![
        StoredValue::new("heads", heads),
        StoredValue::new("lines", lines),
        StoredValue::new("heads to ship", waiting),
    ])
}

const HEADS: &str = "SELECT id FROM order_head WHERE book = ? ORDER BY id";
const LINES: &str = "SELECT order_id FROM orderline WHERE book = ? ORDER BY order_id";

/// The numbers of orders, one for each row.
fn numbers(rows: &[[Option<i64>; 1]]) -> String {
    let numbers = rows.iter().flatten().flatten();
    let numbers: Vec<_> = numbers.map(|it| format!("no. {it}")).collect();
    if numbers.is_empty() {
        "none".to_owned()
    } else {
        numbers.join(", ")
    }
}
