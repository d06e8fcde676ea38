//! Checks a SQLite file before anything in it or beside it is changed.
//!
//! Opening a database for work switches its journal mode, which rewrites its header and makes files
//! beside it. So the first question is to whom the file belongs, and a file of another program is
//! left as it is.
//!
//! Only SQLite opens the file. If this program closed a file handle of its own, all POSIX locks
//! that other connections of this process hold on the file would be lost.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::time::sleep;

use super::file_lock::FileLock;
use super::named_lock::file_beside;
use super::{Fault, OpenError, migrations};

/// The real path of a database file that belongs to Racy or does not exist yet.
///
/// # Errors
/// [`OpenError::File`] if it is another program's, or cannot be used.
pub(super) async fn checked(path: &Path) -> Result<PathBuf, OpenError> {
    let real = real_path(path).map_err(OpenError::File)?;
    let bytes = fs::metadata(&real).map_or(0, |found| found.len());
    if bytes > 0 {
        check_owner(&real).await.map_err(|why| {
            OpenError::File(format!("{why}; give Racy a file of its own: sqlite:PATH"))
        })?;
    }
    check_folder(&real).map_err(OpenError::File)?;
    Ok(real)
}

/// Refuses a file that does not exist, where no file may be made.
///
/// # Errors
/// [`OpenError::File`], which says how to make one.
pub(super) fn must_exist(path: &Path) -> Result<(), OpenError> {
    if path.exists() {
        Ok(())
    } else {
        Err(OpenError::File(
            "the file does not exist; racy migrate makes it".to_owned(),
        ))
    }
}

/// Makes the lock file beside the database, which exists by now.
///
/// # Errors
/// [`OpenError::File`] if this user may not use it.
pub(super) fn prepare_lock(database: &Path) -> Result<(), OpenError> {
    let lock = file_beside(database);
    FileLock::prepare(&lock, database).map_err(|error| {
        OpenError::File(format!(
            "the lock file {}: {error}; every user who writes the database must be able to write \
             this file",
            lock.display()
        ))
    })
}

/// Follows links, so that two names of one database have one lock file.
fn real_path(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return in_real_folder(path),
        Err(error) => return Err(unreachable_path(path, &error)),
    };
    let real = fs::canonicalize(path).map_err(|error| {
        if found.is_symlink() {
            format!("{shown} is a symbolic link to a file that does not exist")
        } else {
            unreachable_path(path, &error)
        }
    })?;
    let found = fs::metadata(&real).map_err(|error| unreachable_path(path, &error))?;
    if found.is_dir() {
        Err(format!("{shown} is a folder; name a file in it"))
    } else if !found.is_file() {
        Err(format!("{shown} is not a file"))
    } else if found.nlink() > 1 {
        // SQLite would keep one journal for each name.
        Err(format!("{shown} has several names (hard links); keep one"))
    } else {
        Ok(real)
    }
}

/// The real path of a file that does not exist yet, in a folder that does.
fn in_real_folder(path: &Path) -> Result<PathBuf, String> {
    let name = path
        .file_name()
        .ok_or_else(|| format!("{} does not name a file", path.display()))?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match fs::canonicalize(folder) {
        Ok(real) if real.is_dir() => Ok(real.join(name)),
        Ok(_) => Err(format!("{} is not a folder", folder.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!(
            "the folder {} does not exist; make it first",
            folder.display()
        )),
        Err(error) => Err(unreachable_path(path, &error)),
    }
}

fn unreachable_path(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotADirectory => format!("the path {} leads through a file", path.display()),
        ErrorKind::PermissionDenied => {
            format!("this user may not reach {}", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    }
}

/// Checks that files can be made beside the database: SQLite's journal, and the lab's lock file.
fn check_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    // This file has no name, so it leaves nothing behind.
    tempfile::tempfile_in(folder).map(drop).map_err(|error| {
        format!(
            "no file can be made in the folder {}: {error}; the database's journal and its lock \
             file must be there",
            folder.display()
        )
    })
}

/// Refuses a file of another program. Tries again, because another client's change may block the
/// file for a moment.
async fn check_owner(path: &Path) -> Result<(), String> {
    const ATTEMPTS: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(50);

    let mut attempts = 0;
    loop {
        attempts += 1;
        match look_once(path).await {
            Ok(Some(why)) => return Err(why),
            Ok(None) => return Ok(()),
            Err(_) if attempts < ATTEMPTS => sleep(PAUSE).await,
            Err(error) => return Err(unreadable(path, error)),
        }
    }
}

fn unreadable(path: &Path, error: sqlx::Error) -> String {
    const NOT_A_DATABASE: &str = "26";
    const CANNOT_OPEN: &str = "14";

    let (path, fault) = (path.display(), Fault::from(error));
    match fault.code.as_deref() {
        Some(NOT_A_DATABASE) => format!("{path} is not a SQLite database"),
        Some(CANNOT_OPEN) => format!("{path} may not be read by this user"),
        _ => format!("{path} cannot be read: {fault}"),
    }
}

/// Reads the file without changing anything: it takes no locks and makes no files beside it. If the
/// files beside it exist, they are used, because only they show what another connection has written
/// and not yet moved into the file.
async fn look_once(path: &Path) -> sqlx::Result<Option<String>> {
    let has = |suffix: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        fs::metadata(Path::new(&beside)).is_ok_and(|it| it.len() > 0)
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging();
    if (has("-wal") || has("-journal"))
        && let Ok(found) = look_with(&options).await
    {
        return Ok(found);
    }
    look_with(&options.immutable(true)).await
}

async fn look_with(options: &SqliteConnectOptions) -> sqlx::Result<Option<String>> {
    let mut connection = options.connect().await?;
    let found = what_is_foreign(&mut connection).await;
    connection.close().await?;
    found
}

/// Why a database is another program's. None if it is empty or Racy's.
pub(super) async fn what_is_foreign(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Option<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        let applied: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut *connection)
                .await?;
        return Ok((!are_ours(&applied)).then(|| {
            "it has migrations (_sqlx_migrations) that are another program's".to_owned()
        }));
    }
    if let Some(table) = tables.first() {
        return Ok(Some(format!(
            "it has a table {table} that Racy did not make"
        )));
    }
    // A program may have marked an empty database that it is going to fill.
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    Ok(((application, version) != (0, 0)).then(|| {
        format!(
            "it is marked as another program's (application_id {application}, user_version \
             {version})"
        )
    }))
}

/// Whether the noted migrations begin with one of ours. A database that notes none counts as ours.
fn are_ours(applied: &[(i64, Vec<u8>)]) -> bool {
    let ours = migrations::migrator(migrations::SQLITE);
    applied.first().is_none_or(|(version, checksum)| {
        let mut ours = ours.iter();
        ours.any(|it| it.version == *version && it.checksum.as_ref() == checksum.as_slice())
    })
}
