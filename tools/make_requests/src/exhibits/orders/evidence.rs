//! The book before and after a run, and what follows from the two.

use reqwest::Url;
use serde::Deserialize;

use super::consumer::Consumption;
use super::parameters::Book;
use super::receipt::claim;
use crate::answers::Answers;
use crate::audit::Anomaly;
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::fields::Fields;
use crate::pair::{self, Pair};
use crate::race::Evidence;
use crate::service::Service;
use crate::verdict::Verdict;
use crate::words::known;

/// The audit of a book of orders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct BookAudit {
    orders: u64,
    /// The lines of all orders together.
    lines: u64,
    anomalies: Vec<Anomaly>,
}

impl BookAudit {
    /// Where the audit is read.
    pub(super) fn url(base_url: &BaseUrl, book: Book) -> Url {
        let mut url = base_url.join(["orders", "audit"]);
        url.set_query(Some(&format!("book={book}")));
        url
    }

    pub(super) async fn read(service: &Service, book: Book) -> Result<Self, Error> {
        let url = Self::url(&service.base_url, book);
        service.get(&url, "an audit of orders").await
    }
}

/// A book before and after a run, and what the consumer shipped.
#[derive(Debug)]
pub(super) struct BookEvidence {
    /// Before the first request.
    pub(super) before: BookAudit,
    pub(super) consumption: Consumption,
    /// After the consumer's last run, or why it could not be read.
    pub(super) after: Result<BookAudit, Error>,
}

impl BookEvidence {
    fn after(&self) -> Option<&BookAudit> {
        self.after.as_ref().ok()
    }

    /// The anomalies that show that something is wrong.
    fn wrong(&self, answers: &Answers) -> Vec<Anomaly> {
        let may_still_be_written = answers.in_doubt() > 0;
        let mut anomalies = self.anomalies();
        // An order that is being written at this moment looks incomplete.
        anomalies
            .retain(|it| it.is_wrong() && !(it.name == "incomplete_order" && may_still_be_written));
        anomalies
    }
}

impl Evidence for BookEvidence {
    fn audit_error(&self) -> Option<&Error> {
        self.after.as_ref().err()
    }

    fn anomalies(&self) -> Vec<Anomaly> {
        self.after()
            .map(|after| Anomaly::since(&after.anomalies, &self.before.anomalies))
            .unwrap_or_default()
    }

    fn anomaly(&self, answers: &Answers) -> Option<Verdict> {
        Verdict::of(&self.wrong(answers))
    }

    fn traces(&self) -> Option<u64> {
        Some(self.after()?.orders.saturating_sub(self.before.orders))
    }

    fn not_examined(&self) -> Option<String> {
        let error = self.consumption.after.as_ref().err()?;
        Some(format!(
            "the consumer could not ship the last orders: {error}"
        ))
    }

    fn remarks(&self, _answers: &Answers) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.before.orders > 0 {
            let orders = self.before.orders;
            remarks.push(format!("The book had {orders} orders before this run."));
        }
        if let Some(Err(error)) = &self.consumption.in_between {
            remarks.push(format!(
                "The consumer could not ship while orders were being written: {error}."
            ));
        }
        remarks
    }

    fn figures(&self, _answers: &Answers) -> Vec<(&'static str, String)> {
        let in_between = known(self.consumption.shipped_in_between());
        let afterwards = known(self.consumption.shipped_afterwards());
        vec![
            ("orders", known(self.after().map(|audit| audit.orders))),
            ("lines", known(self.after().map(|audit| audit.lines))),
            (
                "shipped",
                format!("{in_between} during the run, {afterwards} afterwards"),
            ),
        ]
    }

    fn fields(&self, _answers: &Answers) -> Fields {
        let count = |orders: usize| orders as i128;
        let in_between = self.consumption.shipped_in_between().map(count);
        let afterwards = self.consumption.shipped_afterwards().map(count);
        Fields::default()
            .optional("orders", self.after().map(|audit| audit.orders))
            .optional("lines", self.after().map(|audit| audit.lines))
            .optional("shipped_in_between", in_between)
            .optional("shipped_afterwards", afterwards)
            .anomalies("anomalies", self.anomalies())
    }

    fn incident<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        if self.wrong(answers).is_empty() {
            return None;
        }
        pair::collision(&answers.receipts(), claim)
    }

    fn overlap<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>> {
        pair::overlap(&answers.receipts())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn audit(duplicates: u64, gaps: u64) -> BookAudit {
        serde_json::from_value(json!({
            "book": 1, "orders": 3, "lines": 6, "anomalies": [
                {"name": "duplicate_number", "count": duplicates, "example": "order 1\u{1b}[2J"},
                {"name": "gap", "count": gaps, "example": null},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn only_new_anomalies_are_counted() {
        let since = Anomaly::since(&audit(3, 1).anomalies, &audit(1, 1).anomalies);
        assert_eq!((since[0].count, since[1].count), (2, 0));
        assert_eq!(since[0].example.as_deref(), Some("order 1 [2J"));
    }
}
