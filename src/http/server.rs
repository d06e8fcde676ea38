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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::Service;
use super::caller::Caller;

/// Serves until `stop` is done; then takes no more connections, and finishes the requests that are
/// under way, also those whose clients have left. However long that takes: whoever has less time
/// drops the future.
pub async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()>) {
    let service = Arc::new(service);
    let stopping = CancellationToken::new();
    let connections = TaskTracker::new();
    let serve = |(stream, peer): (TcpStream, SocketAddr)| {
        let served = serve_connection(stream, peer.ip(), service.clone(), stopping.clone());
        connections.spawn(served);
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => serve(accepted),
            Err(error) => tokio::select! {
                () = recover(&error) => {}
                () = &mut stop => break,
            },
        }
    }
    not_yet_accepted(listener).for_each(serve);
    stopping.cancel();
    connections.close();
    connections.wait().await;
    service.requests.close();
    service.requests.wait().await;
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

/// Serves one connection, request after request, until it ends or the service stops.
async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    service: Arc<Service>,
    stopping: CancellationToken,
) {
    let mut connection = pin!(connection(stream, peer, &service));
    let last_call = async {
        stopping.cancelled().await;
        sleep(LAST_CALL).await;
    };
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = last_call => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn connection(
    stream: TcpStream,
    peer: IpAddr,
    service: &Service,
) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    // An answer that waits for the acknowledgement of another is no measurement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let router = service.router.clone();
    let behind_proxy = service.behind_proxy;
    let router = router.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        Caller::introduce(&mut request, peer, behind_proxy);
        request
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(service.header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
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
