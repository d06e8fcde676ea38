//! Why a table cannot be read.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::engine::Fault;

/// A file of a table that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, as seen from the table's folder.
    pub file: String,
    /// What is wrong with it, in words.
    pub why: String,
}

impl Damage {
    pub(super) fn of(file: impl Into<String>, why: impl fmt::Display) -> Self {
        Self {
            file: file.into(),
            why: why.to_string(),
        }
    }

    /// The file is not there.
    pub(super) fn absent(file: &Path) -> Self {
        Self::of(shown(file), ABSENT)
    }

    /// Whether the file is not there.
    pub(in crate::exhibits::tables) fn is_absence(&self) -> bool {
        self.why == ABSENT
    }
}

const ABSENT: &str = "it is not there";

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.why)
    }
}

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no table of this name.
    NoTable,
    /// There is no such snapshot, or no longer.
    NoSnapshot,
    /// A file is not what it should be.
    Damaged(Damage),
    /// The file system refuses.
    Fault(Fault),
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl Unreadable {
    /// What it means that this file of a snapshot could not be read.
    pub(in crate::exhibits::tables) fn of_file(file: &Path, error: &io::Error) -> Self {
        let name = shown(file);
        match error.kind() {
            ErrorKind::NotFound => Damage::absent(file).into(),
            ErrorKind::InvalidData => Damage::of(name, error).into(),
            _ => Self::Fault(Fault::of_file(&format!("{name} could not be read"), error)),
        }
    }
}

/// The last two parts of the path: `metadata/v7.json`.
pub(super) fn shown(file: &Path) -> String {
    let parts: Vec<_> = file.iter().rev().take(2).collect();
    let parts = parts.into_iter().rev().map(|it| it.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str("there is no such table"),
            Self::NoSnapshot => f.write_str("there is no such snapshot, or no longer"),
            Self::Damaged(damage) => damage.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}
