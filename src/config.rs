//! What the commands can be told, one struct per subsystem. Each option is an environment variable
//! as well.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::engine::choice::{self, DatabaseUrl, Lifetime, Opened};
use crate::engine::{self, Isolation, Journal, local};
use crate::exhibits::deposits::{LongDelay, Retry};
use crate::exhibits::exports::Folder;
use crate::exhibits::exports::janitor::Janitor;
use crate::explore::report::{self, FindingJson};
use crate::explore::{Client, Plan, Schedule, Schedules};
use crate::http::{self, Instance, Limits};
use crate::survey::{self, Found};
use crate::watch::{ServiceUrl, Watch};

/// Which database, and how to treat it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct EngineOptions {
    /// The database: mysql://USER:PASSWORD@HOST:PORT/DATABASE (MySQL or MariaDB), postgres://…
    /// likewise, sqlite:PATH, sqlite::memory: (temporary), or local:, local:mysql, local:mariadb,
    /// local:postgres for a private server that is started and stopped with the lab. Without it:
    /// local: (MySQL or MariaDB) where one is found, else SQLite. A user and a password are
    /// percent-encoded: / is %2F, # is %23, ? is %3F, @ is %40, : is %3A, % is %25. After a ? MySQL
    /// takes socket, ssl-mode, ssl-ca, ssl-cert, ssl-key, charset, collation and timezone;
    /// PostgreSQL takes host, hostaddr, port, dbname, user, password, sslmode, sslrootcert,
    /// sslcert, sslkey, application_name, options and options[...]; both take
    /// statement-cache-capacity. What a URL of PostgreSQL leaves out is taken from PGHOST, PGPORT,
    /// PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE, PGOPTIONS and the like, and a password from
    /// ~/.pgpass.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<AsTyped>,

    /// The isolation level of every transaction and statement [default: the engine's own].
    #[arg(long, value_name = "LEVEL", env = "RACY_ISOLATION")]
    pub isolation: Option<Isolation>,

    /// How many seconds a statement waits for a lock [default: the engine's own, which is 50 on InnoDB
    /// and for ever on PostgreSQL; SQLite: 50].
    #[arg(
        long,
        value_name = "SECONDS",
        env = "RACY_LOCK_WAIT_TIMEOUT",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub lock_wait_timeout: Option<u32>,

    /// MariaDB: switch innodb_snapshot_isolation on or off for every connection [default: the
    /// server's own; on since MariaDB 11.6.2].
    #[arg(
        long,
        value_name = "on|off",
        env = "RACY_SNAPSHOT_ISOLATION",
        value_parser = on_or_off
    )]
    pub snapshot_isolation: Option<bool>,

    /// SQLite: how it keeps its journal.
    #[arg(long, value_name = "MODE", env = "RACY_JOURNAL", default_value = "wal")]
    pub journal: Journal,

    /// At most this number of database connections. Requests beyond queue for one, and while they
    /// do, they cannot race. serve keeps up to three of them for the keeper, health and metrics,
    /// but no more than a quarter.
    #[arg(
        long,
        value_name = "N",
        env = "RACY_DB_CONNECTIONS",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub db_connections: u32,
}

/// What was typed, which may hold a password: it is never shown.
#[derive(Clone)]
struct AsTyped(String);

impl fmt::Debug for AsTyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl FromStr for AsTyped {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl EngineOptions {
    /// The database that was named, if any. Read here and not by clap, whose complaint about a
    /// mistyped URL would show the password in it.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn database_url(&self) -> Result<Option<DatabaseUrl>, String> {
        let url = self.database_url.as_ref();
        let url = url.map(|AsTyped(text)| text.parse()).transpose();
        url.map_err(|error| format!("--database-url (or DATABASE_URL): {error}"))
    }

    /// The settings for the database.
    pub fn settings(&self) -> engine::Settings {
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
pub struct DatabaseOptions {
    /// Which database.
    #[command(flatten)]
    pub engine: EngineOptions,

    /// Refuse a database whose schema is not up to date, instead of migrating it: racy migrate does
    /// that. A schema that is up to date is not changed anyway, and a user suffices who may only
    /// read and write rows.
    #[arg(long, env = "RACY_NO_MIGRATE", value_parser = BoolishValueParser::new())]
    pub no_migrate: bool,
}

impl DatabaseOptions {
    /// Opens the database.
    ///
    /// # Errors
    /// What is wrong with its URL, why it did not open, or what its schema lacks.
    pub async fn open(
        &self,
        lifetime: Lifetime,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Opened, Box<dyn Error>> {
        let url = self.engine.database_url()?;
        let settings = self.engine.settings();
        Ok(match self.no_migrate {
            true => choice::open_up_to_date(url.as_ref(), lifetime, &settings, say).await?,
            false => choice::open(url.as_ref(), lifetime, &settings, say).await?,
        })
    }
}

/// What to explore, and how to show it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Exploring")]
pub struct ExploreOptions {
    /// How many clients run at once. Schedules of three or more that are bound to end alike are run
    /// once for all of them.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(1..=Client::MOST as i64)
    )]
    pub clients: u8,

    /// By how many instances of the service the clients are served: 1, or as many as there are clients
    /// [default: both, where it makes a difference; with --schedule: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=Client::MOST as i64))]
    pub instances: Option<u8>,

    /// Which schedules: every one, some drawn at random, or the one that --schedule gives [default:
    /// exhaustive; with --schedule: replay].
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<PolicyName>,

    /// With --policy random: the same seed draws the same schedules [default: 1].
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,

    /// With --policy random: how many schedules to draw [default: 1000].
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: Option<u32>,

    /// Run this schedule alone: one letter for each step, e.g. 'A A B A B B'. Thinking and the rollback
    /// after a refusal have no letter, nor has giving up a lock in the process.
    #[arg(long, value_name = "SCHEDULE")]
    pub schedule: Option<String>,

    /// Run so many schedules at once, each on an account of its own.
    #[arg(
        long,
        value_name = "N",
        default_value_t = survey::PARALLEL as u8,
        value_parser = clap::value_parser!(u8).range(1..)
    )]
    pub parallel: u8,

    /// Run at most that many schedules of each strategy.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    /// How to print what was found. HTML is one page without anything outside itself.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ExploreFormat,

    /// Explore every engine that is found here, in every mode and at every isolation level, and show a
    /// table for each. With --database-url that engine alone, with --isolation that level alone.
    #[arg(long)]
    pub matrix: bool,
}

/// Which schedules to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// Every one.
    Exhaustive,
    /// Some, drawn at random.
    Random,
    /// The one that --schedule gives.
    Replay,
}

/// How to print what the explorer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExploreFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For a document.
    Markdown,
    /// For a browser.
    Html,
}

impl ExploreOptions {
    /// The plan for so many named strategies (none: all).
    ///
    /// # Errors
    /// What does not fit together, and what would.
    pub fn plan(&self, strategies: usize) -> Result<Plan, String> {
        let clients = usize::from(self.clients);
        let schedules = match (self.policy, &self.schedule) {
            (None | Some(PolicyName::Replay), Some(_)) if strategies != 1 => {
                return Err("--schedule is one strategy's: name it".to_owned());
            }
            (None | Some(PolicyName::Replay), Some(schedule)) => {
                let schedule = Schedule::parse(schedule, clients);
                Schedules::One(schedule.map_err(|error| format!("--schedule: {error}"))?)
            }
            (Some(PolicyName::Replay), None) => {
                return Err("--policy replay wants a --schedule, e.g. 'A A B A B B'".to_owned());
            }
            (Some(_), Some(_)) => {
                return Err("--schedule is for --policy replay; leave one of them out".to_owned());
            }
            (None | Some(PolicyName::Exhaustive), None) => Schedules::All {
                reduced: clients > 2,
            },
            (Some(PolicyName::Random), None) => Schedules::Sample {
                seed: self.seed.unwrap_or(1),
                runs: self.runs.unwrap_or(1000),
            },
        };
        if let Some(instances) = self.instances
            && instances != 1
            && instances != self.clients
        {
            return Err(format!(
                "--instances is 1, or {clients} for {clients} clients: only then are they all alike"
            ));
        }
        if self.matrix && matches!(schedules, Schedules::One(_)) {
            return Err("--schedule is for one engine; leave --matrix out".to_owned());
        }
        if (self.seed.is_some() || self.runs.is_some())
            && !matches!(schedules, Schedules::Sample { .. })
        {
            return Err("--seed and --runs are for --policy random: add it".to_owned());
        }
        Ok(Plan {
            schedules,
            clients,
            instances: 1,
            limit: self.limit,
        })
    }

    /// What was found, in the format that was asked for.
    ///
    /// # Errors
    /// Where JSON cannot be written.
    pub fn render(&self, found: &Found) -> serde_json::Result<String> {
        let (findings, missing) = (&found.findings, &found.missing);
        Ok(match self.format {
            ExploreFormat::Json => {
                let findings: Vec<_> = findings.iter().map(FindingJson::of).collect();
                format!("{}\n", serde_json::to_string_pretty(&findings)?)
            }
            ExploreFormat::Html => report::matrix::html(findings, missing),
            ExploreFormat::Text | ExploreFormat::Markdown if self.matrix => {
                report::matrix::markdown(findings, missing)
            }
            ExploreFormat::Text => report::text(findings),
            ExploreFormat::Markdown => report::markdown(findings),
        })
    }
}

/// Where the service listens, for the service itself and for who asks it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub struct ListenOption {
    /// Where to listen, as IP:PORT; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "RACY_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = listen_address
    )]
    pub listen: SocketAddr,
}

/// How the service treats its clients.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceOptions {
    /// Where the service is.
    #[command(flatten)]
    pub listening: ListenOption,

    /// Carry out at most that many requests at a time, as that many synchronous workers would
    /// [default: as many as come]. With 1, no race of deposits is possible. The keeper's requests
    /// need no worker.
    #[arg(long, value_name = "N", env = "RACY_WORKERS", value_parser = workers)]
    pub workers: Option<usize>,

    /// How long the strategies think that give others time to interfere: a time, or a range to draw from. These are
    /// *_long_delay, lock_without_transaction, lock_after_read, retry_same_snapshot, retry_only_statement and
    /// mutex_in_process.
    #[arg(
        long,
        value_name = "MIN..MAX",
        env = "RACY_LONG_DELAY",
        default_value = "3s..10s",
        value_parser = long_delay
    )]
    pub long_delay: LongDelay,

    /// How strategies that try again pause between their attempts, of which there are six at most.
    #[arg(
        long,
        value_name = "POLICY",
        env = "RACY_RETRY",
        default_value = "jitter"
    )]
    pub retry: Retry,

    /// How long a client may take to send its headers, and again for its body.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_HEADER_TIMEOUT",
        default_value = "10s",
        value_parser = positive_duration
    )]
    pub header_timeout: Duration,

    /// How long a client is kept waiting for an answer; the work goes on after that.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_REQUEST_TIMEOUT",
        default_value = "120s",
        value_parser = positive_duration
    )]
    pub request_timeout: Duration,

    /// How long a client may read nothing of its answer before it is cut off. A slow one is not, as
    /// long as it takes some 16 KB in that time.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_WRITE_TIMEOUT",
        default_value = "30s",
        value_parser = positive_duration
    )]
    pub write_timeout: Duration,

    /// The most connections of clients; fewer where the process may not have enough files open.
    /// Where all are taken, idle ones are closed. Where none is idle, only health, metrics and the
    /// keeper's requests are carried out, and all others are answered with 503.
    #[arg(
        long,
        value_name = "N",
        env = "RACY_CLIENT_CONNECTIONS",
        default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub client_connections: u32,

    /// How long an Idempotency-Key is known. Afterwards the same key is a new one.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_IDEMPOTENCY_TTL",
        default_value = "24h",
        value_parser = positive_duration
    )]
    pub idempotency_ttl: Duration,

    /// Believe the proxy in front: who the client is (X-Forwarded-For or X-Real-IP), whether it came over
    /// TLS (X-Forwarded-Proto), and the request's id (X-Request-Id). Only where nobody can get past
    /// the proxy, which must set these headers itself.
    #[arg(long, env = "RACY_BEHIND_PROXY", value_parser = BoolishValueParser::new())]
    pub behind_proxy: bool,

    /// The name of this instance, for X-Racy-Instance in every response [default: the host's].
    #[arg(long, value_name = "NAME", env = "RACY_INSTANCE")]
    pub instance: Option<Instance>,

    /// Where exports are written: a folder that is made where it is not there. Replicas that share it write
    /// the same files [default: exports in the folder of the lab's own data].
    #[arg(long, value_name = "FOLDER", env = "RACY_EXPORT_DIR")]
    pub export_dir: Option<PathBuf>,

    /// How long exports are kept after they were written.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_EXPORT_TTL",
        default_value = "1h",
        value_parser = positive_duration
    )]
    pub export_ttl: Duration,

    /// How often older exports are looked for and deleted.
    #[arg(
        long,
        value_name = "TIME",
        env = "RACY_EXPORT_SWEEP",
        default_value = "1m",
        value_parser = positive_duration
    )]
    pub export_sweep: Duration,

    /// How to write the log.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "RACY_LOG_FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

impl ServiceOptions {
    /// The export folder, which is made where it is not there.
    ///
    /// # Errors
    /// Where there is no place for it, or it cannot be used; and what would help.
    pub fn export_folder(&self) -> Result<Folder, String> {
        let path = match &self.export_dir {
            Some(path) => path.clone(),
            None => local::default_root()
                .map_err(|_| {
                    "there is no place for exports: give --export-dir a folder (or set RACY_DATA_DIR, or HOME)"
                        .to_owned()
                })?
                .join("exports"),
        };
        let folder = Folder::at(path);
        folder.create().map_err(|error| {
            format!(
                "the export folder {} cannot be used: {error}; --export-dir takes another",
                folder.path().display()
            )
        })?;
        Ok(folder)
    }

    /// Who keeps the export folder small.
    pub fn janitor(&self, folder: Folder) -> Janitor {
        Janitor {
            folder,
            ttl: self.export_ttl,
            every: self.export_sweep,
        }
    }

    /// The settings for the service, with at most `clients` connections of clients, and `kept` to
    /// the database for the keeper.
    pub fn settings(&self, exports: Folder, clients: u32, kept: u32) -> http::Settings {
        http::Settings {
            exports,
            workers: self.workers,
            long_delay: self.long_delay.clone(),
            retry: self.retry,
            header_timeout: self.header_timeout,
            request_timeout: self.request_timeout,
            idempotency_ttl: self.idempotency_ttl,
            behind_proxy: self.behind_proxy,
            instance: self.instance.clone().unwrap_or_else(Instance::of_this_host),
            limits: Limits {
                connections: clients as usize,
                kept_database_connections: kept,
                write_timeout: self.write_timeout,
            },
        }
    }
}

/// Which service to watch, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Watching")]
pub struct WatchOptions {
    /// Where the service is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: ServiceUrl,

    /// How long to wait between two looks.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = watch_interval)]
    pub interval: Duration,

    /// Show the figures of one interval, and end. A service that does not answer is an error then.
    #[arg(long)]
    pub once: bool,
}

impl WatchOptions {
    /// What to watch.
    pub fn watch(&self) -> Watch {
        Watch {
            service: self.url.clone(),
            interval: self.interval,
            once: self.once,
        }
    }
}

/// How to write the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line per event, for people.
    Text,
    /// A JSON object per event, for programs.
    Json,
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("give on or off".to_owned()),
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "give an IP address and a port, e.g. 127.0.0.1:8080 or [::1]:8080".to_owned())
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(workers) if (1..=MOST_WORKERS).contains(&workers) => Ok(workers),
        _ => Err(format!(
            "give a number from 1 to {MOST_WORKERS}; leave it out for no limit"
        )),
    }
}

const MOST_WORKERS: usize = 100_000;

fn long_delay(text: &str) -> Result<LongDelay, String> {
    let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
    let (shortest, longest) = (duration(shortest)?, duration(longest)?);
    if shortest > longest {
        return Err("the shorter time comes first, e.g. 3s..10s".to_owned());
    }
    Ok(LongDelay(shortest..=longest))
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() {
        return Err("it has to be longer than zero".to_owned());
    }
    Ok(duration)
}

/// Whoever looks more often changes what they look at.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

fn watch_interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err(format!("it has to be {SHORTEST_INTERVAL:?} or longer"));
    }
    Ok(interval)
}

/// No delay or limit of the lab is meant to be longer than a day.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads a time: a number with `us`, `ms`, `s`, `m` or `h`, or seconds where there is no unit.
fn duration(text: &str) -> Result<Duration, String> {
    let complaint =
        || format!("{text:?} is no time: give a number and us, ms, s, m or h, e.g. 50ms");
    let text = text.trim();
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(complaint()),
    };
    let number = f64::from_str(number).map_err(|_| complaint())?;
    Duration::try_from_secs_f64(number * seconds_per_unit)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("{text:?} is longer than a day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, time) in [
            ("0", Duration::ZERO),
            ("3", Duration::from_secs(3)),
            ("3s", Duration::from_secs(3)),
            ("1.5s", Duration::from_millis(1500)),
            ("50ms", Duration::from_millis(50)),
            ("200us", Duration::from_micros(200)),
            (" 2 m ", Duration::from_secs(120)),
            ("24h", Duration::from_hours(24)),
        ] {
            assert_eq!(duration(text), Ok(time), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1d",
            "25h",
            "1..2",
            "1.2.3s",
            "99999999m",
            "NaN",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_delay_is_a_time_or_a_range() {
        let range = |shortest, longest| {
            Ok(LongDelay(
                Duration::from_millis(shortest)..=Duration::from_millis(longest),
            ))
        };
        assert_eq!(long_delay("3s..10s"), range(3000, 10000));
        assert_eq!(long_delay("50ms..150ms"), range(50, 150));
        assert_eq!(long_delay("20ms"), range(20, 20));
        assert_eq!(long_delay("0"), range(0, 0));
        assert!(long_delay("10s..3s").unwrap_err().contains("shorter"));
        assert!(long_delay("..").is_err());
    }

    #[test]
    fn the_service_is_not_watched_too_often() {
        assert_eq!(watch_interval("100ms"), Ok(Duration::from_millis(100)));
        assert!(
            watch_interval("99ms")
                .unwrap_err()
                .contains("100ms or longer")
        );
        assert!(watch_interval("often").is_err());
    }

    #[test]
    fn no_workers_is_not_a_number_of_workers() {
        assert_eq!(workers("4"), Ok(4));
        assert!(workers("0").unwrap_err().contains("leave it out"));
        assert!(workers("many").is_err());
    }
}
