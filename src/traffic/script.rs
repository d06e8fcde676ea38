//! The script of one client.

use std::collections::{BTreeMap, BTreeSet};

use super::branches::shortened;
use super::captures::{Captures, Use};
use super::doubt::{Doubt, DoubtKind};
use super::line::Line;
use super::origin::Origin;
use crate::engine::{
    Flavour, Isolation, StatementKind, StatementPiece, UserStatement, begins_word, continues_name,
};

/// A client as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenClient {
    pub(super) script: String,
    /// None if it has no statement.
    pub(super) level: Option<Isolation>,
    pub(super) doubts: Vec<Doubt>,
}

impl WrittenClient {
    /// What the client does. Comments name values of its own recording.
    pub(super) fn without_comments(&self) -> Vec<&str> {
        let lines = self.script.lines();
        lines.filter(|it| !it.starts_with("-- ")).collect()
    }
}

/// Writes the script of a client.
pub(super) fn write(
    lines: &[Line],
    captures: Captures,
    doubts: Vec<Doubt>,
    flavour: Flavour,
) -> WrittenClient {
    let level = level(lines);
    let mut writer = Writer {
        lines,
        flavour,
        uses: captures.uses,
        names: Names::default(),
        doubts: captures.doubts,
        script: String::new(),
    };
    writer.doubts.extend(doubts);
    writer.doubt_the_lines();
    writer.name_what_is_read();
    for at in 0..lines.len() {
        writer.line(at);
    }
    writer.forget_what_was_read();
    writer.doubts.sort_by_key(|it| (it.kind, it.line));
    WrittenClient {
        script: writer.script,
        level,
        doubts: writer.doubts,
    }
}

/// The level of the first transaction, or of the first statement if there is none. A client has at
/// least one statement, and each has the level at which it ran.
fn level(lines: &[Line]) -> Option<Isolation> {
    let in_transaction = lines.iter().find(|it| it.leaves_open);
    in_transaction.or(lines.first()).map(|it| it.level)
}

struct Writer<'l> {
    lines: &'l [Line],
    flavour: Flavour,
    uses: BTreeMap<(usize, usize), Use>,
    names: Names,
    doubts: Vec<Doubt>,
    script: String,
}

/// The variables' names.
#[derive(Debug, Default)]
struct Names {
    of: BTreeMap<Origin, String>,
    /// What stands behind the `\gset` of a statement.
    prefixes: BTreeMap<usize, String>,
    /// The statements whose one column gets a name.
    aliases: BTreeMap<usize, String>,
    /// The variables that a `\gset` sets, used or not.
    set: Vec<String>,
}

impl Writer<'_> {
    /// What is wrong with a statement as such.
    fn doubt_the_lines(&mut self) {
        for (at, line) in self.lines.iter().enumerate() {
            let mut doubt = |words: String| {
                let doubt = Doubt::new(DoubtKind::CannotBeRight, Some(at), words);
                self.doubts.push(doubt);
            };
            let text = shortened(&line.text());
            if let Some(query) = &line.query {
                let query = shortened(query);
                doubt(format!(
                    "`{query}` was sent as one query with several statements. Here each is a \
                     step, and what the later ones returned is not known"
                ));
            }
            if let Err(fault) = &line.answer {
                doubt(format!(
                    "`{text}` was refused when it was recorded ({}). What follows is what the \
                     application did then",
                    fault.kind.name()
                ));
            }
        }
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(left_out) = line.left_out {
                let text = shortened(&line.text());
                let words = format!("`{text}` is left out, because {}", left_out.why);
                // What is only to be known stands at the head of the file.
                let place = (left_out.kind != DoubtKind::Note).then_some(at);
                self.doubts.push(Doubt::new(left_out.kind, place, words));
            }
        }
        if let Some(last) = self.lines.last().filter(|it| it.leaves_open) {
            let text = shortened(&last.text());
            let words = format!("the recording ended in a transaction, after `{text}`");
            let at = self.lines.len() - 1;
            let doubt = Doubt::new(DoubtKind::CannotBeRight, Some(at), words);
            self.doubts.push(doubt);
        }
        let mut levels = self
            .lines
            .iter()
            .filter(|it| it.leaves_open && !it.names_its_level);
        if let Some(level) = level(self.lines)
            && levels.any(|it| it.level != level)
        {
            let words =
                format!("its transactions had several isolation levels. Here all have {level}");
            let doubt = Doubt::new(DoubtKind::CannotBeRight, None, words);
            self.doubts.push(doubt);
        }
    }

    /// Gives each captured value a name.
    fn name_what_is_read(&mut self) {
        let used: BTreeSet<Origin> = self.uses.values().map(|it| it.source).collect();
        let lines: BTreeSet<usize> = used.iter().map(|it| it.line()).collect();
        let mut refused = BTreeSet::new();
        for line in lines {
            let columns: Vec<usize> = used
                .iter()
                .filter_map(|it| match it {
                    Origin::Column { line: of, column } if *of == line => Some(*column),
                    _ => None,
                })
                .collect();
            if !columns.is_empty() {
                refused.extend(self.name_columns(line, &columns));
            }
            if used.contains(&Origin::Key { line }) {
                let name = self.names.fresh("new_id");
                self.names.of.insert(Origin::Key { line }, name.clone());
                self.names.set.push(name);
            }
        }
        self.uses.retain(|_, it| !refused.contains(&it.source));
    }

    /// Names the columns of one statement. Returns those that cannot have a name.
    fn name_columns(&mut self, line: usize, used: &[usize]) -> Vec<Origin> {
        let answer = self.lines[line].answer.as_ref();
        let columns = answer.map(|it| it.columns.clone()).unwrap_or_default();
        let mut written = columns.clone();
        if let [only] = columns.as_slice()
            && !is_name(only)
        {
            let alias = self.names.fresh("found");
            self.names.aliases.insert(line, alias.clone());
            written = vec![alias];
        }
        let is_taken = |prefix: &str| {
            let mut names = written.iter().map(|it| format!("{prefix}{it}"));
            names.any(|it| self.names.set.contains(&it))
        };
        let prefixes = (1..).map(|number| match number {
            1 => String::new(),
            _ => format!("r{number}_"),
        });
        let prefix = prefixes
            .into_iter()
            .find(|it| !is_taken(it))
            .unwrap_or_default();
        let mut refused = Vec::new();
        for column in used {
            let origin = Origin::Column {
                line,
                column: *column,
            };
            match written.get(*column).filter(|it| is_name(it)) {
                Some(name) => {
                    self.names.of.insert(origin, format!("{prefix}{name}"));
                }
                None => refused.push(origin),
            }
        }
        if refused.len() == used.len() {
            self.names.aliases.remove(&line);
        } else {
            let set = written.iter().filter(|it| is_name(it));
            let set = set.map(|it| format!("{prefix}{it}"));
            self.names.set.extend(set);
            self.names.prefixes.insert(line, prefix);
        }
        if !refused.is_empty() {
            let words = format!(
                "a value comes back that `{}` has returned in a column without a name: give it one \
                 with AS, and put the variable where the value is",
                shortened(&self.lines[line].text())
            );
            let doubt = Doubt::new(DoubtKind::CannotBeRight, Some(line), words);
            self.doubts.push(doubt);
        }
        refused
    }

    fn line(&mut self, at: usize) {
        let line = &self.lines[at];
        for doubt in self.doubts.iter().filter(|it| it.line == Some(at)) {
            for text in wrapped(&doubt.sentence(), "-- ") {
                self.script.push_str(&text);
                self.script.push('\n');
            }
        }
        if line.left_out.is_some() {
            return;
        }
        let ends_here = self.ends_after_an_error(at);
        if ends_here {
            return;
        }
        self.script.push_str(&self.text(at));
        self.script.push(';');
        if let Some(prefix) = self.names.prefixes.get(&at) {
            let command = format!(" \\gset {prefix}");
            self.script.push_str(command.trim_end());
        }
        self.script.push('\n');
        if let Some(name) = self.names.of.get(&Origin::Key { line: at }) {
            let read = format!("SELECT LAST_INSERT_ID() AS {name}; \\gset\n");
            self.script.push_str(&read);
        }
        let goes_on = at + 1 < self.lines.len() && !self.ends_after_an_error(at + 1);
        if line.answer.is_err() && goes_on {
            // With that, the script goes on as the application did.
            self.script.push_str("\\set was_refused :ERROR\n");
        }
    }

    /// Whether nothing but the rollback after an error is left: an error ends the client by itself.
    fn ends_after_an_error(&self, at: usize) -> bool {
        let before = self.lines[..at].iter().rev();
        let is_rollback = |it: &Line| it.statement.kind == StatementKind::Rollback;
        let mut before = before.skip_while(|it| is_rollback(it));
        self.lines[at..].iter().all(is_rollback)
            && before
                .next()
                .is_some_and(|it| it.answer.is_err() && it.left_out.is_none())
    }

    /// The statement, with variables where they are known.
    fn text(&self, at: usize) -> String {
        let line = &self.lines[at];
        let mut text = String::new();
        let mut number = 0;
        for piece in &line.pieces {
            match piece {
                StatementPiece::Text(between) => text.push_str(between),
                StatementPiece::Value(value) => {
                    let used = self.uses.get(&(at, number));
                    let name = used.and_then(|it| self.names.of.get(&it.source));
                    match (used, name) {
                        (Some(used), Some(name)) => text.push_str(&variable(name, used)),
                        _ => text.push_str(&value.literal),
                    }
                    number += 1;
                }
            }
        }
        match self.names.aliases.get(&at) {
            Some(alias) => with_alias(&text, alias, self.flavour),
            None => text,
        }
    }

    /// What was read and not written is nobody's business: it is not compared.
    fn forget_what_was_read(&mut self) {
        if self.names.set.is_empty() {
            return;
        }
        self.script
            .push_str("-- What was read is not compared, only what was written.\n");
        for name in &self.names.set {
            self.script.push_str(&format!("\\unset {name}\n"));
        }
    }
}

impl Names {
    /// A name that begins like this and is not used yet.
    fn fresh(&self, begin: &str) -> String {
        let names = (1..).map(|number| match number {
            1 => begin.to_owned(),
            _ => format!("{begin}_{number}"),
        });
        let is_free =
            |it: &String| !self.set.contains(it) && !self.aliases.values().any(|alias| alias == it);
        names.into_iter().find(is_free).unwrap_or_default()
    }
}

/// The variable in the place of a value.
fn variable(name: &str, used: &Use) -> String {
    match used.change {
        Some(change) => format!(":{name} {}", change.as_a_change()),
        None => format!(":{name}"),
    }
}

/// Whether it may be the name of a variable.
fn is_name(text: &str) -> bool {
    text.starts_with(begins_word) && text.chars().all(continues_name)
}

/// The query with a name for its only column: behind it, before the FROM that belongs to it.
fn with_alias(text: &str, alias: &str, flavour: Flavour) -> String {
    let place = UserStatement::end_of_the_columns(text, flavour);
    let (columns, rest) = text.split_at(place);
    format!("{} AS {alias} {rest}", columns.trim_end())
        .trim_end()
        .to_owned()
}

/// A text in lines of at most 98 characters, each behind this mark.
pub(super) fn wrapped(text: &str, mark: &str) -> Vec<String> {
    const WIDTH: usize = 98;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{mark}{word}")),
        }
    }
    lines
}
