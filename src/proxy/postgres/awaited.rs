//! What is awaited from the server, in the order in which it comes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::prepared::{Portal, Prepared, Statement};
use super::request::Target;

/// The answer to one message of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Parse(String, Statement),
    Bind(String, Portal),
    Describe(Target),
    Close(Target),
    /// The rows of a portal. Its text is empty if it is not known.
    Execute {
        portal: String,
        text: Arc<str>,
    },
    /// The results of statements, then the state.
    Query {
        text: Arc<str>,
    },
    /// The result of a function, then the state.
    Function,
    /// The state.
    Sync,
}

impl Expected {
    /// Whether it ends with the state, also after an error.
    pub(super) fn ends_with_state(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::Function | Self::Sync)
    }
}

/// The answers that the server owes. The first one comes first.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    expected: VecDeque<Expected>,
}

impl Awaited {
    pub(super) fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// Whether something is executed.
    pub(super) fn executes(&self) -> bool {
        let mut expected = self.expected.iter();
        expected.any(|it| matches!(it, Expected::Execute { .. }))
    }

    pub(super) fn first(&self) -> Option<&Expected> {
        self.expected.front()
    }

    pub(super) fn push(&mut self, expected: Expected) {
        self.expected.push_back(expected);
    }

    pub(super) fn pop(&mut self) -> Option<Expected> {
        self.expected.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.expected.clear();
    }

    /// An error makes the server skip everything up to the next Sync. A Query is skipped as well.
    pub(super) fn skip_to_sync(&mut self) {
        let skipped = self.expected.iter().position(|it| *it == Expected::Sync);
        self.expected
            .drain(..skipped.unwrap_or(self.expected.len()));
    }

    /// The server reads what was sent after an execution as the data of its COPY, and ignores Sync.
    pub(super) fn drop_sync_of_copy(&mut self) -> bool {
        let follows = self.expected.get(1) == Some(&Expected::Sync);
        if follows {
            self.expected.remove(1);
        }
        follows
    }

    /// The statement that has this name when the server has done what it was asked for.
    pub(super) fn statement<'a>(
        &'a self,
        name: &str,
        prepared: &'a Prepared,
    ) -> Option<&'a Statement> {
        for expected in self.expected.iter().rev() {
            match expected {
                Expected::Parse(it, statement) if it == name => return Some(statement),
                Expected::Close(Target::Statement(it)) if it == name => return None,
                _ => {}
            }
        }
        prepared.statement(name)
    }

    /// The portal that has this name when the server has done what it was asked for.
    pub(super) fn portal<'a>(&'a self, name: &str, prepared: &'a Prepared) -> Option<&'a Portal> {
        for expected in self.expected.iter().rev() {
            match expected {
                Expected::Bind(it, portal) if it == name => return Some(portal),
                Expected::Close(Target::Portal(it)) if it == name => return None,
                _ => {}
            }
        }
        prepared.portal(name)
    }
}
