//! What drivers, pools and frameworks send for themselves, and what no scenario needs.

use super::settings::{is_reset, setting};
use crate::engine::{Flavour, StatementKind, UserStatement};
use crate::proxy::{Gap, Heard};

/// Why a statement is no part of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Noise {
    /// It sets something for the session.
    Setting,
    /// It sets something on which statements depend. The clients that come after it on its
    /// connection have it in their scripts.
    SettingOfClients,
    /// It brings the session back to its beginning.
    Reset,
    /// It asks the server for a variable, or just whether it is there.
    Question,
    /// It reads the engine's own catalogue.
    Catalogue,
    /// It ends a transaction, and none is open.
    NothingOpen,
    /// There is nothing in it.
    Empty,
}

impl Noise {
    /// What such statements are for, in words.
    /// None if they are not left out.
    pub(super) fn in_words(self) -> Option<&'static str> {
        match self {
            Self::Setting => Some("to set up a session"),
            Self::SettingOfClients => None,
            Self::Reset => Some("to reset a session"),
            Self::Question => Some("to ask what is in no table"),
            Self::Catalogue => Some("to read the server's own tables"),
            Self::NothingOpen => Some("to end a transaction that was not open"),
            Self::Empty => Some("without any words"),
        }
    }
}

/// Functions of a session whose value others may need, in a statement that touches no table.
const TELLING: [&str; 9] = [
    "LAST_INSERT_ID",
    "ROW_COUNT",
    "FOUND_ROWS",
    "CURRVAL",
    "LASTVAL",
    "NEXTVAL",
    "UUID",
    "NOW",
    "RAND",
];

/// The engines' own tables.
const CATALOGUES: [&str; 4] = [
    "information_schema",
    "performance_schema",
    "mysql",
    "pg_catalog",
];

/// The same of what was sent at once, which may be several statements.
pub(super) fn noise_of_all(heard: &Heard, flavour: Flavour) -> Option<Noise> {
    let texts = UserStatement::apart(&heard.sent.text, flavour);
    let is_several = texts.len() > 1;
    if texts.iter().all(|it| is_reset(it, flavour, is_several)) {
        return Some(Noise::Reset);
    }
    let mut last = None;
    for text in texts {
        let mut part = heard.clone();
        text.clone_into(&mut part.sent.text);
        last = Some(noise(&part, flavour)?);
    }
    last
}

/// Why this statement is no part of a scenario. None if it is one.
pub(super) fn noise(heard: &Heard, flavour: Flavour) -> Option<Noise> {
    let statement = UserStatement::new(&heard.sent.text, flavour);
    let names = statement.names(flavour);
    let Some(first) = names.first() else {
        return Some(Noise::Empty);
    };
    let is_open = heard.before.in_transaction;
    if let Some(is_on) = statement.sets_autocommit(flavour) {
        // It commits what is open.
        return (!(is_on && is_open)).then_some(Noise::Setting);
    }
    // A statement that is prepared is executed later.
    let prepares = first.eq_ignore_ascii_case("PREPARE");
    if prepares || statement.has_user_variables(flavour) {
        return None;
    }
    if heard.sent.gap == Some(Gap::Unprepared) {
        return None;
    }
    let is_transactional = is_open && flavour == Flavour::Postgres;
    if setting(&statement.text, flavour).is_some() {
        return (!is_transactional).then_some(Noise::SettingOfClients);
    }
    let defers_checks = first.eq_ignore_ascii_case("SET")
        && names
            .get(1)
            .is_some_and(|it| it.eq_ignore_ascii_case("CONSTRAINTS"));
    if defers_checks && is_transactional {
        return None;
    }
    match statement.kind {
        StatementKind::Setting => Some(Noise::Setting),
        StatementKind::Commit | StatementKind::Rollback if !is_open => Some(Noise::NothingOpen),
        StatementKind::Compute => {
            let is_telling = statement.has_one_of_the_words(&TELLING, flavour);
            (!is_telling).then_some(Noise::Question)
        }
        // A SET with a query in it.
        _ if first.eq_ignore_ascii_case("SET") => Some(Noise::Setting),
        _ if first.eq_ignore_ascii_case("SHOW") => Some(Noise::Question),
        StatementKind::Read => {
            let of_the_engine = |name: &&str| {
                let mut catalogues = CATALOGUES.iter();
                catalogues.any(|it| it.eq_ignore_ascii_case(name))
            };
            names.iter().any(of_the_engine).then_some(Noise::Catalogue)
        }
        _ => None,
    }
}
