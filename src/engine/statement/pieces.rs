//! A statement in pieces: its values, and what is between them.

use std::ops::Range;

use super::tokens::placed_tokens;
use super::{Token, UserStatement};
use crate::answer::{Datum, DatumKind};
use crate::engine::{Flavour, begins_word};

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementPiece {
    /// Anything but a value. Comments are left out, and blanks are single spaces.
    Text(String),
    /// A value.
    Value(StatementValue),
}

/// A value in a statement: a literal, or what stands for a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementValue {
    /// As it is written in SQL.
    pub literal: String,
    /// What it is.
    pub value: Datum,
    /// The column that it is compared with by `=`, or that it is assigned to. None if it is
    /// neither.
    pub column: Option<String>,
    /// Whether it is assigned to the column.
    pub is_assigned: bool,
    /// Whether it is a number of rows: LIMIT, OFFSET.
    pub counts_rows: bool,
    /// Whether it is an operand of arithmetic.
    pub is_operand: bool,
}

impl UserStatement {
    /// The text of a statement in pieces, with these values in the places of its placeholders. A
    /// name of this database before a dot is left out.
    pub fn pieces(
        text: &str,
        arguments: &[Datum],
        database: &str,
        flavour: Flavour,
    ) -> Vec<StatementPiece> {
        let tokens = placed_tokens(text, flavour);
        Cutter {
            text,
            tokens: &tokens,
            arguments,
            database,
            flavour,
            columns: Columns::default(),
            next_argument: 0,
            pieces: Vec::new(),
        }
        .cut()
    }

    /// Whether the text holds one of these words, which are no strings and no names in quotes.
    pub fn has_one_of_the_words(&self, words: &[&str], flavour: Flavour) -> bool {
        super::names_one_of(&super::tokens(&self.text, flavour), words)
    }

    /// Where the columns of a query end: before the FROM that belongs to them, or at its end.
    pub fn end_of_the_columns(text: &str, flavour: Flavour) -> usize {
        let mut depth = 0_usize;
        for (token, range) in placed_tokens(text, flavour) {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') => depth = depth.saturating_sub(1),
                _ if depth == 0 && token.is("FROM") => return range.start,
                _ => {}
            }
        }
        text.len()
    }

    /// The names in the text, whatever they name. Those in quotes are without them.
    pub fn names(&self, flavour: Flavour) -> Vec<&str> {
        let tokens = super::tokens(&self.text, flavour).into_iter();
        tokens.filter_map(Token::name).collect()
    }

    /// Whether it reads or sets a variable of the user's: `@name`. `@@name` is the server's.
    pub fn has_user_variables(&self, flavour: Flavour) -> bool {
        let at = Token::Symbol('@');
        let tokens = super::tokens(&self.text, flavour);
        let is_one = |place: usize| {
            let before = place.checked_sub(1).map(|it| tokens[it]);
            let is_alone = before != Some(at) && tokens.get(place + 1) != Some(&at);
            tokens[place] == at && is_alone
        };
        flavour.is_innodb() && (0..tokens.len()).any(is_one)
    }
}

struct Cutter<'t> {
    text: &'t str,
    tokens: &'t [(Token<'t>, Range<usize>)],
    arguments: &'t [Datum],
    database: &'t str,
    flavour: Flavour,
    columns: Columns,
    next_argument: usize,
    pieces: Vec<StatementPiece>,
}

impl Cutter<'_> {
    fn cut(mut self) -> Vec<StatementPiece> {
        let mut at = 0;
        let mut end = 0;
        while at < self.tokens.len() {
            let (token, range) = self.tokens[at].clone();
            let blank = &self.text[end..range.start];
            if !blank.is_empty() {
                let hint = blank.trim();
                let kept = if hint.starts_with("/*+") {
                    format!(" {hint} ")
                } else {
                    " ".to_owned()
                };
                self.push_text(if at == 0 { "" } else { &kept });
            }
            self.columns.follow(token);
            let length = self.value(at).unwrap_or_else(|| self.other(at));
            at += length;
            end = self.tokens[at - 1].1.end;
        }
        self.pieces
    }

    /// Cuts a value. Returns of how many tokens it is. None if this is none.
    fn value(&mut self, at: usize) -> Option<usize> {
        let (token, range) = self.tokens[at].clone();
        let next = self.tokens.get(at + 1);
        let touches_next = next.is_some_and(|(_, it)| it.start == range.end);
        let (value, literal, length) = match token {
            Token::Text => {
                let literal = self.text[range].to_owned();
                (Datum::text(self.unquoted(&literal)), literal, 1)
            }
            Token::Number(number) => (Datum::number(number), number.to_owned(), 1),
            Token::Symbol('-') if touches_next && self.may_begin_a_value(at) => {
                let Some((Token::Number(number), _)) = next else {
                    return None;
                };
                (Datum::number(format!("-{number}")), format!("-{number}"), 2)
            }
            Token::Symbol('?') if self.flavour != Flavour::Postgres => {
                let value = self.arguments.get(self.next_argument)?.clone();
                self.next_argument += 1;
                let literal = self.flavour.literal(&value);
                (value, literal, 1)
            }
            Token::Symbol('$') if touches_next && self.flavour == Flavour::Postgres => {
                let Some((Token::Number(number), _)) = next else {
                    return None;
                };
                let place = number.parse::<usize>().ok()?.checked_sub(1)?;
                let value = self.arguments.get(place)?.clone();
                let literal = self.flavour.literal(&value);
                (value, literal, 2)
            }
            _ => return None,
        };
        let (column, is_assigned) = self.column(at);
        let before = self.before(at, 1);
        let is_arithmetic = |it: Option<Token<'_>>| {
            matches!(it, Some(Token::Symbol('+' | '-' | '*' | '/' | '%' | '|')))
        };
        let after = self.tokens.get(at + length).map(|(it, _)| *it);
        let counts_rows = before.is_some_and(|it| it.is("LIMIT") || it.is("OFFSET"))
            || before == Some(Token::Symbol(','))
                && self.before(at, 3).is_some_and(|it| it.is("LIMIT"));
        self.pieces.push(StatementPiece::Value(StatementValue {
            literal,
            value,
            column,
            is_assigned,
            counts_rows,
            is_operand: is_arithmetic(before) || is_arithmetic(after),
        }));
        Some(length)
    }

    /// The column that the value at this place belongs to, and whether it is assigned to it.
    fn column(&self, at: usize) -> (Option<String>, bool) {
        let is_equal = self.before(at, 1) == Some(Token::Symbol('='));
        let is_other = matches!(
            self.before(at, 2),
            Some(Token::Symbol('<' | '>' | '!' | ':' | '='))
        );
        if is_equal && !is_other {
            let name = self.before(at, 2).and_then(Token::name);
            return (name.map(str::to_owned), self.columns.are_set);
        }
        match self.columns.of_value() {
            Some(name) => (Some(name.to_owned()), true),
            None => (None, false),
        }
    }

    fn before(&self, at: usize, distance: usize) -> Option<Token<'_>> {
        let at = at.checked_sub(distance)?;
        self.tokens.get(at).map(|(token, _)| *token)
    }

    /// Whether a minus at this place is a sign.
    fn may_begin_a_value(&self, at: usize) -> bool {
        matches!(
            self.before(at, 1),
            None | Some(Token::Symbol('=' | '(' | ',' | '<' | '>'))
        )
    }

    /// Cuts what is no value. Returns of how many tokens it is.
    fn other(&mut self, at: usize) -> usize {
        let (token, range) = self.tokens[at].clone();
        let is_dot = |at: usize| {
            self.tokens
                .get(at)
                .is_some_and(|it| it.0 == Token::Symbol('.'))
        };
        let is_after_a_dot = at > 0 && is_dot(at - 1);
        let is_database = token
            .name()
            .is_some_and(|it| !self.database.is_empty() && it == self.database);
        // On PostgreSQL the name before one dot alone is a schema's.
        let is_before_a_schema = self.flavour != Flavour::Postgres || is_dot(at + 3);
        if is_database && is_dot(at + 1) && !is_after_a_dot && is_before_a_schema {
            return 2;
        }
        let text = self.text[range.clone()].to_owned();
        self.push_text(&text);
        let after = &self.text[range.end..];
        let is_a_colon = token == Token::Symbol(':') && !self.text[..range.start].ends_with(':');
        if is_a_colon && after.starts_with(begins_word) {
            // Otherwise a script would take it for a variable.
            self.push_text(" ");
        }
        1
    }

    fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(StatementPiece::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(StatementPiece::Text(text.to_owned())),
        }
    }

    /// What a string is, as far as that is needed to compare it with what was read.
    fn unquoted(&self, literal: &str) -> String {
        let Some(quote) = literal.chars().next().filter(|it| "'\"".contains(*it)) else {
            return literal.to_owned();
        };
        let inner = literal.strip_prefix(quote).unwrap_or(literal);
        let inner = inner.strip_suffix(quote).unwrap_or(inner);
        let doubled = format!("{quote}{quote}");
        let inner = inner.replace(&doubled, &quote.to_string());
        if !self.flavour.is_innodb() {
            return inner;
        }
        let mut text = String::new();
        let mut characters = inner.chars();
        while let Some(character) = characters.next() {
            text.push(match character {
                '\\' => match characters.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('0') => '\0',
                    Some(other) => other,
                    None => '\\',
                },
                other => other,
            });
        }
        text
    }
}

/// Which column a value of INSERT or UPDATE is assigned to.
#[derive(Debug, Default)]
struct Columns {
    /// The columns of an INSERT.
    names: Vec<String>,
    part: Part,
    /// How many parentheses are open, in the values of an INSERT.
    depth: usize,
    /// Which of the values comes next.
    place: usize,
    /// Whether `name = value` assigns.
    are_set: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    Other,
    /// Behind INTO, and before the columns.
    Target,
    Names,
    Values,
}

impl Columns {
    /// Goes on to this token.
    fn follow(&mut self, token: Token<'_>) {
        match token {
            Token::Word(word) => self.follow_word(word),
            Token::Name(name) if self.part == Part::Names => self.names.push(name.to_owned()),
            Token::Symbol('(') if self.part == Part::Target => self.part = Part::Names,
            Token::Symbol(')') if self.part == Part::Names => self.part = Part::Other,
            Token::Symbol('(') if self.part == Part::Values => {
                self.depth += 1;
                if self.depth == 1 {
                    self.place = 0;
                }
            }
            Token::Symbol(')') if self.part == Part::Values => {
                self.depth = self.depth.saturating_sub(1);
            }
            Token::Symbol(',') if self.part == Part::Values && self.depth == 1 => self.place += 1,
            _ => {}
        }
    }

    fn follow_word(&mut self, word: &str) {
        if self.part == Part::Names {
            return self.names.push(word.to_owned());
        }
        match word.to_ascii_uppercase().as_str() {
            "INTO" => self.part = Part::Target,
            "VALUES" | "VALUE" => {
                self.part = Part::Values;
                self.depth = 0;
            }
            "SET" => {
                self.are_set = true;
                self.part = Part::Other;
            }
            "UPDATE" if self.part == Part::Values => {
                // ON DUPLICATE KEY UPDATE
                self.are_set = true;
                self.part = Part::Other;
            }
            "WHERE" | "FROM" | "RETURNING" | "SELECT" => {
                self.are_set = false;
                self.part = Part::Other;
            }
            _ => {}
        }
    }

    fn of_value(&self) -> Option<&str> {
        let is_direct = self.part == Part::Values && self.depth == 1;
        let name = self.names.get(self.place).filter(|_| is_direct)?;
        Some(name)
    }
}

impl StatementValue {
    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(
            &self.value,
            Datum::Value {
                kind: DatumKind::Number,
                ..
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, arguments: &[Datum]) -> Vec<StatementPiece> {
        UserStatement::pieces(text, arguments, "shop", Flavour::MySql)
    }

    fn joined(pieces: &[StatementPiece]) -> String {
        let text = |it: &StatementPiece| match it {
            StatementPiece::Text(text) => text.clone(),
            StatementPiece::Value(value) => format!("<{}>", value.literal),
        };
        pieces.iter().map(text).collect()
    }

    fn columns(text: &str) -> Vec<(Option<String>, bool)> {
        let pieces = pieces(text, &[]).into_iter();
        let columns = pieces.filter_map(|it| match it {
            StatementPiece::Value(value) => Some((value.column, value.is_assigned)),
            StatementPiece::Text(_) => None,
        });
        columns.collect()
    }

    #[test]
    fn values_are_cut_out_and_placeholders_are_filled() {
        let arguments = [Datum::number(3), Datum::text("it's")];
        for (text, expected) in [
            (
                "SELECT a FROM t WHERE id = ?",
                "SELECT a FROM t WHERE id = <3>",
            ),
            (
                "UPDATE t SET a = -5, b = b - 60",
                "UPDATE t SET a = <-5>, b = b - <60>",
            ),
            ("SELECT '?', `?`,\n  ? -- ?", "SELECT <'?'>, `?`, <3>"),
            ("SELECT /* a */ ?, ?", "SELECT <3>, <'it''s'>"),
            (
                "SELECT /*+ NO_MERGE(t) */ 1",
                "SELECT /*+ NO_MERGE(t) */ <1>",
            ),
            ("SELECT shop.t.a, `shop`.`t`.`b`", "SELECT t.a, `t`.`b`"),
            ("SELECT t.shop.a FROM shop", "SELECT t.shop.a FROM shop"),
            ("SELECT a:b, @c:=1", "SELECT a: b, @c:=<1>"),
        ] {
            assert_eq!(joined(&pieces(text, &arguments)), expected, "{text}");
        }
        let text = "SELECT $2, $1::int, $3";
        let pieces = UserStatement::pieces(text, &arguments, "", Flavour::Postgres);
        assert_eq!(joined(&pieces), "SELECT <'it''s'>, <3>::int, $<3>");
    }

    #[test]
    fn a_string_is_known_without_its_quotes_and_escapes() {
        let pieces = pieces(r"SELECT 'it''s\n\'x\'', 12", &[]);
        let values: Vec<_> = pieces
            .iter()
            .filter_map(|it| match it {
                StatementPiece::Value(value) => Some(value.value.clone()),
                StatementPiece::Text(_) => None,
            })
            .collect();
        assert_eq!(values, [Datum::text("it's\n'x'"), Datum::number(12)]);
    }

    #[test]
    fn the_column_of_a_value_is_known() {
        let named = |name: &str, is_assigned| (Some(name.to_owned()), is_assigned);
        for (text, expected) in [
            (
                "UPDATE t SET a = 1, `b` = 2 WHERE t.id = 3",
                vec![named("a", true), named("b", true), named("id", false)],
            ),
            (
                "INSERT INTO t (a, `b`) VALUES (1, 2), (3, f(4))",
                vec![
                    named("a", true),
                    named("b", true),
                    named("a", true),
                    (None, false),
                ],
            ),
            ("INSERT INTO t VALUES (1)", vec![(None, false)]),
            (
                "SELECT a FROM t WHERE n >= 4 LIMIT 2",
                vec![(None, false); 2],
            ),
        ] {
            assert_eq!(columns(text), expected, "{text}");
        }
    }

    #[test]
    fn a_number_of_rows_and_an_operand_are_told() {
        let pieces = pieces("SELECT a + 1 FROM t LIMIT 20, 30", &[]);
        let told: Vec<_> = pieces
            .iter()
            .filter_map(|it| match it {
                StatementPiece::Value(value) => Some((value.is_operand, value.counts_rows)),
                StatementPiece::Text(_) => None,
            })
            .collect();
        assert_eq!(told, [(true, false), (false, true), (false, true)]);
    }

    #[test]
    fn variables_of_the_user_are_told_from_those_of_the_server() {
        for (text, expected) in [
            ("SET @a = 1", true),
            ("SELECT @@sql_mode", false),
            ("SELECT 1", false),
        ] {
            let statement = UserStatement::new(text, Flavour::MySql);
            assert_eq!(statement.has_user_variables(Flavour::MySql), expected);
        }
    }
}
