//! Books, in which orders are numbered.

use super::tables::PAIRS;
use crate::engine::{Database, Fault, FaultKind};

/// Makes sure that there is this book, so that its numbers can be counted.
///
/// # Errors
/// The engine's fault.
pub async fn open(database: &Database, book: i64) -> Result<(), Fault> {
    let known = "SELECT last_number FROM order_numbers WHERE book = ?";
    if !database.rows(known, &[book.into()]).await?.is_empty() {
        return Ok(());
    }
    let open = "INSERT INTO order_numbers (book, last_number) VALUES (?, 0)";
    match database.run(open, &[book.into()]).await {
        // Somebody else was faster.
        Err(fault) if fault.kind == FaultKind::UniqueViolation => Ok(()),
        opened => opened.map(|_| ()),
    }
}

/// Removes books with all that is in them.
pub(super) async fn remove(database: &Database, books: &[i64]) -> Result<(), Fault> {
    for book in books {
        let mut work = database.begin_work().await?;
        let removed = async {
            for sql in PAIRS.iter().flat_map(|pair| pair.remove).chain(BESIDE) {
                work.run(sql, &[(*book).into()]).await?;
            }
            Ok::<_, Fault>(())
        }
        .await;
        work.end(removed).await?;
    }
    Ok(())
}

const BESIDE: [&str; 3] = [
    "DELETE FROM shipments WHERE book = ?",
    "DELETE FROM order_locks WHERE book = ?",
    "DELETE FROM order_numbers WHERE book = ?",
];
