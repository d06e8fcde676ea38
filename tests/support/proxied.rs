//! Racy's proxy before a test's server, between two forwarders that record what passes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use racy::engine::{Database, Flavour, Isolation, ServerPlace, Settings};
use racy::proxy::{Known, Proxy, TurnSettings};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::{Lab, TestEngine};

/// Any port of this machine.
const LISTEN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Where the server of this database listens.
pub fn server_of(database: &Database) -> ServerPlace {
    database.upstream().unwrap().server
}

/// A proxy in front of this server. No run is under way.
pub async fn proxy_before(engine: TestEngine, server: ServerPlace) -> Proxy {
    proxy_of(engine, server, None).await
}

/// The same. If a database is named, clients may use no other one.
pub async fn proxy_of(engine: TestEngine, server: ServerPlace, database: Option<String>) -> Proxy {
    let (flavour, level) = match engine {
        TestEngine::MySql => (Flavour::MySql, Isolation::RepeatableRead),
        TestEngine::MariaDb => (Flavour::MariaDb, Isolation::RepeatableRead),
        TestEngine::Postgres => (Flavour::Postgres, Isolation::ReadCommitted),
        TestEngine::Sqlite => panic!("SQLite has no server"),
    };
    let settings = TurnSettings {
        flavour,
        level,
        autocommit: true,
        settle: Duration::from_millis(50),
        hides_values: false,
        commits_are_watched: false,
        splits_commits: false,
    };
    let known = Arc::<Known>::default();
    Proxy::open(LISTEN.into(), server, database, settings, known)
        .await
        .unwrap()
}

/// A server that listens at this address.
pub fn place_at(address: SocketAddr) -> ServerPlace {
    ServerPlace::Port(address.ip().to_string(), address.port())
}

/// A server of one connection, which returns what it gets after this beginning.
pub async fn server_that_returns_all_after<F>(
    begin: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> ServerPlace
where
    F: Future<Output = TcpStream> + Send,
{
    let listener = TcpListener::bind(LISTEN).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = begin(stream).await.into_split();
        tokio::io::copy(&mut from, &mut to).await.unwrap();
    });
    place_at(address)
}

/// A test's database with the proxy in front of it.
pub struct Proxied {
    pub lab: Lab,
    pub proxy: Proxy,
}

impl Proxied {
    pub async fn start(engine: TestEngine) -> Self {
        let lab = engine.lab().await;
        let proxy = proxy_before(engine, server_of(&lab.database)).await;
        Self { lab, proxy }
    }

    /// What the proxy has to say of its connections, which is nothing as a rule.
    pub fn must_have_nothing_to_say(&self) {
        assert_eq!(self.proxy.remarks(), Vec::<String>::new());
        assert_eq!(self.proxy.refusals(), Vec::<String>::new());
    }
}

/// Opens a hundred connections through a proxy and asks each of them, all at once, for a number and
/// one more.
pub async fn must_serve_a_hundred<O: ConnectOptions<Connection: Sized>>(
    engine: TestEngine,
    options: impl FnOnce(&Database, SocketAddr) -> O,
    one_more_than: impl AsyncFn(&mut O::Connection, i64) -> i64,
) {
    let (server, lab) = engine.lab_alone(Settings::default()).await;
    let proxy = proxy_before(engine, server_of(&lab.database)).await;
    let options = options(&lab.database, proxy.address());
    let opened = (0..100).map(|_| options.connect());
    let mut connections = try_join_all(opened).await.unwrap();
    let asked = (0..).zip(&mut connections);
    let asked = asked.map(|(number, connection)| one_more_than(connection, number));
    assert_eq!(join_all(asked).await, (1..=100).collect::<Vec<_>>());
    assert_eq!(proxy.connections(), 100);
    for connection in connections {
        connection.close().await.unwrap();
    }
    lab.database.close().await;
    server.stop().await.unwrap();
}

/// A test's database behind a proxy that is between two recorders.
pub struct Between {
    pub lab: Lab,
    pub inner: Recorder,
    pub proxy: Proxy,
    pub outer: Recorder,
}

impl Between {
    pub async fn before(engine: TestEngine) -> Self {
        let lab = engine.lab().await;
        let inner = Recorder::before(server_of(&lab.database)).await;
        let proxy = proxy_before(engine, inner.place()).await;
        let outer = Recorder::before(place_at(proxy.address())).await;
        Self {
            lab,
            inner,
            proxy,
            outer,
        }
    }
}

/// Two streams are the same. If they are not, the place is named.
pub fn assert_equal_bytes(what: &str, one: &[u8], other: &[u8]) {
    let place = one.iter().zip(other).position(|(one, other)| one != other);
    let lengths = (one.len(), other.len());
    assert_eq!(place, None, "{what} differ here, lengths {lengths:?}");
    assert_eq!(one.len(), other.len(), "{what}");
}

/// Whether these bytes have this text in them.
pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

/// How sqlx reaches this database of MySQL or MariaDB over TCP, through what listens at this
/// address.
pub fn options_at(database: &Database, at: SocketAddr) -> MySqlConnectOptions {
    let upstream = database.upstream().unwrap();
    let options: MySqlConnectOptions = upstream.url_through(at).parse().unwrap();
    options.ssl_mode(MySqlSslMode::Disabled)
}

/// The same for a database of PostgreSQL.
pub fn postgres_options_at(database: &Database, at: SocketAddr) -> PgConnectOptions {
    let upstream = database.upstream().unwrap();
    let options: PgConnectOptions = upstream.url_through(at).parse().unwrap();
    options.ssl_mode(PgSslMode::Disable)
}

/// What one forwarder has seen of its connections.
#[derive(Debug, Default)]
pub struct Recording {
    pub from_client: Vec<u8>,
    pub from_server: Vec<u8>,
}

/// A forwarder that keeps the bytes. Of several connections, they are mixed.
#[derive(Debug)]
pub struct Recorder {
    pub address: SocketAddr,
    recording: Arc<Mutex<Recording>>,
}

impl Recorder {
    /// A recorder in front of this server.
    pub async fn before(server: ServerPlace) -> Self {
        let listener = TcpListener::bind(LISTEN).await.unwrap();
        let address = listener.local_addr().unwrap();
        let recording = Arc::<Mutex<Recording>>::default();
        let kept = Arc::clone(&recording);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, kept) = (server.clone(), Arc::clone(&kept));
                tokio::spawn(async move { forward(client, &server, &kept).await });
            }
        });
        Self { address, recording }
    }

    /// Where it is, for a proxy in front of it.
    pub fn place(&self) -> ServerPlace {
        place_at(self.address)
    }

    /// Takes what it has seen so far.
    pub fn take(&self) -> Recording {
        std::mem::take(&mut *self.recording.lock().unwrap())
    }

    /// How many bytes it has seen of each side.
    pub fn lengths(&self) -> (usize, usize) {
        let seen = self.recording.lock().unwrap();
        (seen.from_client.len(), seen.from_server.len())
    }
}

async fn forward(client: TcpStream, server: &ServerPlace, kept: &Mutex<Recording>) {
    let (client_in, client_out) = client.into_split();
    match server {
        ServerPlace::Port(host, port) => {
            let server = TcpStream::connect((host.as_str(), *port)).await.unwrap();
            let (server_in, server_out) = server.into_split();
            both(client_in, server_out, server_in, client_out, kept).await;
        }
        ServerPlace::Socket(path) => {
            let server = UnixStream::connect(path).await.unwrap();
            let (server_in, server_out) = server.into_split();
            both(client_in, server_out, server_in, client_out, kept).await;
        }
    }
}

async fn both(
    client_in: impl AsyncRead + Unpin,
    server_out: impl AsyncWrite + Unpin,
    server_in: impl AsyncRead + Unpin,
    client_out: impl AsyncWrite + Unpin,
    kept: &Mutex<Recording>,
) {
    let from_client = |bytes: &[u8]| kept.lock().unwrap().from_client.extend(bytes);
    let from_server = |bytes: &[u8]| kept.lock().unwrap().from_server.extend(bytes);
    tokio::join!(
        pump(client_in, server_out, from_client),
        pump(server_in, client_out, from_server)
    );
}

/// Forwards in one direction until it ends, and ends the other side's input.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    keep: impl Fn(&[u8]),
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        keep(&bytes[..length]);
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
