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

use super::admission::{Admission, Admitted, SAY_QUICKLY};
use super::caller::Caller;
use super::service::Service;
use super::socket::Socket;

/// Serves until `stop` is done; then takes no more connections, and finishes the requests that are
/// under way, also those whose clients have left. However long that takes: whoever has less time
/// drops the future.
pub async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()>) {
    let service = Arc::new(service);
    let admission = Admission::of(service.limits.connections);
    let connections = TaskTracker::new();
    let serve = |(stream, peer): (TcpStream, SocketAddr), admitted: Admitted| {
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

/// Takes the next connection, once there is a place for it; None where it came to nothing.
async fn accept(
    listener: &TcpListener,
    admission: &Arc<Admission>,
) -> Option<((TcpStream, SocketAddr), Admitted)> {
    match listener.accept().await {
        Ok(accepted) => Some((accepted, admission.admit().await?)),
        Err(error) => {
            recover(&error).await;
            None
        }
    }
}

/// Closes the listener, and yields the connections that nobody had accepted: they would be reset with it, and
/// some client that was in time would get no answer.
fn not_yet_accepted(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    // It does not block: where nobody is left, it says so.
    let accepted = std::iter::from_fn(move || listener.as_ref()?.accept().ok());
    accepted.filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    })
}

/// How long after the stop a request is still taken. hyper, when it is told to stop, closes a connection from
/// which it has read nothing, whatever has arrived by then; this is time enough to read it.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long a client may read nothing once the service stops.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Serves one connection, request after request, until it ends, has to go or the service stops.
async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    admitted: Admitted,
    service: Arc<Service>,
) {
    let connected = &admitted.connected;
    let mut connection = pin!(connection(stream, peer, &admitted, &service));
    let last_call = async {
        service.stopping.cancelled().await;
        sleep(LAST_CALL).await;
    };
    let patience = service.limits.write_timeout;
    let ended = tokio::select! {
        biased;
        ended = &mut connection => Ok(ended),
        reason = connected.has_to_go(patience) => Err(reason),
        () = last_call => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = connection => Ok(ended),
                reason = connected.has_to_go(patience.min(LAST_PATIENCE)) => Err(reason),
            }
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(reason) => tracing::debug!(client = %peer, "a connection was closed: {reason}"),
    }
}

/// How long a request's line and headers may be together: enough for every browser's cookies.
const LONGEST_HEAD: usize = 32 * 1024;

/// How much of what was read, and of what is to be written, is kept for each connection.
const BUFFER: usize = 2 * LONGEST_HEAD;

fn connection(
    stream: TcpStream,
    peer: IpAddr,
    admitted: &Admitted,
    service: &Service,
) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    let header_timeout = match admitted.connected.is_in_the_reserve() {
        true => service.header_timeout.min(SAY_QUICKLY),
        false => service.header_timeout,
    };
    let socket = Socket::of(stream, Arc::clone(&admitted.connected));
    let arrived = admitted.arrived();
    let router = service.router.clone();
    let behind_proxy = service.behind_proxy;
    let router = router.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        Caller::introduce(&mut request, peer, behind_proxy);
        request.extensions_mut().insert(arrived.clone());
        request
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router))
}

/// A connection that broke before it was accepted is its client's affair. Anything else, such as
/// too many open files, needs time to get better.
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
