//! The products whose servers can be started, and their versions.

use std::fmt;

/// Which servers a search accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// The first usable MySQL or MariaDB.
    Any,
    /// MySQL only.
    MySql,
    /// MariaDB only.
    MariaDb,
    /// PostgreSQL only.
    Postgres,
}

impl ServerKind {
    /// Whether a server of this product is one of the kind.
    pub(super) fn accepts(self, product: Product) -> bool {
        match self {
            Self::Any => product != Product::Postgres,
            Self::MySql => product == Product::MySql,
            Self::MariaDb => product == Product::MariaDb,
            Self::Postgres => product == Product::Postgres,
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("MySQL or MariaDB"),
            Self::MySql => Product::MySql.fmt(f),
            Self::MariaDb => Product::MariaDb.fmt(f),
            Self::Postgres => Product::Postgres.fmt(f),
        }
    }
}

/// The product that a server program belongs to. MySQL and MariaDB speak one protocol and differ
/// in almost everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Oracle's MySQL, or a derivative that reports itself as MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
    /// PostgreSQL.
    Postgres,
}

impl Product {
    /// The word for this product in the names of kept folders.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
            Self::Postgres => "postgresql",
        }
    }

    /// Whether the server refuses to run as root, whatever its options are.
    pub(super) fn refuses_root(self) -> bool {
        match self {
            Self::MySql | Self::MariaDb => false,
            Self::Postgres => true,
        }
    }

    /// The part of a version within which data directories are compatible, e.g. `9.7`.
    pub(super) fn series(self, version: Version) -> String {
        match self {
            Self::MySql | Self::MariaDb => format!("{}.{}", version.major, version.minor),
            Self::Postgres => version.major.to_string(),
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
    /// The 4 of 9.7.4. None for PostgreSQL, whose versions have two numbers.
    pub patch: Option<u16>,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}
