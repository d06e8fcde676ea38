//! What the words of a statement tell about its locks: the functions that take a lock by name or by
//! number, and the clauses with which it does not wait.

use super::UserStatement;
use super::tokens::{Token, names_one_of, tokens};
use crate::engine::Flavour;

/// They take a lock that outlives the transaction.
const TAKE: &[&str] = &[
    "GET_LOCK",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
];

/// They take a lock that ends with the transaction.
const TAKE_FOR_THE_TRANSACTION: &[&str] = &[
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
];

/// They release one lock.
const RELEASE: &[&str] = &[
    "RELEASE_LOCK",
    "pg_advisory_unlock",
    "pg_advisory_unlock_shared",
];

/// They release all locks.
const RELEASE_ALL: &[&str] = &["RELEASE_ALL_LOCKS", "pg_advisory_unlock_all"];

/// They tell whether somebody has the lock.
const ASK: &[&str] = &["IS_FREE_LOCK", "IS_USED_LOCK"];

/// They take a lock if it is free. So does GET_LOCK with a timeout of 0.
const TRY: &[&str] = &[
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
];

/// What a statement does to the locks that outlive its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum LocksByName {
    /// It takes one, unless it is told that another client has it.
    Taken,
    /// It releases one.
    Released,
    /// It releases all.
    AllReleased,
}

/// Whether this is a function that takes, releases or asks for a lock, and does nothing else.
pub(super) fn is_about_locks(function: &str) -> bool {
    let all = [
        TAKE,
        TAKE_FOR_THE_TRANSACTION,
        RELEASE,
        RELEASE_ALL,
        ASK,
        TRY,
    ];
    let mut names = all.into_iter().flatten();
    names.any(|it| it.eq_ignore_ascii_case(function))
}

impl UserStatement {
    /// What it does to locks that outlive its transaction. None if it does nothing to them.
    pub(in crate::engine) fn locks_by_name(&self, flavour: Flavour) -> Option<LocksByName> {
        let tokens = tokens(&self.text, flavour);
        if names_one_of(&tokens, TAKE) {
            Some(LocksByName::Taken)
        } else if names_one_of(&tokens, RELEASE) {
            Some(LocksByName::Released)
        } else if names_one_of(&tokens, RELEASE_ALL) {
            Some(LocksByName::AllReleased)
        } else {
            None
        }
    }

    /// Whether it passes over what others have locked, or gives up, instead of waiting.
    pub fn does_not_wait(&self, flavour: Flavour) -> bool {
        let tokens = tokens(&self.text, flavour);
        let skips = tokens.windows(2).any(skips);
        // With another timeout GET_LOCK waits.
        let gives_up = |tokens: &[Token<'_>]| {
            let is_end =
                |pair: &[Token<'_>]| pair == [Token::Number("0"), Token::Symbol(')')].as_slice();
            tokens[0].is("GET_LOCK") && tokens.windows(2).take(12).any(is_end)
        };
        let mut rests = (0..tokens.len()).map(|at| &tokens[at..]);
        skips
            || rests.any(gives_up)
            || is_refused_at_once(&self.text, flavour)
            || names_one_of(&tokens, TRY)
            || names_one_of(&tokens, ASK)
    }

    /// Whether a row that it cannot lock at once is passed over, or refused.
    pub(in crate::engine) fn has_a_clause_against_waiting(&self, flavour: Flavour) -> bool {
        let tokens = tokens(&self.text, flavour);
        is_refused_at_once(&self.text, flavour) || tokens.windows(2).any(skips)
    }
}

/// Whether the statement is refused as for a lock timeout, without a wait, if it cannot lock a row
/// or a table at once.
pub(crate) fn is_refused_at_once(sql: &str, flavour: Flavour) -> bool {
    names_one_of(&tokens(sql, flavour), &["NOWAIT"])
}

/// Whether it is about a lock by name of InnoDB's servers, which is the whole server's.
pub(super) fn uses_a_lock_of_the_server(tokens: &[Token<'_>], flavour: Flavour) -> bool {
    let all = [TAKE, RELEASE, RELEASE_ALL, ASK];
    flavour.is_innodb() && all.into_iter().any(|names| names_one_of(tokens, names))
}

/// Whether a clause locks the rows that are read.
pub(in crate::engine) fn has_a_clause_that_locks(tokens: &[Token<'_>]) -> bool {
    const CLAUSES: [(&str, &str); 5] = [
        ("FOR", "UPDATE"),
        ("FOR", "SHARE"),
        ("FOR", "NO"),
        ("FOR", "KEY"),
        ("LOCK", "IN"),
    ];
    let begins = |pair: &[Token<'_>]| {
        let mut clauses = CLAUSES.iter();
        clauses.any(|(one, other)| pair[0].is(one) && pair[1].is(other))
    };
    tokens.windows(2).any(begins)
}

fn skips(pair: &[Token<'_>]) -> bool {
    pair[0].is("SKIP") && pair[1].is("LOCKED")
}
