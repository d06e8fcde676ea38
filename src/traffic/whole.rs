//! What is to be said of a recording as a whole.

use std::collections::BTreeSet;

use super::branches::shortened;
use super::doubt::{Doubt, DoubtKind};
use super::file::{Recording, clients_in_words};
use super::line::Line;
use super::racers::Parts;
use crate::answer::Answer;
use crate::engine::{StatementKind, TableExcerpt};

impl Recording<'_> {
    /// What is wrong with the recording as a whole.
    pub(super) fn doubts(&self, parts: &Parts, tables: &[&TableExcerpt]) -> Vec<Doubt> {
        let mut doubts = self.doubts_of_tables(tables);
        doubts.extend(self.doubts_of_statements(parts, tables));
        let mut cannot = |words: String| {
            doubts.push(Doubt::new(DoubtKind::CannotBeRight, None, words));
        };
        for unseen in self.unseen {
            cannot(format!("a connection was not seen to its end: {unseen}"));
        }
        for (connection, text) in self.under_way {
            cannot(format!(
                "`{}` is left out: it was not answered yet on connection {connection}",
                shortened(text)
            ));
        }
        doubts.extend(self.notes(parts));
        doubts
    }

    fn doubts_of_tables(&self, tables: &[&TableExcerpt]) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let mut doubt = |kind, words: String| doubts.push(Doubt::new(kind, None, words));
        if let Err(why) = self.tables {
            doubt(
                DoubtKind::CannotRun,
                format!(
                    "the tables are not in the file: {why}. Write CREATE TABLE and INSERT into \
                     `setup`"
                ),
            );
        }
        for table in tables {
            for missing in &table.missing {
                let words = format!("{missing}, which is not in the file");
                doubt(DoubtKind::CannotRun, words);
            }
            let kind = match table.make.is_empty() {
                true => DoubtKind::CannotRun,
                false => DoubtKind::CannotBeRight,
            };
            for left_out in &table.left_out {
                doubt(kind, format!("{left_out}, which is not in the file"));
            }
            if table.has_more_rows {
                let words = format!(
                    "the table {} has more than {} rows, and only these are in the file. --rows \
                     takes more",
                    table.name, table.rows
                );
                doubt(DoubtKind::CannotBeRight, words);
            }
            for needed in &table.needs {
                doubt(DoubtKind::Note, needed.clone());
            }
        }
        doubts
    }

    fn doubts_of_statements(&self, parts: &Parts, tables: &[&TableExcerpt]) -> Vec<Doubt> {
        let Ok(excerpt) = self.tables else {
            return Vec::new();
        };
        let mut doubts = Vec::new();
        let mut doubt = |words| doubts.push(Doubt::new(DoubtKind::CannotRun, None, words));
        let clients = parts.each(&parts.before).chain(parts.each(&parts.racers));
        let sent = clients.flat_map(|it| &it.lines);
        let made: BTreeSet<&str> = sent.filter_map(|it| self.made_table(it)).collect();
        let racing = parts.each(&parts.racers).flat_map(|it| &it.lines);
        for line in racing.filter(|it| it.left_out.is_none() && it.answer.is_ok()) {
            let names = line.statement.names(self.flavour);
            let is_made = names.iter().any(|it| made.contains(it));
            let text = shortened(&line.text());
            if !is_made && !self.is_about(line, tables) {
                doubt(format!(
                    "`{text}` names no table that was there when the recording began"
                ));
            }
            for name in line.statement.calls(self.flavour) {
                if excerpt
                    .routines
                    .iter()
                    .any(|it| it.eq_ignore_ascii_case(name))
                {
                    doubt(format!(
                        "`{text}` calls {name}, a routine of the database, which is not in the file"
                    ));
                }
            }
        }
        doubts
    }

    fn notes(&self, parts: &Parts) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let mut note = |words: String| doubts.push(Doubt::new(DoubtKind::Note, None, words));
        let name = |it: usize| &parts.all[it].name;
        if parts.is_unchanged && parts.definers.is_empty() {
            note("no client has changed anything, so nothing can be lost here".to_owned());
        } else if parts.is_unchanged {
            note("no client that races has changed anything, so nothing can be lost".to_owned());
        }
        for definer in &parts.definers {
            note(format!(
                "{} has made, changed or dropped tables: it does not race, and {}",
                name(*definer),
                match parts.before.contains(definer) {
                    true => "is a part of the set-up",
                    false => "is left out, because it came later",
                }
            ));
        }
        let before = parts.before.iter();
        let before = before.filter(|it| !parts.definers.contains(it)).count();
        if before > 0 {
            note(format!(
                "what {} sent before is a part of the set-up",
                clients_in_words(before)
            ));
        }
        for (declined, twin) in &parts.declined {
            note(format!(
                "{} began like {} and changed nothing. So {} races with itself",
                name(*declined),
                name(*twin),
                name(*twin)
            ));
        }
        let racers = parts.racers_once();
        let others =
            parts.all.len() - racers.len() - before - parts.definers.len() - parts.declined.len();
        if others > 0 && !parts.is_unchanged {
            note(format!(
                "{} changed nothing that counts here and {} left out",
                clients_in_words(others),
                if others == 1 { "is" } else { "are" }
            ));
        }
        match parts.racers.as_slice() {
            [_] if parts.all.len() == 1 => {
                note("one client was recorded, so it races with itself".to_owned());
            }
            [one] => note(format!("{} is alone, so it races with itself", name(*one))),
            _ => {}
        }
        let mut sent = parts.each(&parts.racers).flat_map(|it| &it.lines);
        if sent.any(|it| it.answer.as_ref().is_ok_and(Answer::has_rows)) {
            let words = "what the application decides by what it has read is not in a recording: \
                         write such a branch with \\if";
            note(words.to_owned());
        }
        doubts
    }

    /// The table that the statement makes. None if it makes none.
    fn made_table<'l>(&self, line: &'l Line) -> Option<&'l str> {
        const BETWEEN: [&str; 3] = ["IF", "NOT", "EXISTS"];
        let is_one_of =
            |name: &str, words: &[&str]| words.iter().any(|it| it.eq_ignore_ascii_case(name));
        let names = line.statement.names(self.flavour).into_iter();
        let mut after = names.skip_while(|it| !is_one_of(it, &["TABLE"])).skip(1);
        let is_made = line.statement.kind == StatementKind::Schema;
        after.find(|it| is_made && !is_one_of(it, &BETWEEN))
    }

    /// Whether the statement names a table, or need not name one.
    fn is_about(&self, line: &Line, tables: &[&TableExcerpt]) -> bool {
        let must_name_one = matches!(
            line.statement.kind,
            StatementKind::Read | StatementKind::LockingRead
        ) || line.statement.changes_rows(self.flavour);
        let names = line.statement.names(self.flavour);
        let has_from = names.iter().any(|it| {
            ["FROM", "INTO", "UPDATE"]
                .iter()
                .any(|word| it.eq_ignore_ascii_case(word))
        });
        let is_table = |name: &&str| tables.iter().any(|it| it.has_name(name));
        // What stands behind their FROM is a cursor.
        let is_of_a_cursor =
            ["FETCH", "MOVE"].contains(&line.statement.keyword(self.flavour).as_str());
        !must_name_one || !has_from || is_of_a_cursor || names.iter().any(is_table)
    }
}
