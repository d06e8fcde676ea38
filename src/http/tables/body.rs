//! The body of a request to append, and how it is read.

use axum::extract::Request;
use utoipa::ToSchema;

use crate::exhibits::tables::{Append, PartitionName, Record, TableName};
use crate::http::fields::Fields;
use crate::http::problem::Problem;

/// The largest number of records in a request. A body has at most 16 KiB.
const MOST_RECORDS: usize = 100;

/// The largest number of characters in a key.
const LONGEST_KEY: usize = 128;

/// What to append: one record, or several.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `parse` reads it field by field"
)]
pub(super) struct AppendBody {
    /// The record's key, if there is one record: 1 to 128 characters, none of them a control
    /// character.
    #[schema(example = "order-17")]
    key: Option<String>,
    /// The record's value, if there is one record.
    #[schema(example = 100)]
    value: Option<i64>,
    /// The records, if there are several. A form has them as JSON.
    #[schema(min_items = 1, max_items = 100)]
    records: Option<Vec<Record>>,
    /// The table's name: at most 64 small letters, digits, `-` and `_`. The strategy's name unless
    /// given. The table is made if there is none.
    #[schema(example = "events")]
    table: Option<String>,
    /// The partition that the records belong to, named as a table is.
    #[schema(example = "eu")]
    partition: Option<String>,
}

/// What was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// None if the strategy's own table is meant.
    pub(super) table: Option<TableName>,
    pub(super) append: Append,
}

pub(super) async fn parse(request: Request) -> Result<Asked, Problem> {
    let wanted = &["key", "value", "records", "table", "partition"];
    let mut fields = Fields::read(request, wanted).await?;
    let table = fields.take_text("table")?;
    let table = table.map(|name| table_name(&name)).transpose()?;
    let partition = fields.take_text("partition")?;
    let partition = partition.map(|it| {
        it.parse::<PartitionName>().map_err(|wrong| {
            Problem::invalid(format!(
                "The field \"partition\" is no partition's name: {it:?}; {wrong}."
            ))
        })
    });
    let (key, value) = (fields.take_text("key")?, fields.take("value"));
    let records = match (fields.take("records"), key, value) {
        (None, Some(key), Some(value)) => vec![Record {
            key,
            value: number(&value)?,
        }],
        (Some(records), None, None) => several(&records)?,
        (Some(_), ..) => {
            return Err(Problem::invalid(
                "Send \"records\", or \"key\" and \"value\", but not both.".to_owned(),
            ));
        }
        (None, None, _) => return Err(missing("key")),
        (None, Some(_), None) => return Err(missing("value")),
    };
    for record in &records {
        must_be_a_key(&record.key)?;
    }
    Ok(Asked {
        table,
        append: Append {
            records,
            partition: partition.transpose()?,
        },
    })
}

/// Reads a table's name.
///
/// # Errors
/// 400, which says what a name looks like.
pub(super) fn table_name(name: &str) -> Result<TableName, Problem> {
    name.parse()
        .map_err(|wrong| Problem::invalid(format!("This is no table's name: {name:?}; {wrong}.")))
}

fn missing(field: &str) -> Problem {
    Problem::invalid(format!(
        "The field {field:?} is missing: send \"key\" and \"value\", or JSON with \"records\"."
    ))
}

fn number(text: &str) -> Result<i64, Problem> {
    text.trim().parse().map_err(|_| {
        Problem::invalid(format!(
            "The field \"value\" is not an integer of 64 bits: {text:?}."
        ))
    })
}

fn several(json: &str) -> Result<Vec<Record>, Problem> {
    let records: Vec<Record> = serde_json::from_str(json).map_err(|wrong| {
        Problem::invalid(format!(
            "The field \"records\" is no array of objects with \"key\" and \"value\": {wrong}."
        ))
    })?;
    match records.len() {
        1..=MOST_RECORDS => Ok(records),
        count => Err(Problem::invalid(format!(
            "The field \"records\" has {count} records; 1 to {MOST_RECORDS} are taken at a time."
        ))),
    }
}

fn must_be_a_key(key: &str) -> Result<(), Problem> {
    let length = key.chars().count();
    let why = if key.is_empty() {
        "it is empty".to_owned()
    } else if length > LONGEST_KEY {
        format!("it has {length} characters, and at most {LONGEST_KEY} are taken")
    } else if key.chars().any(char::is_control) {
        "it has a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Problem::invalid(format!(
        "A record's \"key\" is not right: {why}."
    )))
}
