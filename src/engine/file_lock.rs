//! A lock on a file that stands for something else: for all named locks of a SQLite database, or
//! for a file that several programs write.
//!
//! It is an advisory lock of the operating system (`flock`). It holds between processes that ask
//! for it, even in several containers that share a volume, and ends with the process that holds it.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;

/// A lock on a file. It is released when this value is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// To close the file would not be enough: a process that is just being started has a copy of it,
/// until it runs its program.
impl Drop for FileLock {
    fn drop(&mut self) {
        // It fails only if there is no lock.
        let _ = self.file.unlock();
    }
}

impl FileLock {
    /// Takes the lock on a file that stands for its folder. None if another client has it.
    ///
    /// # Errors
    /// A symbolic link is refused, because it could lead anywhere.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        match path.parent() {
            Some(folder) if folder != Path::new("") => Self::try_take_of(path, folder),
            _ => Self::try_take_of(path, Path::new(".")),
        }
    }

    /// Takes the lock as soon as no other client has it. The thread waits meanwhile.
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take).
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = open(path, path.parent().unwrap_or(path))?;
        file.lock()?;
        Ok(Self { file })
    }

    /// As [`take`](Self::take), together with others that take it shared.
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take).
    pub fn take_shared(path: &Path) -> io::Result<Self> {
        let file = open(path, path.parent().unwrap_or(path))?;
        file.lock_shared()?;
        Ok(Self { file })
    }

    /// Takes the lock. None if another client has it. If there is no file, one is made for the
    /// users who may use what it stands for. It is never removed: a client that waited for a
    /// removed file would hold another lock than one that comes later.
    ///
    /// # Errors
    /// A symbolic link is refused, because it could lead anywhere.
    pub(super) fn try_take_of(path: &Path, what: &Path) -> io::Result<Option<Self>> {
        let file = open(path, what)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Makes the file of a lock, if there is none, and checks that this user may open it.
    pub(super) fn prepare(path: &Path, what: &Path) -> io::Result<()> {
        open(path, what).map(drop)
    }
}

/// Opens the file, or makes it. A link in its place is never followed: a file that is made must be
/// new, and one that is opened must be the very file with that name.
fn open(path: &Path, what: &Path) -> io::Result<File> {
    /// A further try is needed only if the file was removed or replaced meanwhile.
    const TRIES: u32 = 100;

    for _ in 0..TRIES {
        let mut options = File::options();
        match options.append(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => return share(&file, what).map(|()| file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let found = match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Err(io::Error::other("it is a symbolic link, or no file")),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match File::options().append(true).open(path) {
            Ok(file) if is_the_same(&file.metadata()?, &found) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("it is replaced again and again"))
}

fn is_the_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Gives a new lock file the owner, the group and the mode of the file that it stands for, as
/// SQLite does with its own files. If the user may not give it away, the owner stays, and perhaps
/// the group as well.
fn share(file: &File, what: &Path) -> io::Result<()> {
    let what = fs::metadata(what)?;
    let given = fchown(file, Some(what.uid()), Some(what.gid()));
    if given.is_err() {
        let _ = fchown(file, None, Some(what.gid()));
    }
    file.set_permissions(Permissions::from_mode(what.mode() & 0o666 | 0o600))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn it_is_made_for_the_users_of_what_it_stands_for() {
        let folder = tempfile::tempdir().unwrap();
        let (what, lock) = (folder.path().join("what"), folder.path().join("lock"));
        fs::write(&what, "").unwrap();
        for mode in [0o640, 0o660, 0o600] {
            fs::set_permissions(&what, Permissions::from_mode(mode)).unwrap();
            assert!(FileLock::try_take_of(&lock, &what).unwrap().is_some());
            assert_eq!(fs::metadata(&lock).unwrap().mode() & 0o777, mode);
            fs::remove_file(&lock).unwrap();
        }
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (aim, lock) = (folder.path().join("aim"), folder.path().join("lock"));
        symlink(&aim, &lock).unwrap();
        assert!(FileLock::try_take(&lock).is_err());
        assert!(!aim.exists());
        fs::write(&aim, "").unwrap();
        fs::set_permissions(&aim, Permissions::from_mode(0o604)).unwrap();
        assert!(FileLock::try_take(&lock).is_err());
        assert_eq!(fs::metadata(&aim).unwrap().mode() & 0o777, 0o604);
    }

    #[test]
    fn one_client_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("lock");
        let first = FileLock::try_take(&lock).unwrap().unwrap();
        assert!(FileLock::try_take(&lock).unwrap().is_none());
        let copy = first.file.try_clone().unwrap();
        drop(first);
        assert!(FileLock::try_take(&lock).unwrap().is_some());
        drop(copy);
    }
}
