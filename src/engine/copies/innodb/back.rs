//! The rows and the counters, brought back.
//!
//! 1. The tables are compared with their copies, in one query. The copy has the same primary key.
//! 2. A table whose rows or counter differ is truncated and filled, as long as that is cheap.
//!    Otherwise InnoDB would keep its deleted rows until the purge, which comes up to 100 ms later
//!    on MySQL and a second later on MariaDB. Until then they are locked in another way than a gap.
//!    Truncating costs about what setting the counter alone does.
//! 3. Of a larger table only the rows that differ are exchanged. Values in no index are set back in
//!    place.
//! 4. A counter that still differs is set.
//!
//! What is found to differ decides, so that it can be broken off anywhere and done again.

use super::blockers::explained;
use super::catalogue::{Counters, counters};
use super::session;
use super::table::{Difference, Table};
use crate::engine::connection::Connection;
use crate::engine::copies::error::CopyError;
use crate::engine::{Database, Fault};

/// How many rows are inserted at most after tables were truncated: ten microseconds each, of fifty
/// milliseconds.
const MOST_ROWS_FILLED: u64 = 2000;

/// What has to be done.
#[derive(Debug, Default)]
struct Plan<'t> {
    /// The tables that are truncated and filled.
    refilled: Vec<&'t Table>,
    /// The tables whose differing rows are exchanged.
    exchanged: Vec<&'t Table>,
    /// The tables whose values are set back in place.
    set_back: Vec<&'t Table>,
}

/// Brings these tables back. `all` are all that were copied.
pub(super) async fn bring_back(
    database: &Database,
    all: &[Table],
    tables: &[&Table],
) -> Result<(), CopyError> {
    let connecting = session::connection(database).await;
    let mut connection = connecting.map_err(CopyError::at("bringing rows back"))?;
    let counters = must_be_the_same(&mut connection, all).await?;
    if let Err(fault) = work(&mut connection, tables, &counters).await {
        let flavour = database.engine.flavour;
        let error = explained(&mut connection, flavour, "bringing rows back", fault).await;
        // The rows come back without a lock on a whole table. The first fault is the one to tell.
        let _ = without_truncating(&mut connection, tables).await;
        return Err(error);
    }
    let given_back = session::give_back(connection, database).await;
    given_back.map_err(CopyError::at("bringing rows back"))
}

/// Refuses tables that are gone or new. Returns the counters for generated keys.
async fn must_be_the_same(
    connection: &mut Connection,
    all: &[Table],
) -> Result<Counters, CopyError> {
    let now = counters(connection).await;
    let now = now.map_err(CopyError::at("looking for changes of the schema"))?;
    let gone = all.iter().filter(|it| !now.contains_key(&it.name));
    let gone = gone.map(|it| format!("table {} is gone", it.name));
    let new = now
        .keys()
        .filter(|it| !all.iter().any(|table| table.name == **it));
    let new = new.map(|it| format!("table {it} is new"));
    let changes: Vec<_> = gone.chain(new).collect();
    if changes.is_empty() {
        Ok(now)
    } else {
        Err(CopyError::Changed(changes))
    }
}

async fn work(connection: &mut Connection, tables: &[&Table], now: &Counters) -> Result<(), Fault> {
    if tables.is_empty() {
        return Ok(());
    }
    let moved = moved(tables, now);
    let differences = differences(connection, tables).await?;
    let plan = Plan::of(differences, &moved);
    connection.command_all(plan.statements()).await?;
    if !moved.is_empty() || !plan.refilled.is_empty() {
        set_counters(connection, tables).await?;
    }
    Ok(())
}

/// Sets the counters that the rows have not set.
async fn set_counters(connection: &mut Connection, tables: &[&Table]) -> Result<(), Fault> {
    let now = counters(connection).await?;
    let moved = moved(tables, &now).into_iter();
    let set = moved.map(|(table, next)| table.counted_from(next));
    connection.command_all(set.collect()).await
}

impl<'t> Plan<'t> {
    fn of(differences: Vec<(&'t Table, Difference)>, moved: &[(&Table, u64)]) -> Self {
        let mut plan = Plan::default();
        let mut differing = Vec::new();
        for (table, difference) in differences {
            let is_moved = moved.iter().any(|(it, _)| it.name == table.name);
            match difference {
                _ if is_moved => differing.push((table, difference)),
                Difference::None => {}
                Difference::Values => plan.set_back.push(table),
                Difference::Rows => differing.push((table, difference)),
            }
        }
        differing.sort_by_key(|(table, _)| table.rows);
        let mut filled = 0;
        for (table, difference) in differing {
            filled += table.rows;
            if filled <= MOST_ROWS_FILLED {
                plan.refilled.push(table);
            } else if difference == Difference::Values {
                plan.set_back.push(table);
            } else if difference == Difference::Rows {
                plan.exchanged.push(table);
            }
        }
        plan
    }

    /// The statements, in an order in which no unique key is taken twice.
    fn statements(&self) -> Vec<String> {
        let mut statements: Vec<_> = self.refilled.iter().map(|it| it.truncated()).collect();
        let filled = self.refilled.iter().map(|it| it.filled());
        let exchanged = self.exchanged.iter().flat_map(|it| it.exchanged());
        let set_back = self.set_back.iter().map(|it| it.set_back());
        let rows: Vec<_> = filled.chain(exchanged).chain(set_back).collect();
        if !rows.is_empty() {
            statements.push(READ_COMMITTED.to_owned());
            statements.push("START TRANSACTION".to_owned());
            statements.extend(rows);
            statements.push("COMMIT".to_owned());
        }
        statements
    }
}

/// No gap is locked, so that less of what others hold is in the way.
const READ_COMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Exchanges the rows that differ in all these tables, after a failure.
async fn without_truncating(connection: &mut Connection, tables: &[&Table]) -> Result<(), Fault> {
    connection.command("ROLLBACK").await?;
    let differences = differences(connection, tables).await?.into_iter();
    let differing = differences.filter(|(_, it)| *it != Difference::None);
    let plan = Plan {
        exchanged: differing.map(|(table, _)| table).collect(),
        ..Plan::default()
    };
    connection.command_all(plan.statements()).await
}

/// How each table differs from its copy.
async fn differences<'t>(
    connection: &mut Connection,
    tables: &[&'t Table],
) -> Result<Vec<(&'t Table, Difference)>, Fault> {
    let queries = tables.iter().enumerate();
    let queries: Vec<_> = queries.map(|(number, it)| it.compared(number)).collect();
    let answers = connection.all_data(&queries.join(" UNION ALL ")).await?;
    let mut differences = Vec::new();
    for answer in answers {
        let numbers: Vec<i64> = answer
            .iter()
            .filter_map(|it| it.to_string().parse().ok())
            .collect();
        let [number, rows, indexed, others] = numbers[..] else {
            return Err(Fault::other("a comparison of rows has an odd answer"));
        };
        let table = usize::try_from(number).ok().and_then(|it| tables.get(it));
        if let Some(table) = table {
            differences.push((*table, table.difference(rows, indexed, others)));
        }
    }
    Ok(differences)
}

/// The tables whose counter has moved, and where it was.
fn moved<'t>(tables: &[&'t Table], now: &Counters) -> Vec<(&'t Table, u64)> {
    let moved = tables.iter().filter_map(|table| {
        let next = table.next_key?;
        let is_moved = now.get(&table.name).copied().flatten() != Some(next);
        is_moved.then_some((*table, next))
    });
    moved.collect()
}

impl Connection {
    /// Runs statements without values, at once.
    async fn command_all(&mut self, statements: Vec<String>) -> Result<(), Fault> {
        if statements.is_empty() {
            return Ok(());
        }
        self.command(&statements.join("; ")).await
    }
}
