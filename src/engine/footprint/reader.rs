//! Reads statements against the catalogue of their database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::catalogue::Catalogue;
use super::understood::Understood;
use crate::engine::{Database, Fault, Flavour, UserStatement};

/// Reads statements against the catalogue of their database. What a statement touches by itself is
/// worked out once for each text.
#[derive(Debug)]
pub struct StatementReader {
    catalogue: Catalogue,
    understood: Mutex<HashMap<String, Arc<Understood>>>,
}

/// No more texts are kept. A text with a time or a key of its own is another one in each run.
const MOST_TEXTS: usize = 4_000;

impl StatementReader {
    /// Reads the catalogue of a database that is at its beginning. `statements` are all that
    /// clients can send, as far as they are known: if one of them changes the schema, every
    /// statement meets everything. None on SQLite: there a lock is on the whole database.
    pub async fn open(
        database: &Database,
        statements: &[UserStatement],
    ) -> Result<Option<Self>, Fault> {
        let catalogue = Catalogue::read(database, statements).await?;
        Ok(catalogue.map(|catalogue| Self {
            catalogue,
            understood: Mutex::default(),
        }))
    }

    /// What a statement touches by itself.
    pub(super) fn understood(&self, statement: &UserStatement) -> Arc<Understood> {
        // Nothing panics while it holds the lock.
        let known = || {
            self.understood
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(understood) = known().get(&statement.text) {
            return Arc::clone(understood);
        }
        let understood = Arc::new(Understood::of(statement, &self.catalogue));
        let mut known = known();
        if known.len() >= MOST_TEXTS {
            known.clear();
        }
        Arc::clone(known.entry(statement.text.clone()).or_insert(understood))
    }

    pub(super) fn flavour(&self) -> Flavour {
        self.catalogue.flavour
    }

    /// Whether a refusal without a wait can end the whole transaction.
    pub(super) fn refusals_end_transactions(&self) -> bool {
        self.catalogue.refusals_end_transactions
    }
}
