//! Where a server's files live: a private temporary folder, and for kept data one that no other lab uses.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::server::PAUSE;
use super::{Binary, Error, Product};

/// The longest socket path: macOS has room for 103 bytes, Linux for 107.
const SOCKET_PATH_BYTES: usize = 103;

/// Labs that may keep servers of one version at once.
const KEPT_FOLDERS: usize = 64;

/// Where a server's data lives, and whether it outlives the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// A fresh temporary folder, removed when the server stops.
    Temporary,
    /// A folder below this root, kept and found again by the next start. It belongs to one product
    /// and series of versions, e.g. `mysql-9.7` or `postgresql-15`; while another lab uses it, the
    /// next number is taken, `mysql-9.7-2`.
    Kept(PathBuf),
    /// The first of the kept folders below this root, for a short visit while no lab uses it. A lab that
    /// wants it waits until the visitor has left, and so do other visitors.
    Visited(PathBuf),
}

/// The places of one server's files.
pub(super) struct Layout {
    /// The private temporary folder: socket, pid file, scratch files; for a temporary server the rest too.
    pub(super) run: PathBuf,
    pub(super) data: PathBuf,
    /// Where a data directory is made, before it is renamed to `data`.
    pub(super) fresh: PathBuf,
}

impl Layout {
    /// Whether the data goes when the server does.
    pub(super) fn is_temporary(&self) -> bool {
        self.data.starts_with(&self.run)
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.run.join("server.pid")
    }
}

/// A temporary folder whose name is short enough for this product's socket in it. It is private to
/// the account where there is one, else to this user.
pub(super) fn temporary_folder(
    product: Product,
    account: Option<&Account>,
) -> Result<TempDir, Error> {
    let make = |base: &Path| {
        tempfile::Builder::new()
            .prefix("racy-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(|source| Error::Folder {
                path: base.to_owned(),
                source,
            })
    };
    let base = std::env::temp_dir();
    let base = std::path::absolute(&base).map_err(|source| Error::Folder { path: base, source })?;
    let mut run = make(&base)?;
    let socket = product.socket_in(run.path());
    let fits = socket.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES;
    if !fits || account.is_some_and(|account| !account.may_work_in(&base)) {
        run = make(Path::new("/tmp"))?;
    }
    account.map_or(Ok(()), |account| account.take_over(run.path()))?;
    Ok(run)
}

/// A kept folder that nobody else uses, as long as this value lives.
///
/// Two locks, because two questions are asked. `lab.lock`: who uses the folder? A lab locks it for itself
/// alone, and another lab then takes the next number; visitors lock it together, and a lab waits for
/// them. `server.lock`, which the supervisor and the server inherit: may anything still write to it? A
/// lab that was killed, or another visitor, leaves a server that takes a moment to shut down; then the
/// folder is free, but not yet ready.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) folder: PathBuf,
    pub(super) server_lock: File,
    _lab_lock: File,
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

    async fn when_ready(folder: PathBuf, lab_lock: File, deadline: Instant) -> Result<Self, Error> {
        let path = folder.join("server.lock");
        loop {
            if let Some(server_lock) = try_lock(&path, File::try_lock)? {
                return Ok(Self {
                    folder,
                    server_lock,
                    _lab_lock: lab_lock,
                });
            }
            if Instant::now() >= deadline {
                return Err(Error::ShuttingDown { folder });
            }
            sleep(PAUSE).await;
        }
    }

    /// What was told is no longer true.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub(super) fn forget_url(&self) -> Result<(), Error> {
        forget_url(&self.folder)
    }

    /// Tells other labs of this user's how the database in this folder is reached.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub(super) fn tell_url(&self, url: &str) -> Result<(), Error> {
        let path = url_file(&self.folder);
        let written = || {
            // Renamed into place: nobody reads half of it. Temporary files are private.
            let folder = path.parent().unwrap_or(Path::new("/"));
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(url.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(|source| Error::Folder {
            path: path.clone(),
            source,
        })
    }
}

fn make_root(root: &Path, account: Option<&Account>) -> Result<PathBuf, Error> {
    let root = std::path::absolute(root).map_err(|source| Error::Folder {
        path: root.to_owned(),
        source,
    })?;
    // Others may pass through it: the server may be another user's.
    make_folder(&root, 0o711)?;
    account.map_or(Ok(()), |account| account.check_the_way_to(&root))?;
    Ok(root)
}

fn make_kept_folder(
    root: &Path,
    binary: &Binary,
    number: usize,
    account: Option<&Account>,
) -> Result<PathBuf, Error> {
    let folder = root.join(kept_name(binary, number));
    make_folder(&folder, 0o700)?;
    account.map_or(Ok(()), |account| account.settle_in(&folder))?;
    Ok(folder)
}

/// Locks the folder for one lab alone; none where another lab has. Visitors are waited for.
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

/// The URL that a lab tells which uses one of the kept folders for this server, the one with the lowest
/// number if there are several; none where no lab does. One that is just starting is waited for.
///
/// # Errors
/// [`Error::NotYetUp`] where that takes too long, [`Error::Folder`].
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
            // It is just starting, or stopping.
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

/// What the folder's last lab told is no longer true.
fn forget_url(folder: &Path) -> Result<(), Error> {
    let path = url_file(folder);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::Folder { path, source }),
        _gone => Ok(()),
    }
}

/// Beside the folder and not in it, because the folder may be another user's.
fn url_file(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".url");
    name.into()
}

/// `mysql-9.7`, `mysql-9.7-2`, …: a server never opens the data of another product or of a newer version.
fn kept_name(binary: &Binary, number: usize) -> String {
    let series = binary.product.series(binary.version);
    let name = format!("{}-{series}", binary.product.slug());
    if number == 1 {
        name
    } else {
        format!("{name}-{number}")
    }
}

/// Makes a folder with this mode, whatever the umask; one that is there is left as it is.
fn make_folder(folder: &Path, mode: u32) -> Result<(), Error> {
    let is_new = !folder.exists();
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder);
    made.and_then(|()| match is_new {
        true => fs::set_permissions(folder, fs::Permissions::from_mode(mode)),
        false => Ok(()),
    })
    .map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })
}

/// Locks a file, `None` where somebody else has. The lock goes with the last copy of the open file.
fn try_lock(
    path: &Path,
    lock: fn(&File) -> Result<(), TryLockError>,
) -> Result<Option<File>, Error> {
    let failed = |source| Error::Folder {
        path: path.to_owned(),
        source,
    };
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
    use std::time::Duration;

    use super::super::{Origin, Product, Version};
    use super::*;

    fn binary(product: Product) -> Binary {
        let path = PathBuf::from("/usr/sbin/mysqld");
        let version = Version {
            major: 9,
            minor: 7,
            patch: Some(4),
        };
        Binary {
            initialiser: path.clone(),
            path,
            product,
            version,
            origin: Origin::Path,
        }
    }

    #[test]
    fn a_kept_folder_is_named_after_product_version_and_number() {
        assert_eq!(kept_name(&binary(Product::MySql), 1), "mysql-9.7");
        assert_eq!(kept_name(&binary(Product::MariaDb), 3), "mariadb-9.7-3");
        assert_eq!(kept_name(&binary(Product::Postgres), 1), "postgresql-9");
    }

    #[test]
    fn a_locked_file_is_somebody_elses_until_its_last_copy_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = try_lock(&path, File::try_lock).unwrap().unwrap();
        let inherited = lock.try_clone().unwrap();
        drop(lock);
        assert!(try_lock(&path, File::try_lock).unwrap().is_none());
        drop(inherited);
        assert!(try_lock(&path, File::try_lock).unwrap().is_some());
    }

    #[test]
    fn a_socket_in_the_temporary_folder_fits_into_an_address() {
        for product in [Product::MySql, Product::Postgres] {
            let run = temporary_folder(product, None).unwrap();
            assert!(product.socket_in(run.path()).as_os_str().len() <= SOCKET_PATH_BYTES);
            assert_eq!(
                fs::metadata(run.path()).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
    }

    #[tokio::test]
    async fn a_lab_waits_for_a_visitor_and_passes_another_lab_by() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mysql = binary(Product::MySql);
        let deadline = Instant::now() + Duration::from_secs(20);
        let visitor = Claim::of_a_visitor(root, &mysql, None, deadline).await;
        let lab = Claim::of_a_lab(root, &mysql, None, deadline);
        tokio::pin!(lab);
        // Polled first, so that it has met the visitor before there is none.
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
        let visitor = Claim::of_a_visitor(root, &mysql, None, deadline).await;
        assert!(
            matches!(visitor, Err(Error::NotYetUp { .. })),
            "{visitor:?}"
        );
    }

    #[tokio::test]
    async fn the_first_lab_that_runs_tells_its_url() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mysql = binary(Product::MySql);
        let deadline = Instant::now() + Duration::from_secs(20);
        let url = async || url_of_a_running_lab(root, &mysql, deadline).await.unwrap();
        assert_eq!(url().await, None);
        let first = Claim::of_a_lab(root, &mysql, None, deadline).await.unwrap();
        let second = Claim::of_a_lab(root, &mysql, None, deadline).await.unwrap();
        second.tell_url("mysql:second").unwrap();
        first.tell_url("mysql:first").unwrap();
        assert_eq!(url().await.as_deref(), Some("mysql:first"));
        // Killed: what it has told stays, and is not believed.
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
