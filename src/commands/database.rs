//! Which database: the options that most commands share.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::str::FromStr;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::engine::choice::{self, DatabaseUrl, Lifetime, OpenDatabase};
use crate::engine::{self, Isolation, Journal};

/// Which database, and how to use it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(super) struct EngineOptions {
    /// The database. Without it: local: if there is a MySQL or MariaDB to start, else SQLite.
    ///
    /// A server: mysql://USER:PASSWORD@HOST:PORT/DATABASE, also for MariaDB, or postgres://…
    /// likewise. A file: sqlite:PATH. Temporary: sqlite::memory:. A private server, which is
    /// started and stopped with the lab: local:, local:mysql, local:mariadb or local:postgres.
    ///
    /// A user and a password are percent-encoded: / is %2F, # is %23, ? is %3F, @ is %40, : is %3A,
    /// % is %25.
    ///
    /// After a ? MySQL takes socket, ssl-mode, ssl-ca, ssl-cert, ssl-key, charset, collation and
    /// timezone. PostgreSQL takes host, hostaddr, port, dbname, user, password, sslmode,
    /// sslrootcert, sslcert, sslkey, application_name, options and options[...]. Both take
    /// statement-cache-capacity.
    ///
    /// What a URL of PostgreSQL leaves out is taken from PGHOST, PGPORT, PGUSER, PGPASSWORD,
    /// PGDATABASE, PGSSLMODE, PGOPTIONS and the like, and a password from ~/.pgpass.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<UnparsedUrl>,

    /// The isolation level of every transaction and statement [default: the engine's own].
    #[arg(long, value_name = "LEVEL", env = "RACY_ISOLATION")]
    pub(super) isolation: Option<Isolation>,

    /// How many seconds a statement waits for a lock [default: the engine's own; SQLite: 50].
    ///
    /// The engine's own is 50 on InnoDB, and no limit on PostgreSQL.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "RACY_LOCK_WAIT_TIMEOUT",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub(super) lock_wait_timeout: Option<u32>,

    /// MariaDB: switch innodb_snapshot_isolation on or off [default: the server's own].
    ///
    /// It is switched for every connection. Servers have it on since MariaDB 11.6.2.
    #[arg(
        long,
        value_name = "on|off",
        env = "RACY_SNAPSHOT_ISOLATION",
        value_parser = on_or_off
    )]
    pub(super) snapshot_isolation: Option<bool>,

    /// SQLite: how to keep the journal.
    #[arg(long, value_name = "MODE", env = "RACY_JOURNAL", default_value = "wal")]
    pub(super) journal: Journal,

    /// The most database connections.
    ///
    /// Further requests queue for a connection, and while they do, they do not race. serve keeps up
    /// to three connections for the keeper, health and metrics, but at most a quarter of all.
    #[arg(
        long,
        value_name = "N",
        env = "RACY_DB_CONNECTIONS",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub(super) db_connections: u32,
}

/// A URL as it was typed. It may hold a password, so it is never shown.
#[derive(Clone)]
struct UnparsedUrl(String);

impl fmt::Debug for UnparsedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl FromStr for UnparsedUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl EngineOptions {
    /// Opens the database, and brings its schema up to date.
    pub(super) async fn open(
        &self,
        lifetime: Lifetime,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<OpenDatabase, Box<dyn Error>> {
        let url = self.database_url()?;
        Ok(choice::open(url.as_ref(), lifetime, &self.settings(), say).await?)
    }

    /// The database that was named, if any. It is parsed here and not by clap, whose complaint
    /// about a mistyped URL would show the password.
    pub(super) fn database_url(&self) -> Result<Option<DatabaseUrl>, String> {
        self.database_url
            .as_ref()
            .map(|UnparsedUrl(text)| text.parse())
            .transpose()
            .map_err(|error| format!("--database-url (or DATABASE_URL): {error}"))
    }

    /// The settings for the database.
    pub(super) fn settings(&self) -> engine::Settings {
        engine::Settings {
            isolation: self.isolation,
            lock_wait_timeout: self.lock_wait_timeout,
            snapshot_isolation: self.snapshot_isolation,
            journal: self.journal,
            connections: self.db_connections,
            ..engine::Settings::default()
        }
    }
}

/// Which database, and whether its schema may be changed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(super) struct DatabaseOptions {
    #[command(flatten)]
    pub(super) engine: EngineOptions,

    /// Refuse a database whose schema is not up to date, instead of migrating it.
    ///
    /// racy migrate brings it up to date. Afterwards the lab needs a user who may read and write
    /// rows, and no further rights.
    #[arg(long, env = "RACY_NO_MIGRATE", value_parser = BoolishValueParser::new())]
    pub(super) no_migrate: bool,
}

impl DatabaseOptions {
    /// Opens the database.
    pub(super) async fn open(
        &self,
        lifetime: Lifetime,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<OpenDatabase, Box<dyn Error>> {
        if !self.no_migrate {
            return self.engine.open(lifetime, say).await;
        }
        let url = self.engine.database_url()?;
        let settings = self.engine.settings();
        Ok(choice::open_up_to_date(url.as_ref(), lifetime, &settings, say).await?)
    }
}

pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("give on or off".to_owned()),
    }
}
