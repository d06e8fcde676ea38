//! What a statement sets for its session, and whether the statements after it depend on it.

use super::doubt::DoubtKind;
use crate::engine::{Flavour, UserStatement};
use crate::proxy::is_of_drivers;

/// Something that a session has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// What is set: `search_path`.
    pub(super) name: String,
    /// The statement that sets it.
    pub(super) text: String,
    /// Why a script does not have the statement. None if it has.
    pub(super) left_out: Option<LeftOut>,
    /// Whether it holds in the open transaction alone.
    pub(super) is_local: bool,
}

/// Why a statement is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) why: &'static str,
    pub(super) kind: DoubtKind,
}

const ROLES: LeftOut = LeftOut {
    why: "roles and their rights are not in the file",
    kind: DoubtKind::CannotBeRight,
};
const TIMEOUTS: LeftOut = LeftOut {
    why: "in a schedule a statement waits until another client goes on",
    kind: DoubtKind::Note,
};
const STRINGS: LeftOut = LeftOut {
    why: "it changes how strings are read, and a file's strings are read as usual",
    kind: DoubtKind::CannotBeRight,
};
const OF_THE_DRIVER: LeftOut = LeftOut {
    why: "most drivers send it. If it matters, write it into the script",
    kind: DoubtKind::Note,
};

/// What the statement sets, if statements after it depend on that. What drivers set for themselves
/// does not count, and neither do isolation levels: they become the client's.
pub(super) fn setting(text: &str, flavour: Flavour) -> Option<Setting> {
    let statement = UserStatement::new(text, flavour);
    let names = statement.names(flavour);
    let is = |place: usize, word: &str| {
        let name = names.get(place);
        name.is_some_and(|it| it.eq_ignore_ascii_case(word))
    };
    if !is(0, "SET") || statement.sets_the_level(flavour) {
        return None;
    }
    let (name, left_out) = if flavour.is_innodb() {
        of_innodb(&names, &statement.text)?
    } else {
        of_postgres(&statement, &names, flavour)?
    };
    Some(Setting {
        name,
        text: statement.text.clone(),
        left_out,
        is_local: is(1, "LOCAL") && !flavour.is_innodb(),
    })
}

fn of_postgres(
    statement: &UserStatement,
    names: &[&str],
    flavour: Flavour,
) -> Option<(String, Option<LeftOut>)> {
    let shape = statement.shape(flavour).to_ascii_lowercase();
    let set = shape.strip_prefix("set ")?;
    let set = ["session ", "local "]
        .iter()
        .find_map(|it| set.strip_prefix(it))
        .unwrap_or(set);
    let begins = |word: &str| set.split([' ', '=']).next() == Some(word);
    if begins("role") || begins("authorization") {
        return Some((set.split(' ').next()?.to_owned(), Some(ROLES)));
    }
    // These are about a transaction alone.
    let is_of_a_transaction = ["constraints", "transaction", "characteristics"];
    if is_of_a_transaction.iter().any(|it| begins(it)) || names.len() < 2 {
        return None;
    }
    if set.starts_with("time zone") {
        return None;
    }
    let name = set.split([' ', '=']).next()?.to_owned();
    if name == "standard_conforming_strings" {
        return is_set_to_off(statement).then_some((name, Some(STRINGS)));
    }
    if is_of_drivers(&name) {
        return None;
    }
    let left_out = name.ends_with("_timeout").then_some(TIMEOUTS);
    Some((name, left_out))
}

/// Whether the statement sets something to `off`.
fn is_set_to_off(statement: &UserStatement) -> bool {
    let text = statement.text.to_ascii_lowercase();
    let value = text.trim_end_matches([' ', '\'']);
    ["off", "false", "0"].iter().any(|it| value.ends_with(it))
}

fn of_innodb(names: &[&str], text: &str) -> Option<(String, Option<LeftOut>)> {
    const CHECKS: [&str; 2] = ["foreign_key_checks", "unique_checks"];
    const WAITS: [&str; 4] = [
        "innodb_lock_wait_timeout",
        "lock_wait_timeout",
        "max_execution_time",
        "max_statement_time",
    ];
    const MODES: [&str; 3] = ["sql_mode", "time_zone", "sql_safe_updates"];
    let names: Vec<_> = names.iter().map(|it| it.to_ascii_lowercase()).collect();
    if ["global", "persist", "statement"].contains(&names.get(1)?.as_str()) {
        return None;
    }
    if names[1] == "role" {
        return Some((names[1].clone(), Some(ROLES)));
    }
    let all = [
        (&CHECKS[..], None),
        (&WAITS, Some(TIMEOUTS)),
        (&MODES, Some(OF_THE_DRIVER)),
    ];
    let (name, left_out) = all.into_iter().find_map(|(known, left_out)| {
        let name = known
            .iter()
            .find(|it| names.iter().any(|name| name == *it))?;
        Some(((*name).to_owned(), left_out))
    })?;
    let changes_strings = name == "sql_mode" && changes_strings(text);
    let left_out = if changes_strings {
        Some(STRINGS)
    } else {
        left_out
    };
    Some((name, left_out))
}

/// Whether a `sql_mode` reads strings in another way. ANSI has ANSI_QUOTES in it.
fn changes_strings(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let modes = ["NO_BACKSLASH_ESCAPES", "ANSI"];
    modes.iter().any(|it| text.contains(it))
}

/// Whether it brings a session back to where it began, as pools do when a connection is given back.
/// `is_among_several` if the text is one of several that all do.
pub(super) fn is_reset(text: &str, flavour: Flavour, is_among_several: bool) -> bool {
    let shape = UserStatement::new(text, flavour).shape(flavour);
    let shape = shape.to_ascii_uppercase();
    let mut words = shape.split([' ', '(']);
    let first = words.next().unwrap_or_default();
    match first {
        "DISCARD" | "RESET" | "UNLISTEN" | "DEALLOCATE" => flavour == Flavour::Postgres,
        "CLOSE" => words.next() == Some("ALL"),
        // Alone it is an application's own, which has taken a lock.
        "SELECT" => is_among_several && shape.ends_with("PG_ADVISORY_UNLOCK_ALL()"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Flavour::{MariaDb, Postgres};

    #[test]
    fn what_statements_depend_on_is_told_from_what_drivers_set() {
        let carried = |text, flavour| setting(text, flavour).map(|it| (it.name, it.left_out));
        for (text, flavour, name, left_out) in [
            ("SET search_path TO a, b", Postgres, "search_path", None),
            ("SET SESSION search_path='a'", Postgres, "search_path", None),
            ("SET LOCAL app.tenant = '7'", Postgres, "app.tenant", None),
            (
                "set local lock_timeout = '1s'",
                Postgres,
                "lock_timeout",
                Some(TIMEOUTS),
            ),
            ("SET ROLE a", Postgres, "role", Some(ROLES)),
            (
                "SET SESSION AUTHORIZATION a",
                Postgres,
                "authorization",
                Some(ROLES),
            ),
            (
                "SET foreign_key_checks=0",
                MariaDb,
                "foreign_key_checks",
                None,
            ),
            (
                "SET @@session.sql_mode = 'STRICT_TRANS_TABLES'",
                MariaDb,
                "sql_mode",
                Some(OF_THE_DRIVER),
            ),
            (
                "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
                MariaDb,
                "sql_mode",
                Some(STRINGS),
            ),
            (
                "SET standard_conforming_strings = off",
                Postgres,
                "standard_conforming_strings",
                Some(STRINGS),
            ),
            ("SET ROLE a", MariaDb, "role", Some(ROLES)),
        ] {
            let expected = Some((name.to_owned(), left_out));
            assert_eq!(carried(text, flavour), expected, "{text}");
        }
        for (text, flavour) in [
            ("SET NAMES utf8", MariaDb),
            ("SET wait_timeout = 100", MariaDb),
            ("SET GLOBAL sql_mode = ''", MariaDb),
            ("SET client_encoding TO 'UTF8'", Postgres),
            ("SET TIME ZONE 'UTC'", Postgres),
            ("SET CONSTRAINTS ALL DEFERRED", Postgres),
            ("SET TRANSACTION READ ONLY", Postgres),
            ("SET LOCAL transaction_isolation = 'serializable'", Postgres),
            ("SELECT 1", Postgres),
        ] {
            assert_eq!(carried(text, flavour), None, "{text}");
        }
    }

    #[test]
    fn pools_bring_sessions_back_in_these_words() {
        for text in [
            "DISCARD ALL",
            "reset all",
            "CLOSE ALL",
            "UNLISTEN *",
            "DEALLOCATE p",
        ] {
            assert!(is_reset(text, Postgres, false), "{text}");
        }
        let unlock = "SELECT pg_advisory_unlock_all()";
        assert!(is_reset(unlock, Postgres, true));
        for text in [unlock, "CLOSE c", "ROLLBACK", "SELECT 1"] {
            assert!(!is_reset(text, Postgres, false), "{text}");
        }
    }
}
