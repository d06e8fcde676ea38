//! Why a database could not be copied, or not be brought back.

use std::fmt;

use super::head::Head;
use crate::engine::{Fault, Flavour};

/// Why a database could not be copied, or not be brought back.
#[derive(Debug)]
pub enum CopyError {
    /// The engine is one whose databases are not copied.
    Engine(Flavour),
    /// The database holds what copies of its rows do not bring back.
    Refused(Vec<String>),
    /// The database has copies already.
    Taken {
        /// When they were taken, as the server's time in UTC. None if the note does not say it.
        taken_at: Option<String>,
        /// The process that took them. None if the note does not say it.
        process: Option<u32>,
    },
    /// The copies were not finished. Nothing is to be brought back from them.
    Unfinished,
    /// The schema is another one than when the copies were taken.
    Changed(Vec<String>),
    /// Another connection holds a lock. The rows are back if it allowed that.
    Blocked {
        /// What was tried.
        what: String,
        /// The connections that hold locks. Empty if the engine does not show them.
        by: Vec<Blocker>,
        /// What the engine said.
        fault: Fault,
    },
    /// The engine refused a statement, or did not answer.
    Fault {
        /// What was tried.
        what: String,
        /// What the engine said.
        fault: Fault,
    },
}

/// A connection that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The engine's own number for it.
    pub connection: i64,
    /// Its user.
    pub user: String,
    /// Where it comes from.
    pub host: String,
    /// What it holds.
    pub holds: String,
}

impl CopyError {
    /// There are copies already, taken by this process.
    pub(super) fn taken(head: Option<Head>) -> Self {
        let (taken_at, process) = head.map(|it| (it.taken_at, it.process)).unzip();
        Self::Taken { taken_at, process }
    }

    /// A fault at this work.
    pub(super) fn at(what: impl Into<String>) -> impl FnOnce(Fault) -> Self {
        let what = what.into();
        move |fault| Self::Fault { what, fault }
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(flavour) => write!(
                f,
                "a database is copied on MySQL, MariaDB and PostgreSQL, and this one is {flavour}"
            ),
            Self::Refused(reasons) => write!(
                f,
                "the database cannot be brought back from copies of its rows: {}",
                reasons.join("; ")
            ),
            Self::Taken { taken_at, process } => {
                f.write_str("the database has copies already, ")?;
                match (taken_at, process) {
                    (Some(at), Some(process)) => write!(f, "of {at} UTC by process {process}")?,
                    _ => f.write_str("and their note cannot be read")?,
                }
                f.write_str("; bring it back from them, or drop them")
            }
            Self::Unfinished => f.write_str(
                "the copies were not finished, so nothing is brought back from them; drop them",
            ),
            Self::Changed(changes) => write!(
                f,
                "the schema is not the one that was copied: {}",
                changes.join("; ")
            ),
            Self::Blocked { what, by, fault } => {
                write!(
                    f,
                    "{what} waits for a lock of another connection: {fault}; "
                )?;
                if by.is_empty() {
                    return f.write_str(
                        "the engine does not show which one (MySQL shows it to users with SELECT on \
                         performance_schema, MariaDB to users with PROCESS, PostgreSQL to all)",
                    );
                }
                let by: Vec<_> = by.iter().map(ToString::to_string).collect();
                write!(f, "in the way: {}", by.join("; "))
            }
            Self::Fault { what, fault } => write!(f, "{what}: {fault}"),
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connection,
            user,
            host,
            holds,
        } = self;
        write!(f, "connection {connection} of {user} at {host}, {holds}")
    }
}

impl std::error::Error for CopyError {}
