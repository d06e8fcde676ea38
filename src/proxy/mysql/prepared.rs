//! The prepared statements of one connection.

use std::collections::HashMap;
use std::sync::Arc;

use super::arguments::Binding;
use super::columns::Column;

/// In MariaDB's commands: the statement that was prepared last.
const LAST: u32 = 0xFFFF_FFFF;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(super) struct PreparedStatement {
    pub(super) text: Arc<str>,
    pub(super) binding: Binding,
    /// The columns as the server defined them last. Empty if it returns no rows.
    pub(super) columns: Arc<[Column]>,
}

/// All prepared statements by their ids.
#[derive(Debug, Default)]
pub(super) struct PreparedStatements {
    by_id: HashMap<u32, PreparedStatement>,
    last: Option<u32>,
}

impl PreparedStatements {
    /// Keeps a statement that the server has prepared.
    pub(super) fn insert(&mut self, id: u32, prepared: PreparedStatement) {
        self.by_id.insert(id, prepared);
        self.last = Some(id);
    }

    /// The server has refused to prepare a statement, so there is no last one.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut PreparedStatement> {
        self.by_id.get_mut(&self.resolved(id)?)
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Some(id) = self.resolved(id) {
            self.by_id.remove(&id);
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.last = None;
    }

    /// Keeps a part of an argument until the statement is executed.
    pub(super) fn append(&mut self, id: u32, index: u16, part: &[u8]) {
        if let Some(prepared) = self.get_mut(id) {
            let index = usize::from(index);
            // The server refuses others, so they would never be used.
            if index < prepared.binding.count {
                let long = prepared.binding.long.entry(index).or_default();
                long.append(part);
            }
        }
    }

    fn resolved(&self, id: u32) -> Option<u32> {
        if id == LAST { self.last } else { Some(id) }
    }
}
