//! Asks a service from outside whether it can do its work, for a container's health check.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than the service waits for the database, so that it can answer that there was no answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks `GET /health/ready` of the service that listens at this address on this host.
///
/// # Errors
/// Why it is not ready, or cannot be asked.
pub async fn probe(listen: SocketAddr) -> Result<(), String> {
    let address = reachable(listen);
    let failed = |why: String| format!("http://{address}/health/ready: {why}");
    match timeout(PATIENCE, ask(address)).await {
        Ok(Ok(StatusCode::OK)) => Ok(()),
        Ok(Ok(status)) => Err(failed(status.to_string())),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_elapsed) => Err(failed(format!("no answer after {PATIENCE:?}"))),
    }
}

/// A service that listens on every address is asked on the loopback address.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Carries the request and its answer. If it fails, the request fails too.
    tokio::spawn(connection);
    let request = Request::get("/health/ready").header(header::HOST, address.to_string());
    let response = requests.send_request(request.body(Body::empty())?).await?;
    Ok(response.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_the_loopback_address() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
