//! A connection with a gate on its way out: while the gate is shut, written bytes wait in it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The way out of one connection. The connection and the burst that releases it share the gate.
#[derive(Debug)]
pub(crate) struct Gate {
    socket: TcpStream,
    outbox: Mutex<Outbox>,
}

/// The bytes that were written to the connection and have not reached its socket.
#[derive(Debug, Default)]
struct Outbox {
    shut: bool,
    /// Whether the connection has ended, so that nothing will be written any more.
    ended: bool,
    bytes: Vec<u8>,
    /// The error of a release. The connection's next flush returns it.
    failed: Option<io::Error>,
    /// Receives one message, when the shut gate holds a complete request.
    held: Option<oneshot::Sender<()>>,
    /// Wakes the connection when the gate opens.
    waiting: Option<Waker>,
}

impl Gate {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            outbox: Mutex::default(),
        }
    }

    /// Shuts the gate. The receiver gets a message when a complete request is held. It fails if the
    /// connection ends before that.
    pub(crate) fn shut(&self) -> oneshot::Receiver<()> {
        let (told, held) = oneshot::channel();
        let mut outbox = self.outbox();
        outbox.shut = true;
        // An ended connection writes no request, so the receiver fails at once.
        outbox.held = (!outbox.ended).then_some(told);
        held
    }

    /// Takes the held bytes out. The gate stays shut.
    pub(crate) fn take_held(&self) -> Vec<u8> {
        std::mem::take(&mut self.outbox().bytes)
    }

    /// Writes past the gate as much as the socket takes at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(bytes)
    }

    /// Opens the gate after its held bytes were written with this result. The connection writes
    /// the rest of them before anything else.
    pub(crate) fn open(&self, mut bytes: Vec<u8>, written: io::Result<usize>) {
        let mut outbox = self.outbox();
        outbox.shut = false;
        match written {
            Ok(count) => outbox.bytes = bytes.split_off(count.min(bytes.len())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => outbox.bytes = bytes,
            Err(error) => outbox.failed = Some(error),
        }
        if let Some(connection) = outbox.waiting.take() {
            connection.wake();
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // Nothing panics while it holds the lock.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut outbox = self.outbox();
        if outbox.shut {
            outbox.bytes.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_drain(&mut outbox, cx))?;
        self.poll_socket_write(cx, bytes)
    }

    /// A flush of a shut gate waits until the gate opens. hyper flushes when it has written all it
    /// has of a request. It has our bodies as a whole, so a flush means a complete request.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outbox = self.outbox();
        if !outbox.shut {
            return self.poll_drain(&mut outbox, cx);
        }
        if outbox.bytes.is_empty() && outbox.held.is_some() {
            return Poll::Ready(Ok(()));
        }
        outbox.waiting = Some(cx.waker().clone());
        if let Some(held) = outbox.held.take() {
            // If the burst was dropped meanwhile, the message has no receiver, and needs none.
            let _ = held.send(());
        }
        Poll::Pending
    }

    /// Writes the bytes that a release left behind.
    fn poll_drain(&self, outbox: &mut Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = outbox.failed.take() {
            return Poll::Ready(Err(error));
        }
        while !outbox.bytes.is_empty() {
            let count = ready!(self.poll_socket_write(cx, &outbox.bytes))?;
            outbox.bytes.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_socket_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

/// The connection's side of a [`Gate`]: reads pass, and writes go through the gate.
#[derive(Debug)]
pub(crate) struct GatedStream(Arc<Gate>);

impl GatedStream {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self(gate)
    }
}

impl Drop for GatedStream {
    /// The connection has ended: the burst must not wait any longer until it holds a request.
    fn drop(&mut self) {
        let mut outbox = self.0.outbox();
        outbox.ended = true;
        outbox.held = None;
    }
}

impl AsyncRead for GatedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &self.0.socket;
        loop {
            ready!(socket.poll_read_ready(cx))?;
            match socket.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    /// Does nothing: the socket is closed when the gate is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};

    use tokio::io::AsyncWrite;
    use tokio::net::TcpListener;

    use super::*;

    /// A gated connection and its peer. The peer does not block.
    async fn connection() -> (Arc<Gate>, GatedStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let gate = Arc::new(Gate::new(socket));
        let stream = GatedStream::new(Arc::clone(&gate));
        (gate, stream, peer.into_std().unwrap())
    }

    async fn write_all(stream: &mut GatedStream, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let write = |cx: &mut Context<'_>| Pin::new(&mut *stream).poll_write(cx, bytes);
            let count = std::future::poll_fn(write).await.unwrap();
            bytes = &bytes[count..];
        }
    }

    async fn flush(stream: &mut GatedStream) -> io::Result<()> {
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
    }

    /// All bytes that have arrived at the peer. Over loopback these are all that were written.
    fn arrived(mut peer: &std::net::TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        match peer.read_to_end(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => bytes,
            end => panic!("{end:?}"),
        }
    }

    #[tokio::test]
    async fn a_shut_gate_holds_everything_until_it_is_released() {
        let (gate, mut stream, peer) = connection().await;
        write_all(&mut stream, b"warm").await;
        assert_eq!(arrived(&peer), b"warm");

        let mut held = gate.shut();
        write_all(&mut stream, b"head ").await;
        assert!(held.try_recv().is_err(), "it was told before the flush");
        write_all(&mut stream, b"body").await;
        let connection = tokio::spawn(async move { flush(&mut stream).await.map(|()| stream) });
        held.await.unwrap();
        assert_eq!(arrived(&peer), b"");

        let bytes = gate.take_held();
        let written = gate.try_write(&bytes);
        assert_eq!(arrived(&peer), b"head body");
        gate.open(bytes, written);

        let mut stream = connection.await.unwrap().unwrap();
        write_all(&mut stream, b" more").await;
        assert_eq!(arrived(&peer), b" more");
    }

    #[tokio::test]
    async fn bytes_that_the_socket_did_not_take_follow_in_order() {
        let (gate, mut stream, peer) = connection().await;
        // More than the buffers of any socket hold. Each byte shows its place.
        let long: Vec<u8> = (0..32 << 20_u32).map(|n: u32| (n % 251) as u8).collect();

        let held = gate.shut();
        write_all(&mut stream, &long).await;
        let connection = tokio::spawn(async move { flush(&mut stream).await.map(|()| stream) });
        held.await.unwrap();
        let bytes = gate.take_held();
        let written = gate.try_write(&bytes);
        assert!(
            *written.as_ref().unwrap() < long.len(),
            "the socket took everything at once"
        );
        gate.open(bytes, written);

        let mut received = Vec::new();
        while received.len() < long.len() {
            received.extend(arrived(&peer));
            tokio::task::yield_now().await;
        }
        assert!(received == long);
        connection.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_full_socket_takes_the_request_later() {
        let (gate, mut stream, peer) = connection().await;
        let held = gate.shut();
        write_all(&mut stream, b"request").await;
        let connection = tokio::spawn(async move { flush(&mut stream).await.map(|()| stream) });
        held.await.unwrap();

        let bytes = gate.take_held();
        gate.open(bytes, Err(ErrorKind::WouldBlock.into()));
        connection.await.unwrap().unwrap();
        assert_eq!(arrived(&peer), b"request");
    }

    #[tokio::test]
    async fn a_failed_release_reaches_the_connection() {
        let (gate, mut stream, _peer) = connection().await;
        let held = gate.shut();
        write_all(&mut stream, b"request").await;
        let connection = tokio::spawn(async move { flush(&mut stream).await });
        held.await.unwrap();

        let bytes = gate.take_held();
        gate.open(bytes, Err(ErrorKind::BrokenPipe.into()));
        let error = connection.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn the_wait_for_a_connection_that_has_ended_fails() {
        let (gate, stream, _peer) = connection().await;
        let held = gate.shut();
        drop(stream);
        assert!(held.await.is_err());
        assert!(gate.shut().await.is_err());
    }
}
