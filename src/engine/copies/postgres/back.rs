//! The rows and the sequences, brought back.
//!
//! 1. Tables are compared with their copies, and sequences with what was noted, in one query.
//! 2. A small table that differs is emptied and filled, so that a scan meets its rows in the order
//!    that they had. Of a larger one only the rows that differ are exchanged.
//! 3. Sequences that have moved are set back.
//!
//! Truncating would leave no dead rows, but it takes a lock that a reader's transaction withholds,
//! makes new files, and has every other connection plan its statements again. So that is done only
//! if a small table has grown to many times its size, and no one is waited for then.

use super::blockers::{self, explained};
use super::catalogue;
use super::sequence::Sequence;
use super::session;
use super::table::Table;
use super::{Kept, connection};
use crate::engine::connection::Connection;
use crate::engine::copies::error::CopyError;
use crate::engine::{Database, Fault};

/// What is done, for those who read an error.
const WHAT: &str = "bringing rows back";

/// Brings these tables back, and all sequences.
pub(super) async fn bring_back(
    database: &Database,
    kept: &Kept,
    tables: &[&Table],
) -> Result<(), CopyError> {
    let mut connection = connection(database).await?;
    let brought = match brought_back(&mut connection, kept, tables).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refused)) => {
            session::give_up(&mut connection).await;
            Err(refused)
        }
        Err(fault) => Err(explained(&mut connection, WHAT, fault).await),
    };
    connection.give_back();
    brought
}

async fn brought_back(
    connection: &mut Connection,
    kept: &Kept,
    tables: &[&Table],
) -> Result<Result<(), CopyError>, Fault> {
    session::begin_to_bring_back(connection, &kept.stillness).await?;
    let changes = changes(connection, kept).await?;
    if !changes.is_empty() {
        return Ok(Err(CopyError::Changed(changes)));
    }
    let by = blockers::writers_at_last(connection).await?;
    if !by.is_empty() {
        return Ok(Err(blockers::blocked(WHAT, by)));
    }
    let differences = differences(connection, kept, tables).await?;
    let views = differences.tables.iter().filter(|it| !it.is_written());
    let views: Vec<_> = views
        .map(|it| format!("materialised view {} was refreshed", it.shown()))
        .collect();
    if !views.is_empty() {
        return Ok(Err(CopyError::Changed(views)));
    }
    let rows = differences.tables.iter().flat_map(|it| it.brought_back());
    let sequences = differences.sequences.iter().map(|it| it.set_back());
    let mut statements: Vec<_> = rows.chain(sequences).collect();
    statements.push("COMMIT".to_owned());
    connection.command(&statements.join("; ")).await?;
    if !differences.grown.is_empty() {
        let grown: Vec<_> = differences.grown.iter().map(|it| it.quoted()).collect();
        // The rows are back. A table that this user may not vacuum is left as it is.
        let vacuum = format!("VACUUM (FULL, SKIP_LOCKED) {}", grown.join(", "));
        connection.command(&vacuum).await?;
    }
    Ok(Ok(()))
}

/// What is gone or new since the copies were taken.
async fn changes(connection: &mut Connection, kept: &Kept) -> Result<Vec<String>, Fault> {
    let now = catalogue::things(connection).await?;
    let gone = kept.things.iter().filter(|it| !now.contains(it));
    let gone = gone.map(|it| format!("{it} is gone"));
    let new = now.iter().filter(|it| !kept.things.contains(it));
    let new = new.map(|it| format!("{it} is new"));
    Ok(gone.chain(new).collect())
}

/// What differs.
pub(super) struct Differences<'t> {
    pub(super) tables: Vec<&'t Table>,
    sequences: Vec<&'t Sequence>,
    /// Those among the tables that consist of dead rows for the most part.
    grown: Vec<&'t Table>,
}

/// Which of these tables differ from their copies, and which sequences have moved.
pub(super) async fn differences<'t>(
    connection: &mut Connection,
    kept: &'t Kept,
    tables: &[&'t Table],
) -> Result<Differences<'t>, Fault> {
    let tables: Vec<_> = tables.iter().filter(|it| it.has_rows()).collect();
    let compared = tables.iter().enumerate();
    let compared = compared.map(|(number, it)| it.compared(number));
    let looked_at = (tables.len()..).zip(&kept.sequences);
    let looked_at = looked_at.map(|(number, it)| it.looked_at(number));
    let queries: Vec<_> = compared.chain(looked_at).collect();
    let mut differences = Differences {
        tables: Vec::new(),
        sequences: Vec::new(),
        grown: Vec::new(),
    };
    if queries.is_empty() {
        return Ok(differences);
    }
    let sql = queries.join(" UNION ALL ");
    for answer in connection.integers::<4>(&sql, [0_i64; 0]).await? {
        let [number, one, two, is_grown] = answer.map(Option::unwrap_or_default);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(table) = tables.get(number) {
            if table.differs(one, two) {
                differences.tables.push(table);
                differences.grown.extend((is_grown == 1).then_some(**table));
            }
        } else if let Some(sequence) = kept.sequences.get(number - tables.len())
            && !sequence.is_at(one, two)
        {
            differences.sequences.push(sequence);
        }
    }
    Ok(differences)
}
