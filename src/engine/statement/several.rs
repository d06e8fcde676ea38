//! Several statements in one text.

use super::tokens::placed_tokens;
use super::{Token, UserStatement, tokens};
use crate::engine::Flavour;

impl UserStatement {
    /// Whether it is several statements in one text. The body of a routine is not.
    pub fn is_several(&self, flavour: Flavour) -> bool {
        let tokens = tokens(&self.text, flavour);
        let is_definition = tokens.first().is_some_and(|it| it.is("CREATE"));
        let end = tokens.iter().position(|it| *it == Token::Symbol(';'));
        !is_definition && end.is_some_and(|at| at + 1 < tokens.len())
    }

    /// The statements in a text, without the semicolons between them. What begins the definition of
    /// a routine goes on to the end of the text: its body may have semicolons. A text without any
    /// words is one statement.
    pub fn apart(text: &str, flavour: Flavour) -> Vec<&str> {
        /// A definition says within this number of words what it defines: `CREATE OR REPLACE
        /// DEFINER = root@localhost SQL SECURITY DEFINER PROCEDURE`.
        const HEAD: usize = 12;
        const ROUTINES: [&str; 5] = ["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT", "PACKAGE"];
        let tokens = placed_tokens(text, flavour);
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, (token, range)) in tokens.iter().enumerate() {
            if *token != Token::Symbol(';') {
                continue;
            }
            let mut part = tokens[begin..at].iter().map(|(token, _)| *token);
            let is_definition = part.next().is_some_and(|it| it.is("CREATE"));
            let mut head = part.take(HEAD);
            if is_definition && head.any(|it| ROUTINES.iter().any(|word| it.is(word))) {
                break;
            }
            if begin < at {
                parts.push(&text[tokens[begin].1.start..range.start]);
            }
            begin = at + 1;
        }
        if let Some((_, range)) = tokens.get(begin) {
            parts.push(&text[range.start..]);
        }
        let parts: Vec<_> = parts.into_iter().map(str::trim_end).collect();
        if parts.is_empty() { vec![text] } else { parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_at_its_semicolons() {
        for (text, expected) in [
            ("SELECT 1", vec!["SELECT 1"]),
            (
                "SELECT ';' ; /* ; */ SELECT 2;",
                vec!["SELECT ';'", "SELECT 2"],
            ),
            (";; COMMIT;", vec!["COMMIT"]),
            (
                "CREATE TABLE t (a INT); DROP TABLE t",
                vec!["CREATE TABLE t (a INT)", "DROP TABLE t"],
            ),
            (
                "SELECT 1; CREATE TRIGGER t BEGIN SELECT 2; END; SELECT 3",
                vec!["SELECT 1", "CREATE TRIGGER t BEGIN SELECT 2; END; SELECT 3"],
            ),
            (
                "DO $$ BEGIN; END $$; ROLLBACK",
                vec!["DO $$ BEGIN; END $$", "ROLLBACK"],
            ),
            ("-- nothing", vec!["-- nothing"]),
        ] {
            assert_eq!(
                UserStatement::apart(text, Flavour::Postgres),
                expected,
                "{text}"
            );
        }
    }
}
