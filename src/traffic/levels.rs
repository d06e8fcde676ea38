//! The isolation levels of a session's transactions, as its statements set them.

use crate::engine::{Flavour, Isolation, StatementKind, StatementPiece, UserStatement};

/// The levels of one session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    flavour: Flavour,
    /// That of a session that sets none.
    default: Isolation,
    /// That of its transactions from now on.
    session: Isolation,
    /// That of its next transaction alone.
    next: Option<Isolation>,
    /// That of the open transaction.
    open: Option<Isolation>,
}

impl Levels {
    pub(super) fn new(flavour: Flavour, default: Isolation) -> Self {
        Self {
            flavour,
            default,
            session: default,
            next: None,
            open: None,
        }
    }

    /// Goes on to a statement that was not refused. Returns the level at which it ran.
    ///
    /// `opens` and `stays_open` say whether a transaction is open while it runs, and after it.
    pub(super) fn follow(
        &mut self,
        statement: &UserStatement,
        opens: bool,
        stays_open: bool,
    ) -> Isolation {
        let is_begin = matches!(statement.kind, StatementKind::Begin(_));
        let begun = self.open.filter(|_| !is_begin);
        if opens {
            let named = is_begin.then(|| self.named(statement)).flatten();
            let begins = || named.or(self.next).unwrap_or(self.session);
            self.open = Some(begun.unwrap_or_else(begins));
        }
        let is_about_it = self.set(statement);
        let level = self.open.or(self.next).unwrap_or(self.session);
        if !stays_open {
            self.open = None;
            if !is_about_it && !statement.kind.is_local() {
                self.next = None;
            }
        }
        level
    }

    /// Goes on to a statement that was refused. Returns the level at which it ran.
    pub(super) fn refused(&mut self, stays_open: bool) -> Isolation {
        let level = self.open.or(self.next).unwrap_or(self.session);
        self.open = self.open.filter(|_| stays_open);
        level
    }

    /// Follows a statement that sets levels. False if it sets none.
    fn set(&mut self, statement: &UserStatement) -> bool {
        if statement.keyword(self.flavour) == "DISCARD" {
            self.session = self.default;
        }
        let shape = statement.shape(self.flavour).to_ascii_lowercase();
        let words: Vec<&str> = shape
            .split(|it: char| !it.is_alphanumeric() && it != '_')
            .collect();
        let has = |word: &str| words.contains(&word);
        if has("reset") && (has("all") || has("default_transaction_isolation")) {
            self.session = self.default;
        }
        if !statement.sets_the_level(self.flavour) {
            return false;
        }
        let named = self.named(statement);
        let level = named.unwrap_or(self.default);
        if self.flavour.is_innodb() {
            let is_of_the_next = has("transaction") || shape.contains("@@");
            if has("global") || has("persist") || has("persist_only") {
            } else if has("session") || has("local") || !is_of_the_next {
                self.session = level;
            } else {
                self.next = Some(level);
            }
        } else if has("characteristics") || has("default_transaction_isolation") {
            self.session = level;
        } else if self.open.is_some() {
            self.open = named.or(self.open);
        }
        true
    }

    /// The level that a statement names, as words or as a text: `READ COMMITTED`,
    /// `'read-committed'`.
    fn named(&self, statement: &UserStatement) -> Option<Isolation> {
        const ALL: [Isolation; 4] = [
            Isolation::ReadUncommitted,
            Isolation::ReadCommitted,
            Isolation::RepeatableRead,
            Isolation::Serializable,
        ];
        // The pieces have no comments.
        let pieces = UserStatement::pieces(&statement.text, &[], "", self.flavour);
        let text = pieces.into_iter().map(|it| match it {
            StatementPiece::Text(text) => text,
            StatementPiece::Value(value) => value.literal,
        });
        let text = text.collect::<String>().to_ascii_uppercase();
        let words = text.split(|it: char| !it.is_alphanumeric());
        let words: Vec<&str> = words.filter(|it| !it.is_empty()).collect();
        let words = words.join(" ");
        let level = ALL.into_iter().find(|it| words.contains(it.sql()))?;
        // PostgreSQL takes it for the other one.
        let is_promoted = level == Isolation::ReadUncommitted && self.flavour == Flavour::Postgres;
        Some(match is_promoted {
            true => Isolation::ReadCommitted,
            false => level,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Flavour::{MySql, Postgres};
    use Isolation::{ReadCommitted, RepeatableRead, Serializable};

    /// The levels at which these statements run, one after the other.
    fn levels(flavour: Flavour, default: Isolation, texts: &[&str]) -> Vec<Isolation> {
        let mut levels = Levels::new(flavour, default);
        let mut is_open = false;
        let follow = |text: &&str| {
            let statement = UserStatement::new(*text, flavour);
            let stays_open = match statement.kind {
                StatementKind::Begin(_) => true,
                StatementKind::Commit | StatementKind::Rollback => false,
                _ => is_open,
            };
            let opens = is_open || stays_open;
            is_open = stays_open;
            levels.follow(&statement, opens, stays_open)
        };
        texts.iter().map(follow).collect()
    }

    #[test]
    fn postgres_sets_the_level_of_the_open_transaction() {
        let texts = [
            "BEGIN",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SELECT 1 FROM t",
            "COMMIT",
            "SELECT 1 FROM t",
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "COMMIT",
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            "BEGIN",
            "ROLLBACK",
            "SET default_transaction_isolation = 'serializable'",
            "BEGIN",
            "SET LOCAL transaction_isolation TO 'repeatable read'",
            "COMMIT",
            "BEGIN",
            "COMMIT",
            "DISCARD ALL",
            "BEGIN",
        ];
        let expected = [
            ReadCommitted,
            Serializable,
            Serializable,
            Serializable,
            ReadCommitted,
            RepeatableRead,
            RepeatableRead,
            ReadCommitted,
            ReadCommitted,
            ReadCommitted,
            Serializable,
            Serializable,
            RepeatableRead,
            RepeatableRead,
            Serializable,
            Serializable,
            ReadCommitted,
            ReadCommitted,
        ];
        assert_eq!(levels(Postgres, ReadCommitted, &texts), expected);
    }

    #[test]
    fn innodb_sets_the_level_of_the_next_transaction_or_of_all() {
        let texts = [
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "START TRANSACTION",
            "COMMIT",
            "START TRANSACTION",
            "COMMIT",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "START TRANSACTION",
            "COMMIT",
            "SET @@transaction_isolation = 'SERIALIZABLE'",
            "UPDATE t SET a = 1",
            "UPDATE t SET a = 1",
            "SET transaction_isolation = 'REPEATABLE-READ' /* not serializable */",
            "SET GLOBAL transaction_isolation = 'READ-COMMITTED'",
            "UPDATE t SET a = 1",
        ];
        let expected = [
            Serializable,
            Serializable,
            Serializable,
            RepeatableRead,
            RepeatableRead,
            ReadCommitted,
            ReadCommitted,
            ReadCommitted,
            Serializable,
            Serializable,
            ReadCommitted,
            RepeatableRead,
            RepeatableRead,
            RepeatableRead,
        ];
        assert_eq!(levels(MySql, RepeatableRead, &texts), expected);
    }
}
