//! A lock on a file that stands for something else: for all named locks of a SQLite database, or for a file
//! that several programs write.
//!
//! It is an advisory lock of the operating system's (`flock`): it holds between processes that ask for it, also
//! in several containers that share a volume, and it is gone with the process that held it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock, as long as this value lives.
#[derive(Debug)]
pub struct FileLock {
    /// Held for its lock alone.
    _file: File,
}

impl FileLock {
    /// Takes the lock if nobody has it; none where somebody has. The file is made where there is none, and is
    /// never removed: whoever waited for a removed one would hold another lock than whoever comes later.
    ///
    /// # Errors
    /// Where the file cannot be made or locked, or is a symbolic link, which could lead anywhere.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        if path.is_symlink() {
            let link = format!("{} is a symbolic link", path.display());
            return Err(io::Error::other(link));
        }
        let mut options = File::options();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
