//! What `--database-url` may say.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::local::Wanted;

/// What `--database-url` names.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// `mysql://user:password@host:port/database`: a server that somebody else runs.
    MySql(Box<MySqlConnectOptions>),
    /// `postgres://user:password@host:port/database`: the same.
    Postgres(Box<PgConnectOptions>),
    /// `sqlite:PATH`: a file.
    SqliteFile(PathBuf),
    /// `sqlite::memory:`, or `sqlite:` alone: a database that is gone afterwards. A file in a
    /// private folder all the same, because SQLite's connections share memory by other rules of
    /// locking than they share a file.
    SqliteTemporary,
    /// `local:`, `local:mysql`, `local:mariadb`, `local:postgres`: a private server that the lab starts itself.
    Local(Wanted),
}

/// The forms that it takes, for people.
const FORMS: &str = "mysql://USER:PASSWORD@HOST:PORT/DATABASE, \
                         postgres://USER:PASSWORD@HOST:PORT/DATABASE, sqlite:PATH, \
                         sqlite::memory:, local:, local:mysql, local:mariadb or local:postgres";

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| format!("it names no engine; give {FORMS}"))?;
        match (scheme, rest) {
            ("mysql" | "mariadb", _) => mysql_url(rest),
            ("postgres" | "postgresql", _) => postgres_url(rest),
            ("sqlite", "" | ":memory:" | "//:memory:") => Ok(Self::SqliteTemporary),
            ("sqlite", path) => sqlite_path(path),
            ("local", "") => Ok(Self::Local(Wanted::Any)),
            ("local", "mysql") => Ok(Self::Local(Wanted::MySql)),
            ("local", "mariadb") => Ok(Self::Local(Wanted::MariaDb)),
            ("local", "postgres" | "postgresql") => Ok(Self::Local(Wanted::Postgres)),
            // Never the whole text: it may hold a password.
            ("local", _) => Err(format!(
                "local: starts mysql, mariadb or postgres; give {FORMS}"
            )),
            _ => Err(format!(
                "it names no engine that is known here; give {FORMS}"
            )),
        }
    }
}

fn mysql_url(rest: &str) -> Result<DatabaseUrl, String> {
    let options = MySqlConnectOptions::from_str(&format!("mysql:{rest}"))
        .map_err(|error| format!("{error}; give mysql://USER:PASSWORD@HOST:PORT/DATABASE"))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err("it names no database; add one: mysql://…/DATABASE".to_owned());
    }
    Ok(DatabaseUrl::MySql(Box::new(options)))
}

fn postgres_url(rest: &str) -> Result<DatabaseUrl, String> {
    let options = PgConnectOptions::from_str(&format!("postgres:{rest}"))
        .map_err(|error| format!("{error}; give postgres://USER:PASSWORD@HOST:PORT/DATABASE"))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err("it names no database; add one: postgres://…/DATABASE".to_owned());
    }
    Ok(DatabaseUrl::Postgres(Box::new(options)))
}

fn sqlite_path(path: &str) -> Result<DatabaseUrl, String> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('?') {
        return Err(
            "a SQLite file is named by its path alone, without options: sqlite:PATH".to_owned(),
        );
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
                    None => write!(
                        f,
                        "mysql://{}:{}/{database}",
                        options.get_host(),
                        options.get_port()
                    ),
                }
            }
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                let port = options.get_port();
                match options.get_socket() {
                    Some(folder) => write!(f, "postgres:{database} at {}:{port}", folder.display()),
                    None => write!(f, "postgres://{}:{port}/{database}", options.get_host()),
                }
            }
            Self::SqliteFile(path) => write!(f, "sqlite:{}", path.display()),
            Self::SqliteTemporary => f.write_str("sqlite::memory:"),
            Self::Local(Wanted::Any) => f.write_str("local:"),
            Self::Local(Wanted::MySql) => f.write_str("local:mysql"),
            Self::Local(Wanted::MariaDb) => f.write_str("local:mariadb"),
            Self::Local(Wanted::Postgres) => f.write_str("local:postgres"),
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
    fn what_is_not_understood_is_told_what_would_be() {
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
    fn a_password_is_never_shown() {
        let url: DatabaseUrl = "mysql://u:secret@db/bank".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("secret"));
        for mistake in [
            "mysql://u:secret@db",
            "mysql://u:secret@db:port/x",
            "postgres://u:secret@db",
            "postgres://u:secret@db:port/x",
            "postgre://u:secret@db/x",
            "mysq://u:secret@db/x",
        ] {
            assert!(!parsed(mistake).contains("secret"), "{}", parsed(mistake));
        }
    }
}
