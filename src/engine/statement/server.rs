//! Whether a statement concerns the whole server: a setting of it, a role, another connection, or
//! the transactions in all of its databases.

use super::tokens::Token;

/// Whether it concerns the whole server, or another client's connection. Columns and tables may
/// have these names as well, so the place of a word counts.
pub(super) fn is_concerned(tokens: &[Token<'_>]) -> bool {
    let first_is = |words: &[&str]| {
        let first = tokens.first();
        first.is_some_and(|it| words.iter().any(|word| it.is(word)))
    };
    let concerns_a_setting = |at: usize| {
        let is_variable = at > 0 && tokens[at - 1] == Token::Symbol('@');
        let words = ["GLOBAL", "PERSIST", "PERSIST_ONLY"];
        let is_scope = words.iter().any(|it| tokens[at].is(it));
        is_scope && (is_variable || first_is(&["SET", "RESET", "SHOW"]))
    };
    let is_between = |it: &&Token<'_>| {
        let words = ["OR", "REPLACE", "SESSION", "LOCAL", "DEFAULT"];
        words.iter().any(|word| it.is(word))
    };
    let mut after_the_first = tokens.iter().skip(1).skip_while(is_between);
    let concerns_a_role = first_is(&["CREATE", "ALTER", "DROP", "SET", "RESET"])
        && after_the_first.next().is_some_and(|it| it.is("ROLE"));
    let ends_another =
        |pair: &[Token<'_>]| pair[0].is("pg_terminate_backend") && pair[1] == Token::Symbol('(');
    first_is(&["KILL", "FLUSH"])
        || concerns_a_role
        || (0..tokens.len()).any(concerns_a_setting)
        || tokens.windows(2).any(ends_another)
}

/// Whether it begins a transaction that waits for all others which write at SERIALIZABLE, in any
/// database of the server: PostgreSQL's DEFERRABLE. A constraint may be deferrable as well.
pub(super) fn waits_for_all_databases(tokens: &[Token<'_>]) -> bool {
    let mut words = ["BEGIN", "START", "SET"].into_iter();
    let begins = tokens
        .first()
        .is_some_and(|first| words.any(|it| first.is(it)));
    let is_asked_for =
        |at: usize| tokens[at].is("DEFERRABLE") && !(at > 0 && tokens[at - 1].is("NOT"));
    begins && (0..tokens.len()).any(is_asked_for)
}
