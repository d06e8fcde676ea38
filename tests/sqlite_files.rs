//! SQLite's file: whose it is, what it needs, and what is told where it cannot be had.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use racy::engine::{Address, Database, OpenError, Settings};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

use crate::commands::{output, text};
use crate::support::process::{racy, racy_by};

/// The user and the group that own nothing.
const NOBODY: u32 = 65534;

async fn connect(path: &Path) -> Result<Database, OpenError> {
    let options = SqliteConnectOptions::new().filename(path);
    Database::connect(&Address::Sqlite(Box::new(options)), &Settings::default()).await
}

async fn why_not(path: &Path) -> String {
    match connect(path).await {
        Ok(_) => panic!("it is opened: {}", path.display()),
        Err(error) => error.to_string(),
    }
}

/// A file that another program has made, and closed.
async fn made_by_another(folder: &TempDir, sql: &str) -> std::path::PathBuf {
    let path = folder.path().join("theirs.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
    path
}

/// The names in a folder, and what each file holds.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        .map(|it| {
            let name = it.file_name().into_string().unwrap();
            (name, fs::read(it.path()).unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_as_it_is() {
    const MIGRATED: &str = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, \
         description TEXT, success BOOLEAN, checksum BLOB); CREATE TABLE posts (id INTEGER); \
         INSERT INTO _sqlx_migrations VALUES (1, 'deposits', TRUE, x'00')";
    for (sql, words) in [
        ("CREATE TABLE posts (id INTEGER)", "it has a table posts"),
        (
            "PRAGMA journal_mode = WAL; CREATE TABLE accounts (id)",
            "a table accounts",
        ),
        ("CREATE VIEW seen AS SELECT 1", "it has a table seen"),
        (MIGRATED, "another program's"),
        (
            "PRAGMA application_id = 1196444487",
            "application_id 1196444487",
        ),
        ("PRAGMA user_version = 7", "user_version 7"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = made_by_another(&folder, sql).await;
        let before = contents(folder.path());
        let why = why_not(&path).await;
        assert!(why.contains(words), "{sql}: {why}");
        assert!(why.contains("sqlite:PATH"), "{why}");
        assert!(contents(folder.path()) == before, "{sql}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    for text in ["notes\n".to_owned(), "x".repeat(10_000)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, &text).unwrap();
        let before = contents(folder.path());
        let why = why_not(&path).await;
        assert!(why.contains("is not a SQLite database"), "{why}");
        assert!(contents(folder.path()) == before);
    }
}

#[tokio::test]
async fn a_database_of_which_all_is_in_its_log_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs.db");
    let options = SqliteConnectOptions::new()
        .filename(&theirs)
        .create_if_missing(true);
    let mut open = options.connect().await.unwrap();
    open.execute("PRAGMA journal_mode = WAL; CREATE TABLE posts (id)")
        .await
        .unwrap();
    let why = why_not(&theirs).await;
    assert!(why.contains("it has a table posts"), "{why}");
    open.close().await.unwrap();

    let ours = folder.path().join("ours.db");
    let first = connect(&ours).await.unwrap();
    first.migrate().await.unwrap();
    connect(&ours).await.unwrap().migrate().await.unwrap();
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_told_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink(at("gone"), at("dangling")).unwrap();
    fs::write(at("one"), "").unwrap();
    fs::hard_link(at("one"), at("other")).unwrap();
    for (name, words) in [
        ("missing/racy.db", "missing does not exist; make it first"),
        ("folder", "is a folder; name a file in it"),
        ("file/racy.db", "leads through a file"),
        ("dangling", "a symbolic link to a file that does not exist"),
        ("one", "several names (hard links)"),
    ] {
        let why = why_not(&at(name)).await;
        assert!(why.contains(words), "{name}: {why}");
    }
    let why = why_not(Path::new("/dev/null")).await;
    assert!(why.contains("/dev/null is not a file"), "{why}");
    let left = contents(folder.path());
    let left: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, ["dangling", "file", "folder", "one", "other"]);
}

#[tokio::test]
async fn two_names_of_a_database_have_one_lock_file() {
    let folder = tempfile::tempdir().unwrap();
    let (real, named) = (folder.path().join("real"), folder.path().join("named"));
    fs::create_dir(&real).unwrap();
    fs::create_dir(&named).unwrap();
    connect(&real.join("racy.db")).await.unwrap();
    symlink(real.join("racy.db"), named.join("bank.db")).unwrap();
    let other = connect(&named.join("bank.db")).await.unwrap();
    connect(&real.join("../real/racy.db")).await.unwrap();
    other.close().await;
    let names = |folder: &Path| contents(folder).into_iter().map(|(name, _)| name);
    assert_eq!(names(&named).collect::<Vec<_>>(), ["bank.db"]);
    let locks = names(&real).filter(|it| it.ends_with(".lock"));
    assert_eq!(locks.collect::<Vec<_>>(), ["racy.db.lock"]);
}

#[tokio::test]
async fn a_link_in_the_lock_files_place_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (aim, path) = (folder.path().join("aim"), folder.path().join("racy.db"));
    symlink(&aim, folder.path().join("racy.db.lock")).unwrap();
    let why = why_not(&path).await;
    assert!(why.contains("racy.db.lock: it is a symbolic link"), "{why}");
    assert!(!aim.exists());
}

/// `racy migrate` by a user whom permissions bind, also where the tests are run by root.
fn migrate_as_nobody(folder: &Path, path: &Path) -> (Option<i32>, String) {
    let binary = folder.join("racy-of-nobody");
    if !binary.exists() {
        fs::copy(env!("CARGO_BIN_EXE_racy"), &binary).unwrap();
    }
    let url = format!("sqlite:{}", path.display());
    let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let mut command = std::process::Command::new("setpriv");
    command.args(user).arg(&binary);
    command.args(["migrate", "--database-url", &url]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

/// A folder of nobody's, with a database in it that root has made.
fn folder_of_nobody() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    folder
}

fn migrate_as_root(path: &Path) {
    let url = format!("sqlite:{}", path.display());
    let mut command = racy_by(&[], &["migrate", "--database-url", &url]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_a_user_may_not_write_or_read_is_told_at_the_start() {
    if !is_root() {
        return;
    }
    let binaries = folder_of_nobody();
    for (mode, of_folder, words) in [
        (0o644, 0o755, "racy.db may not be written by this user"),
        (0o600, 0o755, "racy.db may not be read by this user"),
        (0o666, 0o555, "no file can be made in the folder"),
    ] {
        let folder = folder_of_nobody();
        let path = folder.path().join("racy.db");
        migrate_as_root(&path);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(of_folder)).unwrap();
        let before = fs::read(&path).unwrap();
        let (code, said) = migrate_as_nobody(binaries.path(), &path);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words), "{words}: {said}");
        assert!(fs::read(&path).unwrap() == before, "{words}");
    }
}

#[test]
fn users_who_share_a_database_share_its_lock_file() {
    if !is_root() {
        return;
    }
    let binaries = folder_of_nobody();
    let folder = folder_of_nobody();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o2770)).unwrap();
    let path = folder.path().join("racy.db");
    fs::write(&path, "").unwrap();
    chown(&path, None, Some(NOBODY)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
    migrate_as_root(&path);
    let lock = fs::metadata(folder.path().join("racy.db.lock")).unwrap();
    assert_eq!((lock.mode() & 0o777, lock.gid()), (0o660, NOBODY));
    let (code, said) = migrate_as_nobody(binaries.path(), &path);
    assert_eq!(code, Some(0), "{said}");

    // One that another user has made for himself alone.
    let lock = folder.path().join("racy.db.lock");
    fs::set_permissions(&lock, Permissions::from_mode(0o600)).unwrap();
    let (code, said) = migrate_as_nobody(binaries.path(), &path);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("racy.db.lock: Permission denied"), "{said}");
}

/// Only root can become another user.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

#[tokio::test]
async fn a_file_that_does_not_exist_is_not_made_where_the_schema_may_not_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("missing.db").display());
    let arguments = ["account", "list", "--no-migrate", "--database-url", &url];
    let output = output(racy(&arguments)).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the file does not exist"), "{said}");
    assert!(said.contains("racy migrate makes it"), "{said}");
    assert_eq!(contents(folder.path()), []);
}
