//! The names of the columns that each statement returns. An answer without rows does not tell them,
//! and isolationtester prints them nevertheless.

use std::collections::HashMap;

use super::{Spec, Sql};
use crate::answer::Answer;
use crate::engine::{Database, Fault};
use crate::scenarios::script::statements;

/// The columns of each statement of each block, by the block's text.
#[derive(Debug, Default)]
pub(super) struct Columns(HashMap<String, Vec<Vec<String>>>);

impl Columns {
    /// Asks the engine, on a connection of its own, between the set-up and the first step. A
    /// statement that needs what is not there yet, such as a session's temporary table, keeps its
    /// columns unknown.
    pub(super) async fn ask(database: &Database, spec: &Spec) -> Result<Self, Fault> {
        let flavour = database.engine().flavour;
        let mut session = database.block_session().await?;
        let mut columns = HashMap::new();
        for Sql { text, .. } in spec.blocks() {
            let mut of_block = Vec::new();
            for (_, _, statement) in statements(text, flavour).unwrap_or_default() {
                of_block.push(session.columns_of(&statement).await.unwrap_or_default());
            }
            columns.insert(text.clone(), of_block);
        }
        session.close().await;
        Ok(Self(columns))
    }

    /// Names the columns of the answer to one of a block's statements, if it has no rows.
    pub(super) fn name(&self, block: &str, statement: usize, answer: &mut Answer) {
        let known = self.0.get(block).and_then(|it| it.get(statement));
        if let Some(columns) = known.filter(|_| answer.columns.is_empty()) {
            answer.columns.clone_from(columns);
        }
    }
}
