//! Books, within which orders are numbered.

use crate::engine::{Database, Fault, FaultKind};

/// Creates the book if it does not exist, so that its numbers can be counted.
pub async fn open(database: &Database, book: i64) -> Result<(), Fault> {
    let known = "SELECT last_number FROM order_numbers WHERE book = ?";
    if !database.rows(known, &[book.into()]).await?.is_empty() {
        return Ok(());
    }
    let open = "INSERT INTO order_numbers (book, last_number) VALUES (?, 0)";
    match database.execute(open, &[book.into()]).await {
        // Another client has opened it meanwhile.
        Err(fault) if fault.kind == FaultKind::UniqueViolation => Ok(()),
        opened => opened.map(|_| ()),
    }
}
