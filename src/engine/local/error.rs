//! Why there is no private server, in words that say what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::binary::RejectedProgram;
use super::log::LogTail;
use super::product::ServerKind;

/// Why there is no private server.
#[derive(Debug)]
pub enum Error {
    /// No usable server program is on this machine. Only in this case may another engine be used
    /// instead, because no wish of the user's is ignored then.
    NotFound {
        /// What was searched for.
        kind: ServerKind,
        /// Where the search looked, and how to get a server.
        how_to_get: &'static str,
        /// The programs that were found and not used.
        rejected: Vec<RejectedProgram>,
    },
    /// This environment variable names a program that cannot be used.
    Unusable(&'static str, RejectedProgram),
    /// The server refuses to run as root, and no unprivileged user exists on this system.
    NoAccount,
    /// The server runs as an unprivileged user, who may not enter the folder of its data.
    KeptOut {
        /// The user's name.
        account: &'static str,
        /// The first folder of the path that this user may not enter.
        folder: PathBuf,
    },
    /// No environment variable says where kept data lives.
    NoRoot,
    /// A folder or file that the server needs cannot be made, opened or locked.
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The previous server of the folder is still shutting down, and did not finish in time.
    ShuttingDown {
        /// The kept folder.
        folder: PathBuf,
    },
    /// Another lab uses the folder, and its server is just starting or stopping.
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
    /// The server ended before it was told to.
    ServerEnded {
        /// The server program.
        server: PathBuf,
        /// Its exit status.
        status: ExitStatus,
        /// The end of its log.
        log: LogTail,
    },
    /// The server runs, but did not answer in time.
    NoAnswer {
        /// The server program.
        server: PathBuf,
        /// How long its answer was waited for.
        limit: Duration,
        /// Why the last attempt to connect failed. None if there was no attempt.
        last: Option<Box<sqlx::Error>>,
        /// The end of its log.
        log: LogTail,
    },
}

impl Error {
    /// The system's error about one folder or file.
    pub(super) fn folder(path: &Path, source: io::Error) -> Self {
        Self::Folder {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound {
                kind,
                how_to_get,
                rejected,
            } => {
                write!(f, "no usable {kind} server was found: {how_to_get}")?;
                rejected.iter().try_for_each(|one| write!(f, "\n  {one}"))
            }
            Self::Unusable(variable, one) => write!(
                f,
                "{variable} names a server that cannot be used: {one}. Correct it, or unset it"
            ),
            Self::NoAccount => f.write_str(
                "PostgreSQL refuses to run as root, and this system has no user postgres or nobody \
                 to run it as. Run Racy as an ordinary user",
            ),
            Self::KeptOut { account, folder } => write!(
                f,
                "PostgreSQL refuses to run as root, and the user {account}, who runs it instead, \
                 may not enter {}. Set RACY_DATA_DIR to a folder that every user may enter, e.g. \
                 /var/lib/racy, or run Racy as an ordinary user",
                folder.display()
            ),
            Self::NoRoot => f.write_str(
                "no folder for the server's data is known: set RACY_DATA_DIR to one (or set HOME; \
                 then it is .local/share/racy there)",
            ),
            Self::Folder { path, source } => write!(
                f,
                "the private server needs {}: {source}. To keep its data elsewhere, set \
                 RACY_DATA_DIR",
                path.display()
            ),
            Self::ShuttingDown { folder } => write!(
                f,
                "the last server in {} is still shutting down; try again in a moment",
                folder.display()
            ),
            Self::NotYetUp { folder } => write!(
                f,
                "another lab is just starting or stopping its server in {}; try again in a moment",
                folder.display()
            ),
            Self::TooManyLabs { root } => write!(
                f,
                "running labs use every folder for a server in {}; stop one, or set RACY_DATA_DIR",
                root.display()
            ),
            Self::Supervisor(source) => write!(
                f,
                "/bin/sh, which supervises the private server, failed: {source}"
            ),
            Self::ServerEnded {
                server,
                status,
                log,
            } => write!(
                f,
                "the private server {} ended unasked ({status}); {log}",
                server.display()
            ),
            Self::NoAnswer {
                server,
                limit,
                last,
                log,
            } => {
                let server = server.display();
                write!(
                    f,
                    "the private server {server} did not answer within {limit:?}"
                )?;
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
            Self::NoAnswer { last, .. } => last.as_ref().map(|last| last.as_ref() as _),
            Self::NotFound { .. }
            | Self::Unusable(..)
            | Self::NoAccount
            | Self::KeptOut { .. }
            | Self::NoRoot
            | Self::ShuttingDown { .. }
            | Self::NotYetUp { .. }
            | Self::TooManyLabs { .. }
            | Self::ServerEnded { .. } => None,
        }
    }
}
