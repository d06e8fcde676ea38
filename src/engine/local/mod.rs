//! A private database server that Racy starts itself: [`find()`] one, [`start`](LocalServer::start)
//! it, use it, [`stop`](LocalServer::stop) it.
//!
//! "Private" is meant literally. The server reads no configuration file, listens on no TCP port, and
//! is reached through a socket in a folder that only this user may enter. It never outlives Racy,
//! not even when Racy is killed: see `supervise.sh` beside this file for how.
//!
//! Everything else is left as the server ships it. In particular its durability settings are the
//! stock ones, so that what is measured against it is what a plain installation would do.
//!
//! Reading order: [`find()`] (which program), [`Folder`] (where its data lives), [`LocalServer`] (its life),
//! `supervise.sh`. What is peculiar to a product is in `mysql` and `postgres`.

mod account;
mod apparmor;
mod find;
mod folder;
mod mysql;
mod postgres;
mod product;
mod server;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

pub use find::{Binary, Found, Origin, PassedOver, Reason, find};
pub use folder::Folder;
pub use product::{Product, Version, Wanted};
pub use server::{ANSWER_WITHIN, LocalServer, running_elsewhere};

/// Why there is no private server.
#[derive(Debug)]
pub enum Error {
    /// No usable server program on this machine. The only case in which another engine may be taken
    /// silently: nothing was asked for that is being ignored.
    NotFound {
        /// What was searched for.
        wanted: Wanted,
        /// The programs that were seen and not taken.
        passed_over: Vec<PassedOver>,
    },
    /// This environment variable names a program that cannot be used.
    Unusable(&'static str, PassedOver),
    /// The server refuses to run as root, and there is no other user as whom to run it.
    NoAccount,
    /// The user as whom a server runs that refuses to be root's cannot get to its data.
    KeptOut {
        /// The user's name.
        account: &'static str,
        /// The first folder on the way that keeps it out.
        folder: PathBuf,
    },
    /// Nothing says where kept data should live.
    NoRoot,
    /// A folder or file that the server needs cannot be made, opened or locked.
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder's last server is still shutting down, and did not finish in time.
    ShuttingDown {
        /// The kept folder.
        folder: PathBuf,
    },
    /// Another lab uses the folder, and its server does not answer yet, or no longer.
    NotYetUp {
        /// The kept folder.
        folder: PathBuf,
    },
    /// All numbered folders are in use by other running labs.
    TooManyLabs {
        /// The root of the kept folders.
        root: PathBuf,
    },
    /// `/bin/sh`, which supervises the server, cannot be run or waited for.
    Supervisor(io::Error),
    /// The server ended although nobody had asked it to.
    Ended {
        /// The server program.
        server: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        log: LogTail,
    },
    /// The server runs, but did not answer in time.
    NoAnswer {
        /// The server program.
        server: PathBuf,
        /// How long it was given.
        limit: Duration,
        /// What the last attempt to connect met.
        last: Option<Box<sqlx::Error>>,
        /// What it said.
        log: LogTail,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { wanted, passed_over } => {
                write!(f, "no usable {wanted} server was found: {}", wanted.search().how_to_get)?;
                passed_over.iter().try_for_each(|one| write!(f, "\n  {one}"))
            }
            Self::Unusable(variable, one) => {
                write!(f, "{variable} names a server that cannot be used: {one}. Correct it, or unset it")
            }
            Self::NoAccount => f.write_str(
                "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody as whom it \
                 could run. Run Racy as an ordinary user",
            ),
            Self::KeptOut { account, folder } => write!(
                f,
                "PostgreSQL refuses to run as root, and {account}, as whom it runs instead, may not enter {}. Set \
                 RACY_DATA_DIR to a folder that every user may enter, e.g. /var/lib/racy, or run Racy as an ordinary \
                 user",
                folder.display()
            ),
            Self::NoRoot => f.write_str(
                "there is no place for the server's data: set RACY_DATA_DIR to a folder (or HOME, of which \
                 .local/share/racy is used)",
            ),
            Self::Folder { path, source } => write!(
                f,
                "the private server needs {}: {source}. Kept data can live elsewhere: set RACY_DATA_DIR",
                path.display()
            ),
            Self::ShuttingDown { folder } => {
                write!(f, "the last server in {} is still shutting down; try again in a moment", folder.display())
            }
            Self::NotYetUp { folder } => {
                write!(f, "another lab is just starting or stopping its server in {}; try again in a moment", folder.display())
            }
            Self::TooManyLabs { root } => write!(
                f,
                "every folder for a server in {} is in use by a running lab; stop one, or set RACY_DATA_DIR",
                root.display()
            ),
            Self::Supervisor(source) => write!(f, "/bin/sh, which supervises the private server, failed: {source}"),
            Self::Ended { server, status, log } => {
                write!(f, "the private server {} ended unasked ({status}); {log}", server.display())
            }
            Self::NoAnswer { server, limit, last, log } => {
                write!(f, "the private server {} did not answer within {limit:?}", server.display())?;
                if let Some(last) = last {
                    write!(f, " (the last attempt: {last})")?;
                }
                write!(f, "; {log}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder { source, .. } | Self::Supervisor(source) => Some(source),
            Self::NoAnswer {
                last: Some(last), ..
            } => Some(last.as_ref()),
            _ => None,
        }
    }
}

/// The last lines of a server's log.
#[derive(Clone, Debug)]
pub struct LogTail {
    /// Where the whole log is; `None` where it went with its temporary folder.
    pub path: Option<PathBuf>,
    /// The lines, the oldest first.
    pub lines: String,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self
            .path
            .as_deref()
            .map(|path| format!(" ({})", path.display()))
            .unwrap_or_default();
        if self.lines.is_empty() {
            write!(f, "its log{at} is empty")
        } else {
            write!(f, "the end of its log{at}:\n{}", self.lines)
        }
    }
}

/// Where kept data lives unless told otherwise: `RACY_DATA_DIR`, else `$XDG_DATA_HOME/racy`, else
/// `$HOME/.local/share/racy`.
///
/// # Errors
/// [`Error::NoRoot`] where none of the three is set.
pub fn default_root() -> Result<PathBuf, Error> {
    default_root_from(|name| env::var_os(name))
}

fn default_root_from(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let set = |name| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("RACY_DATA_DIR")
        .or_else(|| absolute(set("XDG_DATA_HOME")).map(|data| data.join("racy")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/racy")))
        .ok_or(Error::NoRoot)
}

/// The XDG rules: a relative path in one of their variables is to be ignored.
fn absolute(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| Path::is_absolute(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(variables: &[(&str, &str)]) -> Option<PathBuf> {
        default_root_from(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| OsString::from(value))
        })
        .ok()
    }

    #[test]
    fn the_root_is_the_most_specific_variable_that_is_set() {
        let home = ("HOME", "/home/ada");
        let xdg = ("XDG_DATA_HOME", "/data");
        let own = ("RACY_DATA_DIR", "here");
        assert_eq!(root(&[home]), Some("/home/ada/.local/share/racy".into()));
        assert_eq!(root(&[home, xdg]), Some("/data/racy".into()));
        assert_eq!(root(&[home, xdg, own]), Some("here".into()));
    }

    #[test]
    fn empty_and_relative_variables_count_as_unset() {
        assert_eq!(
            root(&[
                ("RACY_DATA_DIR", ""),
                ("XDG_DATA_HOME", "data"),
                ("HOME", "/h")
            ]),
            Some("/h/.local/share/racy".into())
        );
        assert_eq!(root(&[("RACY_DATA_DIR", ""), ("HOME", "")]), None);
    }

    #[test]
    fn the_sentence_about_a_missing_server_says_how_to_get_one() {
        let sentence = Error::NotFound {
            wanted: Wanted::MySql,
            passed_over: vec![PassedOver {
                path: "/usr/sbin/mysqld".into(),
                reason: Reason::OtherProduct(Product::MariaDb),
            }],
        }
        .to_string();
        for part in [
            "MySQL server",
            "tools/get-mysql",
            "RACY_MYSQLD",
            "/usr/sbin/mysqld",
            "MariaDB",
        ] {
            assert!(
                sentence.contains(part),
                "{part:?} is missing in: {sentence}"
            );
        }
    }
}
