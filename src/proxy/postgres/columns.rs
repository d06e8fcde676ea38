//! The columns of a result, and its rows.

use super::bytes::{Bytes, NotUnderstood};
use super::values::{Formats, value};
use crate::answer::Datum;

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The number of its type.
    value_type: u32,
    is_binary: bool,
}

/// Reads RowDescription. That of a statement, which is not bound yet, says that all are texts.
pub(super) fn read(body: &[u8]) -> Result<Vec<Column>, NotUnderstood> {
    let mut bytes = Bytes::new(body);
    bytes.counted(|bytes| {
        let name = bytes.name()?;
        // The table and the number of the column in it.
        bytes.take(6)?;
        let value_type = bytes.u32()?;
        // The size of the type and its modifier.
        bytes.take(6)?;
        Ok(Column {
            name,
            value_type,
            is_binary: bytes.u16()? == 1,
        })
    })
}

/// The columns of a statement with the formats that it was bound with.
pub(super) fn with_formats(columns: &[Column], formats: &Formats) -> Vec<Column> {
    let columns = columns.iter().enumerate();
    let columns = columns.map(|(index, column)| Column {
        is_binary: formats.is_binary(index),
        ..column.clone()
    });
    columns.collect()
}

/// Reads DataRow. `None` if it has other columns than these.
pub(super) fn row(body: &[u8], columns: &[Column]) -> Result<Option<Vec<Datum>>, NotUnderstood> {
    let mut bytes = Bytes::new(body);
    if usize::from(bytes.u16()?) != columns.len() {
        return Ok(None);
    }
    let mut row = Vec::with_capacity(columns.len());
    for column in columns {
        row.push(match bytes.sized()? {
            None => Datum::Null,
            Some(bytes) => value(bytes, column.value_type, column.is_binary),
        });
    }
    Ok(Some(row))
}
