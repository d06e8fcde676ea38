//! The accept loop: a listener in, connections served, a clean end.
//!
//! `axum::serve` has no timeout for request headers; hyper, on which it stands, has one.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::admission::{Admission, AdmittedConnection, RESERVED_HEADER_TIMEOUT};
use super::caller::Caller;
use super::service::Service;
use super::socket::Socket;

/// Serves until `stop` is done. After that it takes no more connections, ends the streams, and
/// finishes all other requests, also those whose clients have left. This takes as long as they
/// take: a caller with less time drops the future.
pub async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()>) {
    let service = Arc::new(service);
    let admission = Admission::of(service.limits.connections);
    let connections = TaskTracker::new();
    let serve = |(stream, peer): (TcpStream, SocketAddr), admitted: AdmittedConnection| {
        let served = serve_connection(stream, peer.ip(), admitted, service.clone());
        connections.spawn(served);
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &admission) => accepted,
        };
        if let Some((accepted, admitted)) = accepted {
            serve(accepted, admitted);
        }
    }
    for accepted in not_yet_accepted(listener) {
        if let Some(admitted) = admission.try_admit() {
            serve(accepted, admitted);
        }
    }
    service.stopping.cancel();
    connections.close();
    connections.wait().await;
    service.requests.close();
    service.requests.wait().await;
    service.close().await;
}

/// Takes the next connection and waits for a place for it. None if it could not be accepted.
async fn accept(
    listener: &TcpListener,
    admission: &Arc<Admission>,
) -> Option<((TcpStream, SocketAddr), AdmittedConnection)> {
    match listener.accept().await {
        Ok(accepted) => Some((accepted, admission.admit().await?)),
        Err(error) => {
            recover(&error).await;
            None
        }
    }
}

/// Closes the listener, and yields the connections that it had not accepted yet. They would be
/// reset with it, and a client that was in time would get no answer.
fn not_yet_accepted(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    // The listener does not block: without a further connection, accept returns an error.
    let accepted = std::iter::from_fn(move || listener.as_ref()?.accept().ok());
    accepted.filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    })
}

/// How long after the stop a request is still taken. When hyper is told to stop, it closes a
/// connection from which it has read nothing, even if a request has arrived. This is enough time to
/// read it.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long a client may read nothing after the stop.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Serves one connection, request after request, until it ends, must be closed, or the service
/// stops.
async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    admitted: AdmittedConnection,
    service: Arc<Service>,
) {
    let client = &admitted.connection;
    let mut connection = pin!(connection(stream, peer, &admitted, &service));
    let last_call = async {
        service.stopping.cancelled().await;
        sleep(LAST_CALL).await;
    };
    let patience = service.limits.write_timeout;
    let ended = tokio::select! {
        biased;
        ended = &mut connection => Ok(ended),
        reason = client.must_close(patience) => Err(reason),
        () = last_call => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = connection => Ok(ended),
                reason = client.must_close(patience.min(LAST_PATIENCE)) => Err(reason),
            }
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(reason) => tracing::debug!(client = %peer, "a connection was closed: {reason}"),
    }
}

/// How many bytes a request's line and headers may have: enough for every browser's cookies.
const LONGEST_HEAD: usize = 32 * 1024;

/// How many bytes are buffered for each connection, of its input and again of its output.
const BUFFER: usize = 2 * LONGEST_HEAD;

fn connection(
    stream: TcpStream,
    peer: IpAddr,
    admitted: &AdmittedConnection,
    service: &Service,
) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    let header_timeout = if admitted.connection.is_in_the_reserve() {
        service.header_timeout.min(RESERVED_HEADER_TIMEOUT)
    } else {
        service.header_timeout
    };
    let socket = Socket::of(stream, Arc::clone(&admitted.connection));
    let origin = admitted.origin();
    let router = service.router.clone();
    let behind_proxy = service.behind_proxy;
    let router = router.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        Caller::introduce(&mut request, peer, behind_proxy);
        request.extensions_mut().insert(origin.clone());
        request
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router))
}

/// Waits after a failure to accept, such as too many open files. A connection that broke before it
/// was accepted is no failure of the service.
async fn recover(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(%error, "cannot accept a connection");
        sleep(Duration::from_secs(1)).await;
    }
}
