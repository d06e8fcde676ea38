//! The second exhibit: orders. Clients race for an order's number, and a consumer may read an order
//! that is half written.
//!
//! Each strategy is a file of its own, to be read top to bottom. Begin with [`max_id_head_first`].
//! This file is their registry.
//!
//! | file | how an order gets its number |
//! |---|---|
//! | [`max_id_head_first`] | the highest number plus one; the head, then the lines |
//! | [`max_id_lines_first`] | the same; the lines, then the head |
//! | [`insert_select_max`] | the same, within the `INSERT` |
//! | [`token_claim`] | by a claim, which is withdrawn if another client has claimed the same |
//! | [`bakery`] | as the first, one client at a time, by Lamport's bakery |
//! | [`transaction`] | as the first, in a transaction |
//! | [`transaction_locking_read`] | the same, with a lock on what it reads |
//! | [`auto_increment`] | from the engine |
//! | [`uuid_v7`] | the client names it |
//! | [`number_table`] | from a row that counts |
//! | [`single_writer`] | as the first, one client at a time, by a named lock |
//!
//! Most of them write into the legacy interface: two tables without a unique key (`tables.rs`).
//! Orders are numbered within a *book*. Clients race for a book's numbers as they race for an
//! account's balance in the deposits. What a strategy promises, it promises for books into which
//! all clients write with that strategy.
//!
//! The invariant of the exhibit: an order's number belongs to no other order, its own lines and no
//! others are under it, and the [consumer] never ships fewer. The [audit] says whether it holds.

mod anomalies;
pub mod audit;
pub mod auto_increment;
pub mod bakery;
pub mod books;
pub mod consumer;
mod explored;
pub mod insert_select_max;
mod legacy;
mod look;
pub mod max_id_head_first;
pub mod max_id_lines_first;
pub mod number_table;
mod order;
mod receipt;
mod refusal;
pub mod single_writer;
mod strategy;
mod tables;
pub mod token_claim;
pub mod transaction;
pub mod transaction_locking_read;
pub mod uuid_v7;

pub use anomalies::{
    ANOMALIES, DUPLICATE_NUMBER, INCOMPLETE_ORDER, MIXED_ORDER, SHIPPED_INCOMPLETE,
};
pub use explored::EXHIBIT;
pub use order::{
    DeliveryDate, ITEMS, ItemNo, MOST_LINES, MOST_OF_AN_ITEM, Order, OrderId, OrderLine, RandomIds,
};
pub use receipt::Receipt;
pub use refusal::{Failure, Refusal};
pub use strategy::Strategy;
pub use tables::{PAIRS, Pair};

use legacy::{insert_head, insert_lines, next_number, tidy_up};
use tables::{LEGACY, NAMED, NUMBERED};

macro_rules! strategy {
    ($name:ident, $pair:ident, lines_explored: $lines_explored:literal) => {
        Strategy {
            name: stringify!($name),
            full_name: concat!("orders/", stringify!($name)),
            card: &$name::CARD,
            beside_the_consumer: $name::BESIDE_THE_CONSUMER,
            pair: &$pair,
            lines_explored: $lines_explored,
            write: |s, o| Box::pin($name::write(s, o)),
        }
    };
}

/// All strategies of the exhibit, in the order in which they are taught.
pub static STRATEGIES: [Strategy; 11] = [
    strategy!(max_id_head_first, LEGACY, lines_explored: 2),
    strategy!(max_id_lines_first, LEGACY, lines_explored: 2),
    strategy!(insert_select_max, LEGACY, lines_explored: 2),
    strategy!(token_claim, LEGACY, lines_explored: 1),
    strategy!(bakery, LEGACY, lines_explored: 1),
    strategy!(transaction, LEGACY, lines_explored: 1),
    strategy!(transaction_locking_read, LEGACY, lines_explored: 1),
    strategy!(auto_increment, NUMBERED, lines_explored: 1),
    strategy!(uuid_v7, NAMED, lines_explored: 1),
    strategy!(number_table, LEGACY, lines_explored: 2),
    strategy!(single_writer, LEGACY, lines_explored: 2),
];
