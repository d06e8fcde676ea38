//! The place for long-lived streams, such as server-sent events.
//!
//! Other requests run to their end (`completion`): they take a worker, their time is limited, and a
//! stop waits for them. A stream has no end of its own. So here a request takes no worker and has
//! no time limit. When the service stops, its body ends at once, as if the handler had nothing more
//! to say. A handler in this place has to answer at once and to do its waiting in the body.
//!
//! A stream's connection is like all others: it takes one of the places that `admission` gives, and
//! it is closed if its client reads nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper::body::Frame;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::app::App;
use super::part::Part;

/// Puts these parts in the place for streams.
pub(super) fn place(parts: &[&Part], stopping: CancellationToken) -> Router<Arc<App>> {
    parts
        .iter()
        .fold(Router::new(), |all, part| all.merge((part.routes)()))
        .layer(middleware::from_fn_with_state(stopping, end_at_the_stop))
}

async fn end_at_the_stop(
    State(stopping): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    next.run(request).await.map(|body| {
        Body::new(Stream {
            body,
            stopped: Box::pin(stopping.cancelled_owned()),
        })
    })
}

/// A body that ends when the service stops.
struct Stream {
    body: Body,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use axum::routing::get;
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;
    use tokio::time::timeout;
    use utoipa::OpenApi as _;

    use super::*;
    use crate::engine::choice::{self, DatabaseUrl, Lifetime};
    use crate::exhibits::deposits::{LongDelay, Retry};
    use crate::exhibits::exports::Folder;
    use crate::exhibits::tables::Tables;
    use crate::http::{Limits, Service, Settings, serve};
    use crate::step::Unobserved;

    /// An answer that has begun and never goes on.
    struct Endless {
        has_begun: bool,
    }

    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            if std::mem::replace(&mut self.has_begun, true) {
                return Poll::Pending;
            }
            let event = Bytes::from_static(b"data: it begins\n\n");
            Poll::Ready(Some(Ok(Frame::data(event))))
        }
    }

    #[derive(utoipa::OpenApi)]
    struct NoPaths;

    const ENDLESS: Part = Part {
        routes: || {
            let answer = async || Body::new(Endless { has_begun: false });
            Router::new().route("/endless", get(answer))
        },
        paths: NoPaths::openapi,
        shown_by: None,
    };

    const AN_HOUR: Duration = Duration::from_hours(1);

    /// A service without a worker, in which every other request would wait for an hour.
    fn settings() -> Settings {
        Settings {
            workers: Some(0),
            long_delay: LongDelay(Duration::ZERO..=Duration::ZERO),
            retry: Retry::default(),
            header_timeout: AN_HOUR,
            request_timeout: AN_HOUR,
            idempotency_ttl: AN_HOUR,
            behind_proxy: false,
            instance: "here".parse().unwrap(),
            exports: Folder::at("no export folder"),
            tables: Tables::at("no tables"),
            limits: Limits::default(),
        }
    }

    /// Opens the stream, and reads until its first event has come.
    async fn open(address: SocketAddr) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while !line.contains("it begins") {
            line.clear();
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0);
        }
        stream
    }

    #[tokio::test]
    async fn a_stream_takes_no_worker_and_ends_when_the_service_stops() {
        let (settings, sqlite) = (settings(), DatabaseUrl::SqliteTemporary);
        let engine = crate::engine::Settings::default();
        let opened = choice::open(Some(&sqlite), Lifetime::Temporary, &engine, &|_| {});
        let opened = opened.await.unwrap();
        let database = opened.database.clone();
        let service = Service::with_streams(database, &settings, Arc::new(Unobserved), &[&ENDLESS]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, service, async {
            let _ = stopped.await;
        }));

        let mut stream = open(address).await;
        stop.send(()).unwrap();

        let soon = Duration::from_secs(20);
        let mut rest = String::new();
        timeout(soon, stream.read_to_string(&mut rest))
            .await
            .expect("the stream ends")
            .unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "it ends in order: {rest:?}");
        timeout(soon, serving)
            .await
            .expect("the service stops")
            .unwrap();
        opened.close().await.unwrap();
    }
}
