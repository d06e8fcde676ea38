//! The tables of an application: copied once, and brought back before each run.

use crate::engine::{Copies, CopyError, Database, Flavour};

/// How often tables are tried to be brought back while another connection is in the way.
const TRIES: u32 = 3;

/// What is to be said if the tables cannot be copied, or not be brought back.
pub(super) fn cannot_be_restored(error: &CopyError) -> String {
    format!(
        "the tables cannot be brought back to their beginning before each run: {error}. `restore` takes \
         SQL of yours instead, e.g. restore = \"DELETE FROM …; INSERT INTO …\""
    )
}

/// Brings the tables back, and tries again if another connection is in the way for a moment.
pub(super) async fn bring_back(copies: &Copies, database: &Database) -> Result<(), String> {
    let mut tries = 1;
    loop {
        match copies.bring_back(database, None).await {
            Ok(()) => return Ok(()),
            Err(CopyError::Blocked { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(cannot_be_restored(&error)),
        }
    }
}

/// Brings back and drops what a run of Racy that was killed, or a start that was broken off, has
/// left in this database.
pub(super) async fn tidy_up(database: &Database) -> Result<(), String> {
    let left = Copies::left_behind(database).await;
    for leftover in left.map_err(|error| error.to_string())? {
        let process = leftover.process.filter(|it| is_running(*it));
        if let Some(process) = process {
            return Err(format!(
                "another Racy (process {process}) explores in this database: its copies are there. Wait \
                 until it has ended, or end it"
            ));
        }
        tracing::warn!(
            taken_at = leftover.taken_at.as_deref().unwrap_or("an unknown time"),
            "a run that was killed has left copies behind: the tables are brought back from them"
        );
        let (is_complete, copies) = (leftover.is_complete, leftover.into_copies());
        if is_complete {
            let back = copies.bring_back(database, None).await;
            back.map_err(|error| format!("{error}{}", how_to_drop(database.engine().flavour)))?;
        }
        let dropped = copies.drop(database).await;
        dropped.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// How to get rid of copies that are of no use any more, e.g. because the schema is another one.
fn how_to_drop(flavour: Flavour) -> &'static str {
    match flavour {
        // There the triggers have to be made again as well.
        Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => "",
        Flavour::Postgres => {
            ". If the rows are to stay as they are now, drop the copies of that run: DROP SCHEMA \
             racy_copy CASCADE"
        }
    }
}

/// Whether another process of this number runs on this machine.
fn is_running(process: u32) -> bool {
    let number = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let is_there = |it| match rustix::process::test_kill_process(it) {
        Ok(()) | Err(rustix::io::Errno::PERM) => true,
        Err(_) => false,
    };
    process != std::process::id() && number.is_some_and(is_there)
}
