//! A pooler between this program and the server, such as PgBouncer with `pool_mode=transaction`.
//!
//! It lends a client a connection of its own, a backend, for one transaction, and another one for
//! the next. What is set for a session then belongs to a backend, and to the next client that gets
//! it. So nothing is set for a session behind a pooler, and nothing is prepared. Each transaction
//! sets what it relies on when it begins, and a statement outside a transaction becomes a
//! transaction of one statement.
//!
//! This file holds what a connection knows behind a pooler, and what is said of poolers.
//! `pooler_search` finds out whether there is one, and `behind_pooler` runs the statements.

use std::sync::Arc;

use super::Isolation;

/// How a transaction begins behind a pooler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The isolation level of a transaction that does not ask for one.
    pub(super) level: Isolation,
    /// The statements that set something for the transaction alone.
    pub(super) settings: Vec<String>,
}

impl Beginning {
    /// The statements that begin a transaction, in one round trip. None of them takes a snapshot.
    pub(super) fn spell(&self, begin: &str) -> String {
        let begin = if begin.contains("ISOLATION LEVEL") {
            begin.to_owned()
        } else {
            format!("BEGIN ISOLATION LEVEL {}", self.level.sql())
        };
        let settings = self.settings.iter().map(|it| format!("; {it}"));
        std::iter::once(begin).chain(settings).collect()
    }
}

/// What a connection knows behind a pooler.
pub(super) struct BehindAPooler {
    pub(super) beginning: Arc<Beginning>,
    pub(super) is_in_transaction: bool,
}

/// Tells that there is a pooler. `beginning` is None if nothing can be done about it.
pub(super) fn noticed(beginning: Option<&Beginning>) -> String {
    match beginning {
        Some(beginning) => format!(
            "a pooler is in between, which gives each transaction another connection. So each \
             transaction is begun at {} and with the settings that it needs, even if it is one \
             statement; that costs round trips, and measured times include the pooler's",
            beginning.level
        ),
        None => format!("{IN_BETWEEN}: {DIRECTLY}"),
    }
}

/// Tells why something cannot be done behind a pooler.
pub(super) fn refused(what: &str) -> String {
    format!("{IN_BETWEEN}, and {what}: {DIRECTLY}")
}

const IN_BETWEEN: &str = "a pooler is in between, which gives each transaction another connection";

/// The one advice about poolers. It is right for applications too, whose connections a server knows
/// by other numbers behind any pooler.
pub(super) const DIRECTLY: &str = "name the server behind the pooler";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transaction_begins_with_all_that_it_relies_on() {
        let beginning = Beginning {
            level: Isolation::Serializable,
            settings: vec!["SET LOCAL lock_timeout = '5s'".to_owned()],
        };
        assert_eq!(
            beginning.spell("BEGIN"),
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL lock_timeout = '5s'"
        );
        assert_eq!(
            beginning.spell("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '5s'"
        );
    }
}
