//! Orders as an exhibit.

use std::sync::Arc;

use reqwest::Url;
use serde_json::json;

use super::consumer::Consumer;
use super::evidence::{BookAudit, BookEvidence};
use super::parameters::{Book, Orders};
use super::receipt::Order;
use crate::answers::Answers;
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::Error;
use crate::fields::Fields;
use crate::key::Keys;
use crate::race::{Auditor, Evidence, Exhibit, Pending, Race, Target};
use crate::receipt::Receipt;
use crate::service::Service;
use crate::strategy::Strategy;
use crate::verdict::Trace;

/// Orders.
pub(crate) static EXHIBIT: Exhibit = Exhibit {
    prefix: Some("orders"),
    route: "orders",
    options: &[],
    target: |strategy, _| {
        let book = Book::fresh();
        Ok(Orders { strategy, book }.into())
    },
    csv_columns: ["order", "customer_no"],
    product: "order",
    incident: "a collision",
    incident_caption: "which took the same order number",
    while_in_doubt: "The book may still change.",
    trace: Trace {
        missing: "orders left no head",
        place: "book",
    },
};

impl From<Orders> for Target {
    fn from(orders: Orders) -> Self {
        Self::new(orders)
    }
}

impl Race for Orders {
    fn exhibit(&self) -> &'static Exhibit {
        &EXHIBIT
    }

    fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    fn probe_url(&self, base_url: &BaseUrl) -> Url {
        BookAudit::url(base_url, self.book)
    }

    /// An order has two lines: with a single line it could not be seen half written. Each request
    /// has its own customer, so that lines of two orders with one number can be told apart.
    fn body(&self, request: u32, _keys: Keys) -> Body {
        let line = |item_no, quantity| json!({ "item_no": item_no, "quantity": quantity });
        Body::json(&json!({
            "book": self.book.get(),
            "customer_no": request,
            "delivery_date": "2026-12-01",
            "orderlines": [line("10105", 80), line("14600", 20)],
        }))
    }

    fn receipt(&self, body: &[u8]) -> Option<Receipt> {
        Receipt::read::<Order>(body)
    }

    fn purpose(&self) -> String {
        format!("in book {}", self.book)
    }

    fn fields(&self) -> Fields {
        Fields::default().number("book", self.book.get())
    }

    fn look<'a>(
        &'a self,
        service: &'a Service,
        _keys: Keys,
    ) -> Pending<'a, Result<Arc<dyn Auditor>, Error>> {
        Box::pin(async {
            let auditor: Arc<dyn Auditor> = Arc::new(BookAuditor {
                service: service.clone(),
                book: self.book,
                before: BookAudit::read(service, self.book).await?,
                consumer: Consumer::new(service.clone(), self.book),
            });
            Ok(auditor)
        })
    }
}

#[derive(Debug)]
struct BookAuditor {
    service: Service,
    book: Book,
    before: BookAudit,
    consumer: Consumer,
}

impl Auditor for BookAuditor {
    fn halfway(&self) {
        self.consumer.start();
    }

    fn finish<'a>(&'a self, _answers: &'a Answers) -> Pending<'a, Box<dyn Evidence>> {
        Box::pin(async {
            let evidence: Box<dyn Evidence> = Box::new(BookEvidence {
                before: self.before.clone(),
                consumption: self.consumer.finish().await,
                after: BookAudit::read(&self.service, self.book).await,
            });
            evidence
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_request_is_another_customer() {
        let orders = Orders {
            strategy: "x".parse().unwrap(),
            book: Book::fresh(),
        };
        let keys = Keys::of_a_new_run();
        let order =
            |request| -> Value { serde_json::from_str(&orders.body(request, keys).text).unwrap() };
        assert_eq!(order(1)["customer_no"], 1);
        assert_eq!(order(2)["customer_no"], 2);
        assert_eq!(order(1)["book"], order(2)["book"]);
        assert_eq!(order(1)["orderlines"].as_array().unwrap().len(), 2);
    }
}
