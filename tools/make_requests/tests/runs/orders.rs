//! Orders: numbered right and wrong, shipped whole and half.

use std::sync::{Barrier, Mutex};

use serde_json::{Value, json};

use crate::stand_in::{Arrived, Reply, StandIn, deadlock, ok, problem};
use crate::tool::{assert_contains, assert_exit, redacted_at, run_at, stderr, stdout};

const FOUR_AT_ONCE: &[&str] = &["--target", "orders/x", "--wait", "0", "--requests", "4"];

/// A shop with one book, in which no two tests meet.
#[derive(Default)]
struct Shop {
    book: Mutex<Vec<Head>>,
}

/// An order as it is on record.
#[derive(Clone)]
struct Head {
    number: u64,
    customer_no: u64,
    lines: usize,
    /// How many lines it had when it was shipped.
    shipped: Option<usize>,
}

impl Shop {
    fn next_number(&self) -> u64 {
        let book = self.book.lock().unwrap();
        book.iter().map(|head| head.number).max().unwrap_or(0) + 1
    }

    /// Writes the order's head and all its lines.
    fn write(&self, number: u64, order: &Value) -> Reply {
        let lines = order["orderlines"].as_array().unwrap().len();
        self.insert(number, order, lines);
        receipt(number, order)
    }

    fn insert(&self, number: u64, order: &Value, lines: usize) {
        self.book.lock().unwrap().push(Head {
            number,
            customer_no: order["customer_no"].as_u64().unwrap(),
            lines,
            shipped: None,
        });
    }

    fn ship(&self) -> Reply {
        let mut book = self.book.lock().unwrap();
        let waiting = book.iter_mut().filter(|head| head.shipped.is_none());
        let shipped = waiting.map(|head| {
            head.shipped = Some(head.lines);
            json!({"order": head.number, "customer_no": head.customer_no, "lines": head.lines})
        });
        let shipped: Vec<_> = shipped.collect();
        ok(&json!({"book": 1, "shipped": shipped, "timeline": []}))
    }

    fn audit(&self) -> Reply {
        let book = self.book.lock().unwrap();
        let duplicates: Vec<_> = book
            .iter()
            .filter(|head| book.iter().filter(|it| it.number == head.number).count() > 1)
            .collect();
        let example = duplicates
            .first()
            .map(|head| format!("several orders have number {}", head.number));
        let half = book
            .iter()
            .filter(|it| it.shipped.is_some_and(|lines| lines < 2));
        let anomaly = |name: &str, count: usize| {
            let example = (count > 0).then_some("one of them");
            json!({"name": name, "count": count, "example": example})
        };
        ok(&json!({
            "book": 1, "orders": book.len(), "lines": book.iter().map(|it| it.lines).sum::<usize>(),
            "anomalies": [
                {"name": "duplicate_number", "count": duplicates.len(), "example": example},
                anomaly("incomplete_order", book.iter().filter(|it| it.lines < 2).count()),
                anomaly("shipped_incomplete", half.count()),
                anomaly("never_shipped", book.iter().filter(|it| it.shipped.is_none()).count()),
                anomaly("gap", usize::from(!book.is_empty())),
            ],
        }))
    }

    /// Serves the routes; orders are taken by `take`.
    fn open(take: impl Fn(&Self, &Value) -> Reply + Send + Sync + 'static) -> StandIn {
        let shop = Self::default();
        StandIn::start("", move |arrived: &Arrived| {
            match (&*arrived.method, arrived.path.split('?').next().unwrap()) {
                ("POST", "/orders/x/") => {
                    take(&shop, &serde_json::from_str(&arrived.body).unwrap())
                }
                ("POST", "/orders/process") => shop.ship(),
                ("GET", "/orders/audit") => shop.audit(),
                _ => problem(404, &json!({"title": "Not found"})),
            }
        })
    }
}

/// All arrive in the first millisecond; each customer 10 µs after the one before.
fn receipt(number: u64, order: &Value) -> Reply {
    let customer_no = order["customer_no"].as_u64().unwrap();
    let step = |action: &str, label: &str, start_us: u64, value: Option<u64>| {
        json!({
            "action": action, "label": label, "start_us": start_us, "duration_us": 90,
            "value": value,
        })
    };
    ok(&json!({
        "strategy": "x", "book": order["book"], "order": number, "customer_no": customer_no,
        "outcome": "applied", "attempts": 1,
        "arrived_at_us": 1_763_804_000_000_000_u64 + 10 * customer_no,
        "timeline": [
            step("read", "read highest number", 10, Some(number - 1)),
            step("write", "insert head", 150, None),
            step("write", "insert line", 300, None),
            step("write", "insert line", 450, None),
        ],
    }))
}

/// A shop whose clients all read the highest number before any writes.
fn racing_shop(clients: usize) -> StandIn {
    let all_have_read = Barrier::new(clients);
    Shop::open(move |shop, order| {
        let number = shop.next_number();
        all_have_read.wait();
        shop.write(number, order)
    })
}

/// A shop that numbers right.
fn right_shop() -> StandIn {
    let turn = Mutex::new(());
    Shop::open(move |shop, order| {
        let _mine = turn.lock().unwrap();
        shop.write(shop.next_number(), order)
    })
}

/// The figures that depend on when the consumer came in between.
fn steady(text: &str, shop: &StandIn) -> String {
    let lines = redacted_at(text, &shop.url());
    let steady = lines
        .lines()
        .map(|line| match line.split_once(" in book ") {
            Some((before, after)) => {
                let (_, rest) = after.split_once(',').unwrap();
                format!("{before} in book [drawn],{rest}")
            }
            None if line.starts_with("  shipped  ") => "  shipped  [by chance]".to_owned(),
            None => line.to_owned(),
        });
    steady.map(|line| line + "\n").collect()
}

#[test]
fn two_orders_of_one_number_are_found() {
    let shop = racing_shop(4);
    let output = run_at(&shop.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!("duplicate_number_text", steady(&stdout(&output), &shop));
}

#[test]
fn anomalies_are_a_list_in_json() {
    let shop = racing_shop(4);
    let output = run_at(&shop.url(), &[FOUR_AT_ONCE, &["--format", "json"]].concat());
    assert_exit(&output, 1);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["target"], "orders/x");
    assert_eq!(document["verdict"], "duplicate_number");
    assert_eq!(
        (&document["orders"], &document["lines"]),
        (&json!(4), &json!(8))
    );
    assert_eq!(
        document["anomalies"][0],
        json!({
            "name": "duplicate_number", "count": 4, "example": "several orders have number 1",
        })
    );
    let shipped = ["shipped_in_between", "shipped_afterwards"];
    let shipped = shipped.map(|field| document[field].as_u64().unwrap());
    assert_eq!(shipped.iter().sum::<u64>(), 4);
    assert!(document["book"].as_u64().unwrap() >= 1);
    assert_eq!(document.get("balance"), None);
}

#[test]
fn orders_are_rows_in_csv() {
    let output = run_at(
        &right_shop().url(),
        &[FOUR_AT_ONCE, &["--format", "csv"]].concat(),
    );
    assert_exit(&output, 0);
    let rows = stdout(&output);
    let (header, rows) = rows.split_once('\n').unwrap();
    assert!(header.ends_with(",code,order,customer_no"), "{header}");
    let customers = rows.lines().map(|row| row.rsplit(',').next().unwrap());
    // The request is the customer.
    assert_eq!(customers.collect::<Vec<_>>(), ["1", "2", "3", "4"]);
}

#[test]
fn a_right_shop_is_safe_although_numbers_have_gaps() {
    for wait in ["0", "0.001"] {
        let args = ["--target", "orders/x", "--wait", wait, "--requests", "4"];
        let output = run_at(&right_shop().url(), &args);
        assert_exit(&output, 0);
        let text = stdout(&output);
        assert_contains(&text, "  orders             4\n  lines              8\n");
        assert_contains(&text, "  gap                1: one of them\n");
        assert_contains(&text, "  never shipped      0\n");
        assert_contains(&text, "safe: every request was acknowledged");
    }
}

/// The first is answered, and the consumer comes. The heads of the others are there then, and their
/// lines only after it has been.
#[test]
fn the_consumer_comes_while_orders_are_half_written() {
    let consumer_has_been = Barrier::new(4);
    let heads_are_written = Barrier::new(4);
    let (shop, numbers) = (Shop::default(), Mutex::new(0));
    let runs = Mutex::new(0);
    let service = StandIn::start("", move |arrived| {
        match (&*arrived.method, arrived.path.split('?').next().unwrap()) {
            ("POST", "/orders/x/") => {
                let order: Value = serde_json::from_str(&arrived.body).unwrap();
                let number = {
                    let mut numbers = numbers.lock().unwrap();
                    *numbers += 1;
                    *numbers
                };
                if number == 1 {
                    return shop.write(number, &order);
                }
                shop.insert(number, &order, 0);
                heads_are_written.wait();
                consumer_has_been.wait();
                let mut book = shop.book.lock().unwrap();
                let head = book.iter_mut().find(|head| head.number == number);
                head.unwrap().lines = 2;
                receipt(number, &order)
            }
            ("POST", "/orders/process") => {
                let run = {
                    let mut runs = runs.lock().unwrap();
                    *runs += 1;
                    *runs
                };
                if run > 1 {
                    return shop.ship();
                }
                heads_are_written.wait();
                let shipped = shop.ship();
                consumer_has_been.wait();
                shipped
            }
            _ => shop.audit(),
        }
    });
    let output = run_at(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    let text = stdout(&output);
    assert_contains(
        &text,
        "  shipped            4 during the run, 0 afterwards\n",
    );
    assert_contains(&text, "  shipped incomplete 3: one of them\n");
    assert_contains(&text, "\n3 × shipped incomplete\n");
}

#[test]
fn refusals_do_not_hide_that_the_rest_is_right() {
    let shop = Shop::open(|shop, order| match order["customer_no"].as_u64().unwrap() {
        1 => shop.write(1, order),
        _ => deadlock(),
    });
    let output = run_at(&shop.url(), FOUR_AT_ONCE);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_contains(&text, "refused            3: 3 × deadlock (1213)\n");
    assert_contains(
        &text,
        "Only one order was acknowledged, and a collision needs two.",
    );
}

#[test]
fn an_order_that_may_still_be_written_is_not_called_incomplete() {
    let shop = Shop::default();
    let service = StandIn::start("", move |arrived| match &*arrived.path {
        "/orders/x/" => {
            let order: Value = serde_json::from_str(&arrived.body).unwrap();
            match order["customer_no"].as_u64().unwrap() {
                1 => {
                    shop.insert(1, &order, 1);
                    Reply::Silence
                }
                customer_no => shop.write(customer_no, &order),
            }
        }
        // Its head is not to be seen yet.
        "/orders/process" => ok(&json!({"book": 1, "shipped": [], "timeline": []})),
        _ => shop.audit(),
    });
    let output = run_at(
        &service.url(),
        &[FOUR_AT_ONCE, &["--timeout", "1"]].concat(),
    );
    assert_exit(&output, 2);
    let text = stdout(&output);
    assert_contains(&text, "incomplete order   1: one of them\n");
    assert_contains(&text, "1 of the requests brought no clear answer");
}

#[test]
fn acknowledged_orders_that_left_no_trace_prove_nothing() {
    let output = run_at(
        &Shop::open(|_, order| receipt(1, order)).url(),
        FOUR_AT_ONCE,
    );
    assert_exit(&output, 2);
    assert_contains(
        &stdout(&output),
        "4 of the acknowledged orders left no head in the book",
    );
}

#[test]
fn an_unknown_strategy_and_a_service_without_orders_are_named() {
    let args = ["--target", "orders/nope", "--wait", "0"];
    let output = run_at(&right_shop().url(), &args);
    assert_exit(&output, 2);
    assert_contains(
        &stdout(&output),
        "/orders/nope/ answered 404 to every request",
    );

    let nothing = StandIn::start("", |_| problem(404, &json!({"title": "Not found"})));
    let output = run_at(&nothing.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(
        &stderr(&output),
        "answered 404, but not with an audit of orders (Not Found); is this the right service?",
    );
}

#[test]
fn without_the_consumer_nobody_knows_what_it_would_ship() {
    let shop = Shop::default();
    let service = StandIn::start("", move |arrived| match &*arrived.path {
        "/orders/x/" => {
            let order: Value = serde_json::from_str(&arrived.body).unwrap();
            shop.write(order["customer_no"].as_u64().unwrap(), &order)
        }
        "/orders/process" => problem(503, &json!({"title": "Busy"})),
        _ => shop.audit(),
    });
    let output = run_at(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    let text = stdout(&output);
    assert_contains(
        &text,
        "could not tell: the consumer could not ship the last orders",
    );
    assert_contains(
        &text,
        "Note: The consumer could not ship while orders were being written",
    );
}
