//! Texts of a catalogue, and what they call.

use super::facts::Facts;
use crate::engine::statement::{Token, is_harmless, tokens};
use crate::engine::{Database, Fault, Flavour};

/// Rows of `N` texts.
pub(super) async fn texts<const N: usize>(
    database: &Database,
    sql: &str,
) -> Result<Vec<[String; N]>, Fault> {
    let mut texts = Vec::new();
    for row in database.rows(sql, &[]).await? {
        let mut columns = [const { String::new() }; N];
        for (index, column) in columns.iter_mut().enumerate() {
            *column = row.text(index)?;
        }
        texts.push(columns);
    }
    Ok(texts)
}

/// The functions in this expression that are not known to be pure.
pub(super) fn unknown_calls(text: &str, facts: &Facts, flavour: Flavour) -> Vec<String> {
    // Types with a length, as catalogues write them.
    const TYPES: [&str; 5] = ["varying", "character", "timestamp", "bit", "interval"];
    let words = tokens(text, flavour);
    let is_users = |name: &str| facts.functions.contains(&name.to_lowercase());
    let is_type = |name: &str| TYPES.iter().any(|it| it.eq_ignore_ascii_case(name));
    let unknown = words.iter().enumerate().filter_map(|(at, token)| {
        let name = token.name()?;
        let is_call = words.get(at + 1) == Some(&Token::Symbol('('));
        let is_unknown = is_call && !is_harmless(name, flavour) && !is_type(name);
        (is_unknown || is_users(name)).then(|| name.to_owned())
    });
    unknown.collect()
}

impl Facts {
    /// Notes a user's function or procedure.
    pub(super) fn note_routine(&mut self, name: &str, body: &str, flavour: Flavour) {
        self.functions.insert(name.to_lowercase());
        let what = if flavour.is_innodb() {
            "routine"
        } else {
            "function"
        };
        self.doubt_what_changes_more(&format!("{what} {name}"), body);
    }

    /// A body that may change the catalogue, how its session goes on, or which locks it holds makes
    /// all doubtful.
    pub(super) fn doubt_what_changes_more(&mut self, what: &str, body: &str) {
        const CHANGES: [&str; 19] = [
            "CREATE",
            "ALTER",
            "DROP",
            "RENAME",
            "EXECUTE",
            "PREPARE",
            "search_path",
            "set_config",
            "pg_settings",
            "SESSION",
            "CHARACTERISTICS",
            "ISOLATION",
            "transaction_isolation",
            "tx_isolation",
            "default_transaction_isolation",
            "autocommit",
            "GET_LOCK",
            "pg_advisory_lock",
            "pg_try_advisory_lock",
        ];
        // A body of PostgreSQL's may have strings with SQL in it.
        let mut words = body.split(|it: char| !it.is_alphanumeric() && it != '_');
        let is_change = |word: &str| CHANGES.iter().any(|it| it.eq_ignore_ascii_case(word));
        if words.any(is_change) {
            let doubt = format!("the {what} may change what other statements mean");
            self.doubt.get_or_insert(doubt);
        }
    }
}
