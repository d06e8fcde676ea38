//! PostgreSQL: what it is told and asked when a connection is opened.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use super::pool::Pool;
use super::{
    Address, Database, Engine, Fault, Flavour, Isolation, OpenError, Pools, Settings, check,
};

pub(super) async fn connect(
    address: &PgConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    check(Flavour::Postgres, settings)?;
    // A statement that waits for a lock is the lesson, and the timeline shows it: no warning in the log.
    let options = address.clone().disable_statement_logging();
    let pool = Pool::new(
        options,
        greeting(settings),
        settings.connections,
        settings.acquire_timeout,
    );
    let mut connection = pool.acquire().await?;
    let engine = ask(connection.get()?).await?;
    let most_connections =
        sqlx::query_scalar("SELECT CAST(current_setting('max_connections') AS BIGINT)")
            .fetch_one(connection.get()?)
            .await?;
    connection.give_back();
    Ok(Database {
        address: Address::Postgres(Box::new(address.clone())),
        settings: *settings,
        engine,
        pools: Pools::Postgres(pool),
        most_connections: Some(most_connections),
        looks: Arc::default(),
    })
}

/// What every new connection is told, in one round trip. Set for the session and not for each
/// transaction, so that it holds for strategies in autocommit as well.
fn greeting(settings: &Settings) -> String {
    // Notices, such as that a table is there already, are no news here.
    let mut statements = vec!["SET client_min_messages = warning".to_owned()];
    if let Some(level) = settings.isolation {
        let level = level.sql().to_ascii_lowercase();
        statements.push(format!("SET default_transaction_isolation = '{level}'"));
    }
    if let Some(seconds) = settings.lock_wait_timeout {
        statements.push(format!("SET lock_timeout = '{seconds}s'"));
    }
    if let Some(timeout) = settings.deadlock_timeout {
        statements.push(set_deadlock_timeout_if_allowed(timeout));
    }
    statements.join("; ")
}

/// Superusers may, and since PostgreSQL 15 whoever was granted it. Trying is the one way to know that
/// every version understands.
fn set_deadlock_timeout_if_allowed(timeout: Duration) -> String {
    // Whole milliseconds are what it counts in, and zero is none that it takes.
    let milliseconds = timeout.as_millis().max(1);
    format!(
        "DO $$ BEGIN SET deadlock_timeout = '{milliseconds}ms'; \
         EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
    )
}

async fn ask(connection: &mut PgConnection) -> Result<Engine, OpenError> {
    let (version, isolation): (String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('default_transaction_isolation')",
    )
    .fetch_one(connection)
    .await?;
    let isolation = isolation
        .parse()
        .map_err(|message: String| Fault::other(message))?;
    Ok(Engine {
        flavour: Flavour::Postgres,
        version: number_of(&version).to_owned(),
        isolation: match isolation {
            // So it may be configured, but this is what it does.
            Isolation::ReadUncommitted => Isolation::ReadCommitted,
            own => own,
        },
        snapshot_isolation: false,
        rolls_back_on_timeout: false,
        can_switch_snapshot_isolation: false,
        journal: None,
    })
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
    fn a_connection_is_told_only_what_was_set() {
        let unset = Settings::default();
        assert_eq!(greeting(&unset), "SET client_min_messages = warning");
        let set = Settings {
            isolation: Some(Isolation::RepeatableRead),
            lock_wait_timeout: Some(5),
            deadlock_timeout: Some(Duration::from_micros(10)),
            ..unset
        };
        let greeting = greeting(&set);
        for words in [
            "default_transaction_isolation = 'repeatable read'",
            "lock_timeout = '5s'",
            "deadlock_timeout = '1ms'",
        ] {
            assert!(greeting.contains(words), "{words:?} is not in {greeting}");
        }
    }
}
