//! Could a deposit be made? Asked without making one.

use std::fs;
use std::path::Path;

use tokio::time::timeout;

use super::{Address, Database, Fault, FaultKind, TRIAL, Value};

/// Statements that need all that a deposit needs, and touch no row: the right to write, a server
/// and a transaction that may, and the tables. They take no lock on any row either.
const WRITE_NOTHING: [&str; 2] = [
    "UPDATE accounts SET balance = balance WHERE 1 = 0",
    "INSERT INTO transactions (account_id, amount) SELECT id, 0 FROM accounts WHERE 1 = 0",
];

/// Used where even those would take a lock: they tell at least that the tables are there.
const READ_NOTHING: [&str; 2] = [
    "SELECT balance FROM accounts WHERE 1 = 0",
    "SELECT amount FROM transactions WHERE 1 = 0",
];

/// How many rows are really written, and removed by the same transaction. They are too large to fit
/// by chance into pages that the database has already.
const ROWS_TO_TRY: i64 = 40;
const WRITE: &str = "INSERT INTO idempotency_keys (name, fingerprint, owner, state, claimed_at) \
                     VALUES (?, ?, 0, 0, 0)";
const REMOVE: &str = "DELETE FROM idempotency_keys WHERE fingerprint = ?";

impl Database {
    /// Asks the database whether a deposit could be made, as far as that can be known without writing.
    /// Waits three seconds at most for its answer.
    ///
    /// # Errors
    /// Why none could be made.
    pub async fn could_deposit(&self) -> Result<(), Fault> {
        self.ping().await?;
        match timeout(TRIAL / 2, self.write_nothing()).await {
            // Another client holds a lock: a deposit would wait for it, and be made.
            Err(_elapsed) => Ok(()),
            Ok(Err(fault)) if fault.is_no_outcome() => Err(fault),
            Ok(_) => Ok(()),
        }
    }

    async fn write_nothing(&self) -> Result<(), Fault> {
        // SQLite has one lock for all writers, and a statement that writes no row takes it as well.
        let statements = match &self.address {
            Address::Sqlite(options) => {
                may_be_written(options.get_filename())?;
                READ_NOTHING
            }
            Address::MySql(_) | Address::Postgres(_) => WRITE_NOTHING,
        };
        let mut connection = self.connection().await?;
        for sql in statements {
            let nothing: [Value<'_>; 0] = [];
            let sql = self.engine.flavour.spell(sql);
            connection.execute(&sql, nothing).await?;
        }
        connection.give_back();
        Ok(())
    }

    /// Writes something and removes it again, to learn whether there is room.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn write_and_remove(&self) -> Result<(), Fault> {
        // No client's key looks like these: a space is not allowed in one.
        let mark = format!("is there room? {:016x}", fastrand::u64(..));
        let filler = format!("{mark:x<240}");
        let mut work = self.begin_work().await?;
        let written = async {
            for row in 0..ROWS_TO_TRY {
                let name = format!("{row} {filler}");
                work.execute(WRITE, &[name.as_str().into(), filler.as_str().into()])
                    .await?;
            }
            work.execute(REMOVE, &[filler.as_str().into()]).await?;
            Ok::<_, Fault>(())
        }
        .await;
        work.end(written).await
    }
}

/// Refuses a file whose own mode lets no user write.
fn may_be_written(file: &Path) -> Result<(), Fault> {
    // A database in memory has no file, and its mode cannot be in the way.
    let read_only = fs::metadata(file).is_ok_and(|found| found.permissions().readonly());
    if read_only {
        return Err(Fault {
            kind: FaultKind::ReadOnly,
            code: None,
            message: "the database's file may only be read; chmod u+w lets it be written"
                .to_owned(),
        });
    }
    Ok(())
}
