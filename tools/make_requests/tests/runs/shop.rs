//! A shop that behaves as a test wants.

use std::sync::{Barrier, Mutex};

use serde_json::{Value, json};

use crate::stand_in::{Reply, Request, StandIn, ok, problem};

/// A shop with one book, whatever its number is.
#[derive(Default)]
pub(crate) struct Shop {
    pub(crate) book: Mutex<Vec<Head>>,
}

/// An order as it is stored.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) customer_no: u64,
    pub(crate) lines: usize,
    /// How many lines it had when it was shipped.
    pub(crate) shipped: Option<usize>,
}

impl Shop {
    pub(crate) fn next_number(&self) -> u64 {
        let book = self.book.lock().unwrap();
        book.iter().map(|head| head.number).max().unwrap_or(0) + 1
    }

    /// Writes the order's head and all its lines.
    pub(crate) fn write(&self, number: u64, order: &Value) -> Reply {
        let lines = order["orderlines"].as_array().unwrap().len();
        self.insert(number, order, lines);
        receipt(number, order)
    }

    pub(crate) fn insert(&self, number: u64, order: &Value, lines: usize) {
        self.book.lock().unwrap().push(Head {
            number,
            customer_no: order["customer_no"].as_u64().unwrap(),
            lines,
            shipped: None,
        });
    }

    pub(crate) fn ship(&self) -> Reply {
        let mut book = self.book.lock().unwrap();
        let waiting = book.iter_mut().filter(|head| head.shipped.is_none());
        let shipped = waiting.map(|head| {
            head.shipped = Some(head.lines);
            json!({"order": head.number, "customer_no": head.customer_no, "lines": head.lines})
        });
        let shipped: Vec<_> = shipped.collect();
        ok(&json!({"book": 1, "shipped": shipped, "timeline": []}))
    }

    pub(crate) fn audit(&self) -> Reply {
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

    /// Serves the routes. Orders are made by `take`.
    pub(crate) fn open(take: impl Fn(&Self, &Value) -> Reply + Send + Sync + 'static) -> StandIn {
        let shop = Self::default();
        StandIn::start("", move |request: &Request| {
            match (&*request.method, request.path.split('?').next().unwrap()) {
                ("POST", "/orders/x/") => {
                    take(&shop, &serde_json::from_str(&request.body).unwrap())
                }
                ("POST", "/orders/process") => shop.ship(),
                ("GET", "/orders/audit") => shop.audit(),
                _ => problem(404, &json!({"title": "Not found"})),
            }
        })
    }
}

/// The receipt of an order. All arrive in the first millisecond, each customer 10 µs after the
/// one before.
pub(crate) fn receipt(number: u64, order: &Value) -> Reply {
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

/// A shop whose clients all read the highest number before any of them writes.
pub(crate) fn racing_shop(clients: usize) -> StandIn {
    let all_have_read = Barrier::new(clients);
    Shop::open(move |shop, order| {
        let number = shop.next_number();
        all_have_read.wait();
        shop.write(number, order)
    })
}

/// A shop that gives every number once.
pub(crate) fn right_shop() -> StandIn {
    let turn = Mutex::new(());
    Shop::open(move |shop, order| {
        let _mine = turn.lock().unwrap();
        shop.write(shop.next_number(), order)
    })
}
