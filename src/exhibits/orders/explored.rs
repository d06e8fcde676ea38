//! An order strategy as the explorer sees it: clients that write into a book opened for them, or one that consumes
//! what the others write.

use std::sync::Arc;

use super::audit::Audit;
use super::order::uuid_v7;
use super::{
    ANOMALIES, DeliveryDate, Failure, ITEMS, Order, OrderLine, PAIRS, RandomIds, Refusal,
    STRATEGIES, Strategy, consumer,
};
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::card::Expectation;
use crate::explore::{Cast, Client, Ended, Moment, Pending, Row, Subject, Trace, refusal};
use crate::verdict::{Anomaly, Outcome, Verdict};

/// Opens book 1 with one order, as the explorer's books are.
const SET_UP: &str = "DELETE FROM order_head WHERE book = 1;\n\
     DELETE FROM orderline WHERE book = 1;\n\
     DELETE FROM order_items WHERE book = 1;\n\
     DELETE FROM orders WHERE book = 1;\n\
     DELETE FROM uuid_order_items WHERE book = 1;\n\
     DELETE FROM uuid_orders WHERE book = 1;\n\
     DELETE FROM order_locks WHERE book = 1;\n\
     DELETE FROM shipments WHERE book = 1;\n\
     DELETE FROM order_numbers WHERE book = 1;\n\
     INSERT INTO order_numbers (book, last_number) VALUES (1, 1);\n\
     INSERT INTO order_head (book, id, customer_no, delivery_date, processed, line_count) VALUES (1, 1, 100, 20261201, 1, 1);\n\
     INSERT INTO orderline (book, order_id, item_no, quantity, written_by) VALUES (1, 1, '10105', 1, 100);";

/// Shows what is in book 1.
const LOOK: &str = "SELECT * FROM order_head WHERE book = 1 ORDER BY id;\n\
     SELECT * FROM orderline WHERE book = 1 ORDER BY order_id;\n\
     SELECT * FROM orders WHERE book = 1;\n\
     SELECT * FROM order_items WHERE book = 1;\n\
     SELECT * FROM uuid_orders WHERE book = 1;\n\
     SELECT * FROM uuid_order_items WHERE book = 1;\n\
     SELECT * FROM shipments WHERE book = 1;";

/// The customer of client A; B's is the next.
const FIRST_CUSTOMER: i64 = 101;

/// A strategy, where client A is the consumer and every other writes.
#[derive(Debug, Clone, Copy)]
pub struct BesideTheConsumer(pub &'static Strategy);

/// All strategies, each beside the consumer.
pub static BESIDE_THE_CONSUMER: [BesideTheConsumer; STRATEGIES.len()] = {
    let mut all = [BesideTheConsumer(&STRATEGIES[0]); STRATEGIES.len()];
    let mut number = 0;
    while number < STRATEGIES.len() {
        all[number] = BesideTheConsumer(&STRATEGIES[number]);
        number += 1;
    }
    all
};

impl BesideTheConsumer {
    /// What is expected on this engine at its isolation level.
    pub fn expected_on(&self, engine: &Engine) -> Option<&'static Expectation> {
        Expectation::on(engine, self.0.beside_the_consumer)
    }
}

/// What is the same of both subjects.
macro_rules! of_books {
    () => {
        fn open<'a>(
            &'a self,
            database: &'a Database,
            count: usize,
        ) -> Pending<'a, Result<Vec<i64>, Fault>> {
            Box::pin(open_books(database, count))
        }

        fn anomalies(&self) -> &'static [&'static Anomaly] {
            &ANOMALIES
        }

        fn look(&self) -> &'static str {
            LOOK
        }

        fn set_up(&self) -> &'static str {
            SET_UP
        }

        /// Nothing else in a statement is as large.
        fn is_unmistakable(&self, _stake: i64) -> bool {
            true
        }

        fn remove<'a>(
            &'a self,
            database: &'a Database,
            stakes: &'a [i64],
        ) -> Pending<'a, Result<(), Fault>> {
            Box::pin(remove_books(database, stakes))
        }

        fn harm(&self) -> &'static str {
            "wrong"
        }

        fn moment(&self, trace: &Trace, _ended: &[Ended]) -> Option<Moment> {
            went_wrong(trace)
        }
    };
}

impl Subject for Strategy {
    #[expect(
        clippy::misnamed_getters,
        reason = "among all exhibits it has its full name"
    )]
    fn name(&self) -> &'static str {
        self.full_name
    }

    fn cast(&self, _instances: usize) -> Arc<dyn Cast> {
        Arc::new(Writers(*self))
    }

    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(judge(self, database, stake, ended))
    }

    fn promises_safety(&self, engine: &Engine, _instances: usize) -> bool {
        self.card.must_be_safe_on(engine)
    }

    of_books!();
}

impl Subject for BesideTheConsumer {
    #[expect(
        clippy::misnamed_getters,
        reason = "this is what it is called beside the consumer"
    )]
    fn name(&self) -> &'static str {
        self.0.name_beside_the_consumer
    }

    fn cast(&self, _instances: usize) -> Arc<dyn Cast> {
        Arc::new(ConsumerAndWriters(*self.0))
    }

    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        Box::pin(judge(self.0, database, stake, ended))
    }

    fn clients_are_alike(&self) -> bool {
        false
    }

    fn promises_safety(&self, engine: &Engine, _instances: usize) -> bool {
        self.expected_on(engine).is_some_and(Expectation::is_safe)
    }

    of_books!();
}

/// By the audit, and then by who was turned away.
async fn judge(
    strategy: &Strategy,
    database: &Database,
    book: i64,
    ended: &[Ended],
) -> Result<Verdict, Fault> {
    let audit = Audit::of(database, book, &[strategy.pair]).await?;
    Ok(if let Some(anomaly) = audit.worst() {
        Verdict::Anomaly(anomaly)
    } else if let Some(fault) = refusal(ended) {
        Verdict::Refused(fault.kind)
    } else if ended.iter().any(|it| it.outcome != Outcome::Applied) {
        Verdict::Declined
    } else {
        Verdict::Safe
    })
}

/// Clients who all write.
#[derive(Debug)]
struct Writers(Strategy);

impl Cast for Writers {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        Box::pin(write(&self.0, client, session, stake))
    }
}

/// Client A is the consumer.
#[derive(Debug)]
struct ConsumerAndWriters(Strategy);

impl Cast for ConsumerAndWriters {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended> {
        match client.index() {
            0 => Box::pin(consume(&self.0, session, stake)),
            _ => Box::pin(write(&self.0, client, session, stake)),
        }
    }
}

async fn write(strategy: &Strategy, client: Client, session: Session<'_>, book: i64) -> Ended {
    let order = order_of(strategy, client, book);
    // Without pauses there is one attempt. With a second one `token_claim` has 6916 schedules, which end no differently.
    match strategy.perform_in(session, &order).await {
        Ok(_receipt) => ended(Outcome::Applied, None),
        Err(Failure { refusal, outcome }) => match refusal {
            Refusal::Engine(fault) => ended(outcome, Some(fault)),
            Refusal::GaveUp { .. } => ended(outcome, None),
        },
    }
}

async fn consume(strategy: &Strategy, mut session: Session<'_>, book: i64) -> Ended {
    let processed = consumer::process(&mut session, book, strategy.pair, &mut Vec::new()).await;
    session.end().await;
    match processed {
        Ok(()) => ended(Outcome::Applied, None),
        Err(fault) => ended(Outcome::Refused, Some(fault)),
    }
}

fn ended(outcome: Outcome, fault: Option<Fault>) -> Ended {
    Ended {
        outcome,
        fault,
        saw: None,
    }
}

/// The same in every run, but for the book.
fn order_of(strategy: &Strategy, client: Client, book: i64) -> Order {
    let number = client.index() as u8 + 1;
    let line = |item_no| OrderLine {
        item_no,
        quantity: 10 * i64::from(number),
    };
    let lines = ITEMS.into_iter().take(strategy.lines_explored);
    Order {
        book,
        customer_no: FIRST_CUSTOMER - 1 + i64::from(number),
        delivery_date: DeliveryDate::SHOWN,
        lines: lines.map(line).collect(),
        drawn: RandomIds {
            token: number.into(),
            uuid: uuid_v7(book.unsigned_abs(), [number; 16]),
        },
    }
}

/// Each with an order that was processed long ago, as a book has that is in use, and between two neighbours that nobody
/// writes into: on InnoDB, where locks reach to the neighbouring row, no run waits for what is done to another's book.
async fn open_books(database: &Database, count: usize) -> Result<Vec<i64>, Fault> {
    let books: Vec<i64> = std::iter::repeat_with(|| fastrand::i64(BOOKS))
        .take(count)
        .collect();
    let mut work = database.begin_work().await?;
    let opened = async {
        for book in &books {
            for neighbour in [book - 1, book + 1] {
                work.execute(OPEN_HEAD, &[neighbour.into()]).await?;
            }
            for sql in [OPEN_NUMBERS, OPEN_HEAD, OPEN_LINE] {
                work.execute(sql, &[(*book).into()]).await?;
            }
        }
        Ok::<_, Fault>(())
    }
    .await;
    work.end(opened).await?;
    Ok(books)
}

/// With all that is in them, and their neighbours.
async fn remove_books(database: &Database, books: &[i64]) -> Result<(), Fault> {
    const AT_A_TIME: usize = 100;
    for some in books.chunks(AT_A_TIME) {
        let mut work = database.begin_work().await?;
        let removed = async {
            for book in some {
                for sql in PAIRS.iter().flat_map(|pair| pair.remove).chain(REMOVE) {
                    work.execute(sql, &[(*book).into()]).await?;
                }
                let neighbours = [(book - 1).into(), (book + 1).into()];
                work.execute(REMOVE_NEIGHBOURS, &neighbours).await?;
            }
            Ok::<_, Fault>(())
        }
        .await;
        work.end(removed).await?;
    }
    Ok(())
}

/// A UUID has 48 bits for its milliseconds, and the explorer's has the book there.
const BOOKS: std::ops::Range<i64> = 1 << 40..1 << 48;

const OPEN_NUMBERS: &str = "INSERT INTO order_numbers (book, last_number) VALUES (?, 1)";
const OPEN_HEAD: &str = "INSERT INTO order_head \
    (book, id, customer_no, delivery_date, processed, line_count) VALUES (?, 1, 100, 20261201, 1, 1)";
const OPEN_LINE: &str = "INSERT INTO orderline (book, order_id, item_no, quantity, written_by) \
    VALUES (?, 1, '10105', 1, 100)";

const REMOVE: [&str; 3] = [
    "DELETE FROM shipments WHERE book = ?",
    "DELETE FROM order_locks WHERE book = ?",
    "DELETE FROM order_numbers WHERE book = ?",
];
const REMOVE_NEIGHBOURS: &str = "DELETE FROM order_head WHERE book IN (?, ?)";

/// Where a line went under somebody else's number; or what was shipped too early.
fn went_wrong(trace: &Trace) -> Option<Moment> {
    let rows = || trace.rows.iter().enumerate();
    let lines = || rows().filter(|(_, row)| row.step.label == "insert line" && row.is_write());
    let among_others = lines().find_map(|(at, line): (usize, &Row)| {
        let number = line.value()?;
        let mut others =
            lines().filter(|(before, other)| *before < at && other.value() == Some(number));
        let (_, other) = others.find(|(_, other)| other.client != line.client)?;
        Some(Moment {
            row: at,
            words: format!(
                "{}'s line goes under number {number}, where {}'s are",
                line.client, other.client
            ),
        })
    });
    among_others.or_else(|| {
        let mut shipments = rows().filter(|(_, row)| row.step.label == "record shipment");
        let (row, shipment) = shipments.next()?;
        Some(Moment {
            row,
            words: format!(
                "an order is shipped with {} of its lines",
                shipment.value()?
            ),
        })
    })
}
