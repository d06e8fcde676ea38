//! A client's socket, which notes what becomes of the bytes.
//!
//! A client that reads nothing would keep its answer, and what that is made of, for as long as it
//! likes: TCP keeps asking it whether there is room, and never gives up. So the service has to.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::connected::Connected;

/// About how many bytes wait in the system to be sent, at most. That a client reads shows only in
/// the system's taking more of them. The system would take megabytes at once otherwise, and a slow
/// client would seem to read nothing for minutes.
const MOST_NOT_SENT: u32 = 32 * 1024;

/// How long, and how many bytes, are read from a client that was answered before it has sent all.
const LINGER: Duration = Duration::from_secs(1);
const MOST_DISCARDED: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    connected: Arc<Connected>,
    closing: Closing,
}

/// How far a socket is closed.
#[derive(Debug)]
enum Closing {
    NotYet,
    /// All is sent. What still comes in is thrown away: were it left unread, the system would reset
    /// the connection, and the client would lose the answer.
    Lingering {
        until: Pin<Box<Sleep>>,
        discarded: usize,
    },
}

impl Socket {
    pub(super) fn of(stream: TcpStream, connected: Arc<Connected>) -> Self {
        // An answer that waits for the acknowledgement of another is no measurement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        #[cfg(target_os = "linux")]
        if let Err(error) = SockRef::from(&stream).set_tcp_notsent_lowat(MOST_NOT_SENT) {
            tracing::debug!(%error, "cannot set TCP_NOTSENT_LOWAT");
        }
        Self {
            stream,
            connected,
            closing: Closing::NotYet,
        }
    }

    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Ready(_) => self.connected.has_read(),
            Poll::Pending => self.connected.has_not_read(),
        }
        written
    }

    /// Reads and throws away what still comes. Done at the client's end, and where it is enough.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Closing::Lingering { until, discarded } = &mut self.closing else {
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
                Poll::Pending if *discarded > 0 || self.connected.has_unanswered_input() => {
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
            self.connected.has_sent();
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
        if matches!(self.closing, Closing::NotYet) {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.closing = Closing::Lingering {
                until: Box::pin(sleep(LINGER)),
                discarded: 0,
            };
        }
        ready!(self.discard(context));
        Poll::Ready(Ok(()))
    }
}
