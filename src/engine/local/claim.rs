//! The right to use a kept folder, and the URL by which other labs reach the server in it.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::binary::Binary;
use super::error::Error;
use super::folder::{kept_name, make_kept_folder, make_root};

/// How many labs may keep servers of one version at once.
const KEPT_FOLDERS: usize = 64;

/// The pause between two attempts at a lock, and between two looks for a file.
const PAUSE: Duration = Duration::from_millis(20);

/// A kept folder that is reserved while this value lives.
///
/// There are two locks, because there are two questions.
///
/// - `lab.lock`: who uses the folder? A lab locks it exclusively, and another lab then takes the
///   next number. Visitors share the lock, and a lab waits for them.
/// - `server.lock`: may a process still write to the folder? The supervisor and the server inherit
///   it. A lab that was killed, or another visitor, leaves a server that takes a moment to shut
///   down. The folder is then free, but not yet ready.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) folder: PathBuf,
    pub(super) server_lock: File,
    lab_lock: File,
}

/// To close the file would not be enough: a process that is just being started has a copy of it,
/// until it runs its program. The next lab would take this one for running, and another folder.
impl Drop for Claim {
    fn drop(&mut self) {
        // It fails only if there is no lock.
        let _ = self.lab_lock.unlock();
    }
}

impl Claim {
    /// Claims the first folder that no other lab uses, for a lab.
    pub(super) async fn of_a_lab(
        root: &Path,
        binary: &Binary,
        account: Option<&Account>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let root = make_root(root, account)?;
        for number in 1..=KEPT_FOLDERS {
            let folder = make_kept_folder(&root, binary, number, account)?;
            if let Some(lab_lock) = lock_for_a_lab(&folder, deadline).await? {
                forget_url(&folder)?;
                return Self::when_ready(folder, lab_lock, deadline).await;
            }
        }
        Err(Error::TooManyLabs { root })
    }

    /// Claims the first folder, for a visitor.
    pub(super) async fn of_a_visitor(
        root: &Path,
        binary: &Binary,
        account: Option<&Account>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let root = make_root(root, account)?;
        let folder = make_kept_folder(&root, binary, 1, account)?;
        match try_lock(&folder.join("lab.lock"), File::try_lock_shared)? {
            Some(lab_lock) => Self::when_ready(folder, lab_lock, deadline).await,
            None => Err(Error::NotYetUp { folder }),
        }
    }

    /// Waits until the previous server of the folder has ended.
    async fn when_ready(folder: PathBuf, lab_lock: File, deadline: Instant) -> Result<Self, Error> {
        let path = folder.join("server.lock");
        loop {
            if let Some(server_lock) = try_lock(&path, File::try_lock)? {
                return Ok(Self {
                    folder,
                    server_lock,
                    lab_lock,
                });
            }
            if Instant::now() >= deadline {
                return Err(Error::ShuttingDown { folder });
            }
            sleep(PAUSE).await;
        }
    }

    /// Removes the published URL, because the server is going to stop.
    pub(super) fn forget_url(&self) -> Result<(), Error> {
        forget_url(&self.folder)
    }

    /// Publishes the URL of the database in this folder to other labs of this user.
    pub(super) fn publish_url(&self, url: &str) -> Result<(), Error> {
        let path = url_file(&self.folder);
        let write = || {
            // Renamed into place, so that no reader sees half of it. Temporary files are private.
            let folder = path.parent().unwrap_or(Path::new("/"));
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(url.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| Error::folder(&path, source))
    }
}

/// Locks the folder for one lab alone. None if another lab has it. Waits for visitors to leave.
async fn lock_for_a_lab(folder: &Path, deadline: Instant) -> Result<Option<File>, Error> {
    let path = folder.join("lab.lock");
    loop {
        if let Some(lock) = try_lock(&path, File::try_lock)? {
            return Ok(Some(lock));
        }
        if try_lock(&path, File::try_lock_shared)?.is_none() {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Err(Error::ShuttingDown {
                folder: folder.to_owned(),
            });
        }
        sleep(PAUSE).await;
    }
}

/// The URL that a running lab has published, which uses one of the kept folders for this server.
/// Of several labs, the one with the lowest number. None if no lab uses one. Waits for a lab that
/// is just starting.
///
/// # Errors
/// [`Error::NotYetUp`] if that lab does not publish its URL in time.
pub(super) async fn url_of_a_running_lab(
    root: &Path,
    binary: &Binary,
    deadline: Instant,
) -> Result<Option<String>, Error> {
    let folders = (1..=KEPT_FOLDERS).map(|number| root.join(kept_name(binary, number)));
    for folder in folders.take_while(|folder| folder.exists()) {
        if let Some(url) = url_of_lab_in(&folder, deadline).await? {
            return Ok(Some(url));
        }
    }
    Ok(None)
}

async fn url_of_lab_in(folder: &Path, deadline: Instant) -> Result<Option<String>, Error> {
    let lock = folder.join("lab.lock");
    let path = url_file(folder);
    while lock.exists() && try_lock(&lock, File::try_lock_shared)?.is_none() {
        match fs::read_to_string(&path) {
            Ok(url) => return Ok(Some(url)),
            // The lab is just starting or stopping.
            Err(error) if error.kind() == ErrorKind::NotFound && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NotYetUp {
                    folder: folder.to_owned(),
                });
            }
            Err(source) => return Err(Error::Folder { path, source }),
        }
    }
    Ok(None)
}

/// Removes the URL that the folder's last lab has published.
fn forget_url(folder: &Path) -> Result<(), Error> {
    let path = url_file(folder);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::Folder { path, source }),
        _gone => Ok(()),
    }
}

/// The file beside a kept folder with its URL. Not inside, because the folder may be another
/// user's.
fn url_file(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".url");
    name.into()
}

/// Locks a file. None if it is locked already. The lock ends with the last copy of the open file.
fn try_lock(
    path: &Path,
    lock: fn(&File) -> Result<(), TryLockError>,
) -> Result<Option<File>, Error> {
    let failed = |source| Error::folder(path, source);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match lock(&file) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::local::{Origin, Product, Version};

    fn mysql() -> Binary {
        let path = PathBuf::from("/usr/sbin/mysqld");
        Binary {
            initialiser: path.clone(),
            path,
            product: Product::MySql,
            version: Version {
                major: 9,
                minor: 7,
                patch: Some(4),
            },
            origin: Origin::Path,
        }
    }

    #[test]
    fn a_lock_is_held_until_its_last_copy_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = try_lock(&path, File::try_lock).unwrap().unwrap();
        let inherited = lock.try_clone().unwrap();
        drop(lock);
        assert!(try_lock(&path, File::try_lock).unwrap().is_none());
        drop(inherited);
        assert!(try_lock(&path, File::try_lock).unwrap().is_some());
    }

    #[tokio::test]
    async fn a_lab_waits_for_a_visitor_and_passes_another_lab_by() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mysql = mysql();
        let deadline = Instant::now() + Duration::from_secs(20);
        let visitor = Claim::of_a_visitor(root, &mysql, None, deadline).await;
        let lab = Claim::of_a_lab(root, &mysql, None, deadline);
        tokio::pin!(lab);
        // The lab is polled first, so it meets the visitor before the visitor leaves.
        let lab = tokio::select! {
            biased;
            lab = &mut lab => panic!("it does not wait: {lab:?}"),
            visitor = std::future::ready(visitor) => {
                drop(visitor.unwrap());
                lab.await.unwrap()
            }
        };
        assert_eq!(lab.folder, root.join("mysql-9.7"));
        let other = Claim::of_a_lab(root, &mysql, None, deadline).await.unwrap();
        assert_eq!(other.folder, root.join("mysql-9.7-2"));
        let copy = lab.lab_lock.try_clone().unwrap();
        drop(lab);
        let next = Claim::of_a_lab(root, &mysql, None, deadline).await.unwrap();
        assert_eq!(next.folder, root.join("mysql-9.7"));
        drop(copy);
        let visitor = Claim::of_a_visitor(root, &mysql, None, deadline).await;
        assert!(
            matches!(visitor, Err(Error::NotYetUp { .. })),
            "{visitor:?}"
        );
    }

    #[tokio::test]
    async fn the_url_of_the_first_running_lab_is_found() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mysql = mysql();
        let deadline = Instant::now() + Duration::from_secs(20);
        let url = async || url_of_a_running_lab(root, &mysql, deadline).await.unwrap();
        assert_eq!(url().await, None);
        let first = Claim::of_a_lab(root, &mysql, None, deadline).await.unwrap();
        let second = Claim::of_a_lab(root, &mysql, None, deadline).await.unwrap();
        second.publish_url("mysql:second").unwrap();
        first.publish_url("mysql:first").unwrap();
        assert_eq!(url().await.as_deref(), Some("mysql:first"));
        // A lab that was killed leaves its URL behind. It does not count any more.
        drop(first);
        assert_eq!(url().await.as_deref(), Some("mysql:second"));
        second.forget_url().unwrap();
        let too_late = url_of_a_running_lab(root, &mysql, Instant::now()).await;
        assert!(
            matches!(too_late, Err(Error::NotYetUp { .. })),
            "{too_late:?}"
        );
        drop(second);
        assert_eq!(url().await, None);
    }
}
