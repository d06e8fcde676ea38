//! PostgreSQL: how its server is found, initialised, run and stopped.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::paths::resolved;
use super::product::{Product, Version};
use super::recipe::{Launch, Layout, Search};

/// How to search for a server.
pub(super) static SEARCH: Search = Search {
    variable: "RACY_POSTGRES",
    programs: &["postgres"],
    fetched: None,
    usual_folders,
    version_option: &["--version"],
    parse_version,
    how_to_get: "PATH and the usual folders have no postgres. Install one (Debian: apt-get install \
                 postgresql), or name one in RACY_POSTGRES",
};

/// Folders with one server for each version: parent, and name before the version's number. They are
/// Debian's, the PostgreSQL project's own on Red Hat, and Homebrew's on both kinds of Mac.
const NUMBERED_FOLDERS: [(&str, &str); 4] = [
    ("usr/lib/postgresql", ""),
    ("usr", "pgsql-"),
    ("opt/homebrew/opt", "postgresql@"),
    ("usr/local/opt", "postgresql@"),
];

/// Folders with one server.
const USUAL_FOLDERS: [&str; 5] = [
    "usr/bin",
    "usr/local/bin",
    "usr/local/pgsql/bin",
    "opt/homebrew/bin",
    "Applications/Postgres.app/Contents/Versions/latest/bin",
];

/// The first version with identity columns. It is also the first one with versions of two numbers,
/// of which the first alone decides whether data directories are compatible.
pub(super) const OLDEST: Version = Version {
    major: 10,
    minor: 0,
    patch: None,
};

/// The program that makes a data directory.
const INITIALISER: &str = "initdb";

/// Only part of the socket's name. The server does not listen on this port.
const PORT: u16 = 5432;

/// The only user of a new server.
const USER: &str = "postgres";

/// The database for clients that have no other yet.
const MAINTENANCE: &str = "postgres";

fn usual_folders(root: &Path) -> Vec<PathBuf> {
    let numbered = NUMBERED_FOLDERS
        .iter()
        .flat_map(|(parent, name)| newest_first(&root.join(parent), name));
    let plain = USUAL_FOLDERS.iter().map(|folder| root.join(folder));
    numbered.chain(plain).collect()
}

/// `…/16/bin`, `…/15/bin`: the `bin` folders below the folders called `name` and a number.
fn newest_first(parent: &Path, name: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut numbered: Vec<(u16, PathBuf)> = folders
        .filter_map(|folder| {
            let own_name = folder.file_name();
            let number = own_name.to_str()?.strip_prefix(name)?.parse().ok()?;
            Some((number, folder.path().join("bin")))
        })
        .collect();
    numbered.sort_by(|one, other| other.cmp(one));
    numbered.into_iter().map(|(_, folder)| folder).collect()
}

/// Parses `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; `18beta1` counts as 18.0.
fn parse_version(answer: &str) -> Option<(Product, Version)> {
    let (_, version) = answer.split_once("(PostgreSQL) ")?;
    let digits = version
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()?;
    let mut numbers = digits.split('.').map(str::parse);
    let version = Version {
        major: numbers.next()?.ok()?,
        minor: numbers.next().and_then(Result::ok).unwrap_or(0),
        patch: None,
    };
    Some((Product::Postgres, version))
}

/// The initialiser beside the server.
///
/// # Errors
/// The name of the program that is missing.
pub(super) fn initialiser(server: &Path) -> Result<PathBuf, &'static str> {
    [server.to_owned(), resolved(server)]
        .iter()
        .map(|server| server.with_file_name(INITIALISER))
        .find(|program| program.is_file())
        .ok_or(INITIALISER)
}

/// PostgreSQL names its socket after a port.
pub(super) fn socket_in(run: &Path) -> PathBuf {
    run.join(format!(".s.PGSQL.{PORT}"))
}

pub(super) fn launch(layout: &Layout) -> Launch {
    Launch {
        // Every user who may enter the socket's folder is trusted. Every system has this encoding
        // and locale, so the data is sorted and compared alike everywhere.
        initialiser_flags: "--username=postgres --auth=trust --encoding=UTF8 --locale=C --pgdata=",
        server_arguments: server_arguments(layout),
        // The "fast shutdown". TERM would wait until the clients leave.
        stop: "INT",
        // The "immediate shutdown". KILL would leave the helpers running, because each is in a
        // process group of its own.
        stop_at_once: "QUIT",
    }
}

/// The server's options: where its files are, who may reach it, and how many clients at once;
/// nothing else that would change how it works. Its log is its standard error.
fn server_arguments(layout: &Layout) -> Vec<OsString> {
    let mut arguments = vec![
        "-D".into(),
        layout.data.clone().into(),
        "--listen_addresses=".into(),
        // The pool opens a hundred at most. The rest is for other commands beside it.
        "--max_connections=200".into(),
        format!("--port={PORT}").into(),
        setting("unix_socket_directories", quoted(&layout.run)),
        setting("external_pid_file", layout.pid_file().into()),
    ];
    if layout.is_temporary() {
        // The helpers share memory that has a name in the system. If the server is killed, the name
        // stays until the next start on the same data, which never comes here. As a file, the
        // memory is removed with the folder.
        arguments.push("--dynamic_shared_memory_type=mmap".into());
    }
    arguments
}

fn setting(name: &str, value: OsString) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(value);
    option
}

/// A folder in quotes. PostgreSQL takes a list of folders, which commas separate.
fn quoted(folder: &Path) -> OsString {
    let mut quoted = OsString::from("\"");
    quoted.push(folder);
    quoted.push("\"");
    quoted
}

/// The options of a connection to this database of the server in that folder. Without TLS, because
/// no other user can reach a socket in a private folder.
fn options(run: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(run)
        .port(PORT)
        .username(USER)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// The options of a connection to no database of a user's.
pub(super) fn maintenance_options(run: &Path) -> PgConnectOptions {
    options(run, MAINTENANCE)
}

/// Creates a database if it does not exist. `name` needs no quotes.
pub(super) async fn create_database(run: &Path, name: &str) -> sqlx::Result<PgConnectOptions> {
    let mut connection = maintenance_options(run).connect().await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        let create = format!("CREATE DATABASE {name}");
        connection.execute(AssertSqlSafe(create)).await?;
    }
    connection.close().await?;
    Ok(options(run, name))
}

/// The URL by which another lab reaches this database.
pub(super) fn url(run: &Path, database: &str) -> String {
    let folder = run.to_string_lossy().replace('/', "%2F");
    format!("postgres://{USER}@localhost:{PORT}/{database}?host={folder}&sslmode=disable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_say_them() {
        let version = |major, minor| {
            let version = Version {
                major,
                minor,
                patch: None,
            };
            Some((Product::Postgres, version))
        };
        for (answer, understood) in [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
                version(15, 18),
            ),
            ("postgres (PostgreSQL) 18beta1", version(18, 0)),
            ("postgres (PostgreSQL) 9.6.24", version(9, 6)),
            ("postgres (PostgreSQL) ", None),
            ("postgres 15.1", None),
            ("", None),
        ] {
            assert_eq!(parse_version(answer), understood, "{answer:?}");
        }
    }

    #[test]
    fn the_newest_of_several_servers_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for number in ["9", "15", "17", "extra"] {
            let folder = root.path().join("usr/lib/postgresql").join(number);
            fs::create_dir_all(folder).unwrap();
        }
        let debian = root.path().join("usr/lib/postgresql");
        let expected = ["17", "15", "9"].map(|number| debian.join(number).join("bin"));
        assert_eq!(usual_folders(root.path())[..3], expected);
    }

    #[test]
    fn the_servers_own_settings_are_left_alone() {
        let layout = Layout {
            run: "/r".into(),
            data: "/d".into(),
            fresh: "/f".into(),
        };
        assert_eq!(
            server_arguments(&layout),
            [
                "-D",
                "/d",
                "--listen_addresses=",
                "--max_connections=200",
                "--port=5432",
                "--unix_socket_directories=\"/r\"",
                "--external_pid_file=/r/server.pid"
            ]
        );
    }
}
