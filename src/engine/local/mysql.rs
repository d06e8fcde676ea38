//! MySQL and MariaDB: the two servers that speak MySQL's protocol, and are found and run alike.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::find::{folders_of, resolved};
use super::folder::Layout;
use super::{Product, Version};

/// The names a server program goes by.
pub(super) const PROGRAMS: [&str; 2] = ["mysqld", "mariadbd"];

/// The names of the program that makes MariaDB's data directory. MySQL's server does it itself.
const MARIADB_INITIALISERS: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];

/// What that program runs, and Debian ships in another package (`mariadb-client-core`).
const MARIADB_HELPER: &str = "my_print_defaults";

/// Where servers are installed that PATH does not lead to: an ordinary user's PATH has no sbin
/// folders, and Homebrew links only one of several servers.
pub(super) const USUAL_FOLDERS: [&str; 10] = [
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

/// The oldest versions that know what is used here (expressions as column defaults,
/// `--auth-root-authentication-method`).
pub(super) const OLDEST_MYSQL: Version = Version {
    major: 8,
    minor: 0,
    patch: 13,
};
pub(super) const OLDEST_MARIADB: Version = Version {
    major: 10,
    minor: 4,
    patch: 0,
};

/// The initialiser that belongs to the server: under the same prefix if possible, else in PATH.
/// Where it is incomplete, the name of what is missing.
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

/// Reads `mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))`.
pub(super) fn parse_version(answer: &str) -> Option<(Product, Version)> {
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
        patch: next()?,
    };
    Some((product, version))
}

/// The options with which a data directory is made. Constant words only: the shell splits them.
pub(super) fn initialiser_flags(product: Product, as_root: bool) -> &'static str {
    match (product, as_root) {
        (Product::MySql, false) => "--no-defaults --initialize-insecure",
        (Product::MySql, true) => "--no-defaults --initialize-insecure --user=root",
        (Product::MariaDb, false) => {
            "--no-defaults --auth-root-authentication-method=normal --skip-test-db"
        }
        (Product::MariaDb, true) => {
            "--no-defaults --auth-root-authentication-method=normal --skip-test-db --user=root"
        }
    }
}

/// The server's options: where it lives and who may reach it, and nothing that would change how it
/// works. Its log is its standard error, so that what the loader or a wrapper has to say is in it too.
pub(super) fn server_arguments(product: Product, layout: &Layout, as_root: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        "--no-defaults".into(),
        option("--datadir=", &layout.data),
        option("--socket=", &layout.socket()),
        option("--pid-file=", &layout.pid_file()),
        "--skip-networking".into(),
    ];
    if product == Product::MySql {
        // Its second protocol would listen on a port and a socket of its own.
        arguments.push("--mysqlx=OFF".into());
    }
    if as_root {
        // Servers refuse to run as root unless told so.
        arguments.push("--user=root".into());
    }
    arguments
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
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
            patch,
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
