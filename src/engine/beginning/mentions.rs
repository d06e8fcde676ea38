//! Which tables a client's statements can write to, by the names in them.

use crate::engine::statement::{Token, tokens};
use crate::engine::{Flavour, StatementKind, UserStatement};

/// The names in the statements that write.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// One list for each statement that only updates: all names, and those of the part that says
    /// what is set.
    updates: Vec<(Vec<String>, Vec<String>)>,
    /// The names in all other statements that write.
    changes: Vec<String>,
    /// Whether a name is put together when the script runs.
    has_unknown_names: bool,
}

/// What clients can do to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// Nothing.
    Never,
    /// Change values, of columns that are in no index.
    Values,
    /// Anything.
    Rows,
}

impl Mentions {
    /// The names in these statements. None if a statement can do more than change rows.
    pub(super) fn of(statements: &[UserStatement], flavour: Flavour) -> Option<Self> {
        let mut mentions = Self::default();
        for statement in statements {
            match statement.kind {
                StatementKind::Schema => return None,
                StatementKind::Write
                    if statement.makes_a_table(flavour) || statement.runs_another(flavour) =>
                {
                    return None;
                }
                StatementKind::Write => mentions.add(&statement.text, flavour)?,
                StatementKind::Begin(_)
                | StatementKind::Commit
                | StatementKind::Rollback
                | StatementKind::Savepoint
                | StatementKind::Read
                | StatementKind::LockingRead
                | StatementKind::LockTables
                | StatementKind::UnlockTables
                | StatementKind::Compute
                | StatementKind::Setting => {}
            }
        }
        Some(mentions)
    }

    fn add(&mut self, sql: &str, flavour: Flavour) -> Option<()> {
        const CHANGES_ROWS: [&str; 7] = [
            "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "MERGE", "SET",
        ];

        // A quote that is written twice stands for one in the name.
        let has_doubled_quotes = sql.contains("``") || sql.contains("\"\"");
        self.has_unknown_names |= sql.contains(":\"") || has_doubled_quotes;
        let tokens = tokens(sql, flavour);
        let first = tokens.first().copied()?;
        if !CHANGES_ROWS.iter().any(|it| first.is(it)) {
            return None;
        }
        let names = |tokens: &[Token<'_>]| -> Vec<String> {
            let names = tokens.iter().filter_map(|it| it.name());
            names.map(str::to_lowercase).collect()
        };
        if first.is("UPDATE") {
            let begins = tokens.iter().position(|it| it.is("SET")).unwrap_or(0);
            let set = names(&tokens[begins..end_of_set(&tokens, begins)]);
            self.updates.push((names(&tokens), set));
        } else {
            self.changes.extend(names(&tokens));
        }
        Some(())
    }

    /// What the statements can do to this table with these columns in its indexes.
    pub(super) fn writes(&self, table: &str, indexed: &[String]) -> Writes {
        let table = table.to_lowercase();
        if self.has_unknown_names || self.changes.contains(&table) {
            return Writes::Rows;
        }
        let updates = self
            .updates
            .iter()
            .filter(|(names, _)| names.contains(&table));
        let mut sets = updates.map(|(_, set)| set).peekable();
        if sets.peek().is_none() {
            return Writes::Never;
        }
        let is_indexed = |name: &String| indexed.iter().any(|it| it.to_lowercase() == *name);
        if sets.any(|set| set.iter().any(is_indexed)) {
            Writes::Rows
        } else {
            Writes::Values
        }
    }
}

/// Where the part ends that says what is set: at the WHERE that is in no subquery.
fn end_of_set(tokens: &[Token<'_>], begins: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(begins) {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            token if depth == 0 && token.is("WHERE") => return at,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(statements: &[&str]) -> Option<Mentions> {
        let flavour = Flavour::MySql;
        let statements = statements.iter().map(|it| UserStatement::new(*it, flavour));
        Mentions::of(&statements.collect::<Vec<_>>(), flavour)
    }

    #[test]
    fn a_table_whose_values_alone_change_is_told_from_one_whose_rows_do() {
        let mentions = mentions(&[
            "SELECT * FROM read_only",
            "UPDATE Accounts SET balance = :b + 1 WHERE id = 1",
            "INSERT INTO `transactions` (account) VALUES (1)",
            "UPDATE keys SET id = 2 WHERE balance = 1",
            "UPDATE late SET v = (SELECT 1 FROM x WHERE x.y = 1), id = id + 1",
        ]);
        let mentions = mentions.unwrap();
        let indexed = ["id".to_owned()];
        for (table, writes) in [
            ("read_only", Writes::Never),
            ("accounts", Writes::Values),
            ("transactions", Writes::Rows),
            ("keys", Writes::Rows),
            ("late", Writes::Rows),
        ] {
            assert_eq!(mentions.writes(table, &indexed), writes, "{table}");
        }
    }

    #[test]
    fn what_can_do_anything_has_no_mentions() {
        assert!(mentions(&["CALL p()"]).is_none());
        assert!(mentions(&["ALTER TABLE t ADD c INT"]).is_none());
        let unknown = mentions(&["UPDATE :\"table\" SET a = 1"]).unwrap();
        assert_eq!(unknown.writes("any", &[]), Writes::Rows);
    }
}
