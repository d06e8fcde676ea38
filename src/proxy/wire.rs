//! One side of a connection: packets come in, bytes go out.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

use super::framing::Framing;
use crate::engine::ServerPlace;

/// A stream of bytes, over TCP or a Unix socket.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One side of a connection.
pub(super) struct Wire<F> {
    stream: Box<dyn Stream>,
    reader: F,
    buffer: Vec<u8>,
    is_closed: bool,
    /// Whether something that was read is still to be done.
    has_more: bool,
}

/// How much is read at once.
const READ: usize = 16 * 1024;

/// How long a connection waits for room in the queue of a server's socket, and how often it asks.
const QUEUE_MOVES_WITHIN: Duration = Duration::from_secs(10);
const ASKED_EVERY: Duration = Duration::from_millis(5);

/// Connects to a socket. One whose queue is full refuses at once, where a port lets its clients
/// wait: an application that opens many connections at the same time would be turned away.
async fn connect_to_socket(path: &Path) -> io::Result<UnixStream> {
    let deadline = Instant::now() + QUEUE_MOVES_WITHIN;
    loop {
        match UnixStream::connect(path).await {
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline =>
            {
                sleep(ASKED_EVERY).await;
            }
            connected => return connected,
        }
    }
}

impl<F: Framing> Wire<F> {
    /// The application's side.
    pub(super) fn of_client(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// The server's side.
    pub(super) async fn to_server(place: &ServerPlace) -> io::Result<Self> {
        match place {
            ServerPlace::Port(host, port) => {
                Self::of_client(TcpStream::connect((host.as_str(), *port)).await?)
            }
            ServerPlace::Socket(path) => Ok(Self::over(connect_to_socket(path).await?)),
        }
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            reader: F::default(),
            buffer: vec![0; READ],
            is_closed: false,
            has_more: false,
        }
    }

    /// The next packet. None if the other side has closed the connection. A future that is dropped
    /// loses nothing.
    pub(super) async fn packet(&mut self) -> io::Result<Option<F::Packet>> {
        loop {
            if let Some(packet) = self.reader.next_packet() {
                return Ok(Some(packet));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// A packet that has arrived already.
    pub(super) fn packet_at_hand(&mut self) -> Option<F::Packet> {
        self.reader.next_packet()
    }

    /// Reads what comes. False if the other side has closed the connection.
    async fn read(&mut self) -> io::Result<bool> {
        if self.is_closed {
            return Ok(false);
        }
        let length = self.stream.read(&mut self.buffer).await?;
        self.is_closed = length == 0;
        self.reader.fill(&self.buffer[..length]);
        Ok(length > 0)
    }

    /// What has come, uncut: a connection may begin with something that is no packet. None if the
    /// other side has closed it.
    pub(super) async fn bytes(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.read().await?.then(|| self.reader.take_rest()))
    }

    /// What has come after all is cut.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.reader.fill(bytes);
    }

    /// Waits until the other side has closed the connection. What it sends meanwhile is kept.
    pub(super) async fn until_closed(&mut self) {
        while let Ok(true) = self.read().await {}
    }

    /// Waits until the other side has closed the connection, and nothing of what it has sent is
    /// left to be done: a client may send several commands and leave.
    pub(super) async fn until_gone(&mut self) {
        self.until_closed().await;
        if self.has_more || !self.reader.is_empty() {
            std::future::pending::<()>().await;
        }
    }

    /// The same, but one that has closed the connection already is not lost again.
    pub(super) async fn until_lost(&mut self) {
        if self.is_closed {
            std::future::pending::<()>().await;
        }
        self.until_gone().await;
    }

    /// Says whether something that was read of the other side is still to be done.
    pub(super) fn has_more(&mut self, has_more: bool) {
        self.has_more = has_more;
    }

    /// The other side has said that it leaves: nothing more is read of it.
    pub(super) fn leaves(&mut self) {
        self.is_closed = true;
    }

    /// Says that nothing more will be sent.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Sends this. That a side which has closed the connection reads no more is no error.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match sent.await {
            Err(_) if self.is_closed => Ok(()),
            sent => sent,
        }
    }

    pub(super) async fn send_packet(&mut self, packet: &F::Packet) -> io::Result<()> {
        let mut bytes = Vec::new();
        F::write(packet, &mut bytes);
        self.send(&bytes).await
    }

    /// Forwards everything in both directions until one side closes.
    pub(super) async fn join(mut self, mut other: Self) -> io::Result<()> {
        self.hand_over_to(&mut other).await?;
        other.hand_over_to(&mut self).await?;
        tokio::io::copy_bidirectional(&mut self.stream, &mut other.stream)
            .await
            .map(|_| ())
    }

    /// Sends on what has arrived and was not read.
    async fn hand_over_to(&mut self, other: &mut Self) -> io::Result<()> {
        let mut bytes = Vec::new();
        while let Some(packet) = self.reader.next_packet() {
            F::write(&packet, &mut bytes);
        }
        bytes.extend(self.reader.take_rest());
        other.send(&bytes).await
    }
}
