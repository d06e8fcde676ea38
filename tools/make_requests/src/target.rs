//! What a run races for: an account's balance, a book's order numbers, or an exported file.

use std::fmt;
use std::str::FromStr;

use serde_json::json;

use crate::invalid::Invalid;

/// The shared things that clients race for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhibit {
    /// An account's balance.
    Deposits,
    /// A book's next order number.
    Orders,
    /// A file on the server.
    Exports,
}

impl Exhibit {
    /// What one request makes.
    pub(crate) fn one(self) -> &'static str {
        match self {
            Self::Deposits => "deposit",
            Self::Orders => "order",
            Self::Exports => "export",
        }
    }

    /// So many of what the requests make.
    pub(crate) fn many(self, number: usize) -> String {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {}{plural}", self.one())
    }
}

/// What the requests of a run ask for.
#[derive(Debug, Clone)]
pub enum Target {
    /// Deposits into one account.
    Deposits(Deposits),
    /// Orders in one book.
    Orders(Orders),
    /// Exports of one account.
    Exports(Exports),
}

/// Deposits by one strategy.
#[derive(Debug, Clone)]
pub struct Deposits {
    /// The endpoint below `/demo/`.
    pub strategy: Strategy,
    /// The account that every deposit goes to.
    pub account: i64,
    /// What each deposit adds to the account.
    pub amount: Amount,
    /// Whether a deposit whose answer does not come in time is sent again.
    pub retry_timeouts: bool,
    /// Whether each deposit carries a key of its own (`Idempotency-Key`), the same each time it is sent.
    pub idempotency: bool,
}

/// Orders by one strategy, each of another customer.
#[derive(Debug, Clone)]
pub struct Orders {
    /// The endpoint below `/orders/`.
    pub strategy: Strategy,
    /// The book that they are numbered in.
    pub book: Book,
}

/// Exports by one strategy.
#[derive(Debug, Clone)]
pub struct Exports {
    /// The endpoint below `/exports/`.
    pub strategy: Strategy,
    /// The account whose transactions are exported.
    pub account: i64,
}

impl Target {
    /// What is raced for.
    #[must_use]
    pub fn exhibit(&self) -> Exhibit {
        match self {
            Self::Deposits(_) => Exhibit::Deposits,
            Self::Orders(_) => Exhibit::Orders,
            Self::Exports(_) => Exhibit::Exports,
        }
    }

    /// Whether a request whose answer does not come in time is sent again.
    pub(crate) fn retries_timeouts(&self) -> bool {
        matches!(self, Self::Deposits(deposits) if deposits.retry_timeouts)
    }

    /// Whether each request carries a key.
    pub(crate) fn wants_keys(&self) -> bool {
        matches!(self, Self::Deposits(deposits) if deposits.idempotency)
    }

    /// What the request of that number posts.
    pub(crate) fn body(&self, request: u32) -> Body {
        match self {
            // Integers only, so there is nothing to escape.
            Self::Deposits(Deposits {
                account, amount, ..
            }) => Body::form(format!("account={account}&amount={amount}")),
            Self::Orders(orders) => Body::json(&orders.order_of(request)),
            Self::Exports(Exports { account, .. }) => Body::form(format!("account={account}")),
        }
    }
}

impl Orders {
    /// Two lines, since an order of a single line could not be seen half written. The customer is
    /// the request, so that lines of two requests under one number are told apart.
    fn order_of(&self, customer_no: u32) -> serde_json::Value {
        let line = |item_no, quantity| json!({ "item_no": item_no, "quantity": quantity });
        json!({
            "book": self.book.get(),
            "customer_no": customer_no,
            "delivery_date": "2026-12-01",
            "orderlines": [line("10105", 80), line("14600", 20)],
        })
    }

    /// What the consumer is told: which book to read.
    pub(crate) fn book_to_process(&self) -> Body {
        Body::json(&json!({ "book": self.book.get() }))
    }
}

impl From<Deposits> for Target {
    fn from(deposits: Deposits) -> Self {
        Self::Deposits(deposits)
    }
}

impl From<Orders> for Target {
    fn from(orders: Orders) -> Self {
        Self::Orders(orders)
    }
}

impl From<Exports> for Target {
    fn from(exports: Exports) -> Self {
        Self::Exports(exports)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deposits(deposits) => deposits.strategy.fmt(f),
            Self::Orders(orders) => write!(f, "orders/{}", orders.strategy),
            Self::Exports(exports) => write!(f, "exports/{}", exports.strategy),
        }
    }
}

/// A request's body, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) text: String,
}

impl Body {
    fn form(text: String) -> Self {
        Self {
            content_type: "application/x-www-form-urlencoded",
            text,
        }
    }

    fn json(document: &serde_json::Value) -> Self {
        Self {
            content_type: "application/json",
            text: document.to_string(),
        }
    }
}

/// A target as a person names it: a deposit's strategy by its bare name, the others with their
/// exhibit in front, as in `orders/max_id_head_first`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// What is raced for.
    pub exhibit: Exhibit,
    /// The strategy's own name.
    pub strategy: Strategy,
}

impl FromStr for TargetName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (exhibit, strategy) = match text.split_once('/') {
            Some(("orders", strategy)) => (Exhibit::Orders, strategy),
            Some(("exports", strategy)) => (Exhibit::Exports, strategy),
            None if matches!(text, "orders" | "exports") => {
                return Err(Invalid(format!(
                    "{text} has several strategies: {text}/NAME is one"
                )));
            }
            _ => (Exhibit::Deposits, text),
        };
        let strategy = strategy.parse()?;
        Ok(Self { exhibit, strategy })
    }
}

/// The name of a strategy, such as `atomic_long_delay`.
///
/// Letters, digits, `_` and `-`, in segments joined by `/`: nothing that would need escaping or
/// could climb out of its exhibit's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy(String);

impl Strategy {
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for Strategy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_name = |segment: &str| !segment.is_empty() && segment.chars().all(allowed);
        if text.split('/').all(is_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(
                "a target is a name of letters, digits, _ and -, such as atomic_long_delay, \
                 or several joined by single slashes, such as orders/max_id_head_first"
                    .to_owned(),
            ))
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a book, 1 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Book(u32);

impl Book {
    /// What every engine's INTEGER holds.
    const LAST: u32 = i32::MAX.unsigned_abs();

    /// A book that hardly anybody else has ever used, so that bursts do not meet.
    #[must_use]
    pub fn fresh() -> Self {
        Self(fastrand::u32(1..=Self::LAST))
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Book {
    type Error = Invalid;

    fn try_from(book: u32) -> Result<Self, Invalid> {
        if (1..=Self::LAST).contains(&book) {
            Ok(Self(book))
        } else {
            Err(Invalid(format!("a book is 1 to {}", Self::LAST)))
        }
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one deposit adds: at least 1, since the loss of nothing could not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(i64);

impl Amount {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<i64> for Amount {
    type Error = Invalid;

    fn try_from(amount: i64) -> Result<Self, Invalid> {
        if amount >= 1 {
            Ok(Self(amount))
        } else {
            Err(Invalid(format!(
                "an amount is a whole number, 1 to {}",
                i64::MAX
            )))
        }
    }
}

impl FromStr for Amount {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // What is no number at all is refused with the same words as 0.
        text.parse().unwrap_or(0).try_into()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> (Exhibit, String) {
        let name: TargetName = text.parse().unwrap();
        (name.exhibit, name.strategy.to_string())
    }

    #[test]
    fn a_target_names_its_exhibit() {
        assert_eq!(named("atomic"), (Exhibit::Deposits, "atomic".to_owned()));
        assert_eq!(named("orders/x"), (Exhibit::Orders, "x".to_owned()));
        assert_eq!(named("exports/x"), (Exhibit::Exports, "x".to_owned()));
        assert_eq!(named("other/x"), (Exhibit::Deposits, "other/x".to_owned()));
        let bare = "orders".parse::<TargetName>().unwrap_err().to_string();
        assert!(bare.contains("orders/NAME"), "{bare}");
    }

    #[test]
    fn a_target_cannot_leave_its_place() {
        for bad in [
            "", "/x", "x/", "a//b", "..", "../x", "a/../b", "%2e%2e", "x?y", "x#y", "é", "a b",
        ] {
            for text in [bad.to_owned(), format!("orders/{bad}")] {
                // An empty name after "orders/" is refused as well.
                assert!(text.parse::<TargetName>().is_err(), "{text:?} was taken");
            }
        }
    }

    #[test]
    fn each_request_is_another_customer() {
        let orders: Target = Orders {
            strategy: "x".parse().unwrap(),
            book: Book::fresh(),
        }
        .into();
        let order = |request| -> serde_json::Value {
            serde_json::from_str(&orders.body(request).text).unwrap()
        };
        assert_eq!(order(1)["customer_no"], 1);
        assert_eq!(order(2)["customer_no"], 2);
        assert_eq!(order(1)["book"], order(2)["book"]);
        assert_eq!(order(1)["orderlines"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn amounts_and_books_have_limits() {
        assert_eq!("9223372036854775807".parse(), Ok(Amount(i64::MAX)));
        for bad in ["0", "-100", "9223372036854775808", "1.5", ""] {
            assert!(bad.parse::<Amount>().is_err(), "{bad:?} was taken");
        }
        assert!(Book::try_from(0).is_err());
        assert!(Book::try_from(u32::MAX).is_err());
    }
}
