//! PostgreSQL: what it is told and asked when a connection is opened.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use super::greeting::{Greeting, TextProtocol as _, accepted};
use super::pool::Pool;
use super::pooler::Beginning;
use super::pooler_search::is_in_between;
use super::presets::{POSTGRES, POSTGRES_CHOICES, unusual_choices};
use super::{
    Address, Database, Engine, Fault, Flavour, Isolation, OpenError, Place, Pools, SessionsOf,
    Settings,
};

/// Begins a transaction, and asks for the number of the connection.
const NUMBER_IN_A_TRANSACTION: &str = "BEGIN; SELECT CAST(pg_backend_pid() AS TEXT)";

pub(super) async fn connect(
    address: &PgConnectOptions,
    settings: &Settings,
    place: Option<&Arc<Place>>,
) -> Result<Database, OpenError> {
    settings.check(Flavour::Postgres)?;
    // A statement that waits for a lock is the lesson, and the timeline shows it: no warning in the
    // log.
    let options = address.clone().disable_statement_logging();
    // No value here is a fraction, and PgBouncer refuses the parameter unless told to ignore it.
    let options = options.extra_float_digits(None);
    let mut connection = options.connect().await?;
    // A place of the explorer's was made over a connection that is known to be direct.
    let question = NUMBER_IN_A_TRANSACTION;
    let is_pooled =
        place.is_none() && is_in_between(&options, &mut connection, question, "ROLLBACK").await?;
    let variables = Variables::ask(&mut connection, asked_search_path(address)).await?;
    let isolation = variables.isolation(settings)?;
    let mut greeting = greeting(&variables, isolation, settings, place.map(Arc::as_ref));
    if settings.sessions == SessionsOf::AUser {
        greeting
            .told
            .extend(the_servers_own(&mut connection).await?);
    }
    let (greeting, found) = if is_pooled {
        try_behind_a_pooler(greeting, isolation, &mut connection).await?
    } else {
        try_directly(greeting, isolation, &mut connection).await?
    };
    let (most, patience) = (settings.connections, settings.acquire_timeout);
    let pool = Pool::new(options, greeting, most, patience);
    pool.adopt(connection).await?;
    Ok(Database {
        address: Address::Postgres(Box::new(address.clone())),
        settings: *settings,
        engine: engine(found.value("server_version").unwrap_or_default(), isolation),
        pools: Pools::Postgres(pool),
        most_connections: found.number("max_connections"),
        deadlock_timeout: found.deadlock_timeout(),
        choices: unusual_choices(POSTGRES_CHOICES, |name| found.value(name)),
        place: place.cloned(),
        is_pooled,
        wait_reports: Arc::default(),
    })
}

/// sqlx asks for a date style and a time zone when it connects. These statements set those that the
/// role, the database, the configuration or PostgreSQL itself has, as for any other client. Only a
/// user with the right to read the configuration files sees what they say.
async fn the_servers_own(connection: &mut PgConnection) -> Result<Vec<String>, Fault> {
    const OF_THE_ROLE: &str = "SELECT split_part(entry, '=', 1), \
                substr(entry, strpos(entry, '=') + 1) \
         FROM pg_db_role_setting, unnest(setconfig) entry \
         WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
           AND setdatabase IN (0, (SELECT oid FROM pg_database \
                                   WHERE datname = current_database())) \
         ORDER BY setrole <> 0, setdatabase <> 0";
    const OF_THE_FILES: &str =
        "SELECT name, setting FROM pg_file_settings WHERE applied ORDER BY seqno";
    const OF_THE_PROGRAM: &str =
        "SELECT name, boot_val FROM pg_settings WHERE name IN ('DateStyle', 'TimeZone')";
    let mut found = connection.ask(OF_THE_PROGRAM).await?;
    match connection.ask(OF_THE_FILES).await {
        Ok(files) => found.extend(files),
        Err(refusal) if refusal.is_an_answer() => {}
        Err(fault) => return Err(fault),
    }
    found.extend(connection.ask(OF_THE_ROLE).await?);
    let last = |name: &str| {
        let is_it = |row: &&Vec<String>| row[0].eq_ignore_ascii_case(name);
        let row = found.iter().rfind(is_it)?;
        Some(format!("SET {name} = '{}'", row[1].replace('\'', "''")))
    };
    Ok(["DateStyle", "TimeZone"]
        .into_iter()
        .filter_map(last)
        .collect())
}

/// The search path that the URL asks for by an option of the start, which a pooler may ignore.
fn asked_search_path(address: &PgConnectOptions) -> Option<String> {
    let options = address.get_options()?;
    let (_, rest) = options.rsplit_once("search_path=")?;
    let mut value = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.extend(characters.next()),
            ' ' => break,
            other => value.push(other),
        }
    }
    Some(value)
}

/// The deadlock timeout as a number. `current_setting` would spell it with a unit.
const DEADLOCK_TIMEOUT_MS: &str = "deadlock_timeout in milliseconds";

/// The variables of a session, as far as this server has them, and the current schema.
#[derive(Default)]
struct Variables(HashMap<String, String>);

impl Variables {
    /// The variables of a new session with this search path.
    async fn ask(
        connection: &mut PgConnection,
        search_path: Option<String>,
    ) -> Result<Self, Fault> {
        let set_path = search_path.map(|path| format!("SET LOCAL search_path = {path}; "));
        let begin = format!("BEGIN; {}", set_path.unwrap_or_default());
        let variables = Self::read(connection, &begin).await?;
        connection.ask("ROLLBACK").await?;
        Ok(variables)
    }

    /// The variables as they are after these statements.
    async fn read(connection: &mut PgConnection, after: &str) -> Result<Self, Fault> {
        const MORE: [&str; 4] = [
            "server_version",
            "max_connections",
            "default_transaction_isolation",
            "search_path",
        ];
        let presets = POSTGRES.iter().map(|preset| preset.name);
        let choices = POSTGRES_CHOICES.iter().map(|choice| choice.name);
        let names = presets.chain(choices).chain(MORE);
        let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
        let question = format!(
            "{after}SELECT name, current_setting(name) FROM pg_settings WHERE name IN ({}) \
             UNION ALL SELECT 'current_schema', COALESCE(CAST(current_schema() AS TEXT), '') \
             UNION ALL SELECT '{DEADLOCK_TIMEOUT_MS}', setting FROM pg_settings \
             WHERE name = 'deadlock_timeout'",
            names.join(", ")
        );
        let rows = connection.ask(&question).await?.into_iter();
        let variables = rows.filter_map(|row| {
            let [name, value] = row.try_into().ok()?;
            Some((name, value))
        });
        Ok(Self(variables.collect()))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.parse().ok()
    }

    /// What was asked for, unless this user may not set it.
    fn deadlock_timeout(&self) -> Duration {
        /// The engine's own default.
        const DEFAULT_MS: u64 = 1000;
        let milliseconds = self.number(DEADLOCK_TIMEOUT_MS).map(u64::try_from);
        Duration::from_millis(milliseconds.and_then(Result::ok).unwrap_or(DEFAULT_MS))
    }

    /// The isolation level that was asked for, and otherwise this session's.
    fn isolation(&self, settings: &Settings) -> Result<Isolation, Fault> {
        if let Some(asked) = settings.isolation {
            return Ok(asked);
        }
        let own = self.value("default_transaction_isolation");
        let own: Result<_, String> = own.unwrap_or_default().parse();
        Ok(match own.map_err(Fault::other)? {
            // PostgreSQL accepts that name, and does READ COMMITTED.
            Isolation::ReadUncommitted => Isolation::ReadCommitted,
            own => own,
        })
    }
}

/// What every new connection is told and asked, in one round trip. It is set for the session and
/// not for each transaction, so that it holds for strategies in autocommit as well. What was found
/// at the start holds for every connection, even if the role's or the server's value changes
/// afterwards.
fn greeting(
    variables: &Variables,
    isolation: Isolation,
    settings: &Settings,
    place: Option<&Place>,
) -> Greeting {
    let mut greeting = Greeting {
        number: Some("CAST(pg_backend_pid() AS TEXT)"),
        patience: settings.answer_within,
        ..Greeting::default()
    };
    // Notices, for instance that a table exists already, are of no use here.
    greeting
        .told
        .push("SET client_min_messages = warning".to_owned());
    match settings.sessions {
        SessionsOf::TheLab => set_presets(&mut greeting, variables),
        // They are read in the one way that the reader of scripts knows.
        SessionsOf::AUser => greeting
            .told
            .push("SET standard_conforming_strings = on".to_owned()),
    }
    let level = isolation.sql().to_ascii_lowercase();
    set(
        &mut greeting,
        "default_transaction_isolation",
        &level,
        ANOTHER_LEVEL,
    );
    set_lock_timeout(&mut greeting, variables, settings);
    if let Some(timeout) = settings.deadlock_timeout {
        greeting.told.push(set_deadlock_timeout_if_allowed(timeout));
    }
    match place {
        Some(place) if place.is_database => {
            let current = "CAST(current_database() AS TEXT)";
            greeting.needed.extend(place.needed(current));
        }
        Some(place) => {
            greeting
                .told
                .push(format!("SET search_path = {}", place.name));
            greeting
                .needed
                .extend(place.needed("CAST(current_schema() AS TEXT)"));
        }
        None => stay_there(&mut greeting, variables),
    }
    greeting
}

fn set_presets(greeting: &mut Greeting, variables: &Variables) {
    for preset in POSTGRES {
        if variables.value(preset.name).is_some() {
            set(greeting, preset.name, preset.value, preset.why);
        }
    }
}

/// Sets the timeout that was asked for, and otherwise the one that was found.
fn set_lock_timeout(greeting: &mut Greeting, variables: &Variables, settings: &Settings) {
    let asked = settings.lock_wait_timeout.map(in_seconds);
    let timeout = asked.or_else(|| variables.value("lock_timeout").map(str::to_owned));
    if let Some(timeout) = timeout {
        let why = "a wait for a lock ends at another time";
        set(greeting, "lock_timeout", &timeout, why);
    }
}

const ANOTHER_LEVEL: &str = "transactions have another isolation level than is reported";

/// In the engine's own spelling, which uses the largest unit that fits.
fn in_seconds(seconds: u32) -> String {
    match seconds {
        days if days % 86400 == 0 => format!("{}d", days / 86400),
        hours if hours % 3600 == 0 => format!("{}h", hours / 3600),
        minutes if minutes % 60 == 0 => format!("{}min", minutes / 60),
        seconds => format!("{seconds}s"),
    }
}

fn set(greeting: &mut Greeting, name: &str, value: &str, why: &str) {
    greeting.told.push(format!("SET {name} = '{value}'"));
    greeting.need(name, format!("current_setting('{name}')"), value, why);
}

/// Keeps the search path, so that the tables are the ones that were found at the start.
fn stay_there(greeting: &mut Greeting, variables: &Variables) {
    let value = |name: &str| variables.value(name).unwrap_or_default();
    let path = match value("search_path") {
        // SQL has no other spelling for an empty list.
        "" | "\"\"" => "''",
        path => path,
    };
    greeting.told.push(format!("SET search_path = {path}"));
    greeting.need(
        "the current schema",
        "COALESCE(CAST(current_schema() AS TEXT), '')".to_owned(),
        value("current_schema"),
        "tables are read and written in another place than before",
    );
}

/// Tries the settings, and keeps those that this server accepts. Returns the variables afterwards.
async fn try_directly(
    greeting: Greeting,
    isolation: Isolation,
    connection: &mut PgConnection,
) -> Result<(Greeting, Variables), Fault> {
    let mut greeting = greeting.tried_on(connection).await?;
    let found = Variables::read(connection, "").await?;
    // In case a pooler is noticed later.
    let told = greeting.told.iter().map(String::as_str);
    greeting.behind_a_pooler = Some(Arc::new(Beginning {
        level: isolation,
        settings: told.filter_map(for_one_transaction).collect(),
    }));
    Ok((greeting, found))
}

/// The same behind a pooler, where nothing may be set for a session: each setting is tried in a
/// transaction of its own.
async fn try_behind_a_pooler(
    greeting: Greeting,
    isolation: Isolation,
    connection: &mut PgConnection,
) -> Result<(Greeting, Variables), Fault> {
    let told = greeting.told.iter().map(String::as_str);
    let settings = told.filter_map(for_one_transaction).collect();
    let settings = accepted(connection, settings, ["BEGIN; ", "ROLLBACK"]).await?;
    let beginning = Beginning {
        level: isolation,
        settings,
    };
    let greeting = Greeting {
        told: Vec::new(),
        behind_a_pooler: Some(Arc::new(beginning.clone())),
        is_pooled: AtomicBool::new(true),
        ..greeting
    };
    connection.ask(&beginning.spell("BEGIN")).await?;
    let asked = greeting.greet(connection).await;
    let found = Variables::read(connection, "").await;
    connection.ask("ROLLBACK").await?;
    asked?;
    Ok((greeting, found?))
}

/// Turns `SET …` into `SET LOCAL …`. None for any other statement.
fn for_one_transaction(statement: &str) -> Option<String> {
    let setting = statement.strip_prefix("SET ")?;
    Some(format!("SET LOCAL {setting}"))
}

/// Sets the deadlock timeout if the user may: a superuser or, since PostgreSQL 15, a user who was
/// granted it. Trying is the one way to find out that works on every version.
fn set_deadlock_timeout_if_allowed(timeout: Duration) -> String {
    // It counts in whole milliseconds and does not accept zero.
    let milliseconds = timeout.as_millis().max(1);
    format!(
        "DO $$ BEGIN SET deadlock_timeout = '{milliseconds}ms'; \
         EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
    )
}

fn engine(version: &str, isolation: Isolation) -> Engine {
    Engine {
        flavour: Flavour::Postgres,
        version: number_of(version).to_owned(),
        isolation,
        snapshot_isolation: false,
        rolls_back_on_timeout: false,
        can_switch_snapshot_isolation: false,
        journal: None,
    }
}

/// `15.18` of `15.18 (Debian 15.18-0+deb12u1)`.
fn number_of(version: &str) -> &str {
    version.split_whitespace().next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_number_without_the_distributions_suffix() {
        assert_eq!(number_of("15.18 (Debian 15.18-0+deb12u1)"), "15.18");
        assert_eq!(number_of("18beta1"), "18beta1");
        assert_eq!(number_of(""), "");
    }

    #[test]
    fn the_search_path_is_found_among_the_options() {
        let options = |text: &str| {
            PgConnectOptions::new_without_pgpass().options([("geqo", "off"), ("search_path", text)])
        };
        assert_eq!(asked_search_path(&options("mine")), Some("mine".to_owned()));
        assert_eq!(
            asked_search_path(&options("mine, other")),
            Some("mine, other".to_owned())
        );
        assert_eq!(
            asked_search_path(&PgConnectOptions::new_without_pgpass()),
            None
        );
    }

    #[test]
    fn every_connection_is_told_what_was_asked_for_and_what_was_found() {
        let variables = [
            ("session_replication_role", "replica"),
            ("current_schema", "public"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = Variables(HashMap::from(variables));
        let settings = Settings {
            lock_wait_timeout: Some(5),
            deadlock_timeout: Some(Duration::from_micros(10)),
            ..Settings::default()
        };
        let greeting = greeting(&variables, Isolation::RepeatableRead, &settings, None);
        let told = greeting.told.join("; ");
        for words in [
            "default_transaction_isolation = 'repeatable read'",
            "session_replication_role = 'origin'",
            "lock_timeout = '5s'",
            "deadlock_timeout = '1ms'",
        ] {
            assert!(told.contains(words), "{words:?} is not in {told}");
        }
        assert!(
            !told.contains("enable_seqscan"),
            "this server does not have it"
        );
        let needed: Vec<_> = greeting.needed.iter().map(|it| it.value.as_str()).collect();
        assert_eq!(needed, ["origin", "repeatable read", "5s", "public"]);
    }
}
