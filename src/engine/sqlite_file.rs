//! A SQLite database's file, looked at before anything in it or beside it is changed.
//!
//! Opening a database for work switches its journal mode, which rewrites its header and makes files
//! beside it. So first of all it is asked whose it is, and a file of another program is left as it
//! is.
//!
//! The file is never opened past SQLite: closing it would give up all POSIX locks that other
//! connections of this process hold on it.

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
use super::{Fault, OpenError, migrate};

/// The real path of a database file that is ours to open, or still to be made.
///
/// # Errors
/// [`OpenError::File`] where it is another program's, or cannot be used.
pub(super) async fn checked(path: &Path) -> Result<PathBuf, OpenError> {
    let real = real_path(path).map_err(OpenError::File)?;
    let bytes = fs::metadata(&real).map_or(0, |found| found.len());
    if bytes > 0 {
        look(&real).await.map_err(|why| {
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

/// Makes the lock file beside the database, which is there by now.
///
/// # Errors
/// [`OpenError::File`] where this user may not use it.
pub(super) fn prepare_lock(database: &Path) -> Result<(), OpenError> {
    let lock = file_beside(database);
    FileLock::prepare(&lock, database).map_err(|error| {
        OpenError::File(format!(
            "the lock file {}: {error}; all who write the database need to write this file",
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
        Err(error) => return Err(of_the_way(path, &error)),
    };
    let real = fs::canonicalize(path).map_err(|error| match found.is_symlink() {
        true => format!("{shown} is a symbolic link to a file that is not there"),
        false => of_the_way(path, &error),
    })?;
    let found = fs::metadata(&real).map_err(|error| of_the_way(path, &error))?;
    if found.is_dir() {
        Err(format!("{shown} is a folder; name a file in it"))
    } else if !found.is_file() {
        Err(format!("{shown} is no file"))
    } else if found.nlink() > 1 {
        // SQLite would keep a journal for each name.
        Err(format!("{shown} has several names (hard links); keep one"))
    } else {
        Ok(real)
    }
}

/// A file that is not there yet, in a folder that is.
fn in_real_folder(path: &Path) -> Result<PathBuf, String> {
    let name = path
        .file_name()
        .ok_or_else(|| format!("{} names no file", path.display()))?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match fs::canonicalize(folder) {
        Ok(real) if real.is_dir() => Ok(real.join(name)),
        Ok(_) => Err(format!("{} is no folder", folder.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!(
            "the folder {} is not there; make it first",
            folder.display()
        )),
        Err(error) => Err(of_the_way(path, &error)),
    }
}

fn of_the_way(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotADirectory => format!("the way to {} leads through a file", path.display()),
        ErrorKind::PermissionDenied => {
            format!("this user may not go to {}", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    }
}

/// SQLite keeps its journal beside the database, and the lab its lock file.
fn check_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    // A file without a name: it leaves nothing behind.
    tempfile::tempfile_in(folder).map(drop).map_err(|error| {
        format!(
            "no file can be made in the folder {}: {error}; the database's journal and its lock file \
             belong there",
            folder.display()
        )
    })
}

/// Whose it is. A change that is under way may be in the way for a moment.
async fn look(path: &Path) -> Result<(), String> {
    const LOOKS: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(50);

    let mut looks = 0;
    loop {
        looks += 1;
        match look_once(path).await {
            Ok(Some(why)) => return Err(why),
            Ok(None) => return Ok(()),
            Err(_) if looks < LOOKS => sleep(PAUSE).await,
            Err(error) => return Err(unreadable(path, error)),
        }
    }
}

fn unreadable(path: &Path, error: sqlx::Error) -> String {
    const NOT_A_DATABASE: &str = "26";
    const CANNOT_OPEN: &str = "14";

    let (path, fault) = (path.display(), Fault::from(error));
    match fault.code.as_deref() {
        Some(NOT_A_DATABASE) => format!("{path} is no SQLite database"),
        Some(CANNOT_OPEN) => format!("{path} may not be read by this user"),
        _ => format!("{path} cannot be read: {fault}"),
    }
}

/// Reads it in a way that changes nothing: without locks and without files beside it. What another
/// connection has written and not yet moved into the file is seen only through these, so they are
/// used where they are there.
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

/// Why a database is another program's; None if it is empty or ours.
pub(super) async fn what_is_foreign(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Option<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY name <> 'accounts', name",
    )
    .fetch_all(&mut *connection)
    .await?;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        let applied: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut *connection)
                .await?;
        return Ok((!migrate::is_ours(&applied)).then(|| {
            "it has migrations (_sqlx_migrations) that are another program's".to_owned()
        }));
    }
    if let Some(table) = tables.first() {
        return Ok(Some(format!(
            "it has a table {table} that Racy did not make"
        )));
    }
    // An empty database may be marked by the program that is going to fill it.
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    Ok(((application, version) != (0, 0)).then(|| {
        format!("it is marked as another program's (application_id {application}, user_version {version})")
    }))
}
