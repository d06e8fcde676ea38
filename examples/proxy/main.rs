//! A proxy in front of a database server, alone: nothing is held. `tools/test-drivers` and
//! `tools/bench --proxy` start it.
//!
//! ```sh
//! proxy mysql 127.0.0.1:3306          # Racy's proxy, in front of a server on a port
//! proxy mariadb /run/server.sock      # the same, in front of a socket
//! proxy postgres 127.0.0.1:5432       # the same, in front of PostgreSQL
//! proxy plain 127.0.0.1:3306          # a forwarder that understands nothing, to compare it with
//! proxy plain 127.0.0.1:3306 FILE     # the same; the kinds of all packets go to a file at the end
//! proxy plain 127.0.0.1:5432 FILE postgres
//! #                                   # the same for PostgreSQL's messages
//! ```
//!
//! It prints the address on which it listens. It ends with its standard input, and a forwarder
//! then waits for the connections that it has.

mod kinds;

use std::fs;
use std::io::{Error, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use racy::engine::{Flavour, Isolation, ServerPlace};
use racy::proxy::{Known, Proxy, TurnSettings};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use kinds::Kinds;

const USAGE: &str = "usage: proxy mysql|mariadb|postgres|plain HOST:PORT|SOCKET [FILE [postgres]]";

/// Any port of this machine.
const LISTEN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["mysql", server] => hold_nothing(place(server)?, Flavour::MySql).await,
        ["mariadb", server] => hold_nothing(place(server)?, Flavour::MariaDb).await,
        ["postgres", server] => hold_nothing(place(server)?, Flavour::Postgres).await,
        ["plain", server] => forward(place(server)?, None).await,
        ["plain", server, file] => forward(place(server)?, Some((file, kinds::of_packets))).await,
        ["plain", server, file, "postgres"] => {
            forward(place(server)?, Some((file, kinds::of_messages))).await
        }
        _ => Err(Error::other(USAGE)),
    }
}

fn place(server: &str) -> Result<ServerPlace, Error> {
    if server.starts_with('/') {
        return Ok(ServerPlace::Socket(server.into()));
    }
    let place = server.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse().ok()?;
        Some(ServerPlace::Port(host.to_owned(), port))
    });
    place.ok_or_else(|| Error::other(USAGE))
}

async fn hold_nothing(server: ServerPlace, flavour: Flavour) -> Result<(), Error> {
    let settings = TurnSettings {
        flavour,
        level: Isolation::RepeatableRead,
        autocommit: true,
        settle: Duration::from_secs(1),
        hides_values: false,
        commits_are_watched: false,
        splits_commits: false,
    };
    let proxy = Proxy::open(
        LISTEN.into(),
        server,
        None,
        settings,
        Arc::<Known>::default(),
    )
    .await?;
    say(proxy.address())?;
    until_input_ends().await;
    for said in proxy.refusals().into_iter().chain(proxy.remarks()) {
        eprintln!("proxy: {said}");
    }
    Ok(())
}

fn say(address: SocketAddr) -> Result<(), Error> {
    let mut output = std::io::stdout();
    writeln!(output, "{address}")?;
    output.flush()
}

async fn until_input_ends() {
    let (ends, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ends);
    });
    // The sender is dropped when the input has ended.
    let _ = end.await;
}

// The plain forwarder -----------------------------------------------------------------------------

/// A file, and what makes the recorders of a connection's two directions.
type Record<'f> = (&'f str, fn() -> Pair);

type Pair = (Box<dyn Kinds>, Box<dyn Kinds>);

async fn forward(server: ServerPlace, record: Option<Record<'_>>) -> Result<(), Error> {
    let listener = TcpListener::bind(LISTEN).await?;
    say(listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    let input_ended = until_input_ends();
    tokio::pin!(input_ended);
    loop {
        tokio::select! {
            () = &mut input_ended => break,
            accepted = listener.accept() => {
                let number = connections.len();
                let served = serve(accepted?.0, server.clone(), record.map(|(_, pair)| pair()));
                connections.spawn(async move { (number, served.await) });
            }
        }
    }
    // In the order in which they came, whichever ended first.
    let mut served = connections.join_all().await;
    served.sort_by_key(|(number, _)| *number);
    let mut lines = String::new();
    for (number, connection) in served {
        lines += &format!("connection {number}\n{}", connection?);
    }
    match record {
        Some((file, _)) => fs::write(file, lines),
        None => Ok(()),
    }
}

/// Serves one connection to its end, and returns what was recorded of it.
async fn serve(
    client: TcpStream,
    server: ServerPlace,
    record: Option<Pair>,
) -> Result<String, Error> {
    client.set_nodelay(true)?;
    let (client_in, client_out) = client.into_split();
    match server {
        ServerPlace::Port(host, port) => {
            let server = TcpStream::connect((host, port)).await?;
            server.set_nodelay(true)?;
            let (server_in, server_out) = server.into_split();
            both(client_in, server_out, server_in, client_out, record).await
        }
        ServerPlace::Socket(path) => {
            let (server_in, server_out) = UnixStream::connect(path).await?.into_split();
            both(client_in, server_out, server_in, client_out, record).await
        }
    }
}

async fn both(
    client_in: impl AsyncRead + Unpin,
    server_out: impl AsyncWrite + Unpin,
    server_in: impl AsyncRead + Unpin,
    client_out: impl AsyncWrite + Unpin,
    record: Option<Pair>,
) -> Result<String, Error> {
    let (mut sent, mut answered) = record.unzip();
    let from_client = pump(client_in, server_out, sent.as_mut());
    let from_server = pump(server_in, client_out, answered.as_mut());
    let (_, _) = tokio::join!(from_client, from_server);
    let recorders = [sent, answered].into_iter().flatten();
    Ok(recorders.map(|recorder| recorder.lines()).collect())
}

/// Forwards in one direction until it ends, and ends the other side's input.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut kinds: Option<&mut Box<dyn Kinds>>,
) -> Result<(), Error> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut bytes).await.unwrap_or(0);
        if length == 0 {
            return to.shutdown().await;
        }
        if let Some(kinds) = &mut kinds {
            kinds.take(&bytes[..length]);
        }
        to.write_all(&bytes[..length]).await?;
    }
}
