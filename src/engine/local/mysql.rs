//! MySQL and MariaDB, whose servers are found and run alike.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::paths::{folders_of, resolved};
use super::product::{Product, Version};
use super::recipe::{Launch, Layout, Search};

/// How to search for a server.
pub(super) static SEARCH: Search = Search {
    variable: "RACY_MYSQLD",
    programs: &["mysqld", "mariadbd"],
    fetched: Some("racy/mysql/bin"),
    usual_folders,
    version_option: &["--no-defaults", "--version"],
    parse_version,
    how_to_get: "tools/get-mysql has fetched none, and PATH and the usual folders have no mysqld \
                 or mariadbd. Run tools/get-mysql, install a server, or name one in RACY_MYSQLD",
};

/// The names of the program that makes MariaDB's data directory.
const MARIADB_INITIALISERS: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];

/// A program that the initialiser runs. Debian ships it in another package (`mariadb-client-core`).
const MARIADB_HELPER: &str = "my_print_defaults";

/// Where servers are that PATH may not lead to. An ordinary user's PATH has no sbin folders, and
/// Homebrew links only one of several servers.
const USUAL_FOLDERS: [&str; 10] = [
    "usr/sbin",
    "usr/local/sbin",
    "usr/libexec",
    "usr/bin",
    "usr/local/bin",
    "usr/local/mysql/bin",
    "opt/homebrew/bin",
    "opt/homebrew/opt/mysql/bin",
    "opt/homebrew/opt/mariadb/bin",
    "usr/local/opt/mysql/bin",
];

/// The oldest version that can be used: it has expressions as column defaults.
pub(super) const OLDEST_MYSQL: Version = Version {
    major: 8,
    minor: 0,
    patch: Some(13),
};

/// The oldest version that can be used: it has `--auth-root-authentication-method`.
pub(super) const OLDEST_MARIADB: Version = Version {
    major: 10,
    minor: 4,
    patch: Some(0),
};

fn usual_folders(root: &Path) -> Vec<PathBuf> {
    USUAL_FOLDERS
        .iter()
        .map(|folder| root.join(folder))
        .collect()
}

/// The initialiser that belongs to the server: under the same prefix if possible, else in PATH.
///
/// # Errors
/// The name of the program that is missing.
pub(super) fn mariadb_initialiser(
    server: &Path,
    path: Option<&OsStr>,
) -> Result<PathBuf, &'static str> {
    let prefixes = [server.to_owned(), resolved(server)]
        .into_iter()
        .filter_map(|server| prefix_of(&server));
    let initialiser = prefixes
        .flat_map(|prefix| [prefix.join("bin"), prefix.join("scripts")])
        .chain(folders_of(path))
        .flat_map(|folder| MARIADB_INITIALISERS.map(|program| folder.join(program)))
        .find(|program| program.is_file())
        .ok_or(MARIADB_INITIALISERS[0])?;
    let has_helper = prefix_of(&initialiser)
        .is_some_and(|prefix| prefix.join("bin").join(MARIADB_HELPER).is_file());
    if has_helper {
        Ok(initialiser)
    } else {
        Err(MARIADB_HELPER)
    }
}

/// `/usr` for `/usr/sbin/mysqld`.
fn prefix_of(program: &Path) -> Option<PathBuf> {
    program.parent().and_then(Path::parent).map(Path::to_owned)
}

/// Parses `mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))`.
fn parse_version(answer: &str) -> Option<(Product, Version)> {
    let mut words = answer.split_whitespace();
    words.find(|word| *word == "Ver")?;
    let version = words.next()?;
    let product = if version.contains("MariaDB") {
        Product::MariaDb
    } else {
        Product::MySql
    };
    let digits = version
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()?;
    let mut numbers = digits.split('.').map(|number| number.parse::<u16>().ok());
    let mut next = || numbers.next().flatten();
    let version = Version {
        major: next()?,
        minor: next()?,
        patch: Some(next()?),
    };
    Some((product, version))
}

pub(super) fn socket_in(run: &Path) -> PathBuf {
    run.join("server.sock")
}

pub(super) fn launch(product: Product, layout: &Layout, as_root: bool) -> Launch {
    Launch {
        initialiser_flags: initialiser_flags(product, as_root),
        server_arguments: server_arguments(product, layout, as_root),
        stop: "TERM",
        stop_at_once: "KILL",
    }
}

fn initialiser_flags(product: Product, as_root: bool) -> &'static str {
    if product == Product::MariaDb {
        if as_root {
            "--no-defaults --auth-root-authentication-method=normal --skip-test-db --user=root \
             --datadir="
        } else {
            "--no-defaults --auth-root-authentication-method=normal --skip-test-db --datadir="
        }
    } else if as_root {
        "--no-defaults --initialize-insecure --user=root --datadir="
    } else {
        "--no-defaults --initialize-insecure --datadir="
    }
}

/// The server's options: where its files are and who may reach it, and nothing that would change
/// how it works. Its log is its standard error, so that messages of the loader or of a wrapper are
/// in it too.
fn server_arguments(product: Product, layout: &Layout, as_root: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        "--no-defaults".into(),
        option("--datadir=", &layout.data),
        option("--socket=", &socket_in(&layout.run)),
        option("--pid-file=", &layout.pid_file()),
        "--skip-networking".into(),
    ];
    if product == Product::MySql {
        // MySQL's second protocol would listen on another port and socket.
        arguments.push("--mysqlx=OFF".into());
    }
    if as_root {
        // The servers run as root only with this option.
        arguments.push("--user=root".into());
    }
    arguments
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

/// The options of a connection to no database, as the only user of a new server: root, without a
/// password. Without TLS, because no other user can reach a socket in a private folder.
pub(super) fn options(run: &Path) -> MySqlConnectOptions {
    MySqlConnectOptions::new()
        .socket(socket_in(run))
        .username("root")
        .ssl_mode(MySqlSslMode::Disabled)
}

/// Creates a database if it does not exist. `name` needs no quotes.
pub(super) async fn create_database(run: &Path, name: &str) -> sqlx::Result<MySqlConnectOptions> {
    let mut connection = options(run).connect().await?;
    let create = format!("CREATE DATABASE IF NOT EXISTS {name}");
    connection.execute(AssertSqlSafe(create)).await?;
    connection.close().await?;
    Ok(options(run).database(name))
}

/// The URL by which another lab reaches this database.
pub(super) fn url(run: &Path, database: &str) -> String {
    let socket = socket_in(run).to_string_lossy().replace('/', "%2F");
    format!("mysql://root@localhost/{database}?socket={socket}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MYSQL: &str = "mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))";
    const MARIADB: &str =
        "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)";

    #[test]
    fn versions_are_read_as_servers_say_them() {
        let version = |major, minor, patch| Version {
            major,
            minor,
            patch: Some(patch),
        };
        assert_eq!(
            parse_version(MYSQL),
            Some((Product::MySql, version(9, 7, 4)))
        );
        assert_eq!(
            parse_version(MARIADB),
            Some((Product::MariaDb, version(10, 11, 19)))
        );
        let ubuntu = "/usr/sbin/mysqld  Ver 8.0.39-0ubuntu0.24.04.2 for Linux on x86_64 ((Ubuntu))";
        assert_eq!(
            parse_version(ubuntu),
            Some((Product::MySql, version(8, 0, 39)))
        );
        let homebrew = "/opt/homebrew/bin/mysqld  Ver 9.1.0 for macos14.7 on arm64 (Homebrew)";
        assert_eq!(
            parse_version(homebrew),
            Some((Product::MySql, version(9, 1, 0)))
        );
        for nonsense in [
            "",
            "Ver",
            "Ver x.y.z",
            "Ver 9",
            "cat (GNU coreutils) 9.1",
            "Ver 99999999.1.1",
        ] {
            assert_eq!(parse_version(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn the_servers_own_settings_are_left_alone() {
        let layout = Layout {
            run: "/r".into(),
            data: "/d".into(),
            fresh: "/f".into(),
        };
        assert_eq!(
            server_arguments(Product::MySql, &layout, true),
            [
                "--no-defaults",
                "--datadir=/d",
                "--socket=/r/server.sock",
                "--pid-file=/r/server.pid",
                "--skip-networking",
                "--mysqlx=OFF",
                "--user=root"
            ]
        );
        assert!(
            !server_arguments(Product::MariaDb, &layout, false)
                .iter()
                .any(|a| a == "--mysqlx=OFF" || a == "--user=root")
        );
    }
}
