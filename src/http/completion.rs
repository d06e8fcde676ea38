//! Runs each request to its end, whoever still listens.
//!
//! A handler's future is dropped when its client leaves. If the database work hung on that future,
//! a client could stop a deposit between any two of its steps. So the work of a request runs in a
//! task of its own, which the connection merely waits for, and which a shutdown waits for too.

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
    /// As many permits as there are workers; none where their number is not limited.
    pub(super) workers: Option<Arc<Semaphore>>,
    /// How long a client may take to send a body.
    pub(super) body_timeout: Duration,
    /// How long a client is kept waiting for an answer.
    pub(super) request_timeout: Duration,
}

/// No deposit needs more.
const BODY_LIMIT: usize = 16 * 1024;

/// Reads the request, then carries it out in a task of its own.
///
/// A request arrives when all of it is there: a client that sends half a request takes no worker.
pub(super) async fn run_to_the_end(
    State(completion): State<Completion>,
    request: Request,
    next: Next,
) -> Response {
    let mut request = match read(request, completion.body_timeout).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(Arrival::now());

    let workers = completion.workers.clone();
    let work = async move {
        // Held until the work is done, like a synchronous worker, also when the client has left.
        let _worker = match workers {
            Some(workers) => Some(workers.acquire_owned().await),
            None => None,
        };
        next.run(request).await
    };
    let task = completion.tasks.spawn(work.in_current_span());

    match timeout(completion.request_timeout, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            tracing::error!(%panic, "a request's task panicked");
            Problem::internal().into_response()
        }
        Err(_elapsed) => Problem::took_too_long(completion.request_timeout).into_response(),
    }
}

async fn read(request: Request, limit: Duration) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let body = timeout(limit, to_bytes(body, BODY_LIMIT))
        .await
        .map_err(|_elapsed| Problem::slow_body(limit))?
        .map_err(|error| {
            if error.into_inner().is::<LengthLimitError>() {
                Problem::too_large(BODY_LIMIT)
            } else {
                Problem::invalid("The request's body broke off.")
            }
        })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}
