//! One connection from a client: what it is doing, and when it must be closed.
//!
//! Its [`Socket`](super::socket::Socket) notes which bytes come and go. The service notes when a
//! request begins, and when its answer has been handed over. The task that serves the connection
//! waits for [`must_close`](ClientConnection::must_close).

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// The state of a connection, which its socket, the service and `admission` share.
#[derive(Debug)]
pub(super) struct ClientConnection {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    place: Place,
    /// Whether a request is being carried out, or its answer has not been handed over yet.
    is_busy: bool,
    /// Since when the connection has not been busy.
    idle_since: Instant,
    /// Since when the client has read nothing, although an answer waits for it. None if it reads.
    stalled_since: Option<Instant>,
    /// Whether bytes have come in that are not yet a whole request.
    has_unanswered_input: bool,
    /// Whether another connection needs this one's place.
    is_unwanted: bool,
}

/// The right to be connected.
#[derive(Debug)]
pub(super) enum Place {
    /// One of the places for every client.
    Ordinary(
        #[expect(dead_code, reason = "held, and given back when it is dropped")]
        OwnedSemaphorePermit,
    ),
    /// One of the few places beyond them, for a request that is never refused.
    Reserved(
        #[expect(dead_code, reason = "held, and given back when it is dropped")]
        OwnedSemaphorePermit,
    ),
}

/// Why a connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The client has read nothing for this long.
    Stalled(Duration),
    /// The connection is idle, and another one needs its place.
    Unwanted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stalled(patience) => write!(f, "the client has read nothing for {patience:?}"),
            Self::Unwanted => f.write_str("it was idle, and another connection needs its place"),
        }
    }
}

impl ClientConnection {
    pub(super) fn at(place: Place) -> Self {
        Self {
            state: Mutex::new(State {
                place,
                is_busy: false,
                idle_since: Instant::now(),
                stalled_since: None,
                has_unanswered_input: false,
                is_unwanted: false,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection has one of the reserved places.
    pub(super) fn is_in_the_reserve(&self) -> bool {
        matches!(self.state().place, Place::Reserved(_))
    }

    /// Gives the connection another place, and releases its old one.
    pub(super) fn move_to(&self, place: Place) {
        self.state().place = place;
    }

    /// Since when the connection has been idle. None if it is busy, or was asked to leave.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (!state.is_busy && !state.is_unwanted).then_some(state.idle_since)
    }

    /// Whether the connection is idle and was asked to leave, so that its place is about to be
    /// free.
    pub(super) fn is_leaving(&self) -> bool {
        let state = self.state();
        !state.is_busy && state.is_unwanted
    }

    /// Asks the connection to leave as soon as it is idle.
    pub(super) fn ask_to_leave(&self) {
        self.state().is_unwanted = true;
        self.changed.notify_one();
    }

    /// Notes that bytes came in.
    pub(super) fn has_sent(&self) {
        self.state().has_unanswered_input = true;
    }

    /// Notes that the client has taken bytes.
    pub(super) fn has_read(&self) {
        self.state().stalled_since = None;
    }

    /// Notes that the client takes no more bytes.
    pub(super) fn has_not_read(&self) {
        let mut state = self.state();
        if state.stalled_since.is_none() {
            state.stalled_since = Some(Instant::now());
            self.changed.notify_one();
        }
    }

    /// Whether bytes have come in that are not yet a whole request. More may be on their way.
    pub(super) fn has_unanswered_input(&self) -> bool {
        self.state().has_unanswered_input
    }

    /// Notes that a request has come. The request is over when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> RequestGuard {
        let mut state = self.state();
        state.is_busy = true;
        state.has_unanswered_input = false;
        RequestGuard(Arc::clone(self))
    }

    fn end(&self) {
        let mut state = self.state();
        state.is_busy = false;
        state.idle_since = Instant::now();
        state.has_unanswered_input = false;
        if state.is_unwanted {
            self.changed.notify_one();
        }
    }

    /// Waits until the connection must be closed, and returns why. A client that has read nothing
    /// for `patience` is one reason.
    pub(super) async fn must_close(&self, patience: Duration) -> Reason {
        loop {
            let changed = self.changed.notified();
            let give_up_at = match self.verdict(patience) {
                Ok(reason) => return reason,
                Err(give_up_at) => give_up_at,
            };
            match give_up_at {
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Why the connection must be closed now. Otherwise the error says when to look again, unless
    /// something changes before.
    fn verdict(&self, patience: Duration) -> Result<Reason, Option<Instant>> {
        let state = self.state();
        match state.stalled_since {
            Some(since) if since.elapsed() >= patience => Ok(Reason::Stalled(patience)),
            Some(since) => Err(Some(since + patience)),
            None if state.is_unwanted && !state.is_busy => Ok(Reason::Unwanted),
            None => Err(None),
        }
    }
}

/// Marks a connection as busy until it is dropped.
#[derive(Debug)]
pub(super) struct RequestGuard(Arc<ClientConnection>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl RequestGuard {
    /// Keeps the guard until the answer's body has been handed over, or given up.
    pub(super) fn until_sent(self, response: Response) -> Response {
        response.map(|body| {
            Body::new(GuardedBody {
                body,
                _underway: self,
            })
        })
    }
}

/// A body that holds a request's guard.
struct GuardedBody {
    body: Body,
    _underway: RequestGuard,
}

impl hyper::body::Body for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn connection() -> Arc<ClientConnection> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Arc::new(ClientConnection::at(Place::Ordinary(permit)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_closed_and_one_that_reads_slowly_stays() {
        let connection = connection();
        let watched = Arc::clone(&connection);
        let gone = tokio::spawn(async move { watched.must_close(PATIENCE).await });
        for _ in 0..10 {
            connection.has_not_read();
            tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            assert!(!gone.is_finished());
            connection.has_read();
        }
        connection.has_not_read();
        let began = Instant::now();
        assert_eq!(gone.await.unwrap(), Reason::Stalled(PATIENCE));
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unwanted_connection_is_closed_when_its_answer_is_handed_over() {
        let connection = connection();
        let watched = Arc::clone(&connection);
        let gone = tokio::spawn(async move { watched.must_close(PATIENCE).await });
        let underway = connection.begin();
        let answer = underway.until_sent(Response::new(Body::from("answer")));
        connection.ask_to_leave();
        tokio::time::sleep(PATIENCE * 10).await;
        assert!(!gone.is_finished());
        drop(answer);
        assert_eq!(gone.await.unwrap(), Reason::Unwanted);
    }
}
