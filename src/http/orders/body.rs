//! The body of a request to write an order, and how it is read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::Request;
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::exhibits::orders::{
    ITEMS, ItemNo, MOST_LINES, MOST_OF_AN_ITEM, Order, OrderLine, RandomIds,
};
use crate::http::fields::Fields;
use crate::http::input::natural;
use crate::http::problem::Problem;

/// The body of a request to write an order.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `parse` reads it field by field"
)]
pub(super) struct OrderBody {
    /// The customer's number.
    #[schema(example = 12345, minimum = 1)]
    customer_no: i64,
    /// The day of the delivery.
    #[schema(example = "2026-12-01", format = Date)]
    delivery_date: String,
    /// The order's lines.
    #[schema(min_items = 1, max_items = 100, example = json!([
        { "item_no": "10105", "quantity": 80 },
        { "item_no": "14600", "quantity": 20 },
    ]))]
    orderlines: Vec<OrderLineBody>,
    /// The book that numbers it; 1 unless given.
    #[schema(example = 1, minimum = 1)]
    book: Option<i64>,
}

/// An order line.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes a part of the body to OpenAPI")]
pub(super) struct OrderLineBody {
    /// The item's number.
    #[schema(value_type = ItemNumber, inline, example = "10105")]
    item_no: String,
    /// The quantity.
    #[schema(example = 80, minimum = 1, maximum = 10_000)]
    quantity: i64,
}

/// The item numbers, as OpenAPI describes them.
struct ItemNumber;

impl PartialSchema for ItemNumber {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(ITEMS.map(ItemNo::text)))
            .into()
    }
}

impl ToSchema for ItemNumber {}

pub(super) async fn parse(request: Request) -> Result<Order, Problem> {
    let wanted = &["book", "customer_no", "delivery_date", "orderlines"];
    let mut fields = Fields::read_json(request, wanted).await?;
    let mut take = |name| fields.take(name);
    Ok(Order {
        book: book(take("book"))?,
        customer_no: integer_within(
            "customer_no",
            required("customer_no", take("customer_no"))?.as_str(),
            1..=i64::MAX,
        )?,
        delivery_date: parsed(
            "delivery_date",
            &required("delivery_date", take("delivery_date"))?,
        )?,
        lines: lines(&required("orderlines", take("orderlines"))?)?,
        drawn: RandomIds::at_random().map_err(|error| {
            tracing::error!(%error, "no random numbers");
            Problem::internal()
        })?,
    })
}

/// The book's number; 1 unless given.
pub(super) fn book(text: Option<String>) -> Result<i64, Problem> {
    text.map_or(Ok(1), |text| integer_within("book", &text, 1..=i64::MAX))
}

fn lines(json: &str) -> Result<Vec<OrderLine>, Problem> {
    let wrong = |what: String| Problem::invalid(format!("The field \"orderlines\" {what}."));
    let lines: Vec<Box<RawValue>> = serde_json::from_str(json)
        .map_err(|_| wrong("is not an array of objects with item_no and quantity".to_owned()))?;
    match lines.len() {
        0 => Err(wrong("is empty: an order has at least one line".to_owned())),
        1..=MOST_LINES => (0..).zip(lines).map(line).collect(),
        many => Err(wrong(format!(
            "has {many} lines: an order has at most {MOST_LINES}"
        ))),
    }
}

fn line((number, json): (usize, Box<RawValue>)) -> Result<OrderLine, Problem> {
    let name = format!("orderlines[{number}]");
    let fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(json.get()).map_err(|_| {
            Problem::invalid(format!(
                "The field {name:?} is not an object with item_no and quantity."
            ))
        })?;
    let field = |field: &str| {
        let name = format!("{name}.{field}");
        let value = fields.get(field).map(|value| value.get());
        let value = value.filter(|value| *value != "null");
        required(&name, value.map(str::to_owned)).map(|value| (name, value))
    };
    let (item_name, item_no) = field("item_no")?;
    let (quantity_name, quantity) = field("quantity")?;
    Ok(OrderLine {
        item_no: parsed(&item_name, &item_no)?,
        quantity: integer_within(&quantity_name, &quantity, 1..=MOST_OF_AN_ITEM)?,
    })
}

fn required(name: &str, text: Option<String>) -> Result<String, Problem> {
    text.ok_or_else(|| Problem::invalid(format!("The field {name:?} is missing.")))
}

fn integer_within(name: &str, text: &str, range: RangeInclusive<i64>) -> Result<i64, Problem> {
    let value = natural(name, text)?;
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(Problem::invalid(format!(
            "The field {name:?} is out of range: {value} is not within {} to {}.",
            range.start(),
            range.end()
        )))
    }
}

/// Reads a value from a JSON string.
fn parsed<T: FromStr<Err = String>>(name: &str, json: &str) -> Result<T, Problem> {
    let wrong = |what: String| Problem::invalid(format!("The field {name:?} is wrong: {what}."));
    let text: String =
        serde_json::from_str(json).map_err(|_| wrong(format!("{json} is not a text")))?;
    text.parse().map_err(wrong)
}
