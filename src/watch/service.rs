//! The service that is watched: its address, and how its metrics are fetched.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::uri::{Authority, Scheme};
use axum::http::{Request, StatusCode, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long to wait for an answer. It is longer than the service waits for its database, so that
/// the service can report that the database did not answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// The most bytes of an answer. A thousand accounts and all strategies take a fraction of it.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The address of a service: `http://HOST:PORT`, and the path if it is behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    authority: Authority,
    path: String,
}

impl FromStr for ServiceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{why}; give a URL such as http://127.0.0.1:8080"));
        let Ok(uri) = text.parse::<Uri>() else {
            return wrong("that is no URL");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return wrong("a scheme or a host is missing");
        };
        if *scheme != Scheme::HTTP {
            return wrong("only http:// works here");
        }
        if authority.as_str().contains('@') {
            return wrong("a user and a password are not needed");
        }
        if uri.query().is_some() {
            return wrong("nothing may follow a ?");
        }
        Ok(Self {
            authority: authority.clone(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

/// The answer of one instance.
#[derive(Debug)]
pub(super) struct Answer {
    /// The name of the instance.
    pub(super) instance: String,
    /// The metrics.
    pub(super) text: String,
}

impl ServiceUrl {
    /// Fetches `/metrics`.
    pub(super) async fn metrics(&self) -> Result<Answer, String> {
        let answer = timeout(PATIENCE, self.ask()).await;
        let answer =
            answer.unwrap_or_else(|_elapsed| Err(format!("no answer in {PATIENCE:?}").into()));
        answer.map_err(|error| format!("{self}/metrics: {error}"))
    }

    async fn ask(&self) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let port = self.authority.port_u16().unwrap_or(80);
        let address = format!("{}:{port}", self.authority.host());
        let stream = TcpStream::connect(address).await?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Carries the request and its answer. Its errors are reported by the request, too.
        tokio::spawn(connection);
        let request = Request::get(format!("{}/metrics", self.path))
            .header(header::HOST, self.authority.as_str())
            .body(Body::empty())?;
        let response = requests.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(response.status().to_string().into());
        }
        let instance = response.headers().get("x-racy-instance");
        let instance = instance.and_then(|name| name.to_str().ok());
        Ok(Answer {
            instance: instance.unwrap_or_default().to_owned(),
            text: read(Body::new(response.into_body())).await?,
        })
    }
}

async fn read(body: Body) -> Result<String, Box<dyn Error + Send + Sync>> {
    let bytes = to_bytes(body, LONGEST_ANSWER).await?;
    Ok(String::from_utf8(bytes.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_url() {
        for (text, url) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://lab/", "http://lab"),
            (
                "http://[::1]:80/lessons/racy/",
                "http://[::1]:80/lessons/racy",
            ),
        ] {
            assert_eq!(text.parse::<ServiceUrl>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn a_url_that_cannot_work_is_refused_with_one_that_would() {
        for (text, why) in [
            ("127.0.0.1:8080", "missing"),
            ("/metrics", "missing"),
            ("", "no URL"),
            ("http://", "no URL"),
            ("https://lab", "only http://"),
            ("http://ada:secret@lab", "not needed"),
            ("http://lab/?x=1", "may follow a ?"),
        ] {
            let error = text.parse::<ServiceUrl>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
            assert!(error.contains("such as http://127.0.0.1:8080"), "{error}");
        }
    }
}
