//! Whether a transaction is open.

use super::reply::{Block, CommandTag};

/// The transaction of one connection, also between two states that the server announces.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// `None` before the server has said it.
    block: Option<Block>,
    /// Whether statements ran outside a block that the next Sync commits.
    has_run: bool,
}

impl Transaction {
    /// Whether one is open. One that has failed is, until the client ends it.
    pub(super) fn is_open(&self) -> Option<bool> {
        self.block.map(|it| it != Block::None || self.has_run)
    }

    /// Whether it is rolled back already although it is open.
    pub(super) fn has_failed(&self) -> bool {
        self.block == Some(Block::Failed)
    }

    /// Whether the next Sync commits what ran before it.
    pub(super) fn is_committed_by_sync(&self) -> bool {
        self.has_run && self.block == Some(Block::None)
    }

    /// Whether no portal can have outlived what came before.
    pub(super) fn has_no_portals(&self) -> bool {
        self.block != Some(Block::Open)
    }

    /// The server waits for the client, and says the state.
    pub(super) fn is_ready(&mut self, block: Block) {
        self.block = Some(block);
        self.has_run = false;
    }

    /// The server has refused something.
    pub(super) fn after_error(&mut self) {
        self.has_run = false;
        if self.block == Some(Block::Open) {
            self.block = Some(Block::Failed);
        }
    }

    /// A statement has run, and the server has not said the state yet. Returns whether it has ended
    /// a transaction.
    pub(super) fn after_statement(&mut self, tag: &CommandTag, text: &str) -> bool {
        let has_word = |word: &str| {
            let mut words = text.split(|it: char| !it.is_ascii_alphanumeric());
            words.any(|it| it.eq_ignore_ascii_case(word))
        };
        match tag.words.as_str() {
            "BEGIN" | "START TRANSACTION" => self.is_ready(Block::Open),
            // The tags of these are the same as of the end of a block.
            "COMMIT" | "ROLLBACK" if has_word("CHAIN") => self.is_ready(Block::Open),
            "ROLLBACK" if has_word("TO") => self.is_ready(Block::Open),
            "COMMIT" | "ROLLBACK" | "PREPARE TRANSACTION" => {
                self.is_ready(Block::None);
                return true;
            }
            _ => self.has_run = true,
        }
        false
    }

    /// Rows of a statement were read, and more are left.
    pub(super) fn after_rows(&mut self) {
        self.has_run = true;
    }
}
