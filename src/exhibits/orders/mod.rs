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
//! Most of them write into the [legacy interface](LEGACY), two tables without a unique key. Orders
//! are numbered within a *book*. Clients race for a book's numbers as they race for an account's
//! balance in the deposits. What a strategy promises, it promises for books into which all clients
//! write with that strategy.
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
pub mod max_id_head_first;
pub mod max_id_lines_first;
pub mod number_table;
mod order;
pub mod single_writer;
mod tables;
pub mod token_claim;
pub mod transaction;
pub mod transaction_locking_read;
pub mod uuid_v7;

use std::pin::Pin;
use std::time::Duration;

pub use anomalies::{
    ANOMALIES, DUPLICATE_NUMBER, INCOMPLETE_ORDER, MIXED_ORDER, SHIPPED_INCOMPLETE,
};
pub use order::{
    DeliveryDate, Drawn, ITEMS, ItemNo, MOST_LINES, MOST_OF_AN_ITEM, Order, OrderId, OrderLine,
};
pub use tables::{LEGACY, NAMED, NUMBERED, PAIRS, Pair};

use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;
use crate::verdict::Outcome;

/// What a strategy says of an order that it has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the order is known by; none where the strategy cannot learn it.
    pub order: Option<OrderId>,
    /// How often it was tried, this last time included.
    pub attempts: u32,
}

impl Receipt {
    /// An order that was written at the first try.
    fn at_first_try(order: impl Into<OrderId>) -> Self {
        Self {
            order: Some(order.into()),
            attempts: 1,
        }
    }
}

/// Why a strategy did not write an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Every attempt was lost to somebody else.
    GaveUp {
        /// How many there were.
        attempts: u32,
    },
    /// The engine refused.
    Engine(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

/// An order that was not acknowledged: why, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why it was not written.
    pub refusal: Refusal,
    /// What became of it; never [`Outcome::Applied`].
    pub outcome: Outcome,
}

impl From<Fault> for Failure {
    /// A fault before anything was begun.
    fn from(fault: Fault) -> Self {
        Self {
            refusal: fault.into(),
            outcome: Outcome::Refused,
        }
    }
}

/// What a strategy's function returns.
pub type Writing<'f> = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send + 'f>>;

/// One way to write an order, as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name, which is also its endpoint.
    pub name: &'static str,
    /// Its name among the strategies of all exhibits.
    pub full_name: &'static str,
    /// That name where one of its clients is the consumer.
    name_beside_the_consumer: &'static str,
    /// What its file says about it, where two write.
    pub card: &'static Card,
    /// What is expected where one writes and the consumer reads.
    pub beside_the_consumer: &'static [Expectation],
    /// Where it writes.
    pub pair: &'static Pair,
    /// How many lines an order has in the explorer.
    pub lines_explored: usize,
    /// The function itself.
    pub write: for<'f> fn(&'f mut Session<'_>, &'f Order) -> Writing<'f>,
}

macro_rules! strategy {
    ($name:ident, $pair:ident, lines_explored: $lines_explored:literal) => {
        Strategy {
            name: stringify!($name),
            full_name: concat!("orders/", stringify!($name)),
            name_beside_the_consumer: concat!("orders/", stringify!($name), ", consumer"),
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

pub use explored::{BESIDE_THE_CONSUMER, BesideTheConsumer};

impl Strategy {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|strategy| strategy.name == name)
    }

    /// Whether nothing may ever go wrong on this engine at its isolation level, neither among writers nor beside the
    /// consumer. Refusals may be many.
    pub fn must_be_safe_on(&self, engine: &Engine) -> bool {
        let consumed = Expectation::on(engine, self.beside_the_consumer);
        self.card.must_be_safe_on(engine) && consumed.is_some_and(Expectation::is_safe)
    }

    /// Writes one order on a connection from the pool, into a book that is [open](books::open). `pauses` says how long
    /// to pause before each further attempt, and with that how many there may be.
    ///
    /// # Errors
    /// The refusal, and whether it left anything behind.
    pub async fn perform(
        &self,
        database: &Database,
        order: &Order,
        pauses: Vec<Duration>,
        observer: &dyn Observer,
    ) -> Result<Receipt, Failure> {
        let session = database.session(observer).await?;
        self.perform_in(session.pausing(pauses), order).await
    }

    /// As [`perform`](Self::perform), in a session that is there already.
    ///
    /// # Errors
    /// As [`perform`](Self::perform).
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        order: &Order,
    ) -> Result<Receipt, Failure> {
        let result = (self.write)(&mut session, order).await;
        let kept = session.end().await;
        result.map_err(|refusal| Failure {
            refusal,
            outcome: Outcome::of_what_was_kept(kept),
        })
    }
}

/// The number after the highest in the book.
async fn next_number(s: &mut Session<'_>, o: &Order) -> Result<i64, Fault> {
    let highest = s
        .read(
            "read highest number",
            "SELECT MAX(id) FROM order_head WHERE book = ?",
            &[o.book],
        )
        .await?;
    Ok(highest.unwrap_or_default() + 1)
}

/// How often a statement is tried without which others would be kept waiting.
const TRIES: u64 = 30;

/// Runs a statement by which a writer makes room for others. It is tried again where the engine refuses it because of
/// somebody else's: PostgreSQL at SERIALIZABLE does so with single statements that overlap. The pauses grow, and a schedule
/// in which one statement ends before the next begins has none.
async fn tidy_up(
    s: &mut Session<'_>,
    label: &'static str,
    sql: &'static str,
    args: &[i64],
) -> Result<(), Fault> {
    for lost in 1..TRIES {
        match s.run(label, sql, args).await {
            Ok(_) => return Ok(()),
            Err(fault) if fault.kind.is_collision() => {}
            Err(fault) => return Err(fault),
        }
        tokio::time::sleep(Duration::from_millis(lost)).await;
    }
    s.run(label, sql, args).await.map(|_| ())
}

/// Writes the head, for the consumer to take.
async fn insert_head(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
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
}

/// Writes the lines, each by a statement of its own.
async fn insert_lines(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
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
}
