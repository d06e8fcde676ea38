//! The consumer: the program that ships orders, while others are still being written.

use std::mem;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::task::JoinSet;

use super::parameters::Book;
use crate::body::Body;
use crate::error::Error;
use crate::service::Service;
use crate::tasks::joined;

/// What the consumer shipped in one run.
#[derive(Debug, Deserialize)]
pub(super) struct Shipments {
    /// One element for each order. Its content is not needed: the audit has all orders.
    shipped: Vec<IgnoredAny>,
}

/// The consumer of a book. It runs once while requests are in flight, so that it meets half-written
/// orders, and once after all requests have ended.
#[derive(Debug)]
pub(super) struct Consumer {
    service: Service,
    book: Book,
    /// Its first run, once that has started.
    first: Mutex<JoinSet<Result<Shipments, Error>>>,
}

/// What the two runs of the consumer shipped, or why they failed.
#[derive(Debug)]
pub(super) struct Consumption {
    /// While requests were in flight. None if the consumer did not run then.
    pub(super) in_between: Option<Result<Shipments, Error>>,
    /// After all requests had ended.
    pub(super) after: Result<Shipments, Error>,
}

impl Consumption {
    /// How many orders were shipped while requests were in flight. None if that is not known.
    pub(super) fn shipped_in_between(&self) -> Option<usize> {
        let shipments = self.in_between.as_ref()?.as_ref().ok()?;
        Some(shipments.shipped.len())
    }

    /// How many orders were shipped afterwards. None if that is not known.
    pub(super) fn shipped_afterwards(&self) -> Option<usize> {
        Some(self.after.as_ref().ok()?.shipped.len())
    }
}

impl Consumer {
    pub(super) fn new(service: Service, book: Book) -> Self {
        Self {
            service,
            book,
            first: Mutex::default(),
        }
    }

    /// Starts the first run, beside the requests.
    pub(super) fn start(&self) {
        let run = ship(self.service.clone(), self.book);
        // Nothing panics while it holds the lock.
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.spawn(run);
    }

    /// Waits for the first run, and ships the rest.
    pub(super) async fn finish(&self) -> Consumption {
        let mut first = mem::take(&mut *self.first.lock().unwrap_or_else(PoisonError::into_inner));
        Consumption {
            in_between: first.join_next().await.map(joined),
            after: ship(self.service.clone(), self.book).await,
        }
    }
}

/// Ships the orders that are in the book now.
async fn ship(service: Service, book: Book) -> Result<Shipments, Error> {
    let url = service.base_url.join(["orders", "process"]);
    let body = Body::json(&json!({ "book": book.get() }));
    let expected = "what was shipped";
    service.post_and_read(&url, body, expected).await
}
