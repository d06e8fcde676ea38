//! The scenario file of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::branches::branches;
use super::captures::captures;
use super::clients::{Each, clients};
use super::doubt::{Doubt, DoubtKind};
use super::line::{Line, Place, lines};
use super::questions::{two_in_one, unused_reads};
use super::racers::{Parts, Recorded, parts};
use super::script::{WrittenClient, wrapped, write};
use super::sessions::{Entry, entries};
use crate::engine::{ConnectionId, Excerpt, Flavour, Isolation, StatementKind, TableExcerpt};
use crate::proxy::Heard;
use crate::scenarios::{FileError, Options, Scenario};

/// What was recorded, and where.
#[derive(Debug)]
pub struct Recording<'r> {
    /// All statements.
    pub heard: &'r [Heard],
    /// What one client is.
    pub each: Each,
    /// The largest number of clients in the file.
    pub clients: usize,
    /// The engine, its version and its level, for people.
    pub engine: String,
    /// Which engine.
    pub flavour: Flavour,
    /// The level of a session that sets none.
    pub level: Isolation,
    /// The database's name.
    pub database: &'r str,
    /// The tables when the recording began, or why they are not known.
    pub tables: Result<&'r Excerpt, &'r str>,
    /// Why connections were not seen to their end.
    pub unseen: &'r [String],
    /// The statements that were not answered when the recording ended.
    pub under_way: &'r [(ConnectionId, String)],
}

/// A file, and what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file's text.
    pub text: String,
    /// How many clients were recorded, whether they are in it or not.
    pub recorded: usize,
    /// Where it cannot be right, rests on a guess, or should be read with care, one sentence each.
    pub doubts: Vec<String>,
    /// Whether it cannot be right at some place.
    pub cannot_be_right: bool,
    /// Whether it cannot be explored before it is edited, as far as that is known.
    pub cannot_run: bool,
}

impl Written {
    /// What has to be edited before the file can be explored. None if it is right as it is.
    pub fn mistake(&self, name: &str) -> Option<FileError> {
        let scenario = Scenario::parse(name, &self.text);
        scenario
            .and_then(|it| it.into_subject(Options::default()))
            .err()
    }
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// No client has sent anything.
    Came,
    /// Each client has made, changed or dropped tables.
    Races,
}

impl Nothing {
    /// Why, in words, and what to do.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Came => "no statement came that a scenario needs",
            Self::Races => {
                "each client has made, changed or dropped tables, which is the set-up, and none is \
                 left to race. Send the requests after it, as clients of their own"
            }
        }
    }
}

impl Recording<'_> {
    /// Writes the file.
    ///
    /// # Errors
    ///
    /// There is no client that could race.
    pub fn write(&self) -> Result<Written, Nothing> {
        let beginning = self.tables.ok().and_then(|it| it.beginning.as_deref());
        let entries = entries(self.heard, self.flavour, self.level, beginning);
        let recorded = self.recorded(&entries);
        let nothing = match recorded.is_empty() {
            true => Nothing::Came,
            false => Nothing::Races,
        };
        let parts = parts(recorded, self.clients, self.flavour).ok_or(nothing)?;
        let clients: Vec<_> = parts
            .racers
            .iter()
            .map(|it| self.client(&parts, *it))
            .collect();
        let tables = self.named_tables(&parts);
        let mut doubts = self.doubts(&parts, &tables);
        // What is said of one of several that are alike holds for all.
        let told = if are_alike(&clients) {
            1
        } else {
            clients.len()
        };
        doubts.extend(clients.iter().take(told).flat_map(|it| it.doubts.clone()));
        doubts.sort_by_key(|it| it.kind);
        let mut sentences: Vec<String> = Vec::new();
        for sentence in doubts.iter().map(Doubt::sentence) {
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        let noise = noise_in_words(&entries);
        let mut text = self.head(&parts, noise, &sentences, &tables);
        text.push_str(&self.setup(&parts, &tables));
        self.push_clients(&mut text, &parts, &clients);
        Ok(Written {
            text,
            recorded: parts.all.len(),
            doubts: sentences,
            cannot_be_right: doubts.iter().any(|it| it.kind <= DoubtKind::CannotBeRight),
            cannot_run: doubts.iter().any(|it| it.kind == DoubtKind::CannotRun),
        })
    }

    /// All clients, as scripts need them.
    fn recorded(&self, entries: &[Entry]) -> Vec<Recorded> {
        let place = Place {
            flavour: self.flavour,
            database: self.database,
            level: self.level,
        };
        let clients = clients(entries, self.each).into_iter();
        let recorded = clients.map(|it| Recorded {
            name: it.name,
            lines: lines(&it.statements, place),
        });
        recorded.collect()
    }

    fn client(&self, parts: &Parts, at: usize) -> WrittenClient {
        let recorded = &parts.all[at];
        let own = recorded.lines.as_slice();
        let outline = |lines: &[Line]| -> Vec<String> {
            lines.iter().map(|it| it.outline().join("\u{0}")).collect()
        };
        let others = parts.all.iter().enumerate().filter(|(it, _)| *it != at);
        let others: Vec<&[Line]> = others.map(|(_, it)| it.lines.as_slice()).collect();
        let is_peer = |it: &&&[Line]| outline(it) == outline(own);
        let peers: Vec<&[Line]> = others.iter().filter(is_peer).copied().collect();
        let mut doubts = branches(own, &others);
        if peers.is_empty() {
            let was_declined = parts.declined.values().any(|twin| *twin == at);
            let so_that = match was_declined {
                true => ", with enough there for both",
                false => "",
            };
            let words = format!(
                "one recording alone does not tell what was read from what was known before: send \
                 the same request twice{so_that}"
            );
            doubts.push(Doubt::new(DoubtKind::Note, None, words));
        }
        if let Each::Pause(pause) = self.each {
            doubts.extend(two_in_one(recorded, pause));
        }
        let captures = captures(own, &peers);
        doubts.extend(unused_reads(own, &captures, self.flavour));
        write(own, captures, doubts, self.flavour)
    }

    /// The tables that the statements name.
    fn named_tables(&self, parts: &Parts) -> Vec<&TableExcerpt> {
        let Ok(excerpt) = self.tables else {
            return Vec::new();
        };
        let clients = parts.each(&parts.racers).chain(parts.each(&parts.before));
        let lines = clients.flat_map(|it| &it.lines);
        let names: BTreeSet<String> = lines
            .flat_map(|it| it.statement.names(self.flavour))
            .map(str::to_owned)
            .collect();
        excerpt.reached_from(&names)
    }

    fn head(
        &self,
        parts: &Parts,
        noise: Option<String>,
        doubts: &[String],
        tables: &[&TableExcerpt],
    ) -> String {
        let mut head = String::new();
        let recorded = format!(
            "Recorded by `racy proxy` on {}: {}, of which {} here.",
            self.engine,
            clients_in_words(parts.all.len()),
            racers_in_words(parts)
        );
        let sentences = std::iter::once(recorded).chain(noise);
        let doubts = doubts.iter().map(|it| format!("{}.", capitalized(it)));
        for sentence in sentences.chain(doubts) {
            for line in wrapped(&sentence, "# ") {
                let _ = writeln!(head, "{line}");
            }
        }
        // Several schemas may have a table of one name.
        let tables: BTreeSet<_> = tables.iter().map(|it| it.name.as_str()).collect();
        let tables = tables.into_iter().collect::<Vec<_>>().join(", ");
        let about = match tables.as_str() {
            "" => String::new(),
            names => format!(" on {names}"),
        };
        let title = format!(
            "Recorded: {}{about}",
            clients_in_words(parts.racers.len().max(2))
        );
        let _ = writeln!(head, "\ntitle = {}", basic(&title));
        let _ = writeln!(head, "engines = [\"{}\"]", key(self.flavour));
        head
    }

    fn setup(&self, parts: &Parts, tables: &[&TableExcerpt]) -> String {
        let mut setup = String::new();
        if !tables.is_empty() && self.flavour.is_innodb() {
            setup.push_str("SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n");
        }
        let before = Excerpt::before(tables).into_iter();
        let made = tables.iter().flat_map(|it| it.make.iter().chain(&it.fill));
        let finish = tables.iter().flat_map(|it| &it.finish);
        for statement in before.chain(made.chain(finish).map(String::as_str)) {
            let _ = writeln!(setup, "{statement};");
        }
        if !parts.before.is_empty() {
            setup.push_str("-- What was sent before:\n");
            if !tables.is_empty() && self.flavour.is_innodb() {
                setup.push_str("SET foreign_key_checks = 1, sql_mode = DEFAULT;\n");
            }
            for line in parts.each(&parts.before).flat_map(|it| &it.lines) {
                if line.answer.is_ok() && line.left_out.is_none() && belongs_into_setup(line) {
                    let _ = writeln!(setup, "{};", line.text());
                }
            }
        }
        match setup.is_empty() {
            true => String::new(),
            false => format!("\n[database]\nsetup = {}\n", multi_line(&setup)),
        }
    }

    fn push_clients(&self, text: &mut String, parts: &Parts, clients: &[WrittenClient]) {
        if are_alike(clients) {
            let count = clients.len().max(2);
            let _ = write!(text, "\n[[client]]\ncount = {count}\n");
            return self.push_client(text, &clients[0]);
        }
        for (client, recorded) in clients.iter().zip(parts.each(&parts.racers)) {
            let _ = write!(text, "\n[[client]]\nname = {}\n", basic(&recorded.name));
            self.push_client(text, client);
        }
    }

    /// Whether a client's level is written down. It is not where the server begins with it, and
    /// every server of this engine does as long as nobody has set something else.
    fn has_to_be_named(&self, level: Isolation) -> bool {
        let usual = match self.flavour {
            Flavour::MySql | Flavour::MariaDb => Isolation::RepeatableRead,
            Flavour::Postgres => Isolation::ReadCommitted,
            Flavour::Sqlite => Isolation::Serializable,
        };
        level != self.level || level != usual
    }

    fn push_client(&self, text: &mut String, client: &WrittenClient) {
        if let Some(level) = client.level.filter(|it| self.has_to_be_named(*it)) {
            let level = level.to_string().to_lowercase().replace(' ', "-");
            let _ = writeln!(text, "isolation = \"{level}\"");
        }
        let _ = writeln!(text, "script = {}", multi_line(&client.script));
    }
}

/// Whether all clients do the same.
fn are_alike(clients: &[WrittenClient]) -> bool {
    let mut pairs = clients.windows(2);
    pairs.all(|it| {
        it[0].level == it[1].level && it[0].without_comments() == it[1].without_comments()
    })
}

/// The engine's name in a scenario file.
fn key(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::MySql => "mysql",
        Flavour::MariaDb => "mariadb",
        Flavour::Postgres => "postgres",
        Flavour::Sqlite => "sqlite",
    }
}

/// Whether it is needed to bring the tables to where the clients began.
fn belongs_into_setup(line: &Line) -> bool {
    let kind = line.statement.kind;
    let is_of_a_transaction = matches!(
        kind,
        StatementKind::Begin(_)
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Savepoint
    );
    is_of_a_transaction || line.is_setting || kind.writes()
}

/// What was left out because drivers send it for themselves.
fn noise_in_words(entries: &[Entry]) -> Option<String> {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for noise in entries.iter().filter_map(|it| it.noise) {
        *counts.entry(noise).or_default() += 1;
    }
    let parts: Vec<_> = counts
        .into_iter()
        .filter_map(|(noise, count)| Some(format!("{count} {}", noise.in_words()?)))
        .collect();
    (!parts.is_empty()).then(|| {
        let parts = parts.join(", ");
        format!("Left out are statements of drivers: {parts}.")
    })
}

/// The names of those that race, with the verb that follows.
fn racers_in_words(parts: &Parts) -> String {
    let racers = parts.racers_once();
    let names: Vec<_> = parts.each(&racers).map(|it| it.name.as_str()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(" and "))
}

pub(super) fn clients_in_words(count: usize) -> String {
    match count {
        1 => "1 client".to_owned(),
        _ => format!("{count} clients"),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// A text of several lines in TOML. What a literal cannot hold is escaped.
fn multi_line(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    let is_plain = |it: char| !it.is_control() || it == '\n' || it == '\t';
    if text.chars().all(is_plain) && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''\n{text}\n'''");
    }
    format!("\"\"\"\n{}\n\"\"\"", escaped(text))
}

/// A text on one line in TOML.
fn basic(text: &str) -> String {
    format!("\"{}\"", escaped(&text.replace(['\n', '\r'], " ")))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' | '"' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' | '\t' => escaped.push(character),
            it if it.is_control() => {
                let _ = write!(escaped, "\\u{:04X}", u32::from(it));
            }
            it => escaped.push(it),
        }
    }
    escaped
}
