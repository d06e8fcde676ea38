//! The janitor: deletes exports that are older than `--export-ttl`, every `--export-sweep`.
//!
//! It keeps nothing in memory. An export's age is the time since its file was last written, so a
//! restart changes nothing. It needs no list of files in use either. A client that writes or
//! downloads an export has a shared lock on its file. The janitor deletes a file only while it has
//! the exclusive lock, for which it does not wait. In the same way it finds the temporary files of
//! exports that were killed: these are not locked any more.
//!
//! If several replicas share a folder, one sweeps at a time: the one that holds the lock file.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};

use super::folder::{ExportEntry, Folder, bears};
use crate::engine::FileLock;
use crate::exhibits::files::blocking;

/// The folder to sweep, and when.
#[derive(Debug, Clone)]
pub struct Janitor {
    /// The folder.
    pub folder: Folder,
    /// The age at which exports are deleted, counted from their last write.
    pub ttl: Duration,
    /// The time from one sweep to the next.
    pub every: Duration,
}

/// The result of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepResult {
    /// The number of deleted files.
    pub files: u64,
    /// The number of bytes in them.
    pub bytes: u64,
    /// The number of files that are old enough, but in use.
    pub in_use: u64,
}

/// The lock file. Its holder sweeps, and no other instance waits for it.
const LOCK: &str = ".janitor.lock";

impl Janitor {
    /// Sweeps now and after each interval, without end.
    pub async fn run(self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let janitor = self.clone();
            let swept = blocking("the export folder could not be swept", move || {
                janitor.sweep(SystemTime::now())
            });
            match swept.await {
                Ok(Some(swept)) if swept != SweepResult::default() => tracing::info!(
                    "exports: {} older than {:?} deleted, {} bytes freed; {} still in use",
                    swept.files,
                    self.ttl,
                    swept.bytes,
                    swept.in_use
                ),
                Ok(_) => {}
                Err(fault) => tracing::warn!("exports: {fault}"),
            }
        }
    }

    /// Deletes the files that are old enough at this time and not in use. None if another instance
    /// is sweeping.
    ///
    /// # Errors
    /// The folder cannot be read. A file that cannot be deleted is no error: it is logged.
    pub fn sweep(&self, now: SystemTime) -> io::Result<Option<SweepResult>> {
        let Some(_lock) = FileLock::try_take(&self.folder.path().join(LOCK))? else {
            return Ok(None);
        };
        let mut swept = SweepResult::default();
        for found in self.folder.files()? {
            let found = found?;
            // A file from the future is not old.
            let age = now.duration_since(found.modified).unwrap_or_default();
            if age >= self.ttl
                && let Err(error) = delete(&found, &mut swept)
            {
                // The other files are swept all the same.
                let file = found.path.display();
                tracing::warn!("exports: {file} could not be deleted: {error}");
            }
        }
        Ok(Some(swept))
    }
}

/// Deletes a file, unless it is in use or was written again since it was found.
fn delete(found: &ExportEntry, swept: &mut SweepResult) -> io::Result<()> {
    let file = match File::open(&found.path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if file.try_lock().is_err() {
        swept.in_use += 1;
        return Ok(());
    }
    let is_the_one = bears(&found.path, &file)? && file.metadata()?.modified()? == found.modified;
    if is_the_one {
        fs::remove_file(&found.path)?;
        swept.files += 1;
        swept.bytes += found.bytes;
    }
    Ok(())
}
