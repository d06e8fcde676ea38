//! Does the database take writes? Asked as far as possible without writing.

use std::fs;
use std::path::Path;

use tokio::time::timeout;

use super::{Address, Database, Fault, FaultKind, TRIAL, Value};

/// The statements that tell whether a database takes writes.
#[derive(Debug, Clone, Copy)]
pub struct WriteProbe {
    /// Statements that need all that a write needs, and touch no row: the rights, a server and a
    /// transaction that may write, and the tables. They lock no row either.
    pub write_nothing: &'static [&'static str],
    /// Statements for an engine on which even those would take a lock. They tell at least that the
    /// tables exist.
    pub read_nothing: &'static [&'static str],
    /// Inserts a row. Its values are a key and a filler, both long texts.
    pub insert: &'static str,
    /// Deletes all rows with this filler.
    pub delete: &'static str,
}

/// How many rows are really written, and removed by the same transaction. They are too large to fit
/// by chance into pages that the database has already.
const ROWS_TO_TRY: i64 = 40;

impl Database {
    /// Asks whether the database takes writes, as far as that can be known without writing. Waits
    /// at most three seconds for the answer.
    ///
    /// # Errors
    /// Why it takes none.
    pub async fn could_write(&self, probe: &WriteProbe) -> Result<(), Fault> {
        self.ping().await?;
        match timeout(TRIAL / 2, self.write_nothing(probe)).await {
            // Another client holds a lock. A write would wait for it, and succeed.
            Err(_elapsed) => Ok(()),
            Ok(Err(fault)) if fault.is_no_outcome() => Err(fault),
            Ok(_) => Ok(()),
        }
    }

    async fn write_nothing(&self, probe: &WriteProbe) -> Result<(), Fault> {
        // SQLite has one lock for all writers, and a statement that writes no row takes it as well.
        let statements = match &self.address {
            Address::Sqlite(options) => {
                check_mode(options.get_filename())?;
                probe.read_nothing
            }
            Address::MySql(_) | Address::Postgres(_) => probe.write_nothing,
        };
        let mut connection = self.connection().await?;
        for &sql in statements {
            let nothing: [Value<'_>; 0] = [];
            let sql = self.engine.flavour.spell(sql);
            connection.execute(&sql, nothing).await?;
        }
        connection.give_back();
        Ok(())
    }

    /// Writes some rows and removes them again, to find out whether the disk has room.
    pub async fn write_and_remove(&self, probe: &WriteProbe) -> Result<(), Fault> {
        // No client's key looks like these, because a key may contain no space.
        let mark = format!("is there room? {:016x}", fastrand::u64(..));
        let filler = format!("{mark:x<240}");
        let mut work = self.begin_work().await?;
        let written = async {
            for row in 0..ROWS_TO_TRY {
                let key = format!("{row} {filler}");
                work.execute(probe.insert, &[key.as_str().into(), filler.as_str().into()])
                    .await?;
            }
            work.execute(probe.delete, &[filler.as_str().into()])
                .await?;
            Ok::<_, Fault>(())
        }
        .await;
        work.end(written).await
    }
}

/// Refuses a file whose own mode lets no user write.
fn check_mode(file: &Path) -> Result<(), Fault> {
    // A database in memory has no file, so no mode can forbid writing.
    let is_read_only = fs::metadata(file).is_ok_and(|found| found.permissions().readonly());
    if is_read_only {
        return Err(Fault {
            kind: FaultKind::ReadOnly,
            code: None,
            state: None,
            message: "the database's file may only be read; chmod u+w makes it writable".to_owned(),
        });
    }
    Ok(())
}
