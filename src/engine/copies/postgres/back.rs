//! The rows and the sequences, brought back.
//!
//! 1. Tables are compared with their copies, and sequences with what was noted, in one query.
//! 2. A small table that differs is emptied and filled, so that a scan meets its rows in the order
//!    that they had. Of a larger one only the rows that differ are exchanged.
//! 3. Sequences that have moved are set back.
//!
//! Deleted rows are left for the vacuum. Truncating would leave none, but it takes a lock that a
//! reader's transaction withholds, makes new files, and has every other connection plan its
//! statements again.

use super::blockers::{self, explained};
use super::catalogue;
use super::sequence::Sequence;
use super::session;
use super::table::{Difference, Table};
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
    let views = differences.tables.iter().filter(|(it, _)| !it.is_written());
    let views: Vec<_> = views
        .map(|(it, _)| format!("materialised view {} was refreshed", it.shown()))
        .collect();
    if !views.is_empty() {
        return Ok(Err(CopyError::Changed(views)));
    }
    let tables = differences.tables.iter();
    let rows = tables.flat_map(|(table, difference)| table.brought_back(*difference));
    let sequences = differences.sequences.iter().map(|it| it.set_back());
    let mut statements: Vec<_> = rows.chain(sequences).collect();
    statements.push("COMMIT".to_owned());
    connection.command(&statements.join("; ")).await?;
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
    pub(super) tables: Vec<(&'t Table, Difference)>,
    sequences: Vec<&'t Sequence>,
}

/// How these tables differ from their copies, and which sequences have moved.
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
    };
    if queries.is_empty() {
        return Ok(differences);
    }
    let sql = queries.join(" UNION ALL ");
    let answers = connection.integers::<4>(&sql, [0_i64; 0]).await?;
    for answer in answers {
        let [number, one, two, three] = answer.map(Option::unwrap_or_default);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(table) = tables.get(number) {
            let difference = table.difference(one, two, three);
            differences
                .tables
                .extend(difference.map(|it| (**table, it)));
        } else if let Some(sequence) = kept.sequences.get(number - tables.len())
            && !sequence.is_at(one, two)
        {
            differences.sequences.push(sequence);
        }
    }
    Ok(differences)
}
