//! # The client names its order
//!
//! A UUID, version 7: 48 bits of the time in milliseconds and 74 random ones. Clients need not talk
//! to each other, nor to a database, before they have a name for something.
//!
//! ## Why it holds
//!
//! No client asks for a number, so no two can get the same. (If a billion names are drawn in one
//! millisecond, the chance that two are the same is one in 40 000.) The key is unique all the same,
//! and would refuse the second. Head and lines are in one transaction, so the consumer sees all of
//! an order or nothing.
//!
//! The client knows the name *before* it writes. It can send the same order again, and the key says
//! whether it was written.
//!
//! Version 7 rather than 4, because its names grow with time: new rows go to the end of the index,
//! as with a counter. In return, every reader of the name learns when it was made.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two writers have 70 schedules (with one line each; on SQLite 24), and all are
//! safe. Beside the consumer there is none either, except at InnoDB's READ UNCOMMITTED, where 3 of
//! 12 ship an order incomplete.
//!
//! ## What it costs
//!
//! A person cannot say it on the phone. It is stored as text here, 36 bytes instead of 16, so that
//! one statement is right for every engine and a timeline can be read. For a large table use
//! PostgreSQL's own `uuid` and MySQL's `BINARY(16)`.
//!
//! ## Where people meet it
//!
//! Where rows are made in several places: offline clients, several databases, queues.

use super::anomalies::shipped_incomplete;
use super::{Order, OrderId, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, Expectation, POSTGRES_LEVELS, SQLITE_LEVEL, on, on_every_engine_but_dirty,
    safe,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The client names its order",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(70)]),
        on(InnoDbSnapshot, EVERY_LEVEL, &[safe(70)]),
        on(Postgres, POSTGRES_LEVELS, &[safe(70)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(24)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(24)]),
    ],
    file: file!(),
    source: include_str!("uuid_v7.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine_but_dirty(&[shipped_incomplete(3), safe(9)], &[safe(5)]);

/// Writes the order in one transaction, under a name that it has already.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let name = o.drawn.uuid.to_string();
    s.begin().await?;
    s.run(
        "insert head",
        "INSERT INTO uuid_orders (id, book, customer_no, delivery_date, line_count) \
         VALUES (?, ?, ?, ?, ?)",
        [
            name.as_str().into(),
            o.book.into(),
            o.customer_no.into(),
            o.delivery_date.number().into(),
            o.line_count().into(),
        ],
    )
    .await?;
    for line in &o.lines {
        s.run(
            "insert line",
            "INSERT INTO uuid_order_items (order_id, book, item_no, quantity, written_by) \
             VALUES (?, ?, ?, ?, ?)",
            [
                name.as_str().into(),
                o.book.into(),
                line.item_no.into(),
                line.quantity.into(),
                o.customer_no.into(),
            ],
        )
        .await?;
    }
    s.commit().await?;
    Ok(Receipt::at_first_try(OrderId::Uuid(name)))
}
