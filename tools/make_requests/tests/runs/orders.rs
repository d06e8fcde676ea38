//! Orders: duplicate numbers, half-written orders, and what the consumer ships.

use std::sync::{Barrier, Mutex};

use serde_json::{Value, json};

use crate::shop::{Shop, racing_shop, receipt, right_shop};
use crate::stand_in::{Reply, StandIn, deadlock, ok, problem};
use crate::tool::{assert_contains, assert_exit, json, redacted, run, stderr, stdout};

const FOUR_AT_ONCE: &[&str] = &["--target", "orders/x", "--wait", "0", "--requests", "4"];

/// The text without the number of the book, and without the figure that depends on when the
/// consumer ran.
fn steady(text: &str, shop: &StandIn) -> String {
    let text = redacted(text, &shop.url());
    let line = |line: &str| match line.split_once(" in book ") {
        Some((before, after)) => {
            let (_, rest) = after.split_once(',').unwrap();
            format!("{before} in book [drawn],{rest}\n")
        }
        None if line.starts_with("  shipped  ") => "  shipped  [by chance]\n".to_owned(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn two_orders_of_one_number_are_found() {
    let shop = racing_shop(4);
    let output = run(&shop.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!("duplicate_number_text", steady(&stdout(&output), &shop));
}

#[test]
fn the_json_report_lists_the_anomalies() {
    let (report, status) = json(&racing_shop(4).url(), FOUR_AT_ONCE);
    assert_eq!(status, Some(1));
    assert_eq!(report["target"], "orders/x");
    assert_eq!(report["verdict"], "duplicate_number");
    let anomaly = json!({
        "name": "duplicate_number", "count": 4, "example": "several orders have number 1",
    });
    assert_eq!(report["anomalies"][0], anomaly);
    assert_eq!(report.get("balance"), None);
}

#[test]
fn the_json_report_counts_orders_lines_and_shipments() {
    let (report, _) = json(&racing_shop(4).url(), FOUR_AT_ONCE);
    assert_eq!(
        (&report["orders"], &report["lines"]),
        (&json!(4), &json!(8))
    );
    let shipped = ["shipped_in_between", "shipped_afterwards"];
    let shipped = shipped.map(|field| report[field].as_u64().unwrap());
    assert_eq!(shipped.iter().sum::<u64>(), 4);
    assert!(report["book"].as_u64().unwrap() >= 1);
}

#[test]
fn each_order_is_a_row_of_the_table() {
    let args = [FOUR_AT_ONCE, &["--format", "csv"]].concat();
    let output = run(&right_shop().url(), &args);
    assert_exit(&output, 0);
    let table = stdout(&output);
    let (header, rows) = table.split_once('\n').unwrap();
    assert!(header.ends_with(",code,order,customer_no"), "{header}");
    // The number of the request is the customer.
    let customers = rows.lines().map(|row| row.rsplit(',').next().unwrap());
    assert_eq!(customers.collect::<Vec<_>>(), ["1", "2", "3", "4"]);
}

#[test]
fn a_right_shop_is_safe_although_its_numbers_have_gaps() {
    for wait in ["0", "0.001"] {
        let args = ["--target", "orders/x", "--wait", wait, "--requests", "4"];
        let output = run(&right_shop().url(), &args);
        assert_exit(&output, 0);
        let text = stdout(&output);
        assert_contains(&text, "  orders             4\n  lines              8\n");
        assert_contains(&text, "  gap                1: one of them\n");
        assert_contains(&text, "  never shipped      0\n");
        assert_contains(&text, "safe: every request was acknowledged");
    }
}

/// A shop that is met half way by the consumer. The first order is whole, and its answer starts
/// the consumer. It ships when the heads of the other orders are there, and before their lines.
struct HalfWrittenShop {
    shop: Shop,
    numbers: Mutex<u64>,
    consumer_runs: Mutex<u64>,
    heads_are_written: Barrier,
    consumer_has_shipped: Barrier,
}

impl HalfWrittenShop {
    fn open() -> StandIn {
        let shop = Self {
            shop: Shop::default(),
            numbers: Mutex::new(0),
            consumer_runs: Mutex::new(0),
            heads_are_written: Barrier::new(4),
            consumer_has_shipped: Barrier::new(4),
        };
        StandIn::start("", move |request| {
            let path = request.path.split('?').next().unwrap();
            match (&*request.method, path) {
                ("POST", "/orders/x/") => shop.take(&serde_json::from_str(&request.body).unwrap()),
                ("POST", "/orders/process") => shop.ship(),
                _ => shop.shop.audit(),
            }
        })
    }

    fn take(&self, order: &Value) -> Reply {
        let number = next(&self.numbers);
        if number == 1 {
            return self.shop.write(number, order);
        }
        self.shop.insert(number, order, 0);
        self.heads_are_written.wait();
        self.consumer_has_shipped.wait();
        let mut book = self.shop.book.lock().unwrap();
        let head = book.iter_mut().find(|head| head.number == number);
        head.unwrap().lines = 2;
        receipt(number, order)
    }

    fn ship(&self) -> Reply {
        if next(&self.consumer_runs) > 1 {
            return self.shop.ship();
        }
        self.heads_are_written.wait();
        let shipped = self.shop.ship();
        self.consumer_has_shipped.wait();
        shipped
    }
}

fn next(counter: &Mutex<u64>) -> u64 {
    let mut counter = counter.lock().unwrap();
    *counter += 1;
    *counter
}

#[test]
fn the_consumer_runs_while_orders_are_half_written() {
    let output = run(&HalfWrittenShop::open().url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    let text = stdout(&output);
    let shipped = "  shipped            4 during the run, 0 afterwards\n";
    assert_contains(&text, shipped);
    assert_contains(&text, "  shipped incomplete 3: one of them\n");
    assert_contains(&text, "\n3 × shipped incomplete\n");
}

#[test]
fn refusals_do_not_hide_that_the_rest_is_right() {
    let shop = Shop::open(|shop, order| match order["customer_no"].as_u64().unwrap() {
        1 => shop.write(1, order),
        _ => deadlock(),
    });
    let output = run(&shop.url(), FOUR_AT_ONCE);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_contains(&text, "refused            3: 3 × deadlock (1213)\n");
    let remark = "Only one order was acknowledged, and a collision needs two.";
    assert_contains(&text, remark);
}

#[test]
fn an_order_that_may_still_be_written_is_not_called_incomplete() {
    let shop = Shop::default();
    let service = StandIn::start("", move |request| match &*request.path {
        "/orders/x/" => {
            let order: Value = serde_json::from_str(&request.body).unwrap();
            match order["customer_no"].as_u64().unwrap() {
                1 => {
                    shop.insert(1, &order, 1);
                    Reply::Silence
                }
                customer_no => shop.write(customer_no, &order),
            }
        }
        // The consumer does not see the order's head yet.
        "/orders/process" => ok(&json!({"book": 1, "shipped": [], "timeline": []})),
        _ => shop.audit(),
    });
    let args = [FOUR_AT_ONCE, &["--timeout", "1"]].concat();
    let output = run(&service.url(), &args);
    assert_exit(&output, 2);
    let text = stdout(&output);
    assert_contains(&text, "incomplete order   1: one of them\n");
    assert_contains(&text, "1 of the requests brought no clear answer");
    assert_contains(&text, "still be running. The book may still change.");
}

#[test]
fn acknowledged_orders_that_left_no_trace_prove_nothing() {
    let shop = Shop::open(|_, order| receipt(1, order));
    let output = run(&shop.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    let doubt = "4 of the acknowledged orders left no head in the book";
    assert_contains(&stdout(&output), doubt);
}

#[test]
fn an_unknown_strategy_is_named() {
    let args = ["--target", "orders/nope", "--wait", "0"];
    let output = run(&right_shop().url(), &args);
    assert_exit(&output, 2);
    let doubt = "/orders/nope/ answered 404 to every request";
    assert_contains(&stdout(&output), doubt);
}

#[test]
fn a_service_without_orders_is_named() {
    let service = StandIn::start("", |_| problem(404, &json!({"title": "Not found"})));
    let output = run(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(
        &stderr(&output),
        "answered 404, but not with an audit of orders (Not Found); is this the right service?",
    );
}

#[test]
fn without_the_consumer_the_run_proves_nothing() {
    let shop = Shop::default();
    let service = StandIn::start("", move |request| match &*request.path {
        "/orders/x/" => {
            let order: Value = serde_json::from_str(&request.body).unwrap();
            shop.write(order["customer_no"].as_u64().unwrap(), &order)
        }
        "/orders/process" => problem(503, &json!({"title": "Busy"})),
        _ => shop.audit(),
    });
    let output = run(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    let text = stdout(&output);
    let doubt = "could not tell: the consumer could not ship the last orders";
    assert_contains(&text, doubt);
    let remark = "Note: The consumer could not ship while orders were being written";
    assert_contains(&text, remark);
}
