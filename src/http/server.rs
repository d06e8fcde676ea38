//! The accept loop: a listener in, connections served, a clean end.
//!
//! `axum::serve` has no timeout for request headers; hyper, on which it stands, has one.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
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
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => serve_connection(stream, peer.ip(), &service, &connections),
            Err(error) => tokio::select! {
                () = recover(&error) => {}
                () = &mut stop => break,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
    service.requests.close();
    service.requests.wait().await;
}

fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    service: &Service,
    connections: &GracefulShutdown,
) {
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
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(service.header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
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
