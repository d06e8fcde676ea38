//! The statements of one client, as a script needs them.

use super::clients::Statements;
use crate::answer::{Answer, Datum};
use crate::engine::{
    Fault, Flavour, Isolation, StatementKind, StatementPiece, StatementValue, UserStatement,
};
use crate::proxy::Gap;

/// One statement of a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) statement: UserStatement,
    pub(super) pieces: Vec<StatementPiece>,
    /// Without its values. A list of values counts as one.
    pub(super) shape: String,
    pub(super) answer: Result<Answer, Fault>,
    /// The key that the engine has generated for it, if its answer says so.
    pub(super) generated_key: Option<u64>,
    /// What is missing in it.
    pub(super) gap: Option<Gap>,
    /// It was sent with others as one query.
    pub(super) is_several: bool,
    /// Whether a transaction is open when it is answered.
    pub(super) leaves_open: bool,
    pub(super) level: Isolation,
}

/// Where statements were recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) flavour: Flavour,
    /// The database's name. Statements may name it.
    pub(super) database: &'p str,
}

impl Line {
    fn new(text: &str, arguments: &[Datum], place: Place<'_>) -> Self {
        let flavour = place.flavour;
        let statement = UserStatement::new(text, flavour);
        Self {
            pieces: UserStatement::pieces(text, arguments, place.database, flavour),
            shape: statement.shape(flavour),
            is_several: statement.is_several(flavour),
            statement,
            answer: Ok(Answer::default()),
            generated_key: None,
            gap: None,
            leaves_open: false,
            level: Isolation::Serializable,
        }
    }

    /// Its values, in their order.
    pub(super) fn values(&self) -> impl Iterator<Item = &StatementValue> {
        self.pieces.iter().filter_map(|it| match it {
            StatementPiece::Value(value) => Some(value),
            StatementPiece::Text(_) => None,
        })
    }

    /// The value with this number, from 0.
    pub(super) fn value(&self, number: usize) -> Option<&StatementValue> {
        self.values().nth(number)
    }

    /// What is between its values. Statements with the same outline have as many values.
    pub(super) fn outline(&self) -> Vec<&str> {
        let pieces = self.pieces.iter().map(|it| match it {
            StatementPiece::Text(text) => text.as_str(),
            StatementPiece::Value(_) => "?",
        });
        pieces.collect()
    }

    /// The text with all its values.
    pub(super) fn text(&self) -> String {
        let text = |it: &StatementPiece| match it {
            StatementPiece::Text(text) => text.clone(),
            StatementPiece::Value(value) => value.literal.clone(),
        };
        self.pieces.iter().map(text).collect()
    }

    /// The one row that it has returned, with the columns' names. None if it returned none or
    /// several.
    pub(super) fn only_row(&self) -> Option<(&[String], &[Datum])> {
        let answer = self.answer.as_ref().ok()?;
        match answer.rows.as_slice() {
            [row] if answer.row_count == 1 => Some((&answer.columns, row)),
            _ => None,
        }
    }
}

/// The statements of a client. Where autocommit was off, the transaction that a statement has begun
/// gets its BEGIN.
pub(super) fn lines(client: &Statements<'_>, place: Place<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for heard in client {
        let mut line = Line::new(&heard.sent.text, &heard.sent.arguments, place);
        if line.statement.sets_autocommit(place.flavour).is_some() {
            line = Line::new("COMMIT", &[], place);
        }
        line.answer = heard.answer.clone();
        line.generated_key = heard.generated_key;
        line.gap = heard.sent.gap;
        line.leaves_open = heard.after.in_transaction;
        line.level = heard.before.level;
        let begins_by_itself = !heard.before.autocommit
            && !heard.before.in_transaction
            && !matches!(line.statement.kind, StatementKind::Begin(_));
        if begins_by_itself {
            lines.push(Line {
                leaves_open: true,
                level: line.level,
                ..Line::new("BEGIN", &[], place)
            });
        }
        lines.push(line);
    }
    lines
}
