//! A client's socket, which notes which bytes come and go.
//!
//! A client that reads nothing would hold its answer, and the memory for it, without any limit: TCP
//! keeps asking whether there is room, and never gives up. So the service has to give up.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::connection::ClientConnection;

/// About how many bytes wait in the system to be sent, at most. The service sees that a client
/// reads only when the system takes more bytes. Without a limit the system would take megabytes at
/// once, and a slow client would seem to read nothing for minutes.
const MOST_NOT_SENT: u32 = 32 * 1024;

/// How long a closed socket still reads, at most. A client that was answered before it had sent all
/// would lose the answer otherwise.
const LINGER: Duration = Duration::from_secs(1);

/// How many bytes a closed socket still reads, at most.
const MOST_DISCARDED: usize = 1024 * 1024;

/// A client's socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    connection: Arc<ClientConnection>,
    state: SocketState,
}

#[derive(Debug)]
enum SocketState {
    Open,
    /// Everything is sent, and the bytes that still come in are thrown away. If they were left
    /// unread, the system would reset the connection, and the client would lose the answer.
    Lingering {
        until: Pin<Box<Sleep>>,
        discarded: usize,
    },
}

impl Socket {
    pub(super) fn of(stream: TcpStream, connection: Arc<ClientConnection>) -> Self {
        // Times would not be comparable if an answer waited for the acknowledgement of another.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        #[cfg(target_os = "linux")]
        if let Err(error) = SockRef::from(&stream).set_tcp_notsent_lowat(MOST_NOT_SENT) {
            tracing::debug!(%error, "cannot set TCP_NOTSENT_LOWAT");
        }
        Self {
            stream,
            connection,
            state: SocketState::Open,
        }
    }

    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Ready(_) => self.connection.has_read(),
            Poll::Pending => self.connection.has_not_read(),
        }
        written
    }

    /// Reads and throws away what still comes, until the client closes or a limit is reached.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let SocketState::Lingering { until, discarded } = &mut self.state else {
            return Poll::Ready(());
        };
        let mut buffer = [0; 4096];
        while *discarded < MOST_DISCARDED {
            if until.as_mut().poll(context).is_ready() {
                break;
            }
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
            match read {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *discarded += buffer.filled().len();
                }
                Poll::Ready(_) => break,
                Poll::Pending if *discarded > 0 || self.connection.has_unanswered_input() => {
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.connection.has_sent();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.state, SocketState::Open) {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.state = SocketState::Lingering {
                until: Box::pin(sleep(LINGER)),
                discarded: 0,
            };
        }
        ready!(self.discard(context));
        Poll::Ready(Ok(()))
    }
}
