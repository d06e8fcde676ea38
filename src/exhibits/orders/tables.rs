//! Where orders are kept: three pairs of tables, each of heads and lines, with the same columns.

use super::OrderId;
use crate::engine::{Fault, Row};

/// A pair of tables, and what the consumer and the audit ask of it.
#[derive(Debug)]
pub struct Pair {
    /// Whether an order is known by a UUID.
    by_uuid: bool,
    /// The heads that wait, of a book: id, customer, lines due.
    pub(super) waiting: &'static str,
    /// The quantities of the lines of a book's order.
    pub(super) lines: &'static str,
    /// Marks the heads of a book's order.
    pub(super) mark: &'static str,
    /// How many heads are in a book, how many of them wait, and how many lines.
    pub(super) counts: &'static str,
    /// The first of the heads that wait, of a book.
    pub(super) first_waiting: &'static str,
    /// The ids in a book that several heads have: id, heads, two of the customers.
    pub(super) duplicates: &'static str,
    /// The ids in a book whose lines are of several customers: id, customers, two of them.
    pub(super) mixed: &'static str,
    /// The heads in a book that have fewer lines of their own than are due: id, customer, lines due, lines.
    pub(super) incomplete: &'static str,
    /// The lowest and the highest number in a book, and how many of those between are in use; none where ids are no
    /// numbers.
    pub(super) numbers: Option<&'static str>,
    /// Removes a book's lines, and then its heads.
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
                "SELECT order_id, COUNT(DISTINCT written_by), MIN(written_by), MAX(written_by) FROM ",
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

/// The legacy interface: no number is unique.
pub static LEGACY: Pair = pair!(
    "order_head", "orderline",
    by_uuid: false,
    numbers: Some(
        "SELECT b.lowest, b.highest, (SELECT COUNT(DISTINCT n.id) FROM order_head n \
             WHERE n.book = b.book AND n.id BETWEEN b.lowest AND b.highest) \
         FROM (SELECT book, MIN(id) AS lowest, MAX(id) AS highest FROM order_head \
               WHERE book = ? GROUP BY book) b"
    )
);

/// Numbered by the engine. It counts through all books, so that the numbers between two of a book's are other books'.
pub static NUMBERED: Pair = pair!(
    "orders", "order_items",
    by_uuid: false,
    numbers: Some(
        "SELECT b.lowest, b.highest, (SELECT COUNT(*) FROM orders n \
             WHERE n.id BETWEEN b.lowest AND b.highest) \
         FROM (SELECT book, MIN(id) AS lowest, MAX(id) AS highest FROM orders \
               WHERE book = ? GROUP BY book) b"
    )
);

/// Named by the client.
pub static NAMED: Pair = pair!(
    "uuid_orders", "uuid_order_items",
    by_uuid: true,
    numbers: None
);

/// All of them.
pub static PAIRS: [&Pair; 3] = [&LEGACY, &NUMBERED, &NAMED];

impl Pair {
    /// What the order of this row is known by.
    pub(super) fn id(&self, row: &Row) -> Result<OrderId, Fault> {
        match self.by_uuid {
            true => row.text(0).map(OrderId::Uuid),
            false => row.integer(0).map(OrderId::Number),
        }
    }
}
