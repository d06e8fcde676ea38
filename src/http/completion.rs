//! Runs each request to its end, also if its client leaves.
//!
//! A handler's future is dropped when its client leaves. If the database work hung on that future,
//! a client could stop a deposit between any two of its steps. So the work of a request runs in a
//! task of its own. The connection merely waits for that task, and so does a shutdown.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::problem::Problem;
use crate::observe::timeline::Arrival;

/// How requests are carried out.
#[derive(Debug, Clone)]
pub(super) struct Completion {
    /// The requests under way.
    pub(super) tasks: TaskTracker,
    /// One permit for each worker. None if their number is not limited.
    pub(super) workers: Option<Arc<Semaphore>>,
    /// The largest body that is read, in bytes.
    pub(super) body_limit: usize,
    /// How long a client may take to send a body.
    pub(super) body_timeout: Duration,
    /// How long a client waits for an answer, at most.
    pub(super) request_timeout: Duration,
    /// Where a client can see whether an unanswered request was carried out. None if these requests
    /// change nothing.
    pub(super) shown_by: Option<&'static str>,
}

/// The largest body that is read as a rule, in bytes. An order with the most lines takes less than
/// 5 KB.
pub(super) const BODY_LIMIT: usize = 16 * 1024;

/// Reads the request, then carries it out in a task of its own.
///
/// A request arrives when all of it is there: a client that sends half a request takes no worker.
pub(super) async fn run_to_the_end(
    State(completion): State<Completion>,
    request: Request,
    next: Next,
) -> Response {
    let mut request = match read(request, &completion).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let arrival = Arrival::now();
    let shown_by = completion.shown_by.filter(|_| !request.method().is_safe());

    let workers = completion.workers.clone();
    let work = async move {
        // Held until the work is done, also when the client has left, like a synchronous worker.
        let (_worker, arrival) = match workers {
            Some(workers) => (Some(workers.acquire_owned().await), arrival.taken_up_now()),
            None => (None, arrival),
        };
        request.extensions_mut().insert(arrival);
        next.run(request).await
    };
    let task = completion.tasks.spawn(work.in_current_span());

    match timeout(completion.request_timeout, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            tracing::error!(%panic, "a request's task panicked");
            Problem::internal().into_response()
        }
        Err(_elapsed) => {
            Problem::took_too_long(completion.request_timeout, shown_by).into_response()
        }
    }
}

async fn read(request: Request, completion: &Completion) -> Result<Request, Problem> {
    let (limit, most) = (completion.body_timeout, completion.body_limit);
    let (parts, body) = request.into_parts();
    let body = timeout(limit, to_bytes(body, most))
        .await
        .map_err(|_elapsed| Problem::slow_body(limit))?
        .map_err(|error| {
            if error.into_inner().is::<LengthLimitError>() {
                Problem::too_large(most)
            } else {
                Problem::invalid("The request's body broke off.")
            }
        })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}
