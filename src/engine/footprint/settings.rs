//! Which settings of a session leave what is known of it as it is.

use crate::engine::statement::Token;

/// What a statement that sets something for its session means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// It concerns the client alone.
    OfTheClient,
    /// What the client sends afterwards may have another meaning.
    Decisive,
    /// The client will be told of notifications.
    Notification,
}

/// Settings that change neither what a name means, nor how a text is read, nor what a refusal does.
/// The isolation level is followed elsewhere.
const PLAIN: [&str; 19] = [
    "names",
    "time_zone",
    "timezone",
    "time",
    "transaction",
    "characteristics",
    "transaction_isolation",
    "tx_isolation",
    "default_transaction_isolation",
    "foreign_key_checks",
    "unique_checks",
    "application_name",
    "client_encoding",
    "datestyle",
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "innodb_lock_wait_timeout",
    "work_mem",
];

/// What this statement means, whose first keyword is given in upper case.
pub(super) fn setting(words: &[Token<'_>], keyword: &str) -> Setting {
    match keyword {
        "LISTEN" | "UNLISTEN" => Setting::Notification,
        // What was prepared is not known when it is executed, and so meets everything.
        "SHOW" | "PREPARE" | "DEALLOCATE" | "PRAGMA" => Setting::OfTheClient,
        "SET" if sets_plain(words) => Setting::OfTheClient,
        _ => Setting::Decisive,
    }
}

/// Whether all that is set is plain, or a variable of the user's.
fn sets_plain(words: &[Token<'_>]) -> bool {
    if words.iter().any(|it| it.is("SNAPSHOT")) {
        return false;
    }
    let mut depth = 0;
    let mut begins = true;
    for (at, token) in words.iter().enumerate().skip(1) {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth -= 1,
            Token::Symbol(',') => begins = depth == 0,
            Token::Symbol(_) => {}
            token if begins => {
                let is_scope = ["SESSION", "LOCAL"].iter().any(|it| token.is(it));
                let is_users =
                    words[at - 1] == Token::Symbol('@') && words[at - 2] != Token::Symbol('@');
                let is_plain = PLAIN.iter().any(|it| token.is(it));
                if !is_scope && !is_users && !is_plain {
                    return false;
                }
                begins = is_scope;
            }
            _ => {}
        }
    }
    true
}
