//! Statements, each with what its session was like: its transaction's level, and what was set.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::levels::Levels;
use super::noise::{Noise, noise};
use super::settings::{Setting, is_reset, setting};
use crate::answer::Answer;
use crate::engine::{ConnectionId, Flavour, Isolation, StatementKind, UserStatement};
use crate::proxy::Heard;

/// One statement in its session. Those of one query are apart.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) heard: Heard,
    /// The whole query, if this is the first of several statements in it.
    pub(super) query: Option<String>,
    /// The level of its transaction, or its own.
    pub(super) level: Isolation,
    /// Why it is no part of a scenario. None if it is one.
    pub(super) noise: Option<Noise>,
    /// What its session had set before.
    pub(super) settings: Arc<[Setting]>,
}

/// The statements in the order in which they came. `level` is that of a session that sets none, and
/// `beginning` what a session begins with.
pub(super) fn entries(
    heard: &[Heard],
    flavour: Flavour,
    level: Isolation,
    beginning: Option<&str>,
) -> Vec<Entry> {
    let beginning: Arc<[Setting]> = beginning
        .and_then(|it| setting(it, flavour))
        .into_iter()
        .collect();
    let mut sessions: BTreeMap<ConnectionId, SessionUnderWay> = BTreeMap::new();
    let mut entries = Vec::new();
    for one in heard {
        let number = one.before.number;
        let begin = || SessionUnderWay::new(flavour, level, Arc::clone(&beginning), number);
        let session = sessions.entry(one.connection).or_insert_with(begin);
        if session.number != number {
            *session = begin();
        }
        for (heard, query, is_reset) in apart(one, flavour) {
            entries.push(session.entry(heard, query, is_reset));
        }
    }
    // The level of a transaction may be set after its beginning.
    let mut levels: BTreeMap<ConnectionId, Isolation> = BTreeMap::new();
    for entry in entries.iter_mut().rev() {
        let connection = entry.heard.connection;
        let kind = StatementKind::of(&entry.heard.sent.text, flavour);
        // After COMMIT AND CHAIN another one is open.
        let ends = matches!(kind, StatementKind::Commit | StatementKind::Rollback);
        let is_same = entry.heard.after.in_transaction && !ends;
        if let Some(level) = levels.get(&connection).filter(|_| is_same) {
            entry.level = *level;
        }
        levels.insert(connection, entry.level);
    }
    entries.sort_by_key(|it| it.heard.came);
    entries
}

/// What is known of a session, up to one of its statements.
struct SessionUnderWay {
    flavour: Flavour,
    number: u32,
    levels: Levels,
    beginning: Arc<[Setting]>,
    settings: Arc<[Setting]>,
    /// What the open transaction has set. It holds when that commits.
    of_the_transaction: Vec<Setting>,
}

impl SessionUnderWay {
    fn new(flavour: Flavour, level: Isolation, beginning: Arc<[Setting]>, number: u32) -> Self {
        Self {
            flavour,
            number,
            levels: Levels::new(flavour, level),
            settings: Arc::clone(&beginning),
            beginning,
            of_the_transaction: Vec::new(),
        }
    }

    fn entry(&mut self, heard: Heard, query: Option<String>, is_reset: bool) -> Entry {
        let statement = UserStatement::new(heard.sent.text.clone(), self.flavour);
        let (before, after) = (heard.before.in_transaction, heard.after.in_transaction);
        let begins = !heard.before.autocommit && !statement.kind.is_local();
        let settings = Arc::clone(&self.settings);
        let level = match heard.answer.is_ok() {
            true => self
                .levels
                .follow(&statement, before || after || begins, after),
            false => self.levels.refused(after),
        };
        if heard.answer.is_ok() {
            self.follow_settings(&statement, before);
        }
        if before && !after {
            let set = std::mem::take(&mut self.of_the_transaction);
            if statement.kind == StatementKind::Commit && heard.answer.is_ok() {
                set.into_iter().for_each(|it| self.set(it));
            }
        }
        let noise = match is_reset {
            true => Some(Noise::Reset),
            false => noise(&heard, self.flavour),
        };
        Entry {
            heard,
            query,
            level,
            noise,
            settings,
        }
    }

    fn follow_settings(&mut self, statement: &UserStatement, is_open: bool) {
        let is_transactional = self.flavour == Flavour::Postgres && is_open;
        match setting(&statement.text, self.flavour) {
            Some(setting) if setting.is_local => {}
            Some(setting) if is_transactional => self.of_the_transaction.push(setting),
            Some(setting) => self.set(setting),
            None if self.flavour == Flavour::Postgres => self.follow_reset(statement),
            None => {}
        }
    }

    fn follow_reset(&mut self, statement: &UserStatement) {
        let names = statement.names(self.flavour);
        let [first, rest @ ..] = names.as_slice() else {
            return;
        };
        let name = rest.join(".").to_ascii_lowercase();
        let is_all = name == "all";
        if is_all
            && ["DISCARD", "RESET"]
                .iter()
                .any(|it| first.eq_ignore_ascii_case(it))
        {
            self.settings = Arc::clone(&self.beginning);
        } else if first.eq_ignore_ascii_case("RESET") {
            let kept = self.settings.iter().filter(|it| it.name != name);
            self.settings = kept.cloned().collect();
        }
    }

    fn set(&mut self, setting: Setting) {
        let others = self.settings.iter().filter(|it| it.name != setting.name);
        self.settings = others.cloned().chain([setting.clone()]).collect();
    }
}

/// The statements of what was sent at once, each with the whole query at its first one, and whether
/// all of them bring the session back to its beginning.
fn apart(one: &Heard, flavour: Flavour) -> Vec<(Heard, Option<String>, bool)> {
    let mut texts = UserStatement::apart(&one.sent.text, flavour);
    let is_several = texts.len() > 1;
    let is_reset = texts.iter().all(|it| is_reset(it, flavour, is_several));
    if !is_several || one.sent.gap.is_some() {
        return vec![(one.clone(), None, is_reset)];
    }
    let kinds: Vec<_> = texts
        .iter()
        .map(|it| StatementKind::of(it, flavour))
        .collect();
    let is_refused = one.answer.is_err();
    let last = texts.len() - 1;
    // PostgreSQL runs them in one transaction, unless they say where it begins and ends.
    let wraps = flavour == Flavour::Postgres
        && !is_reset
        && !one.before.in_transaction
        && kinds.iter().filter(|it| !it.is_local()).count() > 1
        && !kinds.iter().any(|it| is_of_a_transaction(*it));
    if wraps {
        texts.insert(0, "BEGIN");
        texts.push(if is_refused { "ROLLBACK" } else { "COMMIT" });
    }
    let first = usize::from(wraps);
    let mut state = one.before;
    let mut parts = Vec::new();
    let count = texts.len();
    for (at, text) in texts.into_iter().enumerate() {
        let mut heard = one.clone();
        text.clone_into(&mut heard.sent.text);
        heard.before = state;
        state.in_transaction = match StatementKind::of(text, flavour) {
            StatementKind::Begin(_) => true,
            StatementKind::Commit | StatementKind::Rollback => false,
            kind => state.in_transaction || !state.autocommit && !kind.is_local(),
        };
        if at + 1 == count {
            state = one.after;
        }
        heard.after = state;
        let is_answered = match is_refused {
            // Which of them was refused is not known. Those before it were not.
            true => at == first + last,
            false => at == first,
        };
        if !is_answered {
            // Its answer is not kept. It may have changed something, unless that was rolled back.
            heard.answer = Ok(Answer {
                row_count: u64::from(!(is_refused && wraps)),
                ..Answer::default()
            });
            heard.generated_key = None;
        }
        let query = (at == 0).then(|| one.sent.text.clone());
        parts.push((heard, query, is_reset));
    }
    parts
}

fn is_of_a_transaction(kind: StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Begin(_) | StatementKind::Commit | StatementKind::Rollback
    )
}
