//! What one statement touches by itself, whatever its transaction has done before.

use super::catalogue::{Catalogue, Name};
use super::evidence::Evidence;
use super::parsed::{Change, ChangeKind, Parsed, parsed};
use super::reach::Reach;
use super::settings::{Setting, setting};
use crate::engine::statement::{Token, has_a_clause_that_locks, is_harmless, tokens};
use crate::engine::{Flavour, StatementKind, UserStatement};
use crate::footprint::{Access, Footprint, Rule, Thing};

/// What one statement touches by itself.
#[derive(Debug, Default)]
pub(super) struct Understood {
    /// What it touches.
    pub(super) touches: Footprint,
    /// Whether it may write, so that its commit publishes something.
    pub(super) writes: bool,
    /// Which answer shows that InnoDB has taken a snapshot for it.
    pub(super) evidence: Evidence,
    /// Whether PostgreSQL has taken its snapshot once this was answered.
    pub(super) is_query: bool,
    /// Whether nothing can be said of what the client sends afterwards.
    pub(super) loses_track: bool,
}

impl Understood {
    /// What this statement touches.
    pub(super) fn of(statement: &UserStatement, catalogue: &Catalogue) -> Self {
        let mut reading = Reading {
            catalogue,
            statement,
            words: tokens(&statement.text, catalogue.flavour),
            reach: Reach {
                catalogue,
                sets_defaults: false,
                touches: Footprint::default(),
            },
            done: Self::default(),
        };
        reading.reach.sets_defaults = reading.has("DEFAULT");
        reading.read();
        let mut done = reading.done;
        done.touches = reading.reach.touches;
        let is_unlimited = done
            .touches
            .touches()
            .any(|it| it.thing == Thing::Everything);
        done.writes |= statement.kind.writes() || is_unlimited;
        done
    }
}

/// A statement that is being read.
struct Reading<'r> {
    catalogue: &'r Catalogue,
    statement: &'r UserStatement,
    words: Vec<Token<'r>>,
    reach: Reach<'r>,
    done: Understood,
}

/// The keywords of statements that the parser is asked about.
const QUERIES: [&str; 9] = [
    "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE",
];

/// Keywords of other statements, after which it is still known whether a transaction is open and
/// how a text is read. Not so after CALL, EXECUTE or XA.
const KEEPS_TRACK: [&str; 14] = [
    "EXPLAIN", "DESCRIBE", "DESC", "SHOW", "FETCH", "MOVE", "DECLARE", "CLOSE", "CHECKSUM", "COPY",
    "LOAD", "HANDLER", "KILL", "DO",
];

/// Further words before a parenthesis that call nothing, in statements that change rows.
const KEYWORDS: [&str; 9] = [
    "CONFLICT",
    "SET",
    "INTO",
    "RETURNING",
    "INDEX",
    "DEFAULT",
    "DUPLICATE",
    "RECURSIVE",
    "OF",
];

/// Functions that concern one sequence.
const OF_SEQUENCES: [&str; 4] = ["nextval", "setval", "currval", "lastval"];

impl Reading<'_> {
    fn read(&mut self) {
        let flavour = self.catalogue.flavour;
        let keyword = self.statement.keyword(flavour);
        match self.statement.kind {
            // What they touch depends on the transaction: `Tracker` works it out.
            StatementKind::Begin(_)
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Savepoint => {}
            StatementKind::Setting => self.setting(&keyword),
            StatementKind::Compute if self.statement.is_about_prepared_statements(flavour) => {
                self.setting(&keyword);
            }
            StatementKind::Schema | StatementKind::LockTables | StatementKind::UnlockTables => {
                self.reach.everything(Rule::Schema, keyword);
            }
            // The text is only a comment.
            StatementKind::Compute if self.words.is_empty() => {}
            StatementKind::Read
            | StatementKind::LockingRead
            | StatementKind::Write
            | StatementKind::Compute => self.read_rows(&keyword),
        }
    }

    fn setting(&mut self, keyword: &str) {
        match setting(&self.words, keyword) {
            Setting::OfTheClient => {}
            Setting::Decisive => self.done.loses_track = true,
            Setting::Notification => self.reach.everything(Rule::Notification, keyword),
        }
    }

    fn read_rows(&mut self, keyword: &str) {
        let is_postgres = self.catalogue.flavour == Flavour::Postgres;
        if self.has("autocommit") && keyword == "SET" {
            self.done.loses_track = !sets_autocommit(&self.words);
            return self.reach.everything(Rule::Autocommit, keyword);
        }
        if keyword == "NOTIFY" {
            return self.reach.everything(Rule::Notification, keyword);
        }
        if keyword == "LOCK" && is_postgres {
            return self.lock_tables();
        }
        if !QUERIES.contains(&keyword) {
            let is_followed = KEEPS_TRACK.contains(&keyword)
                || keyword == "SET"
                    && self.has("CONSTRAINTS")
                    && !self.statement.runs_another(self.catalogue.flavour);
            self.done.loses_track = !is_followed;
            return self.reach.everything(Rule::NotUnderstood, keyword);
        }
        // PostgreSQL's manual calls a change of this view the same as SET.
        self.done.loses_track |= self.has("pg_settings");
        if let Some(doubt) = self.catalogue.doubt() {
            let doubt = doubt.to_owned();
            return self.reach.everything(Rule::NotUnderstood, doubt);
        }
        match parsed(&self.statement.text, self.catalogue.flavour) {
            Some(parsed) => self.query(&parsed),
            None => self
                .reach
                .everything(Rule::NotUnderstood, "it was not parsed"),
        }
    }

    /// PostgreSQL's LOCK.
    fn lock_tables(&mut self) {
        let names = self.words.iter().filter_map(|it| it.name());
        let named: Vec<usize> = names
            .flat_map(|name| self.catalogue.alike(name))
            .copied()
            .collect();
        if named.is_empty() || self.is_impatient() || self.catalogue.doubt().is_some() {
            return self.reach.everything(Rule::LockingRead, "LOCK");
        }
        for at in named {
            self.reach.touch(at, Access::Reads, Rule::Named);
            self.reach.touch(at, Access::Writes, Rule::LockingRead);
        }
    }

    fn query(&mut self, parsed: &Parsed) {
        let writes = self.statement.kind == StatementKind::Write || !parsed.changes.is_empty();
        // Another reason to be no plain read is a function.
        let locks = has_a_clause_that_locks(&self.words);
        self.done.writes |= writes;
        self.done.is_query = true;
        if locks && self.is_impatient() {
            self.reach.everything(
                Rule::LockingRead,
                "it sees locks instead of waiting for them",
            );
        }
        self.calls(parsed);
        let targets: Vec<_> = parsed.changes.iter().flat_map(|it| &it.targets).collect();
        for name in &parsed.relations {
            let named = self.catalogue.named(name);
            if named.is_empty() {
                self.unknown(name, parsed);
            }
            for at in named {
                self.reach.touch(at, Access::Reads, Rule::Named);
                if locks {
                    self.reach.touch(at, Access::Writes, Rule::LockingRead);
                }
                if writes && !targets.contains(&name) {
                    self.reach.touch(at, Access::Writes, Rule::WritingStatement);
                }
            }
        }
        for change in &parsed.changes {
            self.change(change, parsed);
        }
        self.names_that_were_missed(parsed);
        let is_plain = !writes && !locks && self.are_tables(parsed);
        if is_plain {
            self.done.evidence = parsed.evidence;
        }
    }

    /// A name of a relation that the catalogue lacks.
    fn unknown(&mut self, name: &Name, parsed: &Parsed) {
        let folded = name.folded();
        let is_given = name.schema.is_none() && parsed.with.contains(&folded);
        let is_called = parsed.calls.iter().any(|it| it.name == folded);
        if !is_given && !is_called {
            self.reach
                .everything(Rule::NotUnderstood, name.name.clone());
        }
    }

    fn are_tables(&self, parsed: &Parsed) -> bool {
        let mut relations = parsed.relations.iter();
        relations.all(|name| {
            let named = self.catalogue.named(name);
            let is_plain = |at: usize| {
                // A table of another storage engine gives InnoDB no reason for a snapshot.
                self.catalogue.is_table(at) && self.catalogue.relation(at).when_read.is_none()
            };
            !named.is_empty() && named.into_iter().all(is_plain)
        })
    }

    /// What the functions touch. A word before a parenthesis that the parser takes for no function
    /// must be a name or a keyword.
    fn calls(&mut self, parsed: &Parsed) {
        let flavour = self.catalogue.flavour;
        for call in &parsed.calls {
            // It may set the search_path.
            self.done.loses_track |= call.name == "set_config";
            if OF_SEQUENCES.contains(&call.name.as_str()) {
                self.sequence(&call.name, call.argument.as_ref());
            } else if !is_harmless(&call.name, flavour) {
                self.reach
                    .everything(Rule::UnknownFunction, call.name.clone());
            }
        }
        for at in 0..self.words.len() {
            let Some(name) = self.words[at].name() else {
                continue;
            };
            let is_before = self.words.get(at + 1) == Some(&Token::Symbol('('));
            let folded = name.to_lowercase();
            let is_known = is_harmless(name, flavour)
                || KEYWORDS.iter().any(|it| it.eq_ignore_ascii_case(name))
                || parsed.given.contains(&folded)
                || parsed.calls.iter().any(|it| it.name == folded)
                || parsed.relations.iter().any(|it| it.folded() == folded);
            if self.catalogue.has_function(name) || (is_before && !is_known) {
                self.reach
                    .everything(Rule::UnknownFunction, name.to_owned());
            }
        }
    }

    fn sequence(&mut self, function: &str, argument: Option<&Name>) {
        if function == "lastval" && self.catalogue.flavour == Flavour::Postgres {
            // The session remembers it.
            return;
        }
        let named = argument.map(|it| self.catalogue.named(it));
        let Some(named) = named.filter(|it| !it.is_empty()) else {
            return self.reach.everything(Rule::Sequence, function.to_owned());
        };
        let access = match function {
            "currval" | "lastval" => Access::Reads,
            _ => Access::Writes,
        };
        for at in named {
            self.reach.touch(at, access, Rule::Sequence);
        }
    }

    fn change(&mut self, change: &Change, parsed: &Parsed) {
        if change.targets.is_empty() {
            self.reach
                .everything(Rule::NotUnderstood, "it is not certain what it changes");
        }
        for name in &change.targets {
            let named = self.catalogue.named(name);
            // The parser does not say which table an alias stands for.
            let is_given = parsed.given.contains(&name.folded());
            if named.is_empty() || is_given {
                self.reach
                    .everything(Rule::NotUnderstood, name.name.clone());
            }
            for at in named {
                self.reach.write(at, &change.kind, Rule::Named);
            }
        }
    }

    /// Names of relations that our own tokens show, and that the parser has not reported.
    fn names_that_were_missed(&mut self, parsed: &Parsed) {
        for at in 0..self.words.len() {
            let Some(name) = self.words[at].name() else {
                continue;
            };
            let folded = name.to_lowercase();
            let is_reported = parsed.relations.iter().any(|it| it.folded() == folded);
            if is_reported || self.is_argument(&folded, parsed) {
                continue;
            }
            for at in self.catalogue.alike(name).to_vec() {
                let rule = Rule::NotUnderstood;
                self.reach.write(at, &ChangeKind::Anything, rule);
            }
        }
    }

    /// Whether it is the name of a sequence, in a call that was understood.
    fn is_argument(&self, folded: &str, parsed: &Parsed) -> bool {
        let mut calls = parsed.calls.iter();
        calls.any(|call| {
            let argument = call.argument.as_ref();
            OF_SEQUENCES.contains(&call.name.as_str())
                && argument.is_some_and(|it| it.folded() == folded)
        })
    }

    fn has(&self, keyword: &str) -> bool {
        self.words.iter().any(|it| it.is(keyword))
    }

    /// Whether PostgreSQL would show it a lock instead of letting it wait. A refused statement of
    /// another client frees all locks of its transaction there, whatever table it was about.
    fn is_impatient(&self) -> bool {
        let flavour = self.catalogue.flavour;
        flavour == Flavour::Postgres && self.statement.has_a_clause_against_waiting(flavour)
    }
}

/// Whether it is `SET autocommit = …` with a plain value, and nothing else.
fn sets_autocommit(words: &[Token<'_>]) -> bool {
    let of_the_session = ["SESSION", "LOCAL"];
    let assigned: Vec<_> = words
        .iter()
        .skip(1)
        .filter(|it| ![Token::Symbol('@'), Token::Symbol('.')].contains(it))
        .filter(|token| !of_the_session.iter().any(|it| token.is(it)))
        .collect();
    match &assigned[..] {
        [name, Token::Symbol('='), value] => {
            let is_value = matches!(value, Token::Number("0" | "1"))
                || ["ON", "OFF", "TRUE", "FALSE"].iter().any(|it| value.is(it));
            name.is("autocommit") && is_value
        }
        _ => false,
    }
}
