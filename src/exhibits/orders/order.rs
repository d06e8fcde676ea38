//! An order as a client sends it, in types that can only have valid values.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::step::Argument;

/// What a client asks for: an order that is to be written into a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The book in which it gets its number.
    pub book: i64,
    /// The customer who orders.
    pub customer_no: i64,
    /// The day of delivery.
    pub delivery_date: DeliveryDate,
    /// The ordered items: 1 to [`MOST_LINES`] lines.
    pub lines: Vec<OrderLine>,
    /// The random numbers that were drawn for it.
    pub drawn: RandomIds,
}

impl Order {
    /// How many lines it has.
    pub fn line_count(&self) -> i64 {
        i64::try_from(self.lines.len()).unwrap_or(i64::MAX)
    }
}

/// The largest number of lines of an order.
pub const MOST_LINES: usize = 100;

/// The largest quantity of a line. The smallest is 1.
pub const MOST_OF_AN_ITEM: i64 = 10_000;

/// An item and its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLine {
    /// The item.
    pub item_no: ItemNo,
    /// The quantity: 1 to [`MOST_OF_AN_ITEM`].
    pub quantity: i64,
}

/// The number of an existing item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemNo(&'static str);

/// All items. They play no part in the race, so they need no table.
pub const ITEMS: [ItemNo; 6] = [
    ItemNo("10105"),
    ItemNo("10106"),
    ItemNo("10210"),
    ItemNo("14600"),
    ItemNo("20001"),
    ItemNo("20480"),
];

impl ItemNo {
    /// The number as orders spell it.
    pub fn text(self) -> &'static str {
        self.0
    }
}

impl FromStr for ItemNo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut items = ITEMS.into_iter();
        items.find(|item| item.0 == text).ok_or_else(|| {
            let known = ITEMS.map(|item| item.0).join(", ");
            format!("there is no item {text:?}; there are {known}")
        })
    }
}

impl From<ItemNo> for Argument {
    fn from(item: ItemNo) -> Self {
        Self::from(item.0)
    }
}

/// A day of the calendar, as the legacy interface stores it: 20261201 for the first of December
/// 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryDate(i64);

impl DeliveryDate {
    /// The date in all examples.
    pub(super) const SHOWN: Self = Self(20_261_201);

    /// The date as one number.
    pub fn number(self) -> i64 {
        self.0
    }

    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |digits: &str| {
            let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            are_digits.then(|| digits.parse::<i64>().ok()).flatten()
        };
        let (year, month, day) = (
            number(text.get(..4)?)?,
            number(text.get(5..7)?)?,
            number(text.get(8..)?)?,
        );
        let is_one = (1..=days_of(year, month)).contains(&day) && year > 0;
        is_one.then_some(Self(year * 10_000 + month * 100 + day))
    }
}

/// How many days a month has; 0 if there is no such month.
fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

impl FromStr for DeliveryDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of(text)
            .ok_or_else(|| format!("{text:?} is no day of the calendar, as \"2026-12-01\" is one"))
    }
}

/// The random numbers of an order. They are drawn before anything is written, so that a strategy
/// needs neither a random number nor a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomIds {
    /// The number that tells its writer from all others.
    pub token: i64,
    /// Its name, if the strategy lets the client name it.
    pub uuid: Uuid,
}

impl RandomIds {
    /// Draws them at random, and takes the UUID's time from the clock.
    pub fn at_random() -> Result<Self, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since_epoch.unwrap_or_default().as_millis();
        let [.., a, b, c, d, e, f] = random;
        Ok(Self {
            token: i64::from_be_bytes([0, 0, a, b, c, d, e, f]),
            uuid: uuid_v7(u64::try_from(millis).unwrap_or_default(), random),
        })
    }
}

/// The UUID, version 7, of a millisecond since 1970-01-01 UTC and the first ten of the bytes. The
/// crate sets the version's bits. Its own `v7` feature would bring a second source of random
/// numbers.
pub(super) fn uuid_v7(millis: u64, random: [u8; 16]) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, ..] = random;
    let bytes = [a, b, c, d, e, f, g, h, i, j];
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

/// The identity of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OrderId {
    /// A number. It is unique within its book or, if the engine gives the numbers, within all
    /// books.
    Number(i64),
    /// A UUID, as text.
    Uuid(String),
}

impl From<i64> for OrderId {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&OrderId> for Argument {
    fn from(id: &OrderId) -> Self {
        match id {
            OrderId::Number(number) => Self::Integer(*number),
            OrderId::Uuid(uuid) => Self::Text(uuid.clone()),
        }
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Uuid(uuid) => f.write_str(uuid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        let number = |text: &str| text.parse().map(DeliveryDate::number);
        assert_eq!(number("2026-12-01"), Ok(20_261_201));
        assert_eq!(number("2028-02-29"), Ok(20_280_229));
        assert_eq!(number("2000-02-29"), Ok(20_000_229));
        for text in [
            "",
            "2026-12-1",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "2026-02-29",
            "1900-02-29",
            "0000-01-01",
            "2026-12-00",
            "2026/12/01",
            "+026-12-01",
            "2026-12-01T00:00",
            "01.12.2026",
            "2026-1é-1",
        ] {
            assert!(number(text).unwrap_err().contains("no day"), "{text}");
        }
    }

    #[test]
    fn an_item_is_one_of_those_there_are() {
        assert_eq!("10105".parse(), Ok(ITEMS[0]));
        let complaint = "10 105".parse::<ItemNo>().unwrap_err();
        assert!(complaint.contains("10105"), "{complaint}");
    }

    #[test]
    fn a_uuid_says_its_version_and_its_time() {
        let uuid = uuid_v7(0x0199_0000_0001, [0xff; 16]);
        assert_eq!(uuid.to_string(), "01990000-0001-7fff-bfff-ffffffffffff");
        let (one, other) = (
            RandomIds::at_random().unwrap(),
            RandomIds::at_random().unwrap(),
        );
        assert_ne!(one, other);
        assert!(one.token >= 0 && one.uuid.get_version_num() == 7);
    }
}
