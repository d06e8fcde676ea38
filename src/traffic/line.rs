//! The statements of one client, as a script needs them.

use std::collections::BTreeMap;

use super::doubt::DoubtKind;
use super::sessions::Entry;
use super::settings::{LeftOut, Setting, setting};
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
    /// Why the script does not have it. None if it has.
    pub(super) left_out: Option<LeftOut>,
    /// Whether it may have changed something although it is left out.
    pub(super) may_have_changed: bool,
    /// The query of several statements of which it is the first one.
    pub(super) query: Option<String>,
    /// Whether a transaction is open when it is answered.
    pub(super) leaves_open: bool,
    /// The level at which it ran.
    pub(super) level: Isolation,
    /// Whether the BEGIN of its transaction names that level.
    pub(super) names_its_level: bool,
    /// Whether it sets something for the statements after it.
    pub(super) is_setting: bool,
}

/// Where statements were recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) flavour: Flavour,
    /// The database's name. Statements may name it.
    pub(super) database: &'p str,
    /// The level of a session that sets none.
    pub(super) level: Isolation,
}

impl Line {
    fn new(text: &str, arguments: &[Datum], place: Place<'_>) -> Self {
        let flavour = place.flavour;
        let statement = UserStatement::new(text, flavour);
        Self {
            pieces: UserStatement::pieces(text, arguments, place.database, flavour),
            shape: statement.shape(flavour),
            statement,
            answer: Ok(Answer::default()),
            generated_key: None,
            left_out: None,
            may_have_changed: false,
            query: None,
            leaves_open: false,
            level: place.level,
            names_its_level: false,
            is_setting: false,
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
/// gets its BEGIN. What the session had set before comes first.
pub(super) fn lines(client: &[&Entry], place: Place<'_>) -> Vec<Line> {
    let mut lines = Lines {
        place,
        set: BTreeMap::new(),
        lines: Vec::new(),
        names_its_level: false,
    };
    for entry in client {
        lines.push(entry);
    }
    lines.lines
}

struct Lines<'p> {
    place: Place<'p>,
    /// What the script has set, each with its statement.
    set: BTreeMap<String, String>,
    lines: Vec<Line>,
    /// Whether the BEGIN of the open transaction names its level.
    names_its_level: bool,
}

impl Lines<'_> {
    fn push(&mut self, entry: &Entry) {
        let (heard, place) = (&entry.heard, self.place);
        self.set_what_was_set(entry);
        let mut line = Line::new(&heard.sent.text, &heard.sent.arguments, place);
        if line.statement.sets_autocommit(place.flavour).is_some() {
            line = Line::new("COMMIT", &[], place);
        }
        line.answer = heard.answer.clone();
        line.generated_key = heard.generated_key;
        line.left_out = heard.sent.gap.map(left_out);
        if line.statement.keyword(place.flavour) == "COPY" {
            line.left_out = line.left_out.or(Some(COPY));
        }
        line.may_have_changed = heard.sent.gap.is_some_and(|it| it != Gap::Unprepared);
        line.query = entry.query.clone();
        line.leaves_open = heard.after.in_transaction;
        line.level = entry.level;
        if let Some(setting) = setting(&heard.sent.text, place.flavour) {
            line.left_out = line.left_out.or(setting.left_out);
            line.is_setting = true;
            if line.left_out.is_none() && !setting.is_local {
                self.set.insert(setting.name, setting.text);
            }
        }
        if let StatementKind::Begin(level) = line.statement.kind {
            self.names_its_level = level.is_some();
        } else if !heard.before.autocommit && !heard.before.in_transaction {
            self.lines.push(Line {
                leaves_open: true,
                level: line.level,
                ..Line::new("BEGIN", &[], place)
            });
        }
        line.names_its_level = self.names_its_level;
        self.names_its_level &= line.leaves_open;
        self.lines.push(line);
    }

    /// Brings the script to what the session had set when this statement came.
    fn set_what_was_set(&mut self, entry: &Entry) {
        let has = |name: &String| entry.settings.iter().any(|it| it.name == *name);
        let gone: Vec<_> = self.set.keys().filter(|it| !has(it)).cloned().collect();
        for name in gone {
            self.set.remove(&name);
            // MySQL has no statement for it, and its connections are seldom reset.
            if self.place.flavour == Flavour::Postgres {
                self.push_setting(&format!("RESET {name}"), None, entry);
            }
        }
        for Setting {
            name,
            text,
            left_out,
            ..
        } in entry.settings.iter()
        {
            if self.set.get(name) != Some(text) {
                self.set.insert(name.clone(), text.clone());
                self.push_setting(text, *left_out, entry);
            }
        }
    }

    fn push_setting(&mut self, text: &str, left_out: Option<LeftOut>, entry: &Entry) {
        self.lines.push(Line {
            left_out,
            leaves_open: entry.heard.before.in_transaction,
            level: entry.level,
            names_its_level: self.names_its_level,
            is_setting: true,
            ..Line::new(text, &[], self.place)
        });
    }
}

/// A COPY sends or returns a stream of rows, of which nothing is kept.
const COPY: LeftOut = LeftOut {
    why: "the rows of a COPY are not kept",
    kind: DoubtKind::CannotBeRight,
};

/// What is said of a statement that is not whole.
fn left_out(gap: Gap) -> LeftOut {
    LeftOut {
        why: gap.in_words(),
        kind: DoubtKind::CannotBeRight,
    }
}
