//! A proxy in front of a database server, alone: nothing is held. `tools/test-drivers` and
//! `tools/bench --proxy` start it.
//!
//! ```sh
//! proxy mysql 127.0.0.1:3306          # Racy's proxy, in front of a server on a port
//! proxy mariadb /run/server.sock      # the same, in front of a socket
//! proxy postgres 127.0.0.1:5432       # the same, in front of PostgreSQL
//! proxy plain 127.0.0.1:3306          # a forwarder that understands nothing, to compare it with
//! proxy plain 127.0.0.1:3306 FILE     # the same; the kinds of all packets go to a file at the end
//! ```
//!
//! It prints the address on which it listens. It ends with its standard input, and a forwarder
//! then waits for the connections that it has.

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

const USAGE: &str = "usage: proxy mysql|mariadb|postgres|plain HOST:PORT|SOCKET [FILE]";

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
        ["plain", server, file] => forward(place(server)?, Some(file)).await,
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

async fn forward(server: ServerPlace, file: Option<&str>) -> Result<(), Error> {
    let listener = TcpListener::bind(LISTEN).await?;
    say(listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    let input_ended = until_input_ends();
    tokio::pin!(input_ended);
    loop {
        tokio::select! {
            () = &mut input_ended => break,
            accepted = listener.accept() => {
                connections.spawn(serve(accepted?.0, server.clone(), file.is_some()));
            }
        }
    }
    let mut lines = String::new();
    for (number, connection) in connections.join_all().await.into_iter().enumerate() {
        lines += &format!("connection {number}\n{}", connection?);
    }
    match file {
        Some(file) => fs::write(file, lines),
        None => Ok(()),
    }
}

/// Serves one connection to its end, and returns the kinds of its packets.
async fn serve(client: TcpStream, server: ServerPlace, is_recorded: bool) -> Result<String, Error> {
    client.set_nodelay(true)?;
    let (client_in, client_out) = client.into_split();
    match server {
        ServerPlace::Port(host, port) => {
            let server = TcpStream::connect((host, port)).await?;
            server.set_nodelay(true)?;
            let (server_in, server_out) = server.into_split();
            both(client_in, server_out, server_in, client_out, is_recorded).await
        }
        ServerPlace::Socket(path) => {
            let (server_in, server_out) = UnixStream::connect(path).await?.into_split();
            both(client_in, server_out, server_in, client_out, is_recorded).await
        }
    }
}

async fn both(
    client_in: impl AsyncRead + Unpin,
    server_out: impl AsyncWrite + Unpin,
    server_in: impl AsyncRead + Unpin,
    client_out: impl AsyncWrite + Unpin,
    is_recorded: bool,
) -> Result<String, Error> {
    let (mut sent, mut answered) = (Kinds::new("client"), Kinds::new("server"));
    let from_client = pump(client_in, server_out, is_recorded.then_some(&mut sent));
    let from_server = pump(server_in, client_out, is_recorded.then_some(&mut answered));
    let (_, _) = tokio::join!(from_client, from_server);
    Ok(sent.lines + &answered.lines)
}

/// Forwards in one direction until it ends, and ends the other side's input.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut kinds: Option<&mut Kinds>,
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

/// The kinds of the packets in one direction: the sequence and the length of each, and the first
/// byte of a command or an answer.
struct Kinds {
    side: &'static str,
    lines: String,
    header: Vec<u8>,
    /// How much of a payload has not come yet.
    left: usize,
}

impl Kinds {
    /// Three bytes of a length and one of the sequence.
    const HEADER: usize = 4;

    fn new(side: &'static str) -> Self {
        Self {
            side,
            lines: String::new(),
            header: Vec::new(),
            left: 0,
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                if self.header.len() == Self::HEADER {
                    self.note(Some(*first));
                }
                self.left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let [low, middle, high, _] = self.header[..] {
                self.left = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
                if self.left == 0 {
                    self.note(None);
                }
            }
        }
    }

    fn note(&mut self, first: Option<u8>) {
        let sequence = self.header.last().copied().unwrap_or_default();
        // The client's first packet has the number of its process in it.
        let is_hello = self.side == "client" && self.lines.is_empty();
        let length = if is_hello { 0 } else { self.left };
        // An answer to the server, such as a password's proof, is another one each time.
        let is_command = self.side == "server" || sequence == 0;
        let first = first.filter(|_| is_command);
        let first = first.map_or_else(|| "-".to_owned(), |it| format!("{it:02x}"));
        self.lines += &format!("{} {sequence} {length} {first}\n", self.side);
        self.header.clear();
    }
}
