//! What can go wrong with an order book.

use crate::exhibits::card::{Count, anomalous};
use crate::verdict::Anomaly;

/// Two orders have the same number, and with it the same lines.
pub static DUPLICATE_NUMBER: Anomaly = Anomaly {
    rank: 0,
    name: "duplicate_number",
    title: "duplicate order number",
    does: "gives a number twice",
    word: "duplicate",
    meaning: "a number is given twice",
};

/// Under an order's number there are lines of another order.
pub static MIXED_ORDER: Anomaly = Anomaly {
    rank: 1,
    name: "mixed_order",
    title: "mixed order",
    does: "mixes two orders up",
    word: "mixed",
    meaning: "lines stand under the number of another order",
};

/// An order lacks lines.
pub static INCOMPLETE_ORDER: Anomaly = Anomaly {
    rank: 2,
    name: "incomplete_order",
    title: "incomplete order",
    does: "leaves an order without lines",
    word: "incomplete",
    meaning: "an order is left without some of its lines",
};

/// The book is right, but an order was shipped before all of its lines were there.
pub static SHIPPED_INCOMPLETE: Anomaly = Anomaly {
    rank: 3,
    name: "shipped_incomplete",
    title: "shipped incomplete",
    does: "has an order shipped incomplete",
    word: "shipped incomplete",
    meaning: "the consumer ships an order without some of its lines",
};

/// All of them, the worst first.
pub static ANOMALIES: [&Anomaly; 4] = [
    &DUPLICATE_NUMBER,
    &MIXED_ORDER,
    &INCOMPLETE_ORDER,
    &SHIPPED_INCOMPLETE,
];

/// The number of schedules in which two orders have the same number.
pub(super) const fn duplicate(schedules: u64) -> Count {
    anomalous(&DUPLICATE_NUMBER, schedules)
}

/// The number of schedules in which lines stand under the number of another order.
pub(super) const fn mixed(schedules: u64) -> Count {
    anomalous(&MIXED_ORDER, schedules)
}

/// The number of schedules in which an order is shipped before all of its lines are there.
pub(super) const fn shipped_incomplete(schedules: u64) -> Count {
    anomalous(&SHIPPED_INCOMPLETE, schedules)
}
