//! The session variables that our statements rely on.
//!
//! A server, a role, `init_connect` or a pooler may preset them, and then a statement silently
//! means something else. So each connection sets all of them, and reads them back in the same round
//! trip (see `greeting`). A server on which one of them cannot be set is refused.
//!
//! These variables are not set, on purpose:
//! - Those that the user may choose, and that cause an error rather than another meaning:
//!   isolation, limits of time, read-only. They are left alone, read back and announced:
//!   [`INNODB_CHOICES`], [`POSTGRES_CHOICES`].
//! - Those that change none of our statements: `low_priority_updates`, `innodb_table_locks`,
//!   `old_mode`, `group_concat_max_len`, `div_precision_increment`, `auto_increment_increment`,
//!   `row_security`, `DateStyle`, `bytea_output`, `zero_damaged_pages`.
//! - Those that sqlx sets for every connection: character set and time zone; on SQLite the checks
//!   of foreign keys. Nothing outside the process presets SQLite's variables.

use super::Flavour;

/// One variable, and the value that our statements rely on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preset {
    /// Its name. It is not set on a version of the engine that does not have it.
    pub(super) name: &'static str,
    /// The value as SQL spells it.
    pub(super) value: &'static str,
    /// What goes wrong with another value.
    pub(super) why: &'static str,
}

const fn preset(name: &'static str, value: &'static str, why: &'static str) -> Preset {
    Preset { name, value, why }
}

/// MySQL's and MariaDB's, in the order in which they are set. The order matters: setting one may
/// change another.
#[rustfmt::skip]
pub(super) const INNODB: &[Preset] = &[
    preset("completion_type", "0", "a COMMIT begins the next transaction, or hangs up"),
    preset("autocommit", "1", "a statement outside a transaction is not kept"),
    preset("foreign_key_checks", "1", "a row without its parent is taken, and no parent is locked"),
    preset("unique_checks", "1", "a key may be given twice"),
    preset("check_constraint_checks", "1", "a value is taken that the schema forbids"),
    preset("sql_mode", SQL_MODE, "values are cut to fit, or SQL is read in another way"),
    preset("sql_safe_updates", "0", "a change of many rows is refused"),
    preset("max_join_size", UNLIMITED, "a long read is refused"),
    preset("sql_big_selects", "1", "a long read is refused"),
    preset("sql_select_limit", UNLIMITED, "a read leaves rows out"),
    preset("sql_auto_is_null", "0", "IS NULL finds the row that was inserted last"),
    preset("sql_if_exists", "0", "a missing table is no error, and one that is there may be"),
    preset("default_storage_engine", "'InnoDB'", "a new table has no transactions"),
    preset(CLOCK, "0", "the clock stands still"),
];

const SQL_MODE: &str = "'PIPES_AS_CONCAT,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'";

const UNLIMITED: &str = "18446744073709551615";

/// The session's clock. Reads as the time; set to zero, it follows the real time.
pub(super) const CLOCK: &str = "timestamp";

/// PostgreSQL's.
#[rustfmt::skip]
pub(super) const POSTGRES: &[Preset] = &[
    preset("session_replication_role", "origin", "foreign keys are not checked"),
    preset("default_transaction_deferrable", "off", "a read at SERIALIZABLE waits for others"),
    preset("standard_conforming_strings", "on", "SQL is read in another way"),
    preset("transform_null_equals", "off", "a comparison with NULL is true"),
    preset("default_table_access_method", "heap", "a new table may lock in another way"),
    preset("enable_indexscan", "on", SSI),
    preset("enable_indexonlyscan", "on", SSI),
    preset("enable_bitmapscan", "on", SSI),
    preset("enable_seqscan", "on", SSI),
];

/// At SERIALIZABLE, PostgreSQL remembers what a query has read: rows if its plan uses an index,
/// else the whole table.
const SSI: &str = "SERIALIZABLE refuses other transactions than usual";

/// A variable that the user may choose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Its name.
    pub(super) name: &'static str,
    /// The engine's own value, which is not announced. None if every value is announced.
    pub(super) usual: Option<&'static str>,
}

const fn always(name: &'static str) -> Choice {
    Choice { name, usual: None }
}

const fn unless(name: &'static str, usual: &'static str) -> Choice {
    let usual = Some(usual);
    Choice { name, usual }
}

/// MySQL's and MariaDB's.
pub(super) const INNODB_CHOICES: &[Choice] = &[
    always("innodb_lock_wait_timeout"),
    unless("innodb_flush_log_at_trx_commit", "1"),
    unless("transaction_read_only", "0"),
    unless("tx_read_only", "0"),
    unless("max_execution_time", "0"),
    unless("max_statement_time", "0"),
    unless("idle_transaction_timeout", "0"),
    unless("idle_write_transaction_timeout", "0"),
    unless("idle_readonly_transaction_timeout", "0"),
    unless("wait_timeout", "28800"),
];

/// PostgreSQL's.
pub(super) const POSTGRES_CHOICES: &[Choice] = &[
    always("lock_timeout"),
    unless("synchronous_commit", "on"),
    unless("default_transaction_read_only", "off"),
    unless("statement_timeout", "0"),
    unless("idle_in_transaction_session_timeout", "0"),
    unless("transaction_timeout", "0"),
    unless("idle_session_timeout", "0"),
];

impl Flavour {
    /// The session variables that our statements rely on, with the values that they need. Some
    /// versions of the engine do not have all of them.
    pub fn relies_on(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let presets = match self {
            Self::MySql | Self::MariaDb => INNODB,
            Self::Postgres => POSTGRES,
            Self::Sqlite => &[],
        };
        presets.iter().map(|preset| (preset.name, preset.value))
    }
}

/// Whether two spellings mean one value: `ON` and `1`, or the same modes in another order.
pub(super) fn are_the_same(one: &str, other: &str) -> bool {
    words_of(one) == words_of(other)
}

/// The choices whose value is not the usual one, as `name = value`.
pub(super) fn unusual_choices<'v>(
    choices: &[Choice],
    value: impl Fn(&str) -> Option<&'v str>,
) -> Vec<String> {
    let unusual = choices.iter().filter_map(|choice| {
        let is = value(choice.name)?;
        let is_usual = choice.usual.is_some_and(|usual| are_the_same(usual, is));
        (!is_usual).then(|| format!("{} = {is}", choice.name))
    });
    unusual.collect()
}

fn words_of(value: &str) -> Vec<String> {
    let value = value.trim_matches('\'').to_ascii_uppercase();
    let words = value.split(',').map(|word| match word.trim() {
        "ON" | "TRUE" => "1",
        "OFF" | "FALSE" | "NO_CHAIN" => "0",
        word => word.trim_end_matches(".000000"),
    });
    let mut words: Vec<_> = words.map(str::to_owned).collect();
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_in_every_spelling() {
        for (one, other) in [
            ("ON", "1"),
            ("'InnoDB'", "InnoDB"),
            ("NO_CHAIN", "0"),
            ("0.000000", "0"),
            (
                SQL_MODE,
                "NO_ENGINE_SUBSTITUTION,STRICT_TRANS_TABLES,PIPES_AS_CONCAT",
            ),
        ] {
            assert!(are_the_same(one, other), "{one} and {other}");
        }
        for (one, other) in [
            ("ON", "0"),
            ("replica", "origin"),
            ("CHAIN", "0"),
            (SQL_MODE, "PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION"),
        ] {
            assert!(!are_the_same(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn nothing_is_both_relied_on_and_the_users_choice() {
        for (presets, choices) in [(INNODB, INNODB_CHOICES), (POSTGRES, POSTGRES_CHOICES)] {
            for choice in choices {
                assert!(
                    presets.iter().all(|preset| preset.name != choice.name),
                    "{}",
                    choice.name
                );
            }
        }
    }
}
