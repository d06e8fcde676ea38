//! What the tests stand on: real engines, a database per test, and clients that move step by step.

pub mod client;
pub mod described;
pub mod explored;
pub mod json;
pub mod lab;
pub mod made;
pub mod pooler;
pub mod postgres_wire;
pub mod process;
pub mod proxied;
pub mod service;
pub mod stepper;
pub mod wire;

pub use client::Client;
pub use lab::{Lab, TestEngine};

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpSocket;

/// Defines each of these tests, which take a [`TestEngine`], once per engine. Those under
/// `servers`, about what only a server has, such as row locks, are on all engines but SQLite; those
/// under `protocols`, about what passes between a client and a server, on MySQL and PostgreSQL,
/// because MariaDB speaks MySQL's protocol; those under `innodb` on MySQL and MariaDB alone; those
/// under an engine's name on that engine alone.
macro_rules! on_engines {
    (
        $(every: $($every:ident),+;)?
        $(servers: $($server:ident),+;)?
        $(protocols: $($protocol:ident),+;)?
        $(innodb: $($innodb:ident),+;)?
        $(mysql: $($mysql:ident),+;)?
        $(mariadb: $($mariadb:ident),+;)?
        $(postgres: $($postgres:ident),+;)?
        $(sqlite: $($sqlite:ident),+;)?
    ) => {
        on_engines!(@ mysql, MySql: $($($every,)+)? $($($server,)+)? $($($protocol,)+)?
            $($($innodb,)+)? $($($mysql,)+)?);
        on_engines!(@ mariadb, MariaDb: $($($every,)+)? $($($server,)+)? $($($innodb,)+)?
            $($($mariadb,)+)?);
        on_engines!(@ postgres, Postgres: $($($every,)+)? $($($server,)+)? $($($protocol,)+)?
            $($($postgres,)+)?);
        on_engines!(@ sqlite, Sqlite: $($($every,)+)? $($($sqlite,)+)?);
    };
    (@ $module:ident, $engine:ident:) => {};
    (@ $module:ident, $engine:ident: $($test:ident,)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::support::TestEngine::$engine).await;
                }
            )+
        }
    };
}

/// A temporary folder that every user may pass through. PostgreSQL, started by root, runs as
/// another user.
pub fn open_folder() -> TempDir {
    let open = Permissions::from_mode(0o711);
    let folder = tempfile::Builder::new().permissions(open).tempdir();
    folder.unwrap()
}

/// A port that no other test is given while this value lives. A service that is told its number can
/// listen on it, also several times.
#[derive(Debug)]
pub struct HeldPort(TcpSocket);

impl HeldPort {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Bound and not listening: another socket with the same option may bind its number and
        // listen.
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// Waits until a condition holds that the test has made inevitable. The pause between two attempts
/// orders nothing; the deadline turns a hang into a failure.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl FnMut() -> F) {
    until_within(Duration::from_secs(20), what, condition).await;
}

/// The same, with a deadline of one's own.
pub async fn until_within<F: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    mut condition: impl FnMut() -> F,
) {
    let deadline = Instant::now() + patience;
    while !condition().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
