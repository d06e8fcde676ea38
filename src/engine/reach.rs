//! Why a database cannot be reached, in words.
//!
//! The pool says that a connection failed, and of what kind the failure was. A user who has just
//! typed a URL needs more: which part of it is wrong. So the connection is tried once more, alone,
//! and its failure is explained.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::pool::hang_up;
use super::url::{host_and_port, postgres_socket};
use super::{Address, Fault};

/// How long each attempt to find the cause may take.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(2);

/// The server that a URL names.
struct Server {
    product: &'static str,
    endpoint: Endpoint,
    /// The URL's parameter for the CA's certificate.
    ca: &'static str,
}

/// Where a server listens.
enum Endpoint {
    Socket(PathBuf),
    Port(String, u16),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Port(host, port) => f.write_str(&host_and_port(host, *port)),
        }
    }
}

/// The fault with its cause, if the cause can be found. An answer of the server itself stays as it
/// is.
pub(super) async fn explained(address: &Address, fault: Fault) -> Fault {
    if fault.code.is_some() {
        return fault;
    }
    let (server, refusal) = match address {
        Address::MySql(options) => {
            let tried = timeout(ATTEMPT_WITHIN, options.connect()).await;
            (mysql(options), refusal(tried).await)
        }
        Address::Postgres(options) => {
            let tried = timeout(ATTEMPT_WITHIN, options.connect()).await;
            (postgres(options), refusal(tried).await)
        }
        Address::Sqlite(_) => return fault,
    };
    match server.cause(refusal).await {
        Some(message) => Fault::unavailable(message),
        None => fault,
    }
}

/// How a second attempt failed.
enum Refusal {
    /// It did not: it succeeded, or the server itself has answered.
    None,
    /// There was no answer in time.
    Silence,
    /// With this error.
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
        endpoint: match options.get_socket() {
            Some(socket) => Endpoint::Socket(socket.clone()),
            None => Endpoint::Port(options.get_host().to_owned(), options.get_port()),
        },
        ca: "ssl-ca",
    }
}

fn postgres(options: &PgConnectOptions) -> Server {
    Server {
        product: "PostgreSQL",
        endpoint: match postgres_socket(options) {
            Some(socket) => Endpoint::Socket(socket),
            None => Endpoint::Port(options.get_host().to_owned(), options.get_port()),
        },
        ca: "sslrootcert",
    }
}

impl Server {
    async fn cause(&self, refusal: Refusal) -> Option<String> {
        let missing = match &self.endpoint {
            Endpoint::Socket(path) => no_socket(path),
            Endpoint::Port(host, port) => no_host(host, *port).await,
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
                self.endpoint
            )),
            Refusal::Error(sqlx::Error::Protocol(_)) => Some(format!(
                "what answers at {} does not speak the protocol of {}; is it another server or \
                 another port?",
                self.endpoint, self.product
            )),
            Refusal::Error(sqlx::Error::Configuration(error)) => Some(error.to_string()),
            Refusal::Error(_) => None,
        }
    }

    async fn silence(&self) -> String {
        let (endpoint, product) = (&self.endpoint, self.product);
        let connected = match endpoint {
            Endpoint::Socket(_) => true,
            Endpoint::Port(host, port) => {
                let tried =
                    timeout(ATTEMPT_WITHIN, TcpStream::connect((host.as_str(), *port))).await;
                matches!(tried, Ok(Ok(_)))
            }
        };
        if connected {
            format!(
                "{endpoint} accepts the connection and then says nothing that {product} would say; \
                 is it another server or another port?"
            )
        } else {
            format!(
                "{endpoint} does not answer; is it the right host, and does a firewall block it?"
            )
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        let (endpoint, product) = (&self.endpoint, self.product);
        match error.kind() {
            ErrorKind::ConnectionRefused => {
                format!(
                    "nothing listens at {endpoint} (connection refused); does {product} run there?"
                )
            }
            ErrorKind::PermissionDenied => format!("{endpoint} may not be used by this user"),
            ErrorKind::InvalidData => self.no_tls(error),
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => format!(
                "{endpoint} closed the connection without an answer; is it a {product} server, and \
                 does it accept this host?"
            ),
            kind => format!("{endpoint} cannot be reached: {kind}"),
        }
    }

    /// Explains an error of rustls, which is inside the connection's error, and only as text.
    fn no_tls(&self, error: &io::Error) -> String {
        let (endpoint, ca) = (&self.endpoint, self.ca);
        let text = error.to_string();
        let has = |words: &[&str]| words.iter().any(|it| text.contains(it));
        if has(&["UnknownIssuer"]) {
            format!(
                "an unknown CA has issued the certificate of {endpoint}; name the CA's \
                 certificate: {ca}=FILE"
            )
        } else if has(&["NotValidForName", "not valid for name"]) {
            format!("the certificate of {endpoint} is for another host's name: {text}")
        } else if has(&["Expired", "expired"]) {
            format!("the certificate of {endpoint} has expired: {text}")
        } else {
            format!("no encrypted connection to {endpoint}: {text}")
        }
    }
}

fn no_socket(path: &Path) -> Option<String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => None,
        Ok(_) => Some(format!("{shown} is not a socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(format!(
            "there is no socket {shown}; does the server run, and put its socket there?"
        )),
        Err(error) => Some(format!("the socket {shown}: {error}")),
    }
}

async fn no_host(host: &str, port: u16) -> Option<String> {
    match timeout(ATTEMPT_WITHIN, lookup_host((host, port))).await {
        Ok(Ok(_)) => None,
        Ok(Err(_)) => Some(format!("the host name {host} is not found")),
        Err(_elapsed) => Some(format!("the host name {host} is not resolved in time")),
    }
}
