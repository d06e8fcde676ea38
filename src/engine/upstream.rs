//! What another program needs to reach a database that was opened here, through a proxy.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlSslMode;

use super::{Address, Database};

/// What is encoded in a URL: all but the letters that mean themselves everywhere.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A database as another program reaches it.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
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
            Self::Port(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// The password is not shown.
impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Upstream");
        shown
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
            "mysql://{}{password}@{proxy}/{}",
            encoded(&self.user),
            encoded(&self.database)
        )
    }
}

impl Database {
    /// How another program reaches this database.
    ///
    /// # Errors
    /// Why it cannot be reached through a proxy, in words.
    pub fn upstream(&self) -> Result<Upstream, &'static str> {
        let Address::MySql(options) = &self.address else {
            return Err("an application can be explored on MySQL and MariaDB alone");
        };
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
        let server = match options.get_socket() {
            Some(socket) => ServerPlace::Socket(socket.clone()),
            None => ServerPlace::Port(options.get_host().to_owned(), options.get_port()),
        };
        let url = options.to_url_lossy();
        let password = url.password().unwrap_or_default();
        Ok(Upstream {
            server,
            user: options.get_username().to_owned(),
            password: percent_decode_str(password)
                .decode_utf8_lossy()
                .into_owned(),
            database: options.get_database().unwrap_or_default().to_owned(),
        })
    }
}
