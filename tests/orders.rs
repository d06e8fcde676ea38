//! Orders: two who take the same number, and the consumer who takes half of one.

use racy::engine::{Isolation, Settings};
use racy::exhibits::card::{EVERY_LEVEL, Expectation, Mode, POSTGRES_LEVELS, SQLITE_LEVEL};
use racy::exhibits::deposits::Retry;
use racy::exhibits::orders::audit::{Audit, Name};
use racy::exhibits::orders::consumer::{self, Shipped};
use racy::exhibits::orders::{
    Drawn, Failure, ITEMS, Order, OrderId, OrderLine, PAIRS, Receipt, Refusal, STRATEGIES,
    Strategy, books, insert_select_max,
};
use racy::step::Unobserved;
use racy::verdict::Outcome;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::client::{Arrivals, Arrived, Gate};
use crate::support::process::racy;
use crate::support::service::{RunningService, problem};
use crate::support::{Lab, TestEngine, until};

on_engines!(
    every:
        who_reads_before_the_other_writes_gets_the_same_number,
        a_guessed_number_is_somebody_elses,
        half_an_order_is_shipped,
        of_two_heads_with_one_number_one_is_shipped,
        a_claim_that_is_not_alone_is_withdrawn,
        in_the_bakery_everybody_waits_for_a_turn,
        whoever_fails_leaves_the_bakery,
        what_must_be_safe_is_safe_in_a_crowd,
        an_order_goes_in_and_comes_out,
    ;
    servers:
        an_insert_that_reads_is_not_one_step_at_read_committed,
    ;
    innodb:
    ;
    postgres:
        a_snapshot_from_before_the_wait_shows_an_old_number,
);

const BOOK: i64 = 7;

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

/// An order of two lines.
pub fn order_of(customer_no: i64) -> Order {
    let line = |item_no| OrderLine {
        item_no,
        quantity: 80,
    };
    Order {
        book: BOOK,
        customer_no,
        delivery_date: "2026-12-01".parse().unwrap(),
        lines: ITEMS.into_iter().take(2).map(line).collect(),
        drawn: Drawn::at_random().unwrap(),
    }
}

/// A database with an open book.
async fn lab_with_a_book(engine: TestEngine) -> Lab {
    let lab = engine.lab().await;
    books::open(&lab.database, BOOK).await.unwrap();
    lab
}

/// Somebody who writes an order step by step, at the first try or not at all.
struct Writer {
    arrivals: Arrivals,
    parked: Option<Arrived>,
    run: JoinHandle<Result<Receipt, Failure>>,
}

impl Writer {
    fn start(lab: &Lab, name: &str, customer_no: i64) -> Self {
        let (gate, arrivals) = Gate::new();
        let (database, strategy) = (lab.database.clone(), strategy(name));
        let run = tokio::spawn(async move {
            let order = order_of(customer_no);
            strategy.perform(&database, &order, Vec::new(), &gate).await
        });
        Self {
            arrivals,
            parked: None,
            run,
        }
    }

    /// Lets steps happen until it stands before the one with this label.
    async fn go_to(&mut self, label: &str) {
        if let Some(parked) = self.parked.take() {
            parked.go();
        }
        loop {
            let arrived = self.arrivals.next().await.unwrap();
            if arrived.label == label {
                self.parked = Some(arrived);
                return;
            }
            arrived.go();
        }
    }

    async fn finish(mut self) -> Result<Receipt, Failure> {
        if let Some(parked) = self.parked.take() {
            parked.go();
        }
        self.arrivals.let_all_through();
        self.run.await.unwrap()
    }
}

async fn audit(lab: &Lab) -> Audit {
    Audit::of(&lab.database, BOOK, &PAIRS).await.unwrap()
}

/// How often this was found, and the example.
fn found(audit: &Audit, name: Name) -> (i64, Option<&str>) {
    let anomaly = audit.anomalies.iter().find(|it| it.name == name).unwrap();
    (anomaly.count, anomaly.example.as_deref())
}

async fn consume(lab: &Lab) -> Vec<Shipped> {
    consumer::perform(&lab.database, BOOK, &Unobserved)
        .await
        .unwrap()
}

fn number(result: Result<Receipt, Failure>) -> OrderId {
    result.unwrap().order.unwrap()
}

async fn who_reads_before_the_other_writes_gets_the_same_number(engine: TestEngine) {
    for name in ["max_id_head_first", "max_id_lines_first"] {
        let lab = lab_with_a_book(engine).await;
        let mut a = Writer::start(&lab, name, 5);
        a.go_to("insert head").await;
        let b = Writer::start(&lab, name, 6);
        assert_eq!(number(b.finish().await), OrderId::Number(1), "{name}");
        assert_eq!(number(a.finish().await), OrderId::Number(1), "{name}");

        let audit = audit(&lab).await;
        assert_eq!((audit.orders, audit.lines), (2, 4));
        assert_eq!(
            found(&audit, Name::DuplicateNumber),
            (
                1,
                Some("2 orders have number 1: those of customers 5 and 6")
            )
        );
        assert_eq!(
            found(&audit, Name::MixedOrder),
            (1, Some("order 1 has lines of 2 customers, such as 5 and 6"))
        );
        assert_eq!(found(&audit, Name::IncompleteOrder), (0, None));
        assert_eq!(found(&audit, Name::Gap), (0, None));
    }
}

async fn a_guessed_number_is_somebody_elses(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut a = Writer::start(&lab, "insert_select_max", 5);
    a.go_to("read highest number").await;
    let b = Writer::start(&lab, "insert_select_max", 6);
    assert_eq!(b.finish().await.unwrap().order, None);
    a.finish().await.unwrap();
    let audit = audit(&lab).await;
    assert_eq!(found(&audit, Name::DuplicateNumber), (0, None));
    assert_eq!(
        found(&audit, Name::MixedOrder),
        (1, Some("order 2 has lines of 2 customers, such as 5 and 6"))
    );
    assert_eq!(
        found(&audit, Name::IncompleteOrder),
        (1, Some("order 1 of customer 5 has 0 of its 2 lines"))
    );
}

/// The statement has read, and what it has written is not committed.
async fn an_insert_that_reads_is_not_one_step_at_read_committed(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    books::open(&lab.database, BOOK).await.unwrap();
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    session.begin().await.unwrap();
    let head = &[5, 20_261_201, 2, BOOK];
    let inserted = session.run("insert head", insert_select_max::INSERT_HEAD, head);
    inserted.await.unwrap();
    let other = Writer::start(&lab, "insert_select_max", 6);
    other.finish().await.unwrap();
    session.commit().await.unwrap();
    session.end().await;
    assert_eq!(found(&audit(&lab).await, Name::DuplicateNumber).0, 1);
}

/// Why `single_writer` asks for READ COMMITTED itself.
async fn a_snapshot_from_before_the_wait_shows_an_old_number(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::RepeatableRead).await;
    books::open(&lab.database, BOOK).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    a.begin().await.unwrap();
    a.lock_by_name(BOOK).await.unwrap();

    let database = lab.database.clone();
    let (connected, connection) = oneshot::channel();
    let b = tokio::spawn(async move {
        let mut b = database.session(&Unobserved).await.unwrap();
        let connection = b.connection_id().await.unwrap();
        connected.send(connection.unwrap()).unwrap();
        b.begin().await.unwrap();
        b.lock_by_name(BOOK).await.unwrap();
        let sql = "SELECT MAX(id) FROM order_head WHERE book = ?";
        let highest = b.read("read highest number", sql, &[BOOK]).await.unwrap();
        b.end().await;
        highest
    });
    let connection = connection.await.unwrap();
    until("B waits for the lock", || async {
        lab.database.waits_for_lock(connection).await.unwrap()
    })
    .await;
    let head = &[5, 20_261_201, 2, BOOK];
    let inserted = a.run("insert head", insert_select_max::INSERT_HEAD, head);
    inserted.await.unwrap();
    a.commit().await.unwrap();
    a.end().await;
    assert_eq!(b.await.unwrap(), None);
}

async fn half_an_order_is_shipped(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut writer = Writer::start(&lab, "max_id_head_first", 5);
    writer.go_to("insert line").await;
    writer.go_to("insert line").await;
    let shipped = consume(&lab).await;
    writer.finish().await.unwrap();
    assert_eq!((shipped.len(), shipped[0].lines), (1, 1));
    let audited = audit(&lab).await;
    assert_eq!(
        found(&audited, Name::ShippedIncomplete),
        (
            1,
            Some("order 1 of customer 5 was shipped with 1 of 2 lines")
        )
    );
    assert_eq!(found(&audited, Name::IncompleteOrder), (0, None));
    assert_eq!(consume(&lab).await, []);

    // With the lines first, there is nothing to see until all is there.
    let mut writer = Writer::start(&lab, "max_id_lines_first", 6);
    writer.go_to("insert head").await;
    assert_eq!(consume(&lab).await, []);
    writer.finish().await.unwrap();
    let shipped = consume(&lab).await;
    assert_eq!((shipped[0].customer_no, shipped[0].lines), (6, 2));
    assert_eq!(found(&audit(&lab).await, Name::ShippedIncomplete).0, 1);
}

async fn of_two_heads_with_one_number_one_is_shipped(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut a = Writer::start(&lab, "max_id_head_first", 5);
    a.go_to("insert head").await;
    let b = Writer::start(&lab, "max_id_head_first", 6);
    b.finish().await.unwrap();
    a.finish().await.unwrap();
    let waiting = audit(&lab).await;
    assert_eq!(found(&waiting, Name::NeverShipped).0, 2);
    let shipped = consume(&lab).await;
    assert_eq!((shipped.len(), shipped[0].lines), (1, 4));
    let never_shipped = audit(&lab).await;
    assert_eq!(
        found(&never_shipped, Name::NeverShipped),
        (
            1,
            Some(
                "an order is marked and has no shipment of its own: it shares its number with another, \
                 or whoever marked it did not come to an end"
            )
        )
    );
}

async fn a_claim_that_is_not_alone_is_withdrawn(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let [mut a, mut b] = [5, 6].map(|customer| Writer::start(&lab, "token_claim", customer));
    for writer in [&mut a, &mut b] {
        writer.go_to("claim number").await;
    }
    for writer in [&mut a, &mut b] {
        writer.go_to("count heads").await;
    }
    // The consumer sees no claim.
    assert_eq!(consume(&lab).await, []);
    let refused = a.finish().await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::GaveUp { attempts: 1 });
    assert_eq!(refused.outcome, Outcome::Refused);
    // Now B is alone.
    assert_eq!(number(b.finish().await), OrderId::Number(1));
    let audited = audit(&lab).await;
    assert_eq!((audited.orders, audited.lines), (1, 2));
    assert_eq!(audited.worst(), None);
    assert_eq!(consume(&lab).await.len(), 1);
}

async fn in_the_bakery_everybody_waits_for_a_turn(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut a = Writer::start(&lab, "bakery", 5);
    a.go_to("read highest number").await;
    let mut b = Writer::start(&lab, "bakery", 6);
    b.go_to("wait for turn").await;
    let b = tokio::spawn(b.finish());
    assert_eq!(number(a.finish().await), OrderId::Number(1));
    assert_eq!(number(b.await.unwrap()), OrderId::Number(2));
    assert_eq!(audit(&lab).await.worst(), None);
}

async fn whoever_fails_leaves_the_bakery(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            lock_wait_timeout: Some(1),
            ..Settings::default()
        })
        .await;
    books::open(&lab.database, BOOK).await.unwrap();
    let mut a = Writer::start(&lab, "bakery", 5);
    a.go_to("read highest number").await;
    let b = Writer::start(&lab, "bakery", 6);
    let refused = b.finish().await.unwrap_err();
    let Refusal::Engine(fault) = refused.refusal else {
        panic!("{refused:?}");
    };
    assert_eq!(fault.kind.name(), "lock_timeout");
    a.finish().await.unwrap();
    // Nobody is in the way of the next one.
    let next = Writer::start(&lab, "bakery", 8);
    assert_eq!(number(next.finish().await), OrderId::Number(2));
}

async fn what_must_be_safe_is_safe_in_a_crowd(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let engine = lab.database.engine();
    for strategy in STRATEGIES.iter().filter(|it| it.must_be_safe_on(engine)) {
        books::open(&lab.database, BOOK).await.unwrap();
        let mut crowd = Vec::new();
        for customer in 1..=6 {
            let database = lab.database.clone();
            crowd.push(tokio::spawn(async move {
                let pauses = Retry::Jitter.pauses();
                let order = order_of(customer);
                strategy
                    .perform(&database, &order, pauses, &Unobserved)
                    .await
            }));
        }
        consume(&lab).await;
        for writer in crowd {
            if let Err(refused) = writer.await.unwrap() {
                assert_eq!(refused.outcome, Outcome::Refused, "{}", strategy.name);
            }
        }
        consume(&lab).await;
        let audited = audit(&lab).await;
        assert_eq!(audited.worst(), None, "{}: {audited:?}", strategy.name);
        assert_eq!(found(&audited, Name::NeverShipped).0, 0, "{audited:?}");
        empty_the_book(&lab).await;
    }
}

async fn empty_the_book(lab: &Lab) {
    for table in [
        "order_head",
        "orderline",
        "order_items",
        "orders",
        "uuid_order_items",
        "uuid_orders",
        "shipments",
        "order_numbers",
    ] {
        let delete = format!("DELETE FROM {table}").leak();
        lab.database.execute(delete, &[]).await.unwrap();
    }
}

/// The article's order.
fn article() -> Value {
    json!({
        "customer_no": 12345,
        "delivery_date": "2026-12-01",
        "orderlines": [
            { "item_no": "10105", "quantity": 80 },
            { "item_no": "14600", "quantity": 20 },
        ],
    })
}

async fn send(service: &RunningService, strategy: &str, order: &Value) -> Response {
    let request = service.post(&format!("/orders/{strategy}/")).json(order);
    request.send().await.unwrap()
}

async fn an_order_goes_in_and_comes_out(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (book, strategy) in (1..).zip(&STRATEGIES) {
        let mut order = article();
        order["book"] = json!(book);
        let answer = send(&service, strategy.name, &order).await;
        assert_eq!(answer.status(), 200, "{}", strategy.name);
        let written: Value = answer.json().await.unwrap();
        assert_eq!(written["strategy"], strategy.name);
        assert_eq!(written["book"], book);
        assert_eq!(written["customer_no"], 12345);
        assert_eq!(written["outcome"], "applied");
        assert_eq!(written["attempts"], 1);
        let id = &written["order"];
        match strategy.name {
            "insert_select_max" => assert!(id.is_null()),
            "uuid_v7" => assert_eq!(id.as_str().unwrap().len(), 36),
            _ => assert_eq!(id, 1, "{}", strategy.name),
        }
        let steps = written["timeline"].as_array().unwrap();
        assert!(steps.iter().any(|it| it["label"] == "insert line"));

        let request = service
            .post("/orders/process")
            .json(&json!({ "book": book }));
        let processed: Value = request.send().await.unwrap().json().await.unwrap();
        let shipped = processed["shipped"].as_array().unwrap();
        assert_eq!(shipped.len(), 1, "{}: {processed}", strategy.name);
        assert_eq!(shipped[0]["customer_no"], 12345);
        assert_eq!(shipped[0]["lines"], 2);
        if !id.is_null() {
            assert_eq!(&shipped[0]["order"], id);
        }
        let audit = service.json(&format!("/orders/audit?book={book}")).await;
        assert_eq!((&audit["orders"], &audit["lines"]), (&json!(1), &json!(2)));
        let anomalies = audit["anomalies"].as_array().unwrap();
        let names: Vec<_> = anomalies.iter().map(|it| &it["name"]).collect();
        assert_eq!(
            names,
            [
                "duplicate_number",
                "mixed_order",
                "incomplete_order",
                "shipped_incomplete",
                "never_shipped",
                "gap"
            ]
        );
        for anomaly in anomalies {
            assert_eq!(anomaly["count"], 0, "{}: {audit}", strategy.name);
            assert!(anomaly["example"].is_null());
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn the_first_book_is_meant_where_none_is_named() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let written = send(&service, "number_table", &article()).await;
    let written: Value = written.json().await.unwrap();
    assert_eq!(
        (&written["book"], &written["order"]),
        (&json!(1), &json!(1))
    );
    let processed = service.post("/orders/process").send().await.unwrap();
    let processed: Value = processed.json().await.unwrap();
    assert_eq!(processed["shipped"][0]["order"], 1);
    let again = service.post("/orders/process").form(&[("book", 1)]).send();
    let again: Value = again.await.unwrap().json().await.unwrap();
    assert_eq!((&again["book"], &again["shipped"]), (&json!(1), &json!([])));
    let audit = service.json("/orders/audit").await;
    assert_eq!((&audit["book"], &audit["orders"]), (&json!(1), &json!(1)));
    service.stop().await;
}

/// The article's order, but for what is at this place.
fn article_with(place: &str, value: Value) -> Value {
    let mut order = article();
    match order.pointer_mut(place) {
        Some(there) => *there = value,
        None => panic!("{place}"),
    }
    order
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_named_and_nothing_is_written() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let line = json!({ "item_no": "10105", "quantity": 1 });
    let mut wrong = vec![
        (
            article_with("/customer_no", Value::Null),
            "\"customer_no\" is missing",
        ),
        (
            article_with("/customer_no", json!(0)),
            "\"customer_no\" is out of range",
        ),
        (
            article_with("/customer_no", json!("5")),
            "\"customer_no\" is not an integer",
        ),
        (
            article_with("/customer_no", json!(-5)),
            "\"customer_no\" is negative",
        ),
        (
            article_with("/delivery_date", Value::Null),
            "\"delivery_date\" is missing",
        ),
        (
            article_with("/delivery_date", json!("2026-02-30")),
            "\"delivery_date\" is wrong",
        ),
        (
            article_with("/delivery_date", json!("soon")),
            "no day of the calendar",
        ),
        (
            article_with("/delivery_date", json!(20_261_201)),
            "\"delivery_date\" is wrong",
        ),
        (
            article_with("/orderlines", Value::Null),
            "\"orderlines\" is missing",
        ),
        (
            article_with("/orderlines", json!([])),
            "\"orderlines\" is empty",
        ),
        (
            article_with("/orderlines", json!({})),
            "\"orderlines\" is not an array",
        ),
        (
            article_with("/orderlines", json!(vec![line; 101])),
            "has 101 lines",
        ),
        (
            article_with("/orderlines/1", json!(7)),
            "\"orderlines[1]\" is not an object",
        ),
        (
            article_with("/orderlines/1", json!({ "quantity": 1 })),
            "\"orderlines[1].item_no\" is missing",
        ),
        (
            article_with("/orderlines/1/item_no", json!("99999")),
            "\"orderlines[1].item_no\" is wrong: there is no item",
        ),
        (
            article_with("/orderlines/1/item_no", json!(10105)),
            "\"orderlines[1].item_no\" is wrong",
        ),
        (
            article_with("/orderlines/1/quantity", Value::Null),
            "\"orderlines[1].quantity\" is missing",
        ),
    ];
    for quantity in [json!(0), json!(10_001)] {
        let wrong_quantity = article_with("/orderlines/1/quantity", quantity);
        wrong.push((wrong_quantity, "\"orderlines[1].quantity\" is out of range"));
    }
    let mut wrong_book = article();
    wrong_book["book"] = json!(0);
    wrong.push((wrong_book, "\"book\" is out of range"));
    for (order, named) in &wrong {
        let answer = send(&service, "number_table", order).await;
        let problem = problem(answer, 400, "invalid-request").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{named}: {detail}");
    }
    let audit = service.json("/orders/audit").await;
    assert_eq!((&audit["orders"], &audit["lines"]), (&json!(0), &json!(0)));

    let form = service
        .post("/orders/number_table/")
        .form(&[("customer_no", 1)]);
    problem(form.send().await.unwrap(), 415, "unsupported-type").await;
    let unknown = send(&service, "no_such", &article()).await;
    problem(unknown, 404, "unknown-strategy").await;
    let nowhere = service.get("/orders/audit?book=none").send().await.unwrap();
    problem(nowhere, 400, "invalid-request").await;
    service.stop().await;
}

#[tokio::test]
async fn the_strategies_are_listed_with_their_exhibits() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let listed = service.json("/strategies").await;
    let orders = listed["orders"].as_array().unwrap();
    let names: Vec<_> = orders.iter().map(|it| &it["name"]).collect();
    assert_eq!(names, STRATEGIES.each_ref().map(|it| it.name));
    for (order, strategy) in orders.iter().zip(&STRATEGIES) {
        assert_eq!(order["exhibit"], "orders");
        let safe = strategy.must_be_safe_on(lab.database.engine());
        assert_eq!(order["must_be_safe"], safe);
    }
    assert_eq!(listed["strategies"][0]["exhibit"], "deposits");
    assert_eq!(listed["statements"][0]["exhibit"], "statements");
    service.stop().await;
}

#[test]
fn every_file_explains_itself_and_ships_its_code() {
    for strategy in &STRATEGIES {
        let explanation = strategy.card.explanation();
        assert!(explanation.len() > 300, "{}: {explanation}", strategy.name);
        assert!(strategy.card.source.contains("pub async fn write"));
        assert_eq!(strategy.full_name, format!("orders/{}", strategy.name));
    }
}

#[test]
fn every_card_speaks_about_every_mode_and_level_once() {
    for strategy in &STRATEGIES {
        for (mode, levels) in [
            (Mode::InnoDb, EVERY_LEVEL),
            (Mode::InnoDbSnapshot, EVERY_LEVEL),
            (Mode::Postgres, POSTGRES_LEVELS),
            (Mode::SqliteWal, SQLITE_LEVEL),
            (Mode::SqliteRollback, SQLITE_LEVEL),
        ] {
            for level in levels {
                for said in [strategy.card.expected, strategy.beside_the_consumer] {
                    let is_here =
                        |it: &&Expectation| it.engine == mode && it.isolation.contains(level);
                    let said = said.iter().filter(is_here);
                    assert_eq!(said.count(), 1, "{} {mode:?} {level}", strategy.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn the_command_ships_what_waits() {
    let lab = TestEngine::Sqlite.lab().await;
    books::open(&lab.database, BOOK).await.unwrap();
    Writer::start(&lab, "number_table", 5)
        .finish()
        .await
        .unwrap();
    let url = lab.url(TestEngine::Sqlite);
    let said = |book: &str| {
        let command = ["orders", "process", "--book", book, "--database-url", &url];
        let output = racy(&command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said("8"), "Nothing waits in book 8.\n");
    assert_eq!(said("7"), "Shipped order 1 of customer 5, with 2 lines.\n");
    assert_eq!(said("7"), "Nothing waits in book 7.\n");
    let wrong = racy(&["orders", "process", "--book", "0"]).output();
    assert!(!wrong.unwrap().status.success());
}
