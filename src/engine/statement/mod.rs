//! A statement that is not ours: a user's script, or an application, has sent it. It goes to the
//! engine as it is. What kind of statement it is, its words tell.
//!
//! The kind decides whether a schedule has a letter for it ([`StatementKind::is_local`]), and what
//! the session knows of its transaction afterwards. What is not known counts as a write, which is
//! always safe.

mod functions;
mod locks;
mod pieces;
mod server;
mod several;
mod shape;
mod tokens;

use super::{Flavour, Isolation};
use crate::step::Action;
pub(super) use functions::is_harmless;
pub(crate) use locks::is_refused_at_once;
pub(super) use locks::{LocksByName, has_a_clause_that_locks};
pub use pieces::{StatementPiece, StatementValue};
use tokens::names_one_of;
pub(crate) use tokens::{Token, tokens};

/// A statement of a user's, with its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserStatement {
    /// The text, as the engine gets it. It has no semicolon at its end.
    pub text: String,
    /// What kind of statement it is.
    pub kind: StatementKind,
}

/// What kind of statement it is, by its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Begins a transaction, at this level. None if it is the session's.
    Begin(Option<Isolation>),
    /// Commits, and ends the transaction.
    Commit,
    /// Rolls back, and ends the transaction.
    Rollback,
    /// Sets a savepoint, releases it, or rolls back to it.
    Savepoint,
    /// Reads rows.
    Read,
    /// Reads rows and locks them, or takes another lock.
    LockingRead,
    /// Changes rows, or may do anything.
    Write,
    /// Changes the schema. On MySQL and MariaDB it commits what is open, and itself.
    Schema,
    /// Locks tables for the session. MySQL commits what is open.
    LockTables,
    /// Releases what [`LockTables`](Self::LockTables) has taken.
    UnlockTables,
    /// Computes a value, and touches no table.
    Compute,
    /// Sets something for this session alone.
    Setting,
}

impl UserStatement {
    /// A statement with its kind.
    pub fn new(text: impl Into<String>, flavour: Flavour) -> Self {
        let text = text.into();
        let kind = StatementKind::of(&text, flavour);
        Self { text, kind }
    }

    /// Whether it changes rows and nothing else, so that it can run in a transaction.
    pub fn changes_rows(&self, flavour: Flavour) -> bool {
        const CHANGES: [&str; 7] = [
            "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH", "SELECT",
        ];
        self.kind == StatementKind::Write && CHANGES.contains(&self.keyword(flavour).as_str())
    }

    /// Whether it may have changed something, given how many rows it has matched.
    pub fn may_have_changed(&self, matched: u64, flavour: Flavour) -> bool {
        let matched_no_row = self.changes_rows(flavour) && matched == 0;
        let calls_unknown = self.kind == StatementKind::LockingRead
            && functions::may_write(&tokens(&self.text, flavour), flavour);
        self.kind.writes() && !matched_no_row && !self.concerns_a_temporary_table(flavour)
            || calls_unknown
    }

    /// Whether it makes or drops a table that no other client sees.
    fn concerns_a_temporary_table(&self, flavour: Flavour) -> bool {
        let tokens = tokens(&self.text, flavour);
        let mut words = tokens.iter().filter(|it| it.name().is_some());
        let first = words.next();
        let is_definition = first.is_some_and(|it| it.is("CREATE") || it.is("DROP"));
        is_definition
            && words
                .next()
                .is_some_and(|it| it.is("TEMPORARY") || it.is("TEMP"))
    }

    /// Whether it draws by chance, so that two runs can agree by luck. Two UUIDs never do.
    pub fn draws_by_chance(&self, flavour: Flavour) -> bool {
        const CHANCE: [&str; 6] = [
            "RAND",
            "RANDOM",
            "RANDOM_NORMAL",
            "RANDOM_BYTES",
            "RANDOMBLOB",
            "TABLESAMPLE",
        ];
        names_one_of(&tokens(&self.text, flavour), &CHANCE)
    }

    /// Whether it inserts a row, or changes one with the same key instead.
    pub fn inserts_or_changes(&self, flavour: Flavour) -> bool {
        let words = ["DUPLICATE", "CONFLICT", "REPLACE", "IGNORE", "MERGE"];
        names_one_of(&tokens(&self.text, flavour), &words)
    }

    /// Whether it may delete rows.
    pub fn may_delete(&self, flavour: Flavour) -> bool {
        names_one_of(&tokens(&self.text, flavour), &["DELETE", "REPLACE"])
    }

    /// Whether it sets the isolation level of the session or of the next transaction.
    pub fn sets_the_level(&self, flavour: Flavour) -> bool {
        const LEVEL: [&str; 4] = [
            "ISOLATION",
            "transaction_isolation",
            "tx_isolation",
            "default_transaction_isolation",
        ];
        let tokens = tokens(&self.text, flavour);
        // PostgreSQL's SHOW is a setting by its kind, and only tells the level.
        let is_asked = tokens.first().is_some_and(|it| it.is("SHOW"));
        self.kind == StatementKind::Setting
            && !is_asked
            && tokens
                .iter()
                .any(|token| LEVEL.iter().any(|it| token.is(it)))
    }

    /// The isolation level that it names, e.g. `LEVEL READ COMMITTED`. None if it names none.
    pub fn level_in(&self, flavour: Flavour) -> Option<Isolation> {
        level_in(&tokens(&self.text, flavour))
    }

    /// Whether it begins a transaction and does nothing else: no lock (SQLite's IMMEDIATE and
    /// EXCLUSIVE), no snapshot (InnoDB's), and no wait for one (PostgreSQL's DEFERRABLE).
    pub fn is_plain_begin(&self, flavour: Flavour) -> bool {
        const MORE: [&str; 5] = [
            "IMMEDIATE",
            "EXCLUSIVE",
            "CONCURRENT",
            "SNAPSHOT",
            "DEFERRABLE",
        ];
        let tokens = tokens(&self.text, flavour);
        matches!(self.kind, StatementKind::Begin(_))
            && !tokens
                .iter()
                .any(|token| MORE.iter().any(|it| token.is(it)))
    }

    /// Whether a connection on which it was run may be used for something else afterwards: it
    /// leaves nothing in the session, and reads nothing that is kept there.
    pub fn keeps_to_its_transaction(&self, flavour: Flavour) -> bool {
        const OF_THE_SESSION: [&str; 9] = [
            "LAST_INSERT_ID",
            "ROW_COUNT",
            "FOUND_ROWS",
            "currval",
            "lastval",
            "changes",
            "last_insert_rowid",
            // Another connection has another number, so it is found to be volatile.
            "CONNECTION_ID",
            "pg_backend_pid",
        ];
        let tokens = tokens(&self.text, flavour);
        let is_variable = |index: usize| index > 0 && tokens[index - 1] == Token::Symbol(':');
        let touches_the_session = tokens.iter().enumerate().any(|(index, token)| {
            let is_of_the_session = OF_THE_SESSION.iter().any(|it| token.is(it));
            *token == Token::Symbol('@') || is_of_the_session && !is_variable(index)
        });
        let is_plain = match self.kind {
            StatementKind::Begin(_)
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Savepoint
            | StatementKind::Read => true,
            StatementKind::Compute => !self.is_about_prepared_statements(flavour),
            StatementKind::LockingRead => !functions::calls_unknown(&tokens, flavour),
            StatementKind::Write => self.changes_rows(flavour),
            StatementKind::Schema
            | StatementKind::LockTables
            | StatementKind::UnlockTables
            | StatementKind::Setting => false,
        };
        is_plain && !touches_the_session
    }

    /// Whether it reaches beyond its database: a lock by name or a setting of the whole server,
    /// another client's connection, or the transactions of other databases.
    pub fn reaches_beyond_its_database(&self, flavour: Flavour) -> bool {
        let tokens = tokens(&self.text, flavour);
        server::is_concerned(&tokens)
            || locks::uses_a_lock_of_the_server(&tokens, flavour)
            || (flavour == Flavour::Postgres && server::waits_for_all_databases(&tokens))
    }

    /// The first of these databases that it names: before a dot, or after USE, DATABASE or SCHEMA.
    /// None if it names none.
    pub fn names_one_of<'d>(&self, databases: &'d [String], flavour: Flavour) -> Option<&'d str> {
        let tokens = tokens(&self.text, flavour);
        let named = tokens.iter().enumerate().filter_map(|(at, token)| {
            let name = token.name()?;
            let is_before_a_dot = tokens.get(at + 1) == Some(&Token::Symbol('.'));
            let is_after_a_dot = at > 0 && tokens[at - 1] == Token::Symbol('.');
            let follows = |keyword: &str| at > 0 && tokens[at - 1].is(keyword);
            let is_database = (is_before_a_dot && !is_after_a_dot)
                || ["USE", "DATABASE", "SCHEMA", "EXISTS"]
                    .iter()
                    .any(|it| follows(it));
            is_database.then_some(name)
        });
        let mut named = named.filter_map(|name| {
            let database = databases.iter().find(|it| it.eq_ignore_ascii_case(name))?;
            Some(database.as_str())
        });
        named.next()
    }

    /// Its first keyword, in upper case, for a label: `UPDATE`.
    pub fn keyword(&self, flavour: Flavour) -> String {
        let tokens = tokens(&self.text, flavour);
        let word = tokens.into_iter().find_map(Token::name);
        word.unwrap_or("statement").to_uppercase()
    }

    /// Whether it prepares a statement, or drops what was prepared.
    pub(super) fn is_about_prepared_statements(&self, flavour: Flavour) -> bool {
        ["PREPARE", "DEALLOCATE", "DISCARD"].contains(&self.keyword(flavour).as_str())
    }

    /// Whether it runs another statement, which may do anything: MariaDB's SET STATEMENT … FOR.
    pub(super) fn runs_another(&self, flavour: Flavour) -> bool {
        is_set_statement(&tokens(&self.text, flavour))
    }

    /// Whether it makes a table of what it reads: PostgreSQL's SELECT … INTO.
    pub(crate) fn makes_a_table(&self, flavour: Flavour) -> bool {
        let is_query = ["SELECT", "WITH"].contains(&self.keyword(flavour).as_str());
        let tokens = tokens(&self.text, flavour);
        let names_a_new_one = |pair: &[Token<'_>]| {
            let changes = ["INSERT", "MERGE", "REPLACE"];
            pair[1].is("INTO") && !changes.iter().any(|it| pair[0].is(it))
        };
        flavour == Flavour::Postgres && is_query && tokens.windows(2).any(names_a_new_one)
    }

    /// Whether it makes, changes or drops a whole database of the server.
    pub fn concerns_a_whole_database(&self, flavour: Flavour) -> bool {
        let tokens = tokens(&self.text, flavour);
        let mut words = tokens.iter().skip_while(|it| it.name().is_none());
        let is = |token: Option<&Token<'_>>, words: &[&str]| {
            token.is_some_and(|it| words.iter().any(|word| it.is(word)))
        };
        let is_definition = is(words.next(), &["CREATE", "DROP", "ALTER"]);
        let what = words.find(|it| !is(Some(it), &["OR", "REPLACE"]));
        // A schema of PostgreSQL's is a part of the database.
        let databases = match flavour {
            Flavour::MySql | Flavour::MariaDb => &["DATABASE", "SCHEMA"][..],
            Flavour::Postgres | Flavour::Sqlite => &["DATABASE"][..],
        };
        is_definition && is(what, databases)
    }
}

impl StatementKind {
    /// What kind of statement this is.
    pub fn of(sql: &str, flavour: Flavour) -> Self {
        let tokens = tokens(sql, flavour);
        let Some(first) = tokens.iter().find_map(|it| it.name()) else {
            return Self::Compute;
        };
        let second = |keyword: &str| tokens.get(1).is_some_and(|it| it.is(keyword));
        let is_innodb = flavour.is_innodb();
        match first.to_ascii_uppercase().as_str() {
            "START" if !second("TRANSACTION") => Self::Write,
            "BEGIN" | "START" => Self::Begin(level_in(&tokens)),
            // COMMIT PREPARED ends another transaction.
            "COMMIT" | "ROLLBACK" if second("PREPARED") => Self::Write,
            "COMMIT" | "END" => Self::Commit,
            "ROLLBACK" if tokens.iter().any(|it| it.is("TO")) => Self::Savepoint,
            "ROLLBACK" | "ABORT" => Self::Rollback,
            "SAVEPOINT" | "RELEASE" => Self::Savepoint,
            "SELECT" | "VALUES" | "TABLE" | "WITH" => of_query(&tokens, flavour),
            "EXPLAIN" | "DESCRIBE" | "DESC" if tokens.iter().any(|it| it.is("ANALYZE")) => {
                // It runs what it explains.
                Self::Write
            }
            "EXPLAIN" | "DESCRIBE" | "DESC" | "FETCH" | "DECLARE" | "CHECKSUM" => Self::Read,
            "SHOW" if is_innodb => Self::Read,
            "SHOW" => Self::Setting,
            "SET" => of_set(&tokens, flavour),
            // They take the snapshot of PostgreSQL's transaction.
            "DISCARD" | "DEALLOCATE" if flavour == Flavour::Postgres => Self::Compute,
            "PREPARE" if flavour == Flavour::Postgres && !second("TRANSACTION") => Self::Compute,
            "RESET" | "DISCARD" | "DEALLOCATE" | "LISTEN" | "UNLISTEN" | "USE" => Self::Setting,
            "PREPARE" if !second("TRANSACTION") => Self::Setting,
            "PRAGMA" => of_pragma(&tokens),
            "LOCK" if is_innodb => Self::LockTables,
            "LOCK" => Self::LockingRead,
            "UNLOCK" => Self::UnlockTables,
            "CREATE" | "ALTER" | "DROP" | "TRUNCATE" | "RENAME" | "GRANT" | "REVOKE"
            | "ANALYZE" | "OPTIMIZE" | "REPAIR" | "COMMENT" | "REINDEX" | "VACUUM" | "CLUSTER"
            | "REFRESH" | "FLUSH" | "INSTALL" | "UNINSTALL" => Self::Schema,
            _ => Self::Write,
        }
    }

    /// Whether it touches nothing that other clients could notice or be in the way of. A schedule
    /// has no letter for it.
    pub fn is_local(self) -> bool {
        matches!(self, Self::Compute | Self::Setting)
    }

    /// Whether it changes something, so that outside a transaction its end is a commit.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Schema)
    }

    /// Whether this statement itself ends the open transaction by committing it.
    pub fn commits(self, flavour: Flavour) -> bool {
        let is_innodb = flavour.is_innodb();
        match self {
            Self::Commit => true,
            Self::Begin(_) | Self::Schema | Self::LockTables => is_innodb,
            Self::Rollback
            | Self::Savepoint
            | Self::Read
            | Self::LockingRead
            | Self::Write
            | Self::UnlockTables
            | Self::Compute
            | Self::Setting => false,
        }
    }

    /// Whether a transaction is committed by it. `is_open` if one is open before it.
    pub fn ends_in_a_commit(self, flavour: Flavour, is_open: bool) -> bool {
        match self {
            // It commits what is open on InnoDB. Most often that is nothing.
            Self::Begin(_) => is_open && self.commits(flavour),
            _ => self.commits(flavour) || self.writes() && !is_open,
        }
    }

    /// The kind of action, for a timeline.
    pub fn action(self) -> Action {
        match self {
            Self::Begin(_) => Action::Begin,
            Self::Commit => Action::Commit,
            Self::Rollback => Action::Rollback,
            Self::Read | Self::LockingRead | Self::Compute => Action::Read,
            Self::LockTables => Action::Lock,
            Self::UnlockTables => Action::Unlock,
            Self::Write | Self::Savepoint | Self::Schema | Self::Setting => Action::Write,
        }
    }
}

/// A query reads, unless one of its words locks or writes.
fn of_query(tokens: &[Token<'_>], flavour: Flavour) -> StatementKind {
    let has = |keyword: &str| tokens.iter().any(|it| it.is(keyword));
    if ["INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"]
        .iter()
        .any(|it| begins_a_change(tokens, it))
        || has("INTO")
    {
        return StatementKind::Write;
    }
    let locks = locks::has_a_clause_that_locks(tokens);
    let draws = tokens
        .windows(3)
        .any(|it| it[0].is("NEXT") && it[1].is("VALUE") && it[2].is("FOR"));
    let calls_unknown = functions::calls_unknown(tokens, flavour) || draws;
    if locks || calls_unknown {
        StatementKind::LockingRead
    } else if has("FROM") || has("TABLE") || has("JOIN") {
        StatementKind::Read
    } else {
        StatementKind::Compute
    }
}

/// Whether a change begins with this keyword: after WITH, in a subquery, but not in `FOR UPDATE` or
/// in the name of a function such as `REPLACE(…)`.
fn begins_a_change(tokens: &[Token<'_>], keyword: &str) -> bool {
    let mut before = None;
    for (at, token) in tokens.iter().enumerate() {
        let is_call = tokens.get(at + 1) == Some(&Token::Symbol('('));
        let is_locking = before.is_some_and(|it: Token<'_>| it.is("FOR") || it.is("KEY"));
        if token.is(keyword) && !is_call && !is_locking {
            return true;
        }
        before = Some(*token);
    }
    false
}

/// Whether it is MariaDB's SET STATEMENT … FOR, which runs another statement.
fn is_set_statement(tokens: &[Token<'_>]) -> bool {
    matches!(tokens, [set, statement, ..] if set.is("SET") && statement.is("STATEMENT"))
}

/// What SET does by its words: most settings are the session's own.
fn of_set(tokens: &[Token<'_>], flavour: Flavour) -> StatementKind {
    let has = |keyword: &str| tokens.iter().any(|it| it.is(keyword));
    let is_innodb = flavour.is_innodb();
    let reaches_others = has("GLOBAL") || has("PERSIST") || has("PERSIST_ONLY");
    let runs_another = is_set_statement(tokens);
    // Switching autocommit on commits what is open. A value may be read from a table, though not
    // on InnoDB by a SELECT without a FROM, as drivers send it. SET CONSTRAINTS … IMMEDIATE checks
    // what was written.
    let may_read_a_table = has("SELECT") && (!is_innodb || has("FROM")) || has("TABLE");
    if reaches_others
        || runs_another
        || has("autocommit")
        || may_read_a_table
        || has("CONSTRAINTS")
        || has("PASSWORD")
    {
        StatementKind::Write
    } else if is_innodb && functions::calls_unknown(tokens, flavour) {
        StatementKind::LockingRead
    } else {
        StatementKind::Setting
    }
}

/// A PRAGMA that sets something of the connection, or anything else.
fn of_pragma(tokens: &[Token<'_>]) -> StatementKind {
    const OF_THE_CONNECTION: [&str; 6] = [
        "foreign_keys",
        "defer_foreign_keys",
        "recursive_triggers",
        "cache_size",
        "temp_store",
        "read_uncommitted",
    ];
    let name = tokens.get(1).and_then(|it| it.name()).unwrap_or_default();
    let is_local = |it: &&str| it.eq_ignore_ascii_case(name);
    if OF_THE_CONNECTION.iter().any(is_local) {
        StatementKind::Setting
    } else {
        StatementKind::Write
    }
}

/// The isolation level that the statement names.
fn level_in(tokens: &[Token<'_>]) -> Option<Isolation> {
    let at = tokens.iter().position(|it| it.is("LEVEL"))?;
    let words: Vec<_> = tokens[at + 1..].iter().map_while(|it| it.name()).collect();
    let words = words.get(..2).unwrap_or(&words).join("-").to_lowercase();
    let level = if words.starts_with("serializable") {
        "serializable"
    } else {
        &words
    };
    level.parse().ok()
}

#[cfg(test)]
mod tests;
