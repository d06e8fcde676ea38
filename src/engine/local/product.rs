//! Whose server it is, and of which version.

use std::fmt;

/// What a search for a server may bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first usable server, whoever made it.
    Any,
    /// MySQL only.
    MySql,
    /// MariaDB only.
    MariaDb,
}

impl Wanted {
    pub(super) fn accepts(self, product: Product) -> bool {
        match self {
            Self::Any => true,
            Self::MySql => product == Product::MySql,
            Self::MariaDb => product == Product::MariaDb,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("MySQL or MariaDB"),
            Self::MySql => Product::MySql.fmt(f),
            Self::MariaDb => Product::MariaDb.fmt(f),
        }
    }
}

/// The two servers that speak MySQL's protocol and differ in almost everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Oracle's MySQL, and its derivatives that call themselves so.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Product {
    /// The name in the names of kept folders.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// A server's version. Data directories are compatible within one `major.minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The 9 of 9.7.4.
    pub major: u16,
    /// The 7 of 9.7.4.
    pub minor: u16,
    /// The 4 of 9.7.4.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
