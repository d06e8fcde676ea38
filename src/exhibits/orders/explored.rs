//! An order strategy as the explorer runs it: clients that write into a book opened for them, or
//! one that consumes what the others write.

use std::ptr;
use std::sync::Arc;

use super::audit::Audit;
use super::order::uuid_v7;
use super::tables::NUMBERED;
use super::{
    ANOMALIES, DeliveryDate, Failure, ITEMS, Order, OrderLine, PAIRS, Pair, RandomIds, Refusal,
    STRATEGIES, Strategy, consumer, look,
};
use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::card::Card;
use crate::exhibits::{Exhibit, Setting, Specimen};
use crate::explore::{
    About, Client, ClientResult, Clients, Fixture, Fixtures, Highlight, InSession, Judge,
    Judgement, Pending, Row, Rows, StoredValue, Subject, Trace, What, verdict_of,
};
use crate::step::{Argument, Ending};
use crate::verdict::Anomaly;

/// The exhibit, for listings.
pub static EXHIBIT: Exhibit = Exhibit {
    name: "orders",
    anomalies: &ANOMALIES,
    specimens: || STRATEGIES.iter().map(|it| it as &dyn Specimen).collect(),
};

/// Opens book 1 with one shipped order, for a person to run.
const SETUP_SQL: &str = "DELETE FROM order_head WHERE book = 1;\n\
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
const INSPECT_SQL: &str = "SELECT * FROM order_head WHERE book = 1 ORDER BY id;\n\
     SELECT * FROM orderline WHERE book = 1 ORDER BY order_id;\n\
     SELECT * FROM orders WHERE book = 1;\n\
     SELECT * FROM order_items WHERE book = 1;\n\
     SELECT * FROM uuid_orders WHERE book = 1;\n\
     SELECT * FROM uuid_order_items WHERE book = 1;\n\
     SELECT * FROM shipments WHERE book = 1;";

/// The customer of client A; B's is the next.
const FIRST_CUSTOMER: i64 = 101;

/// The client that ships orders while the others write.
const CONSUMER: &str = "consumer";

impl Specimen for Strategy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn full_name(&self) -> &'static str {
        self.full_name
    }

    fn card(&self) -> &'static Card {
        self.card
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::alone(self.card.expected),
            Setting::beside(CONSUMER, self.beside_the_consumer),
        ]
    }

    fn subject(&self, setting: &Setting) -> Subject {
        let strategy = *self;
        let with_consumer = setting.beside.is_some();
        Subject {
            about: About {
                name: setting.name_of(self).into(),
                source_file: Some(self.card().file),
                anomalies: ANOMALIES.into(),
                nothing: "wrong",
                setup_sql: SETUP_SQL.into(),
                inspect_sql: INSPECT_SQL.into(),
                clients_are_alike: !with_consumer,
                shares_memory: false,
                scenario: None,
            },
            fixtures: Fixtures::Rows(Arc::new(BookFixtures)),
            clients: Arc::new(move |_instances| -> Arc<dyn Clients> {
                Arc::new(Writers {
                    strategy,
                    with_consumer,
                })
            }),
            rehearsal: None,
            judge: Arc::new(Auditor {
                pair: self.pair,
                setting: *setting,
            }),
        }
    }
}

/// A book for each run.
#[derive(Debug)]
struct BookFixtures;

impl Rows for BookFixtures {
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(open_books(database, count))
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(remove_books(database, ids))
    }

    /// No other value of a statement is as large.
    fn id_is_unambiguous(&self, _id: i64) -> bool {
        true
    }
}

/// Judges by the audit of the book.
#[derive(Debug)]
struct Auditor {
    pair: &'static Pair,
    setting: Setting,
}

impl Judge for Auditor {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let audit = Audit::of(database, fixture.id(), &[self.pair]).await?;
            Ok(verdict_of(audit.worst(), results).into())
        })
    }

    fn look<'a>(
        &'a self,
        database: &'a Database,
        fixture: Fixture,
    ) -> Option<Pending<'a, Result<Vec<StoredValue>, Fault>>> {
        Some(look::look(database, fixture.id(), self.pair))
    }

    fn highlight(
        &self,
        trace: &Trace,
        _results: &[ClientResult],
        _anomaly: &'static Anomaly,
    ) -> Option<Highlight> {
        went_wrong(trace)
    }

    /// Numbers from the engine count on from run to run. They are shown as if the table had been
    /// empty.
    fn make_repeatable(&self, trace: &mut Trace) {
        if ptr::eq(self.pair, &NUMBERED) {
            count_from_one(trace);
        }
    }

    fn promises_safety(&self, engine: &Engine, instances: usize) -> bool {
        self.setting.promises_safety(engine, instances)
    }
}

/// Replaces the numbers of orders by 1, 2, … in the order in which lines were written under them. A
/// number is the second argument of every step that has one.
fn count_from_one(trace: &mut Trace) {
    let lines = trace
        .rows
        .iter()
        .filter(|row| row.step.label == "insert line");
    let mut drawn: Vec<i64> = Vec::new();
    for number in lines.filter_map(Row::value) {
        if !drawn.contains(&number) {
            drawn.push(number);
        }
    }
    let place = |number: i64| {
        let mut places = (1..).zip(&drawn);
        places
            .find(|(_, it)| **it == number)
            .map_or(number, |(place, _)| place)
    };
    for row in &mut trace.rows {
        if row.step.label == "insert head" {
            continue;
        }
        match row.step.args.get_mut(1) {
            Some(Argument::Integer(number)) => *number = place(*number),
            Some(Argument::Text(text)) => {
                if let Ok(number) = text.parse() {
                    *text = place(number).to_string();
                }
            }
            None => {}
        }
        if row.step.label == "insert line"
            && let What::Happened(Ending::Done(Some(number)))
            | What::Resumed(_, Ending::Done(Some(number))) = &mut row.what
        {
            *number = place(*number);
        }
    }
}

/// The clients of one run. All write, or the first consumes.
#[derive(Debug)]
struct Writers {
    strategy: Strategy,
    with_consumer: bool,
}

impl InSession for Writers {
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        fixture: Fixture,
    ) -> Pending<'a, ClientResult> {
        if self.with_consumer && client.index() == 0 {
            Box::pin(consume(&self.strategy, session, fixture.id()))
        } else {
            Box::pin(write(&self.strategy, client, session, fixture.id()))
        }
    }
}

async fn write(
    strategy: &Strategy,
    client: Client,
    session: Session<'_>,
    book: i64,
) -> ClientResult {
    let order = order_of(strategy, client, book);
    // Without pauses there is one attempt. With a second one `token_claim` has 6916 schedules,
    // which end no differently.
    match strategy.perform_in(session, &order).await {
        Ok(_receipt) => ClientResult::APPLIED,
        Err(Failure { refusal, outcome }) => match refusal {
            Refusal::Engine(fault) => ClientResult::failed(outcome, Some(fault)),
            Refusal::GaveUp { .. } => ClientResult::failed(outcome, None),
        },
    }
}

async fn consume(strategy: &Strategy, mut session: Session<'_>, book: i64) -> ClientResult {
    let processed = consumer::process(&mut session, book, strategy.pair, &mut Vec::new()).await;
    session.end().await;
    match processed {
        Ok(()) => ClientResult::APPLIED,
        Err(fault) => ClientResult::refused(Some(fault)),
    }
}

/// The order of a client. It is the same in every run, except for the book.
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

/// Opens books, each with one shipped order. Empty books at id ± 1 absorb InnoDB's gap locks, so
/// that parallel runs never block each other.
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

/// Removes books with all that is in them, and their neighbours.
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

/// The ids of books. A UUID has 48 bits for its milliseconds, and the explorer puts the book's id
/// there.
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

/// The row in which a line went under the number of another order, or an order was shipped too
/// early.
fn went_wrong(trace: &Trace) -> Option<Highlight> {
    let rows = || trace.rows.iter().enumerate();
    let lines = || rows().filter(|(_, row)| row.step.label == "insert line" && row.is_write());
    let among_others = lines().find_map(|(at, line): (usize, &Row)| {
        let number = line.value()?;
        let mut others =
            lines().filter(|(before, other)| *before < at && other.value() == Some(number));
        let (_, other) = others.find(|(_, other)| other.client != line.client)?;
        Some(Highlight {
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
        Some(Highlight {
            row,
            words: format!(
                "an order is shipped with {} of its lines",
                shipment.value()?
            ),
        })
    })
}
