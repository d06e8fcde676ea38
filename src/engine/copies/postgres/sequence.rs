//! Sequences: those behind keys, and others.

use serde::{Deserialize, Serialize};

use super::catalogue::OURS;
use crate::engine::connection::Connection;
use crate::engine::copies::texts::texts;
use crate::engine::lane::MARK;
use crate::engine::{Fault, Flavour};

/// A sequence, and how far it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sequence {
    schema: String,
    name: String,
    last: i64,
    /// Whether the last number was given out. If not, it is the next one.
    is_called: bool,
}

impl Sequence {
    fn quoted(&self) -> String {
        let quoted = |name| Flavour::Postgres.quoted_name(name);
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// A query for one row: this number, and how far it is now.
    pub(super) fn looked_at(&self, number: usize) -> String {
        format!(
            "SELECT CAST({number} AS BIGINT), last_value, \
                 CAST(CAST(is_called AS INT) AS BIGINT), CAST(0 AS BIGINT) FROM {}",
            self.quoted()
        )
    }

    /// Whether it is as far as it was.
    pub(super) fn is_at(&self, last: i64, is_called: i64) -> bool {
        (self.last, i64::from(self.is_called)) == (last, is_called)
    }

    /// Sets it back. No transaction undoes that.
    pub(super) fn set_back(&self) -> String {
        format!(
            "SELECT pg_catalog.setval({}, {}, {})",
            Flavour::Postgres.quoted(&self.quoted()),
            self.last,
            self.is_called
        )
    }
}

/// The sequences, in the order of their names, and how far they are.
pub(super) async fn sequences(connection: &mut Connection) -> Result<Vec<Sequence>, Fault> {
    let names = format!(
        "SELECT CAST(n.nspname AS TEXT), CAST(c.relname AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} AND c.relkind = 'S' ORDER BY 1, 2"
    );
    let names = texts(connection, &names, &[MARK]).await?.into_iter();
    let mut sequences: Vec<_> = names
        .map(|[schema, name]| Sequence {
            schema,
            name,
            last: 0,
            is_called: false,
        })
        .collect();
    for sequence in &mut sequences {
        let look = sequence.looked_at(0);
        let state = connection.integers::<4>(&look, [0_i64; 0]).await?;
        let [_, last, is_called, _] = state.into_iter().next().unwrap_or_default();
        sequence.last = last.unwrap_or_default();
        sequence.is_called = is_called == Some(1);
    }
    Ok(sequences)
}
