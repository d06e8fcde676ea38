//! The functions of which it is known that they touch nothing that other clients could notice.

use super::locks::is_about_locks;
use super::{Token, UserStatement, tokens};
use crate::engine::Flavour;

/// Whether a function is called that is not known to be harmless: it may take a lock that is on no
/// row, draw from a sequence, or be a user's own and do anything.
pub(super) fn calls_unknown(tokens: &[Token<'_>], flavour: Flavour) -> bool {
    names_before_a_parenthesis(tokens).any(|name| !is_harmless(name, flavour))
}

/// Whether it calls a function that may write. One that is about a lock does not.
pub(super) fn may_write(tokens: &[Token<'_>], flavour: Flavour) -> bool {
    let mut names = names_before_a_parenthesis(tokens);
    names.any(|name| !is_harmless(name, flavour) && !is_about_locks(name))
}

impl UserStatement {
    /// The names that stand before a parenthesis: those of functions, and some others.
    pub fn calls(&self, flavour: Flavour) -> Vec<&str> {
        let tokens = tokens(&self.text, flavour);
        let calls = tokens.windows(2).filter(|it| it[1] == Token::Symbol('('));
        calls.filter_map(|it| it[0].name()).collect()
    }
}

fn names_before_a_parenthesis<'t>(tokens: &'t [Token<'t>]) -> impl Iterator<Item = &'t str> {
    let before = (0..tokens.len()).filter(|at| tokens.get(at + 1) == Some(&Token::Symbol('(')));
    let calls = before.filter(|at| !is_a_table_with_columns(tokens, *at));
    calls.filter_map(|at| tokens[at].name())
}

/// Whether the word at this place is a table's name before a list of its columns: `INTO t(a, b)`,
/// `WITH t(a) AS (SELECT …)` or `AS t(a)`.
fn is_a_table_with_columns(tokens: &[Token<'_>], at: usize) -> bool {
    const BEFORE: [&str; 7] = [
        "INTO",
        "INSERT",
        "IGNORE",
        "REPLACE",
        "WITH",
        "RECURSIVE",
        "AS",
    ];
    const QUERIES: [&str; 8] = [
        "SELECT", "VALUES", "TABLE", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE",
    ];
    let is_one_of = |token: &Token<'_>, words: &[&str]| words.iter().any(|it| token.is(it));
    let is_qualified = at > 1 && tokens[at - 1] == Token::Symbol('.');
    let before = at.checked_sub(if is_qualified { 3 } else { 1 });
    let Some(before) = before.map(|it| &tokens[it]) else {
        return false;
    };
    if *before != Token::Symbol(',') {
        return is_one_of(before, &BEFORE);
    }
    // The second table of WITH. A function of a FROM may be followed by `AS (column type)`.
    let mut depth = 0;
    let end = tokens[at + 1..].iter().position(|token| {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let after = end.map_or(&[][..], |end| &tokens[at + 1 + end + 1..]);
    let mut after = after
        .iter()
        .filter(|it| !is_one_of(it, &["NOT", "MATERIALIZED"]));
    after.next().is_some_and(|it| it.is("AS"))
        && after.next() == Some(&Token::Symbol('('))
        && after.next().is_some_and(|it| is_one_of(it, &QUERIES))
}

/// Whether this word before a parenthesis calls nothing, or a function that is known to be pure.
pub(in crate::engine) fn is_harmless(name: &str, flavour: Flavour) -> bool {
    let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
    KEYWORDS.iter().any(is_it)
        || EVERYWHERE.iter().any(is_it)
        || match flavour {
            Flavour::MySql | Flavour::MariaDb => INNODB.iter().any(is_it),
            Flavour::Postgres => POSTGRES.iter().any(is_it),
            Flavour::Sqlite => SQLITE.iter().any(is_it),
        }
}

/// Words before a parenthesis that call nothing.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "ALL", "AND", "ANY", "ARRAY", "AS", "BETWEEN", "BY", "CASE", "CHAR", "DECIMAL", "DISTINCT",
    "ELSE", "EXCEPT", "EXISTS", "FILTER", "FROM", "GROUP", "HAVING", "IN", "INTERSECT", "INTERVAL",
    "IS", "JOIN", "KEY", "LATERAL", "LIKE", "LIMIT", "MATERIALIZED", "NOT", "NUMERIC", "ON", "OR",
    "OVER", "PARTITION", "ROW", "SELECT", "SIGNED", "SOME", "THEN", "UNION", "UNSIGNED", "USING",
    "VALUES", "VARCHAR", "WHEN", "WHERE", "WINDOW", "WITH", "WITHIN",
];

/// Functions of every engine.
#[rustfmt::skip]
const EVERYWHERE: &[&str] = &[
    "ABS", "AVG", "CAST", "CEIL", "CEILING", "CHAR_LENGTH", "COALESCE", "CONCAT", "CONCAT_WS",
    "COUNT", "CURRENT_TIMESTAMP", "DATE", "DENSE_RANK", "EXTRACT", "FIRST_VALUE", "FLOOR",
    "GREATEST", "HEX", "IFNULL", "LAG", "LAST_VALUE", "LEAD", "LEAST", "LEFT", "LENGTH", "LOWER",
    "LPAD", "LTRIM", "MAX", "MIN", "MOD", "NOW", "NULLIF", "POSITION", "POWER", "RANK", "REPEAT",
    "REPLACE", "REVERSE", "RIGHT", "ROUND", "ROW_NUMBER", "RPAD", "RTRIM", "SIGN", "SQRT",
    "SUBSTR", "SUBSTRING", "SUM", "TIME", "TRIM", "UPPER",
];

/// MySQL's and MariaDB's.
#[rustfmt::skip]
const INNODB: &[&str] = &[
    "BIT_AND", "BIT_OR", "CONNECTION_ID", "CONVERT", "CONVERT_TZ", "CURDATE", "CURTIME", "DATABASE", "DATEDIFF",
    "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "ELT", "FIELD", "FIND_IN_SET", "FORMAT", "FOUND_ROWS",
    "FROM_UNIXTIME", "GROUP_CONCAT", "IF", "INSTR", "ISNULL", "JSON_ARRAY", "JSON_ARRAYAGG",
    "JSON_EXTRACT", "JSON_OBJECT", "JSON_OBJECTAGG", "JSON_UNQUOTE", "LAST_INSERT_ID", "LOCATE",
    "MD5", "RAND", "ROW_COUNT", "SCHEMA", "SHA1", "SHA2", "STR_TO_DATE", "SUBSTRING_INDEX",
    "SYSDATE", "TIMESTAMP", "TIMESTAMPADD", "TIMESTAMPDIFF", "TRUNCATE", "UNIX_TIMESTAMP", "USER",
    "UTC_TIMESTAMP", "UUID", "VERSION",
];

/// PostgreSQL's.
#[rustfmt::skip]
const POSTGRES: &[&str] = &[
    "AGE", "ARRAY_AGG", "ARRAY_LENGTH", "BOOL_AND", "BOOL_OR", "BTRIM", "CARDINALITY",
    "CLOCK_TIMESTAMP", "CURRENT_DATABASE", "CURRENT_SCHEMA", "CURRENT_SETTING", "DATE_PART", "DATE_TRUNC", "EVERY",
    "FORMAT", "GEN_RANDOM_UUID", "GENERATE_SERIES", "JSONB_AGG", "JSONB_BUILD_OBJECT", "JSON_AGG",
    "JSON_BUILD_OBJECT", "MD5", "PG_BACKEND_PID", "RANDOM", "REGEXP_REPLACE", "SPLIT_PART",
    "STRING_AGG", "STRING_TO_ARRAY", "STRPOS", "TO_CHAR", "TO_DATE", "TO_NUMBER", "TO_TIMESTAMP",
    "UNNEST", "VERSION",
];

/// SQLite's.
#[rustfmt::skip]
const SQLITE: &[&str] = &[
    "CHANGES", "CHAR", "DATETIME", "GLOB", "GROUP_CONCAT", "IIF", "INSTR", "JSON", "JSON_ARRAY",
    "JSON_EXTRACT", "JSON_OBJECT", "JULIANDAY", "LAST_INSERT_ROWID", "PRINTF", "QUOTE", "RANDOM",
    "STRFTIME", "TOTAL", "TOTAL_CHANGES", "TYPEOF", "UNICODE", "UNIXEPOCH", "ZEROBLOB",
];
