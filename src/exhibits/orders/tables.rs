//! The tables of orders: three pairs with the same columns, each of heads and lines.

use super::OrderId;
use crate::engine::{Fault, Row};

/// A pair of tables, and the statements that the consumer and the audit run on it.
#[derive(Debug)]
pub struct Pair {
    /// Whether an order's id is a UUID.
    by_uuid: bool,
    /// Reads the heads of a book that wait for the consumer: id, customer, lines due.
    pub(super) waiting: &'static str,
    /// Reads the quantities of an order's lines.
    pub(super) lines: &'static str,
    /// Marks an order's head as processed.
    pub(super) mark: &'static str,
    /// Counts a book's heads, its waiting heads, and its lines.
    pub(super) counts: &'static str,
    /// Reads the first head of a book that waits.
    pub(super) first_waiting: &'static str,
    /// Reads the ids in a book that several heads share: id, heads, two of the customers.
    pub(super) duplicates: &'static str,
    /// Reads the ids in a book with lines of several customers: id, customers, two of them.
    pub(super) mixed: &'static str,
    /// Reads the heads of a book with fewer lines of their own than are due: id, customer, lines
    /// due, lines.
    pub(super) incomplete: &'static str,
    /// Reads the lowest and the highest number of a book, and how many of the numbers from the one
    /// to the other are in use. None if ids are not numbers.
    pub(super) numbers: Option<&'static str>,
    /// Delete a book's lines, and then its heads.
    pub(super) remove: [&'static str; 2],
}

macro_rules! pair {
    ($head:literal, $line:literal, by_uuid: $by_uuid:literal, numbers: $numbers:expr) => {
        Pair {
            by_uuid: $by_uuid,
            waiting: concat!(
                "SELECT id, customer_no, line_count FROM ",
                $head,
                " WHERE book = ? AND processed = 0 ORDER BY id"
            ),
            lines: concat!(
                "SELECT quantity FROM ",
                $line,
                " WHERE book = ? AND order_id = ?"
            ),
            mark: concat!(
                "UPDATE ",
                $head,
                " SET processed = 1 WHERE book = ? AND id = ? AND processed = 0"
            ),
            counts: concat!(
                "SELECT COUNT(*), CAST(COALESCE(SUM(1 - h.processed), 0) AS SIGNED), \
                     (SELECT COUNT(*) FROM ",
                $line,
                " l WHERE l.book = ?) FROM ",
                $head,
                " h WHERE h.book = ?"
            ),
            first_waiting: concat!(
                "SELECT id, customer_no FROM ",
                $head,
                " WHERE book = ? AND processed = 0 ORDER BY id LIMIT 1"
            ),
            duplicates: concat!(
                "SELECT id, COUNT(*), MIN(customer_no), MAX(customer_no) FROM ",
                $head,
                " WHERE book = ? GROUP BY id HAVING COUNT(*) > 1 ORDER BY id"
            ),
            mixed: concat!(
                "SELECT order_id, COUNT(DISTINCT written_by), MIN(written_by), MAX(written_by) \
                 FROM ",
                $line,
                " WHERE book = ? GROUP BY order_id \
                 HAVING COUNT(DISTINCT written_by) > 1 ORDER BY order_id"
            ),
            incomplete: concat!(
                "SELECT h.id, h.customer_no, h.line_count, COUNT(l.order_id) FROM ",
                $head,
                " h LEFT JOIN ",
                $line,
                " l ON l.book = h.book AND l.order_id = h.id AND l.written_by = h.customer_no \
                 WHERE h.book = ? GROUP BY h.id, h.customer_no, h.line_count \
                 HAVING COUNT(l.order_id) < h.line_count ORDER BY h.id"
            ),
            numbers: $numbers,
            remove: [
                concat!("DELETE FROM ", $line, " WHERE book = ?"),
                concat!("DELETE FROM ", $head, " WHERE book = ?"),
            ],
        }
    };
}

/// The legacy interface, in which no number is unique.
pub(super) static LEGACY: Pair = pair!(
    "order_head", "orderline",
    by_uuid: false,
    numbers: Some(
        "SELECT b.lowest, b.highest, (SELECT COUNT(DISTINCT n.id) FROM order_head n \
             WHERE n.book = b.book AND n.id BETWEEN b.lowest AND b.highest) \
         FROM (SELECT book, MIN(id) AS lowest, MAX(id) AS highest FROM order_head \
               WHERE book = ? GROUP BY book) b"
    )
);

/// The tables whose orders are numbered by the engine. It counts through all books, so a number
/// between two of a book may belong to another book.
pub(super) static NUMBERED: Pair = pair!(
    "orders", "order_items",
    by_uuid: false,
    numbers: Some(
        "SELECT b.lowest, b.highest, (SELECT COUNT(*) FROM orders n \
             WHERE n.id BETWEEN b.lowest AND b.highest) \
         FROM (SELECT book, MIN(id) AS lowest, MAX(id) AS highest FROM orders \
               WHERE book = ? GROUP BY book) b"
    )
);

/// The tables whose orders are named by the client.
pub(super) static NAMED: Pair = pair!(
    "uuid_orders", "uuid_order_items",
    by_uuid: true,
    numbers: None
);

/// All pairs.
pub static PAIRS: [&Pair; 3] = [&LEGACY, &NUMBERED, &NAMED];

impl Pair {
    /// The id of the order that a row is about.
    pub(super) fn id(&self, row: &Row) -> Result<OrderId, Fault> {
        if self.by_uuid {
            row.text(0).map(OrderId::Uuid)
        } else {
            row.integer(0).map(OrderId::Number)
        }
    }
}
