//! The accept loop: a listener in, connections served, a clean end.
//!
//! `axum::serve` has no timeout for request headers; hyper, on which it stands, has one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::Service;
use super::caller::Caller;

/// Serves until `stop` is done; then takes no more connections, and finishes the requests that are
/// under way, also those whose clients have left. However long that takes: whoever has less time
/// drops the future.
pub async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer.ip(), &service, true);
                tokio::spawn(to_its_end(connections.watch(connection)));
            }
            Err(error) => tokio::select! {
                () = recover(&error) => {}
                () = &mut stop => break,
            },
        }
    }
    let late: JoinSet<()> = not_yet_accepted(listener)
        .map(|(stream, peer)| to_its_end(connection(stream, peer.ip(), &service, false)))
        .collect();
    connections.shutdown().await;
    late.join_all().await;
    service.requests.close();
    service.requests.wait().await;
}

/// Closes the listener, and yields the connections whose requests are there but that nobody had accepted:
/// they would be reset with it, and some client that was in time would get no answer.
fn not_yet_accepted(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    // It does not block: where nobody is left, it says so.
    let accepted = std::iter::from_fn(move || listener.as_ref()?.accept().ok());
    accepted.filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        let has_sent_something = stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0);
        let stream = TcpStream::from_std(stream).ok()?;
        has_sent_something.then_some((stream, peer))
    })
}

/// The work of one connection: with `keep_alive`, one request after the other.
fn connection(
    stream: TcpStream,
    peer: IpAddr,
    service: &Service,
    keep_alive: bool,
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
        .keep_alive(keep_alive)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

async fn to_its_end(connection: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
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
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
