//! Why a database cannot be reached, in words; and whether what is said to it is encrypted.
//!
//! The pool says that a connection failed, and of what kind the failure was. A user who has just
//! typed a URL needs more: which part of it is wrong. So the connection is tried once more, alone,
//! and what goes wrong then is put in words.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, MySql, Postgres};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::pool::{Pool, hang_up};
use super::url::host_and_port;
use super::{Address, Database, Fault, Pools, TRIAL};

/// Where a server listens, and what it is expected to be.
struct Server {
    product: &'static str,
    place: Place,
    /// How its URL names the CA's certificate.
    ca: &'static str,
}

enum Place {
    Socket(PathBuf),
    Port(String, u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Port(host, port) => f.write_str(&host_and_port(host, *port)),
        }
    }
}

/// The fault with its cause, where it can be found out. What the server itself has answered is left
/// as it is.
pub(super) async fn explained(address: &Address, fault: Fault) -> Fault {
    if fault.code.is_some() {
        return fault;
    }
    let (server, refusal) = match address {
        Address::MySql(options) => {
            let tried = timeout(TRIAL, options.connect()).await;
            (mysql(options), refusal(tried).await)
        }
        Address::Postgres(options) => {
            let tried = timeout(TRIAL, options.connect()).await;
            (postgres(options), refusal(tried).await)
        }
        Address::Sqlite(_) => return fault,
    };
    match server.cause(refusal).await {
        Some(message) => Fault::unavailable(message),
        None => fault,
    }
}

/// What became of a second try.
enum Refusal {
    /// It went well, or the server has answered.
    None,
    /// There was no answer in time.
    Silence,
    Error(sqlx::Error),
}

async fn refusal<C: sqlx::Connection>(
    tried: Result<sqlx::Result<C>, tokio::time::error::Elapsed>,
) -> Refusal {
    match tried {
        Ok(Ok(connection)) => {
            hang_up(connection).await;
            Refusal::None
        }
        Ok(Err(sqlx::Error::Database(_))) => Refusal::None,
        Ok(Err(error)) => Refusal::Error(error),
        Err(_elapsed) => Refusal::Silence,
    }
}

fn mysql(options: &MySqlConnectOptions) -> Server {
    Server {
        product: "MySQL",
        place: match options.get_socket() {
            Some(socket) => Place::Socket(socket.clone()),
            None => Place::Port(options.get_host().to_owned(), options.get_port()),
        },
        ca: "ssl-ca",
    }
}

fn postgres(options: &PgConnectOptions) -> Server {
    let host = options.get_host();
    let folder = options.get_socket().map(PathBuf::as_path);
    let folder = folder.or_else(|| host.starts_with('/').then(|| Path::new(host)));
    Server {
        product: "PostgreSQL",
        place: match folder {
            Some(folder) => Place::Socket(folder.join(format!(".s.PGSQL.{}", options.get_port()))),
            None => Place::Port(host.to_owned(), options.get_port()),
        },
        ca: "sslrootcert",
    }
}

impl Server {
    async fn cause(&self, refusal: Refusal) -> Option<String> {
        let missing = match &self.place {
            Place::Socket(path) => no_socket(path),
            Place::Port(host, port) => no_host(host, *port).await,
        };
        if missing.is_some() {
            return missing;
        }
        match refusal {
            Refusal::None => None,
            Refusal::Silence => Some(self.silence().await),
            Refusal::Error(sqlx::Error::Io(error)) => Some(self.broken(&error)),
            Refusal::Error(sqlx::Error::Tls(error)) => Some(format!(
                "no encrypted connection to {}: {error}",
                self.place
            )),
            Refusal::Error(sqlx::Error::Protocol(_)) => Some(format!(
                "what answers at {} does not speak the protocol of {}; is it another server, or \
                 another port?",
                self.place, self.product
            )),
            Refusal::Error(sqlx::Error::Configuration(error)) => Some(error.to_string()),
            Refusal::Error(_) => None,
        }
    }

    async fn silence(&self) -> String {
        let (place, product) = (&self.place, self.product);
        let connected = match place {
            Place::Socket(_) => true,
            Place::Port(host, port) => {
                let tried = timeout(TRIAL, TcpStream::connect((host.as_str(), *port))).await;
                matches!(tried, Ok(Ok(_)))
            }
        };
        if connected {
            format!(
                "{place} takes the connection and then says nothing that {product} would say; is it \
                 another server, or another port?"
            )
        } else {
            format!("{place} does not answer; is it the right host, and does a firewall let it?")
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        let (place, product) = (&self.place, self.product);
        match error.kind() {
            ErrorKind::ConnectionRefused => {
                format!(
                    "nothing listens at {place} (connection refused); does {product} run there?"
                )
            }
            ErrorKind::PermissionDenied => format!("{place} may not be used by this user"),
            ErrorKind::InvalidData => self.no_tls(error),
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => format!(
                "{place} hung up without an answer; is it a server of {product}, and does it let \
                 this host in?"
            ),
            kind => format!("{place} cannot be reached: {kind}"),
        }
    }

    /// rustls hands its errors out within the connection's, and only as text.
    fn no_tls(&self, error: &io::Error) -> String {
        let (place, ca) = (&self.place, self.ca);
        let text = error.to_string();
        let has = |words: &[&str]| words.iter().any(|it| text.contains(it));
        if has(&["UnknownIssuer"]) {
            format!(
                "the certificate of {place} was issued by a CA that is not known here; name the \
                 CA's certificate: {ca}=FILE"
            )
        } else if has(&["NotValidForName", "not valid for name"]) {
            format!("the certificate of {place} is for another host's name: {text}")
        } else if has(&["Expired", "expired"]) {
            format!("the certificate of {place} has expired: {text}")
        } else {
            format!("no encrypted connection to {place}: {text}")
        }
    }
}

fn no_socket(path: &Path) -> Option<String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => None,
        Ok(_) => Some(format!("{shown} is no socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(format!(
            "there is no socket {shown}; does the server run, and put its socket there?"
        )),
        Err(error) => Some(format!("the socket {shown}: {error}")),
    }
}

async fn no_host(host: &str, port: u16) -> Option<String> {
    match timeout(TRIAL, lookup_host((host, port))).await {
        Ok(Ok(_)) => None,
        Ok(Err(_)) => Some(format!("no host of the name {host} is found")),
        Err(_elapsed) => Some(format!(
            "the name of the host {host} is not resolved in time"
        )),
    }
}
