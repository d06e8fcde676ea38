//! The audit of a book: what is wrong in it. Each anomaly has its name and an example.
//!
//! The audit reads everything from one snapshot. It cannot know which orders were acknowledged. So
//! an order that is being written at this moment looks incomplete, and so does one whose writer was
//! refused half way. Audit a book while no client writes.

use serde::Serialize;
use utoipa::ToSchema;

use super::anomalies::{DUPLICATE_NUMBER, INCOMPLETE_ORDER, MIXED_ORDER, SHIPPED_INCOMPLETE};
use super::tables::Pair;
use crate::engine::{Database, Fault, Row, Session, again};
use crate::step::Unobserved;
use crate::verdict;

/// The contents of a book, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BookAudit)]
pub struct Audit {
    /// The book.
    pub book: i64,
    /// The number of heads in the book.
    pub orders: i64,
    /// The number of lines in the book.
    pub lines: i64,
    /// All kinds of anomalies, also those that were not found, always in the same order.
    pub anomalies: Vec<AnomalyCount>,
}

/// One kind of anomaly, and how often it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BookAnomaly)]
pub struct AnomalyCount {
    /// The kind.
    pub name: AnomalyName,
    /// How often it was found.
    pub count: i64,
    /// One of them, in a sentence; null if there is none.
    pub example: Option<String>,
}

/// The kinds of anomalies in a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BookAnomalyName)]
pub enum AnomalyName {
    /// Two orders or more have the same number.
    DuplicateNumber,
    /// Under one number there are lines of two customers.
    MixedOrder,
    /// An order lacks lines.
    IncompleteOrder,
    /// An order was shipped before all of its lines were there.
    ShippedIncomplete,
    /// An order was not shipped. No anomaly by itself, because it may be waiting.
    NeverShipped,
    /// A number between two others belongs to no order. No anomaly by itself.
    Gap,
}

impl AnomalyName {
    const ALL: [Self; 6] = [
        Self::DuplicateNumber,
        Self::MixedOrder,
        Self::IncompleteOrder,
        Self::ShippedIncomplete,
        Self::NeverShipped,
        Self::Gap,
    ];

    /// The anomaly of a run in which this kind is found. None if it is no anomaly by itself.
    fn anomaly(self) -> Option<&'static verdict::Anomaly> {
        match self {
            Self::DuplicateNumber => Some(&DUPLICATE_NUMBER),
            Self::MixedOrder => Some(&MIXED_ORDER),
            Self::IncompleteOrder => Some(&INCOMPLETE_ORDER),
            Self::ShippedIncomplete => Some(&SHIPPED_INCOMPLETE),
            Self::NeverShipped | Self::Gap => None,
        }
    }
}

impl Audit {
    /// Audits the part of a book that is in these tables.
    pub async fn of(database: &Database, book: i64, pairs: &[&Pair]) -> Result<Self, Fault> {
        again(|| Self::once(database, book, pairs)).await
    }

    async fn once(database: &Database, book: i64, pairs: &[&Pair]) -> Result<Self, Fault> {
        let mut session = database.session(&Unobserved).await?;
        let audited = Self::read(&mut session, book, pairs).await;
        session.end().await;
        audited
    }

    async fn read(s: &mut Session<'_>, book: i64, pairs: &[&Pair]) -> Result<Self, Fault> {
        let mut audit = Self::nothing(book);
        s.begin_snapshot().await?;
        for pair in pairs {
            audit.look_for_wrong_orders(s, pair).await?;
            audit.look_for_what_waits(s, pair).await?;
            audit.look_for_gaps(s, pair).await?;
        }
        audit.look_at_shipments(s).await?;
        s.commit().await?;
        Ok(audit)
    }

    fn nothing(book: i64) -> Self {
        let none = |name| AnomalyCount {
            name,
            count: 0,
            example: None,
        };
        Self {
            book,
            orders: 0,
            lines: 0,
            anomalies: AnomalyName::ALL.map(none).into(),
        }
    }

    /// The worst anomaly of the book. None if nothing is wrong.
    pub fn worst(&self) -> Option<&'static verdict::Anomaly> {
        let found = self.anomalies.iter().filter(|it| it.count > 0);
        found.filter_map(|it| it.name.anomaly()).min()
    }

    fn add(&mut self, name: AnomalyName, count: i64, example: impl FnOnce() -> String) {
        let anomaly = self.anomalies.iter_mut().find(|it| it.name == name);
        if let Some(anomaly) = anomaly.filter(|_| count > 0) {
            anomaly.count += count;
            anomaly.example.get_or_insert_with(example);
        }
    }

    async fn look_for_wrong_orders(
        &mut self,
        s: &mut Session<'_>,
        pair: &Pair,
    ) -> Result<(), Fault> {
        let duplicates = read(s, "look for duplicates", pair.duplicates, self.book).await?;
        if let Some(row) = duplicates.first() {
            let (id, [heads, one, other]) = (pair.id(row)?, numbers(row)?);
            self.add(AnomalyName::DuplicateNumber, count(&duplicates), || {
                format!("{heads} orders have number {id}: those of customers {one} and {other}")
            });
        }
        let mixed = read(s, "look for mixed orders", pair.mixed, self.book).await?;
        if let Some(row) = mixed.first() {
            let (id, [customers, one, other]) = (pair.id(row)?, numbers(row)?);
            self.add(AnomalyName::MixedOrder, count(&mixed), || {
                format!("order {id} has lines of {customers} customers, such as {one} and {other}")
            });
        }
        let incomplete = read(s, "look for incomplete orders", pair.incomplete, self.book).await?;
        if let Some(row) = incomplete.first() {
            let (id, [customer, due, lines]) = (pair.id(row)?, numbers(row)?);
            self.add(AnomalyName::IncompleteOrder, count(&incomplete), || {
                format!("order {id} of customer {customer} has {lines} of its {due} lines")
            });
        }
        Ok(())
    }

    async fn look_for_what_waits(&mut self, s: &mut Session<'_>, pair: &Pair) -> Result<(), Fault> {
        let counts = s.row("count", pair.counts, &[self.book, self.book]).await?;
        let [orders, waiting, lines] = counts.unwrap_or_default();
        self.orders += orders;
        self.lines += lines;
        let first = read(s, "look who waits", pair.first_waiting, self.book).await?;
        if let Some(row) = first.first() {
            let (id, [customer]) = (pair.id(row)?, numbers(row)?);
            self.add(AnomalyName::NeverShipped, waiting, || {
                format!("order {id} of customer {customer} waits for the consumer")
            });
        }
        Ok(())
    }

    async fn look_for_gaps(&mut self, s: &mut Session<'_>, pair: &Pair) -> Result<(), Fault> {
        let Some(sql) = pair.numbers else {
            return Ok(());
        };
        let row = s.row("look for gaps", sql, &[self.book]).await?;
        if let Some([lowest, highest, used]) = row {
            let gaps = highest - lowest + 1 - used;
            self.add(AnomalyName::Gap, gaps, || {
                format!("of the numbers {lowest} to {highest}, {gaps} belong to no order")
            });
        }
        Ok(())
    }

    /// Compares the shipments with the orders, which were counted before.
    async fn look_at_shipments(&mut self, s: &mut Session<'_>) -> Result<(), Fault> {
        let incomplete = "SELECT order_id, customer_no, lines_due, line_count FROM shipments \
                          WHERE book = ? AND line_count < lines_due ORDER BY id";
        let incomplete = read(s, "look at shipments", incomplete, self.book).await?;
        if let Some(row) = incomplete.first() {
            let (id, [customer, due, lines]) = (row.text(0)?, numbers(row)?);
            self.add(AnomalyName::ShippedIncomplete, count(&incomplete), || {
                format!("order {id} of customer {customer} was shipped with {lines} of {due} lines")
            });
        }
        let shipments = "SELECT COUNT(*) FROM shipments WHERE book = ?";
        let shipments = s.read("count shipments", shipments, &[self.book]).await?;
        let marked = self.orders - self.count(AnomalyName::NeverShipped);
        self.add(
            AnomalyName::NeverShipped,
            marked - shipments.unwrap_or_default(),
            || {
                "an order is marked and has no shipment of its own: it shares its number with \
                 another, or the consumer that marked it was interrupted"
                    .to_owned()
            },
        );
        Ok(())
    }

    fn count(&self, name: AnomalyName) -> i64 {
        let found = self.anomalies.iter().filter(|it| it.name == name);
        found.map(|it| it.count).sum()
    }
}

/// Reads the rows of one of the audit's statements.
async fn read(
    s: &mut Session<'_>,
    label: &'static str,
    sql: &'static str,
    book: i64,
) -> Result<Vec<Row>, Fault> {
    s.records(label, sql, &[book]).await
}

/// The integers after a row's first column.
fn numbers<const N: usize>(row: &Row) -> Result<[i64; N], Fault> {
    let mut numbers = [0; N];
    for (column, number) in (1..).zip(&mut numbers) {
        *number = row.integer(column)?;
    }
    Ok(numbers)
}

fn count(rows: &[Row]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}
