//! A download on its way to the client, a piece at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::exhibits::exports::Download;

/// The body of a download, which is read a piece at a time.
pub(super) struct DownloadBody(ReadState);

enum ReadState {
    /// No piece has been asked for.
    Idle(Download),
    /// The next piece is being read.
    Busy {
        left: u64,
        reading: JoinHandle<io::Result<(Download, Vec<u8>)>>,
    },
    /// The file has ended, or the download was broken off.
    Over,
}

/// How many bytes are read at once, at most.
const PIECE: usize = 64 * 1024;

impl From<Download> for DownloadBody {
    fn from(download: Download) -> Self {
        Self(ReadState::Idle(download))
    }
}

impl ReadState {
    fn begin(mut download: Download) -> Self {
        if download.left() == 0 {
            return Self::Over;
        }
        Self::Busy {
            left: download.left(),
            reading: tokio::task::spawn_blocking(move || {
                let piece = download.read(PIECE)?;
                Ok((download, piece))
            }),
        }
    }

    fn left(&self) -> u64 {
        match self {
            Self::Idle(download) => download.left(),
            Self::Busy { left, .. } => *left,
            Self::Over => 0,
        }
    }
}

impl hyper::body::Body for DownloadBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0 = match std::mem::replace(&mut self.0, ReadState::Over) {
            ReadState::Idle(download) => ReadState::begin(download),
            other => other,
        };
        let ReadState::Busy { reading, .. } = &mut self.0 else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.0 = ReadState::Over;
        Poll::Ready(Some(match read {
            Ok(Ok((download, piece))) => {
                self.0 = ReadState::Idle(download);
                Ok(Frame::data(piece.into()))
            }
            Ok(Err(error)) => Err(error),
            Err(stopped) => Err(io::Error::other(stopped)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.left())
    }
}
