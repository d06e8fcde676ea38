//! Whose server it is, and of which version.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::find::Search;
use super::folder::Layout;
use super::server::Orders;
use super::{mysql, postgres};

/// What a search for a server may bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first usable MySQL or MariaDB.
    Any,
    /// MySQL only.
    MySql,
    /// MariaDB only.
    MariaDb,
    /// PostgreSQL.
    Postgres,
}

impl Wanted {
    /// How it is looked for.
    pub(super) fn search(self) -> &'static Search {
        match self {
            Self::Any | Self::MySql | Self::MariaDb => &mysql::SEARCH,
            Self::Postgres => &postgres::SEARCH,
        }
    }

    pub(super) fn accepts(self, product: Product) -> bool {
        match self {
            Self::Any => product != Product::Postgres,
            Self::MySql => product == Product::MySql,
            Self::MariaDb => product == Product::MariaDb,
            Self::Postgres => product == Product::Postgres,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("MySQL or MariaDB"),
            Self::MySql => Product::MySql.fmt(f),
            Self::MariaDb => Product::MariaDb.fmt(f),
            Self::Postgres => Product::Postgres.fmt(f),
        }
    }
}

/// Whose server it is. MySQL and MariaDB speak one protocol and differ in almost everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Oracle's MySQL, and its derivatives that call themselves so.
    MySql,
    /// MariaDB.
    MariaDb,
    /// PostgreSQL.
    Postgres,
}

impl Product {
    /// The name in the names of kept folders.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
            Self::Postgres => "postgresql",
        }
    }

    /// The oldest version that can be used here.
    pub(super) fn oldest(self) -> Version {
        match self {
            Self::MySql => mysql::OLDEST_MYSQL,
            Self::MariaDb => mysql::OLDEST_MARIADB,
            Self::Postgres => postgres::OLDEST,
        }
    }

    /// The program that makes a data directory for this server; the name of what is missing where it
    /// cannot be had. `path` is PATH.
    pub(super) fn initialiser(
        self,
        server: &Path,
        path: Option<&OsStr>,
    ) -> Result<PathBuf, &'static str> {
        match self {
            Self::MySql => Ok(server.to_owned()),
            Self::MariaDb => mysql::mariadb_initialiser(server, path),
            Self::Postgres => postgres::initialiser(server),
        }
    }

    /// Whether its server runs as anybody but root, whatever it is told.
    pub(super) fn refuses_root(self) -> bool {
        self == Self::Postgres
    }

    /// The part of a version within which data directories are compatible, e.g. `9.7`.
    pub(super) fn series(self, version: Version) -> String {
        match self {
            Self::MySql | Self::MariaDb => format!("{}.{}", version.major, version.minor),
            Self::Postgres => version.major.to_string(),
        }
    }

    /// The unix socket of a server that runs in this folder.
    pub(super) fn socket_in(self, run: &Path) -> PathBuf {
        match self {
            Self::MySql | Self::MariaDb => mysql::socket_in(run),
            Self::Postgres => postgres::socket_in(run),
        }
    }

    /// How a server is initialised, run and stopped.
    pub(super) fn orders(self, layout: &Layout, as_root: bool) -> Orders {
        match self {
            Self::MySql | Self::MariaDb => mysql::orders(self, layout, as_root),
            Self::Postgres => postgres::orders(layout),
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// A server's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The 9 of 9.7.4.
    pub major: u16,
    /// The 7 of 9.7.4.
    pub minor: u16,
    /// The 4 of 9.7.4. PostgreSQL's versions have none.
    pub patch: Option<u16>,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}
