//! The URLs that `--database-url` accepts.

use std::env;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::local::ServerKind;
use super::parameters::{MYSQL, POSTGRES, check_postgres_variables, is_a_port};

/// The database that `--database-url` names.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// `mysql://user:password@host:port/database`: a server that runs already.
    MySql(Box<MySqlConnectOptions>),
    /// `postgres://user:password@host:port/database`: the same.
    Postgres(Box<PgConnectOptions>),
    /// `sqlite:PATH`: a file.
    SqliteFile(PathBuf),
    /// `sqlite::memory:`, or `sqlite:` alone: a database that is removed afterwards. It is a file
    /// in a private folder, because SQLite's locks work differently for connections that share
    /// memory.
    SqliteTemporary,
    /// `local:`, `local:mysql`, `local:mariadb`, `local:postgres`: a private server that the lab
    /// starts itself.
    Local(ServerKind),
}

/// The forms of the URL, for people.
const FORMS: &str = "mysql://USER:PASSWORD@HOST:PORT/DATABASE, \
                         postgres://USER:PASSWORD@HOST:PORT/DATABASE, sqlite:PATH, \
                         sqlite::memory:, local:, local:mysql, local:mariadb or local:postgres";

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| format!("it names no engine; give {FORMS}"))?;
        match (scheme.to_ascii_lowercase().as_str(), rest) {
            ("mysql" | "mariadb", _) => mysql_url(rest),
            ("postgres" | "postgresql", _) => postgres_url(rest),
            ("sqlite", "" | ":memory:" | "//:memory:") => Ok(Self::SqliteTemporary),
            ("sqlite", path) => sqlite_path(path),
            ("local", "") => Ok(Self::Local(ServerKind::Any)),
            ("local", "mysql") => Ok(Self::Local(ServerKind::MySql)),
            ("local", "mariadb") => Ok(Self::Local(ServerKind::MariaDb)),
            ("local", "postgres" | "postgresql") => Ok(Self::Local(ServerKind::Postgres)),
            // No error shows the text, because it may contain a password.
            ("local", _) => Err(format!(
                "local: starts mysql, mariadb or postgres; give {FORMS}"
            )),
            _ => Err(format!("it names no known engine; give {FORMS}")),
        }
    }
}

/// The parts of a server's URL, not decoded.
struct UrlParts<'t> {
    host: &'t str,
    database: &'t str,
    query: &'t str,
}

impl<'t> UrlParts<'t> {
    /// Splits what follows `mysql:` or `postgres:`. No error shows a piece of the text, because a
    /// password with a `/` in it may end in any part.
    fn of(rest: &'t str) -> Result<Self, String> {
        let text = rest
            .strip_prefix("//")
            .ok_or("two slashes must follow the engine's name")?;
        if text.contains(|it: char| it.is_whitespace() || it.is_control()) {
            return Err(to_be_encoded("a space or a control character"));
        }
        if text.contains('#') {
            return Err(to_be_encoded("a #"));
        }
        let end = text.find(['/', '?']).unwrap_or(text.len());
        let (authority, tail) = text.split_at(end);
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let ends_too_late = !authority.contains('@') && query.contains('@');
        if path.contains('@') || ends_too_late {
            return Err(to_be_encoded(&format!("a {}", &tail[..1])));
        }
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if has_a_stray_percent(user) {
            return Err(to_be_encoded("a %"));
        }
        check_host(host)?;
        let database = path.strip_prefix('/').unwrap_or(path);
        if database.contains('/') {
            return Err("only the database's name may follow the host: …HOST/DATABASE".into());
        }
        Ok(Self {
            host,
            database,
            query,
        })
    }
}

fn to_be_encoded(what: &str) -> String {
    format!(
        "{what} has another meaning in a URL; percent-encode the user and the password: / is %2F, \
         # is %23, ? is %3F, @ is %40, : is %3A, % is %25, a space is %20"
    )
}

/// Whether there is a `%` without two hexadecimal digits after it.
fn has_a_stray_percent(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_none_or(|digits| !digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Checks a host with an optional port. The host may be a name, an IPv6 address in brackets, or
/// empty.
fn check_host(host: &str) -> Result<(), String> {
    let port = if let Some(rest) = host.strip_prefix('[') {
        let (address, port) = rest.split_once(']').unwrap_or((rest, ""));
        if address.parse::<Ipv6Addr>().is_err() {
            return Err("the text in brackets is not an IPv6 address, such as [::1]".to_owned());
        }
        port
    } else {
        let colon = host.find(':').unwrap_or(host.len());
        if host.parse::<Ipv6Addr>().is_ok() {
            return Err("an IPv6 address must be in brackets: [::1]".to_owned());
        }
        &host[colon..]
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(number) if is_a_port(number) => Ok(()),
        _ => Err(
            "the port after the host is not a number from 1 to 65535. (If it is not a port but a \
             piece of the user or the password: percent-encode / # ? @ : and % there, / is %2F)"
                .to_owned(),
        ),
    }
}

fn mysql_url(rest: &str) -> Result<DatabaseUrl, String> {
    let with_advice =
        |mistake: String| format!("{mistake}; give mysql://USER:PASSWORD@HOST:PORT/DATABASE");
    let parts = UrlParts::of(rest).map_err(with_advice)?;
    if parts.database.is_empty() {
        return Err("it names no database; add one: mysql://…/DATABASE".to_owned());
    }
    MYSQL.read(parts.query)?;
    let options = MySqlConnectOptions::from_str(&format!("mysql:{rest}"))
        .map_err(|error| with_advice(error.to_string()))?;
    // sqlx keeps the brackets, and would look for a host with that name.
    let options = match without_brackets(options.get_host()) {
        Some(address) => options.clone().host(address),
        None => options,
    };
    Ok(DatabaseUrl::MySql(Box::new(options)))
}

fn postgres_url(rest: &str) -> Result<DatabaseUrl, String> {
    let with_advice =
        |mistake: String| format!("{mistake}; give postgres://USER:PASSWORD@HOST:PORT/DATABASE");
    let parts = UrlParts::of(rest).map_err(with_advice)?;
    let given = POSTGRES.read(parts.query)?;
    if given.has("dbname") && !parts.database.is_empty() {
        return Err(
            "it names a database in its path and another one as dbname; name one".to_owned(),
        );
    }
    if given.has("hostaddr") && (given.has("host") || !parts.host.is_empty()) {
        return Err("hostaddr would replace the host; name one of the two".to_owned());
    }
    check_postgres_variables(&given, |name| env::var(name).ok())?;
    let options = PgConnectOptions::from_str(&format!("postgres:{rest}"))
        .map_err(|error| with_advice(error.to_string()))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err("it names no database; add one: postgres://…/DATABASE".to_owned());
    }
    let options = match without_brackets(options.get_host()) {
        Some(address) => options.clone().host(address),
        None => options,
    };
    Ok(DatabaseUrl::Postgres(Box::new(options)))
}

fn without_brackets(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

/// The Unix socket at which a server of PostgreSQL is looked for. None if that is a port.
pub(super) fn postgres_socket(options: &PgConnectOptions) -> Option<PathBuf> {
    let host = options.get_host();
    let folder = options.get_socket().map(PathBuf::as_path);
    let folder = folder.or_else(|| host.starts_with('/').then(|| Path::new(host)));
    folder.map(|it| it.join(format!(".s.PGSQL.{}", options.get_port())))
}

/// A host and its port, as a URL spells them.
pub(super) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn sqlite_path(path: &str) -> Result<DatabaseUrl, String> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('?') {
        return Err(
            "name a SQLite file by its path alone, without options: sqlite:PATH".to_owned(),
        );
    }
    if path.starts_with("file:") {
        return Err("name a SQLite file by its path alone: leave file: out".to_owned());
    }
    if path.starts_with(':') {
        return Err("a temporary SQLite database is called sqlite::memory:".to_owned());
    }
    Ok(DatabaseUrl::SqliteFile(path.into()))
}

/// Leaves the password out.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(options) => {
                let database = options.get_database().unwrap_or_default();
                match options.get_socket() {
                    Some(socket) => write!(f, "mysql:{} at {}", database, socket.display()),
                    None => {
                        let host = host_and_port(options.get_host(), options.get_port());
                        write!(f, "mysql://{host}/{database}")
                    }
                }
            }
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                let port = options.get_port();
                match options.get_socket() {
                    Some(folder) => write!(f, "postgres:{database} at {}:{port}", folder.display()),
                    None if options.get_host().starts_with('/') => {
                        write!(f, "postgres:{database} at {}:{port}", options.get_host())
                    }
                    None => {
                        let host = host_and_port(options.get_host(), port);
                        write!(f, "postgres://{host}/{database}")
                    }
                }
            }
            Self::SqliteFile(path) => write!(f, "sqlite:{}", path.display()),
            Self::SqliteTemporary => f.write_str("sqlite::memory:"),
            Self::Local(ServerKind::Any) => f.write_str("local:"),
            Self::Local(ServerKind::MySql) => f.write_str("local:mysql"),
            Self::Local(ServerKind::MariaDb) => f.write_str("local:mariadb"),
            Self::Local(ServerKind::Postgres) => f.write_str("local:postgres"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match text.parse::<DatabaseUrl>() {
            Ok(url) => url.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn every_form_is_understood() {
        for (text, understood) in [
            ("mysql://u:secret@db:3307/bank", "mysql://db:3307/bank"),
            ("mariadb://u@db/bank", "mysql://db:3306/bank"),
            (
                "postgres://u:secret@db:5433/bank",
                "postgres://db:5433/bank",
            ),
            ("postgresql://u@db/bank", "postgres://db:5432/bank"),
            (
                "postgres://u@localhost/bank?host=/run/pg",
                "postgres:bank at /run/pg:5432",
            ),
            ("sqlite:bank.db", "sqlite:bank.db"),
            ("sqlite:///var/bank.db", "sqlite:/var/bank.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite:", "sqlite::memory:"),
            ("local:", "local:"),
            ("local:mysql", "local:mysql"),
            ("local:mariadb", "local:mariadb"),
            ("local:postgres", "local:postgres"),
        ] {
            assert_eq!(parsed(text), understood);
        }
    }

    #[test]
    fn the_error_for_an_unknown_url_lists_the_known_ones() {
        for text in ["", "bank.db", "oracle:x", "local:oracle"] {
            let answer = parsed(text);
            assert!(answer.starts_with("error: "), "{text}: {answer}");
            assert!(answer.contains("local:mysql"), "{text}: {answer}");
        }
        assert!(parsed("mysql://u@db").contains("names no database"));
        assert!(parsed("mysql://u@db/").contains("names no database"));
        assert!(parsed("postgres://u@db").contains("names no database"));
        assert!(parsed("sqlite:a.db?mode=ro").contains("without options"));
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets_and_used_without() {
        assert_eq!(
            parsed("mysql://u@[::1]:3307/bank"),
            "mysql://[::1]:3307/bank"
        );
        assert_eq!(
            parsed("postgres://u@[::1]/bank"),
            "postgres://[::1]:5432/bank"
        );
        assert_eq!(
            parsed("postgres:///bank?hostaddr=::1"),
            "postgres://[::1]:5432/bank"
        );
        let Ok(DatabaseUrl::MySql(options)) = "mysql://u@[::1]/bank".parse() else {
            panic!("it is MySQL's");
        };
        assert_eq!(options.get_host(), "::1");
        assert!(parsed("mysql://u@::1/bank").contains("must be in brackets: [::1]"));
        assert!(parsed("mysql://u@[bank]/bank").contains("not an IPv6 address"));
    }

    #[test]
    fn a_url_with_a_part_that_would_be_ignored_is_refused() {
        for (text, words) in [
            ("mysql://u@h/bank/more", "only the database's name"),
            ("mysql://u@h/bank/", "only the database's name"),
            ("postgres://u@h//bank", "only the database's name"),
            ("mysql:u@h/bank", "two slashes"),
            ("mysql://u@h/bank#x", "%23"),
            ("mysql://u@h/bank?unix_socket=/s", "write socket="),
            ("postgres://u@h/bank?dbname=x", "name one"),
            ("postgres://u@h/bank?hostaddr=::1", "name one of the two"),
            ("sqlite:file:bank.db", "leave file: out"),
            ("sqlite::memory", "sqlite::memory:"),
            ("local:mysql?x", "starts mysql, mariadb or postgres"),
        ] {
            let answer = parsed(text);
            assert!(answer.starts_with("error: "), "{text}: {answer}");
            assert!(answer.contains(words), "{text}: {answer}");
        }
    }

    #[test]
    fn a_password_must_be_percent_encoded() {
        for scheme in ["mysql", "postgres"] {
            for secret in [
                "se/cret",
                "se?cret",
                "se#cret",
                "se%cret",
                "12/cret",
                "12?cret",
                "1?cret=2",
                "se/cret@cret",
                "se@cret/cret",
                "/cret",
                "cret/",
                "se cret",
                "se\tcret",
            ] {
                let answer = parsed(&format!("{scheme}://u:{secret}@db:3306/bank"));
                assert!(answer.contains("percent-encode"), "{secret}: {answer}");
                assert!(!answer.contains("cret"), "{answer}");
            }
            for secret in ["se@cret", "se:cret", "se%2Fcret", "se%20cret", ""] {
                let answer = parsed(&format!("{scheme}://u:{secret}@db:3306/bank"));
                assert_eq!(answer, format!("{scheme}://db:3306/bank"));
            }
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: DatabaseUrl = "mysql://u:secret@db/bank".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("secret"));
        for mistake in [
            "mysql://u:secret@db",
            "mysql://u:secret@db:port/x",
            "mysql:u:secret@db/x",
            "u:secret@db/x",
            "postgres://u:secret@db",
            "postgres://u:secret@db:port/x",
            "postgre://u:secret@db/x",
            "mysq://u:secret@db/x",
        ] {
            assert!(!parsed(mistake).contains("secret"), "{}", parsed(mistake));
        }
    }
}
