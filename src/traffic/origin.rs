//! What a client has read: where a value can come from.

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A column of the one row that a statement has returned.
    Column {
        /// The statement.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The key that the engine has generated for a statement.
    Key {
        /// The statement.
        line: usize,
    },
}

impl Origin {
    pub(super) fn line(self) -> usize {
        match self {
            Self::Column { line, .. } | Self::Key { line } => line,
        }
    }
}
