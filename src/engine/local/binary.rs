//! A server program: one that can be started, or one that was rejected, and why.

use std::fmt;
use std::path::PathBuf;

use super::product::{Product, Version};

/// A server program that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The program, an absolute path.
    pub path: PathBuf,
    /// Which product it is.
    pub product: Product,
    /// Its version.
    pub version: Version,
    /// Where it was found.
    pub origin: Origin,
    /// The program that makes a data directory. MySQL's server does it itself.
    pub(super) initialiser: PathBuf,
}

/// "MySQL 9.7.4, fetched by tools/get-mysql (/home/ada/.cache/racy/mysql/bin/mysqld)".
impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            product,
            version,
            origin,
            path,
            ..
        } = self;
        write!(f, "{product} {version}, {origin} ({})", path.display())
    }
}

/// Where a server program was found, in the order of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by the user, in this environment variable.
    Named(&'static str),
    /// Fetched by `tools/get-mysql`.
    Fetched,
    /// In one of PATH's folders.
    Path,
    /// In a folder where distributions put servers.
    UsualFolder,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(variable) => return write!(f, "named by {variable}"),
            Self::Fetched => "fetched by tools/get-mysql",
            Self::Path => "found in PATH",
            Self::UsualFolder => "found where servers usually are",
        })
    }
}

/// A program that looks like a server and is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedProgram {
    /// The program.
    pub path: PathBuf,
    /// Why it is not used.
    pub reason: RejectReason,
}

impl fmt::Display for RejectedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

/// Why a program is not used. Its text continues a sentence that begins with the program's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// An AppArmor profile confines it to the folders of the system server.
    Confined {
        /// The profile's file.
        profile: PathBuf,
    },
    /// It cannot be run, or does not print its version as a server does.
    NoServer(String),
    /// Its version lacks options that are used here.
    TooOld {
        /// Which product it is.
        product: Product,
        /// Its version.
        version: Version,
        /// The oldest version that can be used.
        oldest: Version,
    },
    /// It is a server of another product.
    OtherProduct(Product),
    /// A program that makes its data directory is not installed.
    Incomplete {
        /// Which product it is.
        product: Product,
        /// The name of the missing program.
        missing: &'static str,
    },
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confined { profile } => write!(
                f,
                "is confined by AppArmor ({}) to the system server's folders; the copy that \
                 tools/get-mysql fetches is not confined",
                profile.display()
            ),
            Self::NoServer(why) => write!(f, "is not a server that can be started: {why}"),
            Self::TooOld {
                product,
                version,
                oldest,
            } => write!(
                f,
                "is too old: version {version}; {product} {oldest} is the oldest that can be used"
            ),
            Self::OtherProduct(product) => write!(f, "is {product}, which was not asked for"),
            Self::Incomplete { product, missing } => {
                write!(
                    f,
                    "is {product} without {missing}, which makes its data directory"
                )?;
                match product {
                    Product::MariaDb => f.write_str(
                        " (Debian has it in mariadb-server-core and mariadb-client-core: install \
                         both)",
                    ),
                    Product::MySql | Product::Postgres => Ok(()),
                }
            }
        }
    }
}
