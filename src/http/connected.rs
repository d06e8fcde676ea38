//! One connection from a client: what it is doing, and when it has to go.
//!
//! Its [`Socket`](super::socket::Socket) notes what becomes of bytes, the service when a request
//! begins and when its answer is handed over. The task that serves the connection asks
//! [`has_to_go`](Connected::has_to_go).

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

/// A connection, as its socket, the service and the others see it.
#[derive(Debug)]
pub(super) struct Connected {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    place: Place,
    /// Whether a request is being carried out, or its answer is not handed over yet.
    is_busy: bool,
    /// Since when it is not busy.
    idle_since: Instant,
    /// Since when the client has read nothing, although there is something to be read.
    stalled_since: Option<Instant>,
    /// Whether something was read that no request has come of.
    has_unanswered_input: bool,
    /// Whether another connection needs its place.
    is_unwanted: bool,
}

/// The right to be connected.
#[derive(Debug)]
pub(super) enum Place {
    /// One of those that every client may have.
    Ordinary(
        #[expect(dead_code, reason = "held, and given back when it is dropped")]
        OwnedSemaphorePermit,
    ),
    /// One of the few beyond them, for one request that may not be kept out.
    Reserved(
        #[expect(dead_code, reason = "held, and given back when it is dropped")]
        OwnedSemaphorePermit,
    ),
}

/// Why a connection has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The client has read nothing for that long.
    Stalled(Duration),
    /// It is idle, and another one needs its place.
    Unwanted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stalled(patience) => write!(f, "the client has read nothing for {patience:?}"),
            Self::Unwanted => f.write_str("it was idle, and another one needs its place"),
        }
    }
}

impl Connected {
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

    /// Whether it has one of the places beyond the ordinary ones.
    pub(super) fn is_in_the_reserve(&self) -> bool {
        matches!(self.state().place, Place::Reserved(_))
    }

    /// Gives it another place, and its own back.
    pub(super) fn move_to(&self, place: Place) {
        self.state().place = place;
    }

    /// Since when it is idle; None while it is not, or is told to go already.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (!state.is_busy && !state.is_unwanted).then_some(state.idle_since)
    }

    /// Whether it was told to go and is idle, so that its place is about to be free.
    pub(super) fn is_leaving(&self) -> bool {
        let state = self.state();
        !state.is_busy && state.is_unwanted
    }

    /// Tells it to go as soon as it is idle.
    pub(super) fn has_to_make_room(&self) {
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

    /// Notes that the client has room for no more.
    pub(super) fn has_not_read(&self) {
        let mut state = self.state();
        if state.stalled_since.is_none() {
            state.stalled_since = Some(Instant::now());
            self.changed.notify_one();
        }
    }

    /// Whether something was read that no request has come of: more of it may be on its way.
    pub(super) fn has_unanswered_input(&self) -> bool {
        self.state().has_unanswered_input
    }

    /// Notes that a request has come; over when what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Underway {
        let mut state = self.state();
        state.is_busy = true;
        state.has_unanswered_input = false;
        Underway(Arc::clone(self))
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

    /// Done when the connection has to go. A client that has read nothing for as long as the
    /// patience lasts has to.
    pub(super) async fn has_to_go(&self, patience: Duration) -> Reason {
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

    /// Why it has to go now; or else when to look again, if nothing changes before.
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

/// A request that is being carried out.
#[derive(Debug)]
pub(super) struct Underway(Arc<Connected>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Underway {
    /// Ends when the answer's body has been handed over, or given up.
    pub(super) fn until_sent(self, response: Response) -> Response {
        response.map(|body| {
            Body::new(Answer {
                body,
                _underway: self,
            })
        })
    }
}

/// A body that says when it is over.
struct Answer {
    body: Body,
    _underway: Underway,
}

impl hyper::body::Body for Answer {
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

    fn connected() -> Arc<Connected> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Arc::new(Connected::at(Place::Ordinary(permit)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_has_to_go_and_one_that_reads_slowly_stays() {
        let connected = connected();
        let watched = Arc::clone(&connected);
        let gone = tokio::spawn(async move { watched.has_to_go(PATIENCE).await });
        for _ in 0..10 {
            connected.has_not_read();
            tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            assert!(!gone.is_finished());
            connected.has_read();
        }
        connected.has_not_read();
        let began = Instant::now();
        assert_eq!(gone.await.unwrap(), Reason::Stalled(PATIENCE));
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unwanted_connection_goes_when_its_answer_is_handed_over() {
        let connected = connected();
        let watched = Arc::clone(&connected);
        let gone = tokio::spawn(async move { watched.has_to_go(PATIENCE).await });
        let underway = connected.begin();
        let answer = underway.until_sent(Response::new(Body::from("answer")));
        connected.has_to_make_room();
        tokio::time::sleep(PATIENCE * 10).await;
        assert!(!gone.is_finished());
        drop(answer);
        assert_eq!(gone.await.unwrap(), Reason::Unwanted);
    }
}
