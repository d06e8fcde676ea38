//! A statement without its values, and one with the values of its placeholders.

use std::ops::Range;

use super::tokens::placed_tokens;
use super::{Token, UserStatement, tokens};
use crate::answer::Datum;
use crate::engine::{Flavour, Quotes};

impl UserStatement {
    /// The statement with `?` in the place of every value. Two texts that differ in values alone
    /// have the same shape. A list of values has the same shape whatever its length.
    pub fn shape(&self, flavour: Flavour) -> String {
        let mut shape = String::new();
        let mut last = Piece::Begin;
        let tokens = tokens(&self.text, flavour);
        for (index, token) in tokens.iter().copied().enumerate() {
            let is_before_number = matches!(tokens.get(index + 1), Some(Token::Number(_)));
            if flavour == Flavour::Postgres && token == Token::Symbol('$') && is_before_number {
                // The place of a value is one token of several: `$1`.
                continue;
            }
            let piece = Piece::of(token);
            let repeats = piece == Piece::Value && shape.ends_with("?,");
            if repeats {
                shape.pop();
            } else {
                if last.needs_a_space_before(piece) {
                    shape.push(' ');
                }
                match token {
                    Token::Word(word) | Token::Name(word) => shape.push_str(word),
                    Token::Text | Token::Number(_) => shape.push('?'),
                    Token::Symbol(symbol) => shape.push(symbol),
                }
            }
            last = piece;
        }
        shape
    }

    /// The text of a prepared statement with these values in the places of its `?`, or of its `$1`
    /// and so on with PostgreSQL.
    pub fn with_values(text: &str, values: &[Datum], flavour: Flavour) -> String {
        let mut filled = String::new();
        let mut in_order = values.iter();
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            let quotes = Quotes {
                text,
                flavour,
                start: at,
            };
            let comment = quotes.comment().ok().flatten();
            let rest = &text[at + next.len_utf8()..];
            let digits = rest
                .find(|it: char| !it.is_ascii_digit())
                .unwrap_or(rest.len());
            let is_numbered = flavour == Flavour::Postgres && next == '$' && digits > 0;
            let end = match (next, comment) {
                (_, Some(end)) => end,
                ('\'' | '"' | '`', None) => quotes.quoted(next).unwrap_or(text.len()),
                ('$', None) if is_numbered => at + "$".len() + digits,
                ('$', None) if flavour == Flavour::Postgres => {
                    let quoted = quotes.dollars().ok().flatten();
                    quoted.unwrap_or(at + "$".len())
                }
                _ => at + next.len_utf8(),
            };
            let value = match next {
                '$' if is_numbered => {
                    let number = rest[..digits].parse::<usize>().unwrap_or_default();
                    number.checked_sub(1).and_then(|it| values.get(it))
                }
                '?' if flavour != Flavour::Postgres => in_order.next(),
                _ => None,
            };
            match value {
                Some(value) => filled.push_str(&flavour.literal(value)),
                None => filled.push_str(&text[at..end]),
            }
            at = end;
        }
        filled
    }

    /// The text on one line: without comments that end with their line, with one space for each run
    /// of spaces and line breaks, and with `↵` for a line break in a string.
    pub fn on_one_line(text: &str, flavour: Flavour) -> String {
        let mut line = String::new();
        let mut end = 0;
        for (_, place) in placed_tokens(text, flavour) {
            push_gap(&mut line, text, end..place.start, flavour);
            let token = text[place.clone()].replace("\r\n", "\n");
            line.push_str(&token.replace(['\n', '\r'], "↵"));
            end = place.end;
        }
        push_gap(&mut line, text, end..text.len(), flavour);
        line.trim().to_owned()
    }

    /// Whether it switches autocommit on (true) or off (false). None if it does neither.
    pub fn sets_autocommit(&self, flavour: Flavour) -> Option<bool> {
        let words = tokens(&self.text, flavour);
        let is_set = words.first()?.is("SET") && words.iter().any(|it| it.is("autocommit"));
        let last = words.last()?;
        let is_off = *last == Token::Number("0") || last.is("OFF") || last.is("FALSE");
        is_set.then_some(!is_off)
    }
}

/// Adds what is between two tokens: spaces, and comments.
fn push_gap(line: &mut String, text: &str, gap: Range<usize>, flavour: Flavour) {
    let mut at = gap.start;
    while let Some(next) = text[at..gap.end].chars().next() {
        let quotes = Quotes {
            text,
            flavour,
            start: at,
        };
        let comment = quotes.comment().ok().flatten();
        let end = comment.unwrap_or(at + next.len_utf8()).min(gap.end);
        let piece = &text[at..end];
        let ends_with_its_line = comment.is_some() && !piece.starts_with("/*");
        push_words(line, if ends_with_its_line { " " } else { piece });
        at = end;
    }
}

/// Adds a text, with one space for each run of spaces and line breaks.
fn push_words(line: &mut String, text: &str) {
    for character in text.chars() {
        match character.is_whitespace() {
            true if line.ends_with(' ') => {}
            true => line.push(' '),
            false => line.push(character),
        }
    }
}

/// What stands beside a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Begin,
    Word,
    Value,
    Symbol(char),
}

impl Piece {
    fn of(token: Token<'_>) -> Self {
        match token {
            Token::Word(_) | Token::Name(_) => Self::Word,
            Token::Text | Token::Number(_) | Token::Symbol('?') => Self::Value,
            Token::Symbol(symbol) => Self::Symbol(symbol),
        }
    }

    fn needs_a_space_before(self, next: Self) -> bool {
        match (self, next) {
            (Self::Begin | Self::Symbol('.' | '(' | '@' | ':'), _) => false,
            (_, Self::Symbol('.' | ',' | ')' | ';')) => false,
            (Self::Word, Self::Symbol('(')) => false,
            // `<=` and `:=` are two symbols.
            (Self::Symbol('<' | '>' | '!'), Self::Symbol('=' | '>')) => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        UserStatement::new(text, Flavour::MySql).shape(Flavour::MySql)
    }

    #[test]
    fn texts_that_differ_in_values_have_one_shape() {
        for (text, expected) in [
            (
                "SELECT `a`.`b` FROM a WHERE id = 12 AND n<='it''s'",
                "SELECT a.b FROM a WHERE id = ? AND n <= ?",
            ),
            (
                "INSERT INTO a VALUES (1, 'x', 3)",
                "INSERT INTO a VALUES(?)",
            ),
            (
                "select count(*) from a where id in (?, ?)",
                "select count(*) from a where id in(?)",
            ),
            ("COMMIT", "COMMIT"),
        ] {
            assert_eq!(shape(text), expected);
        }
        assert_eq!(shape("SELECT 1, 2"), shape("SELECT 'a',   'b', 3"));
    }

    #[test]
    fn values_stand_where_placeholders_are() {
        let values = [Datum::number(3), Datum::text("it's ?"), Datum::Null];
        let text = "SELECT '?', `?` FROM a /* ? */ WHERE id = ? AND b = ? AND c <=> ? -- ?";
        let filled = UserStatement::with_values(text, &values, Flavour::MySql);
        assert_eq!(
            filled,
            "SELECT '?', `?` FROM a /* ? */ WHERE id = 3 AND b = 'it''s ?' AND c <=> NULL -- ?"
        );
    }

    #[test]
    fn a_text_of_several_lines_is_shown_on_one() {
        let text = "\n  SELECT a, -- the a\n         'b\r\n  -- c' /* d\n  e */\n\tFROM \"t\n\"\n";
        for (flavour, text, expected) in [
            (
                Flavour::Postgres,
                text,
                "SELECT a, 'b↵  -- c' /* d e */ FROM \"t↵\"",
            ),
            (Flavour::MySql, "SELECT 1 # one\n+ 2", "SELECT 1 + 2"),
            (Flavour::Postgres, "SELECT 1 # 2", "SELECT 1 # 2"),
            (
                Flavour::Postgres,
                "SELECT $$a\nb$$,\n $1",
                "SELECT $$a↵b$$, $1",
            ),
            (
                Flavour::Postgres,
                "SELECT E'it\\'s\n', 'a'\n",
                "SELECT E'it\\'s↵', 'a'",
            ),
            (Flavour::Sqlite, "SELECT 'no end\n", "SELECT 'no end↵"),
        ] {
            assert_eq!(UserStatement::on_one_line(text, flavour), expected);
        }
    }

    #[test]
    fn autocommit_is_switched_in_several_spellings() {
        for (text, expected) in [
            ("SET autocommit = 0", Some(false)),
            ("set @@session.autocommit=OFF", Some(false)),
            ("SET AUTOCOMMIT=1", Some(true)),
            ("SET NAMES utf8mb4", None),
            ("SELECT @@autocommit", None),
        ] {
            let statement = UserStatement::new(text, Flavour::MySql);
            assert_eq!(
                statement.sets_autocommit(Flavour::MySql),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn numbered_values_stand_where_postgres_has_their_numbers() {
        let text = "SELECT $2, '$1', $q$ $1 $q$, a->>'x' ? 'y' FROM t WHERE id = $1 -- $1";
        let values = [Datum::number(7), Datum::text("a")];
        let filled = UserStatement::with_values(text, &values, Flavour::Postgres);
        let expected = "SELECT 'a', '$1', $q$ $1 $q$, a->>'x' ? 'y' FROM t WHERE id = 7 -- $1";
        assert_eq!(filled, expected);
    }

    #[test]
    fn the_place_of_a_value_has_no_number() {
        let shape = |text: &str| {
            let statement = UserStatement::new(text, Flavour::Postgres);
            statement.shape(Flavour::Postgres)
        };
        let expected = "UPDATE t SET a = ? WHERE id = ?";
        assert_eq!(shape("UPDATE t SET a = $1 WHERE id = $2"), expected);
        assert_eq!(shape("UPDATE t SET a = 7 WHERE id = 1"), expected);
    }
}
