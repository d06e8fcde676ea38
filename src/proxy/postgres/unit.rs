//! What goes to the server at once, and what it means.

use crate::answer::Datum;
use crate::proxy::shown::{MOST_TEXT, shortened};

/// What goes to the server at once. The next one follows after the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Unit {
    /// The client's original bytes. A Flush is added if the answer would not come without it.
    pub(in crate::proxy) bytes: Vec<u8>,
    /// What it does.
    pub(in crate::proxy) what: What,
    /// Whether the server answers. If not, the next unit follows at once.
    pub(in crate::proxy) awaits_answer: bool,
}

/// What a unit does.
///
/// A text that is not UTF-8 has replacement characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum What {
    /// It runs no statement, or the server skips it.
    Passes,
    /// It runs one or more statements. If others ran since the last Sync, it ends what they began.
    Query {
        /// The statements.
        text: String,
    },
    /// It runs a prepared statement, or goes on with one whose rows were limited.
    Execute {
        /// The statement. `None` if it was not prepared by a message on this connection.
        text: Option<String>,
        /// Its arguments. Empty if they cannot be read: then the server refuses them too.
        arguments: Vec<Datum>,
    },
    /// A Sync that commits: statements ran before it outside a block.
    Commit,
    /// It ends the connection.
    Terminate,
    /// Nothing can be said of this connection any more. It says why.
    Opaque(String),
}

impl Unit {
    /// The first statement that it prepares, if it executes none.
    pub(in crate::proxy) fn prepares(&self) -> Option<String> {
        /// A message's type and its length come before its body.
        const HEAD: usize = 5;
        if self.what != What::Passes || self.bytes.first() != Some(&b'P') {
            return None;
        }
        let mut texts = self.bytes.get(HEAD..)?.split(|it| *it == 0);
        let text = texts.nth(1)?;
        Some(shortened(text, MOST_TEXT))
    }

    /// Whether it is a transaction of its own outside a block: a query, or a statement with its
    /// Sync.
    pub(in crate::proxy) fn ends_its_transaction(&self) -> bool {
        const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];
        match self.what {
            What::Query { .. } => true,
            What::Execute { .. } => self.bytes.ends_with(&SYNC),
            _ => false,
        }
    }
}
