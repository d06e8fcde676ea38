//! MySQL and MariaDB: what they are told and asked when a connection is opened.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, MySqlConnection};

use super::greeting::{Greeting, TextProtocol as _};
use super::pool::Pool;
use super::pooler_search::is_in_between;
use super::presets::{CLOCK, INNODB, INNODB_CHOICES, unusual_choices};
use super::{
    Address, Database, Engine, Fault, Flavour, Isolation, OpenError, Place, Pools, SessionsOf,
    Settings, pooler,
};

/// Begins a transaction, and asks for the number of the connection.
const NUMBER_IN_A_TRANSACTION: &str = "START TRANSACTION; SELECT CAST(CONNECTION_ID() AS CHAR)";

/// Ends it. A mere ROLLBACK could begin the next one, or hang up, if `completion_type` says so.
const END: &str = "ROLLBACK AND NO CHAIN NO RELEASE";

pub(super) async fn connect(
    address: &MySqlConnectOptions,
    settings: &Settings,
    place: Option<&Arc<Place>>,
) -> Result<Database, OpenError> {
    // A statement that waits for a lock is the lesson, and the timeline shows it: no warning in the
    // log.
    let options = address.clone().disable_statement_logging();
    let options = match settings.sessions {
        SessionsOf::TheLab => options,
        // What sqlx would set as well.
        SessionsOf::AUser => options
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None),
    };
    let mut connection = options.connect().await?;
    // A place of the explorer's was made over a connection that is known to be direct.
    if place.is_none() {
        refuse_a_pooler(&options, &mut connection).await?;
    }
    let variables = Variables::ask(&mut connection).await?;
    let engine = variables.engine(settings)?;
    let greeting = greeting(&variables, &engine, settings, place.map(Arc::as_ref));
    let greeting = greeting.tried_on(&mut connection).await?;
    let found = Variables::ask(&mut connection).await?;
    let (most, patience) = (settings.connections, settings.acquire_timeout);
    let pool = Pool::new(options, greeting, most, patience);
    pool.adopt(connection).await?;
    Ok(Database {
        address: Address::MySql(Box::new(address.clone())),
        settings: *settings,
        engine,
        pools: Pools::MySql(pool),
        most_connections: found.number("max_connections"),
        choices: unusual_choices(INNODB_CHOICES, |name| found.value(name)),
        place: place.cloned(),
        is_pooled: false,
        deadlock_timeout: Duration::ZERO,
        wait_reports: Arc::default(),
    })
}

async fn refuse_a_pooler(
    options: &MySqlConnectOptions,
    connection: &mut MySqlConnection,
) -> Result<(), OpenError> {
    if is_in_between(options, connection, NUMBER_IN_A_TRANSACTION, END).await? {
        let reason = pooler::refused("nothing can be done about that here");
        return Err(OpenError::Pooler(reason));
    }
    Ok(())
}

/// The variables of a new session, as far as this server has them.
struct Variables(HashMap<String, String>);

impl Variables {
    /// What is asked for besides presets and choices. MariaDB before 11.1 has only the older names.
    const MORE: [&str; 6] = [
        "transaction_isolation",
        "tx_isolation",
        "version",
        "max_connections",
        "innodb_rollback_on_timeout",
        SNAPSHOT_ISOLATION,
    ];

    async fn ask(connection: &mut MySqlConnection) -> Result<Self, Fault> {
        let presets = INNODB.iter().map(|preset| preset.name);
        let choices = INNODB_CHOICES.iter().map(|choice| choice.name);
        let names = presets.chain(choices).chain(Self::MORE);
        let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
        let question = format!(
            "{ALL_ROWS}; SHOW SESSION VARIABLES WHERE Variable_name IN ({})",
            names.join(", ")
        );
        let rows = connection.ask(&question).await?.into_iter();
        let variables = rows.filter_map(|row| {
            let [name, value] = row.try_into().ok()?;
            Some((name.to_ascii_lowercase(), value))
        });
        Ok(Self(variables.collect()))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.parse().ok()
    }

    fn is_on(&self, name: &str) -> bool {
        self.value(name) == Some("ON")
    }

    /// The name of the variable with the isolation level.
    fn isolation_name(&self) -> &'static str {
        match self.value("transaction_isolation") {
            Some(_) => "transaction_isolation",
            None => "tx_isolation",
        }
    }

    /// What the sessions will be like: as was asked for, and otherwise like this one.
    fn engine(&self, settings: &Settings) -> Result<Engine, OpenError> {
        let version = self.value("version").unwrap_or_default();
        let has_snapshot_isolation = self.value(SNAPSHOT_ISOLATION).is_some();
        if settings.snapshot_isolation.is_some() && !has_snapshot_isolation {
            return Err(OpenError::SnapshotIsolation);
        }
        let isolation: Result<Isolation, String> = match settings.isolation {
            Some(asked) => Ok(asked),
            None => self
                .value(self.isolation_name())
                .unwrap_or_default()
                .parse(),
        };
        let snapshot_isolation = settings.snapshot_isolation;
        Ok(Engine {
            flavour: if version.contains("MariaDB") {
                Flavour::MariaDb
            } else {
                Flavour::MySql
            },
            version: version.to_owned(),
            isolation: isolation.map_err(Fault::other)?,
            snapshot_isolation: snapshot_isolation
                .unwrap_or_else(|| self.is_on(SNAPSHOT_ISOLATION)),
            rolls_back_on_timeout: self.is_on("innodb_rollback_on_timeout"),
            can_switch_snapshot_isolation: has_snapshot_isolation,
            journal: None,
        })
    }
}

/// Presets of the server may cut rows off the answer, or refuse it as too long.
const ALL_ROWS: &str = "SET SESSION max_join_size = 18446744073709551615, \
                        sql_big_selects = 1, sql_select_limit = 18446744073709551615";

const SNAPSHOT_ISOLATION: &str = "innodb_snapshot_isolation";

/// What every new connection is told and asked, in one round trip. It is set for the session and
/// not for each transaction, so that it holds for strategies in autocommit as well. What was found
/// at the start holds for every connection, even if the server's own value changes afterwards.
fn greeting(
    variables: &Variables,
    engine: &Engine,
    settings: &Settings,
    place: Option<&Place>,
) -> Greeting {
    let mut greeting = Greeting {
        number: Some("CAST(CONNECTION_ID() AS CHAR)"),
        patience: settings.answer_within,
        ..Greeting::default()
    };
    if settings.sessions == SessionsOf::AUser {
        // The driver asks for IGNORE_SPACE when it connects.
        let modes = "SET SESSION sql_mode = @@GLOBAL.sql_mode";
        greeting.told.push(modes.to_owned());
    }
    set_presets(&mut greeting, variables, settings.sessions);
    let level = engine.isolation.sql();
    let sql = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
    greeting.told.push(sql);
    let name = variables.isolation_name();
    let level = level.replace(' ', "-");
    greeting.need(name, variable(name), &level, ANOTHER_LEVEL);
    if let Some(seconds) = settings.lock_wait_timeout {
        set(
            &mut greeting,
            "innodb_lock_wait_timeout",
            &seconds.to_string(),
            NOT_AS_ASKED,
        );
    }
    if engine.can_switch_snapshot_isolation {
        let switch = i32::from(engine.snapshot_isolation).to_string();
        set(&mut greeting, SNAPSHOT_ISOLATION, &switch, NOT_AS_ASKED);
    }
    if let Some(place) = place {
        greeting.needed.extend(place.needed("DATABASE()"));
    }
    greeting
}

/// What a user's statements mean is left as the server has it; but what a transaction is has to be
/// known.
const OF_TRANSACTIONS: [&str; 2] = ["completion_type", "autocommit"];

fn set_presets(greeting: &mut Greeting, variables: &Variables, sessions: SessionsOf) {
    for preset in INNODB {
        let is_left = match sessions {
            SessionsOf::TheLab => false,
            SessionsOf::AUser => !OF_TRANSACTIONS.contains(&preset.name),
        };
        if is_left || variables.value(preset.name).is_none() {
            continue;
        }
        set(greeting, preset.name, preset.value, preset.why);
        if preset.name == "completion_type" {
            // Ends a transaction that init_connect has begun, before the first client is in it.
            greeting.told.push(END.to_owned());
        }
    }
}

const ANOTHER_LEVEL: &str = "transactions have another isolation level than is reported";

const NOT_AS_ASKED: &str = "it is not what was asked for";

fn set(greeting: &mut Greeting, name: &str, value: &str, why: &str) {
    greeting.told.push(format!("SET SESSION {name} = {value}"));
    let expression = match name {
        // Reading it gives the time of the moment, not the value that was set.
        CLOCK => CLOCK_GOES_ON.to_owned(),
        _ => variable(name),
    };
    greeting.need(name, expression, value, why);
}

const CLOCK_GOES_ON: &str =
    "IF(ABS(UNIX_TIMESTAMP() - UNIX_TIMESTAMP(SYSDATE())) < 60, '0', 'a fixed time')";

/// The expression for a session's variable, as text.
fn variable(name: &str) -> String {
    format!("CAST(@@SESSION.{name} AS CHAR)")
}
