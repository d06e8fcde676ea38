//! Rows of texts, as catalogues are asked for them.

use crate::engine::Fault;
use crate::engine::connection::{Connection, Row};

/// Rows of `N` texts.
pub(super) async fn texts<const N: usize>(
    connection: &mut Connection,
    sql: &str,
    values: &[&str],
) -> Result<Vec<[String; N]>, Fault> {
    let rows = connection.rows(sql, values.iter().copied()).await?;
    rows.iter().map(texts_of).collect()
}

fn texts_of<const N: usize>(row: &Row) -> Result<[String; N], Fault> {
    let mut texts = [const { String::new() }; N];
    for (index, text) in texts.iter_mut().enumerate() {
        *text = row.text(index)?;
    }
    Ok(texts)
}
