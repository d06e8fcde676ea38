//! What another program needs to reach a database that was opened here, through a proxy.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::url::{host_and_port, postgres_socket};
use super::{Address, Database, Flavour};

/// What is encoded in a URL: all but the letters that mean themselves everywhere.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A database as another program reaches it.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Which engine it is.
    pub flavour: Flavour,
    /// Where its server listens.
    pub server: ServerPlace,
    /// Who logs in.
    pub user: String,
    /// The password. Empty if there is none.
    pub password: String,
    /// The database's name.
    pub database: String,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerPlace {
    /// On a port of a host.
    Port(String, u16),
    /// On a Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for ServerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(host, port) => f.write_str(&host_and_port(host, *port)),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// The password is not shown.
impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Upstream");
        shown
            .field("flavour", &self.flavour)
            .field("server", &self.server)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// The URL of this database for a program that goes through a proxy at this address.
    pub fn url_through(&self, proxy: SocketAddr) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let password = match self.password.as_str() {
            "" => String::new(),
            password => format!(":{}", encoded(password)),
        };
        format!(
            "{}://{}{password}@{proxy}/{}",
            self.scheme(),
            encoded(&self.user),
            encoded(&self.database)
        )
    }
}

impl Upstream {
    /// The same without anybody's name and password.
    pub fn url_to_fill_in(&self, proxy: SocketAddr) -> String {
        let database = utf8_percent_encode(&self.database, ENCODED);
        format!("{}://USER:PASSWORD@{proxy}/{database}", self.scheme())
    }

    fn scheme(&self) -> &'static str {
        match self.flavour {
            Flavour::Postgres => "postgresql",
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => "mysql",
        }
    }
}

impl Database {
    /// How another program reaches this database.
    ///
    /// # Errors
    /// Why it cannot be reached through a proxy, in words.
    pub fn upstream(&self) -> Result<Upstream, &'static str> {
        match &self.address {
            Address::MySql(options) => mysql(options, self.engine.flavour),
            Address::Postgres(options) => postgres(options),
            Address::Sqlite(_) => Err(
                "an application on SQLite has no server to stand in front of: \
                 MySQL, MariaDB and PostgreSQL can be explored",
            ),
        }
    }
}

fn mysql(options: &MySqlConnectOptions, flavour: Flavour) -> Result<Upstream, &'static str> {
    let must_be_encrypted = !matches!(
        options.get_ssl_mode(),
        MySqlSslMode::Disabled | MySqlSslMode::Preferred
    );
    if must_be_encrypted {
        return Err(
            "--database-url demands TLS, and the proxy has none: what the application sends would \
             go in clear. Leave ssl-mode out if the way to the server is safe, or name a server on \
             this machine",
        );
    }
    Ok(Upstream {
        flavour,
        server: match options.get_socket() {
            Some(socket) => ServerPlace::Socket(socket.clone()),
            None => ServerPlace::Port(options.get_host().to_owned(), options.get_port()),
        },
        user: options.get_username().to_owned(),
        password: password_in(&options.clone().username("u").host("h")),
        database: options.get_database().unwrap_or_default().to_owned(),
    })
}

fn postgres(options: &PgConnectOptions) -> Result<Upstream, &'static str> {
    match options.get_ssl_mode() {
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => {}
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => {
            return Err(
                "--database-url demands TLS, and the proxy has none: what the application sends \
                 would go in clear. Leave sslmode out if the way to the server is safe, or name a \
                 server on this machine",
            );
        }
    }
    let user = options.get_username();
    Ok(Upstream {
        flavour: Flavour::Postgres,
        server: match postgres_socket(options) {
            Some(socket) => ServerPlace::Socket(socket),
            None => ServerPlace::Port(options.get_host().to_owned(), options.get_port()),
        },
        password: password_in(&options.clone().username("u").host("h")),
        // The server takes the user's name for a database that is not named.
        database: options.get_database().unwrap_or(user).to_owned(),
        user: user.to_owned(),
    })
}

/// The password, which the drivers tell in a URL alone.
///
/// They put user and host there as they are, and panic if that makes no URL. So the caller has
/// exchanged both for names that do.
fn password_in(options: &impl ConnectOptions) -> String {
    let url = options.to_url_lossy();
    let password = url.password().unwrap_or_default();
    percent_decode_str(password)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::url::DatabaseUrl;

    const PROXY: &str = "127.0.0.1:3307";

    fn reached(url: &str) -> (String, String) {
        let upstream = match url.parse() {
            Ok(DatabaseUrl::MySql(options)) => mysql(&options, Flavour::MySql),
            Ok(DatabaseUrl::Postgres(options)) => postgres(&options),
            other => panic!("{other:?} has no server"),
        };
        let upstream = upstream.unwrap();
        let url = upstream.url_through(PROXY.parse().unwrap());
        (upstream.server.to_string(), url)
    }

    #[test]
    fn a_program_is_given_the_url_of_its_engine() {
        for (url, server, through) in [
            (
                "mysql://a%40b:p%2Fq%20@[::1]:3306/my%2Dshop",
                "[::1]:3306",
                "mysql://a%40b:p%2Fq%20@127.0.0.1:3307/my-shop",
            ),
            (
                "postgres://a%2Fb:p%40q%25@[::1]/shop%20two",
                "[::1]:5432",
                "postgresql://a%2Fb:p%40q%25@127.0.0.1:3307/shop%20two",
            ),
            (
                "postgres://u@localhost:5433/shop?host=/run/pg&sslmode=prefer",
                "/run/pg/.s.PGSQL.5433",
                "postgresql://u@127.0.0.1:3307/shop",
            ),
        ] {
            assert_eq!(reached(url), (server.to_owned(), through.to_owned()));
        }
    }

    #[test]
    fn a_url_that_demands_tls_is_refused() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://u@db/shop?sslmode={mode}");
            let Ok(DatabaseUrl::Postgres(options)) = url.parse() else {
                panic!("{url} is PostgreSQL's");
            };
            let refused = postgres(&options).unwrap_err();
            assert!(refused.contains("demands TLS"), "{refused}");
            assert!(refused.contains("Leave sslmode out"), "{refused}");
        }
    }
}
