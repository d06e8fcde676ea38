//! The service under test, asked in the ordinary way: one connection for each request.

use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Response, StatusCode};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::{Error, UnexpectedAnswer};
use crate::key::IDEMPOTENCY_KEY;
use crate::transport::{RawAnswer, TransportError, TransportErrorKind, drain, receive, within};

/// The `User-Agent` of all requests.
pub(crate) const USER_AGENT: &str = concat!("make_requests/", env!("CARGO_PKG_VERSION"));
/// The `Accept` of all requests but downloads.
pub(crate) const JSON: &str = "application/json, application/problem+json";

/// The service under test.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    http: reqwest::Client,
    pub(crate) base_url: BaseUrl,
    timeout: Duration,
}

impl Service {
    /// The service at this address. Every request to it may take as long as the timeout.
    pub(crate) fn new(base_url: &BaseUrl, timeout: Duration) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            // A burst goes straight to the service, so spaced requests must do so too.
            .no_proxy()
            // A redirect is an answer like any other: following it would post elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // Only the plan decides whether a request is sent again.
            .retry(reqwest::retry::never())
            // The server may close an idle connection at the moment when it is used again.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| Error::Client(error.to_string()))?;
        Ok(Self {
            http,
            base_url: base_url.clone(),
            timeout,
        })
    }

    /// Gets a JSON document.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        url: &Url,
        expected: &'static str,
    ) -> Result<T, Error> {
        self.read(self.http.get(url.clone()), url, expected).await
    }

    /// Posts a body and reads the answer, a JSON document.
    pub(crate) async fn post_and_read<T: DeserializeOwned>(
        &self,
        url: &Url,
        body: Body,
        expected: &'static str,
    ) -> Result<T, Error> {
        self.read(self.posting(url, body), url, expected).await
    }

    /// Posts a body, with a key if there is one.
    pub(crate) async fn post(
        &self,
        url: &Url,
        body: Body,
        key: Option<String>,
    ) -> Result<RawAnswer, TransportError> {
        let mut post = self.posting(url, body);
        if let Some(key) = key {
            post = post.header(IDEMPOTENCY_KEY, key);
        }
        self.send(post).await
    }

    /// Downloads a file to its end, and returns its length in bytes.
    pub(crate) async fn download(&self, url: &Url) -> Result<u64, Error> {
        let download = async { Ok(self.download_without_limit(url).await) };
        within(self.timeout, download)
            .await
            .map_err(|timeout| Error::no_answer(url, timeout))?
    }

    async fn download_without_limit(&self, url: &Url) -> Result<u64, Error> {
        let response = self.http.get(url.clone()).send().await;
        let response =
            response.map_err(|error| Error::no_answer(url, TransportError::of_request(&error)))?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            return Err(UnexpectedAnswer::of_status(url, status, "the exported file").into());
        }
        let drained = drain(reqwest::Body::from(response)).await;
        drained.map_err(|cause| {
            if cause.kind == TransportErrorKind::Closed {
                let url = url.to_string();
                Error::BrokenOff { url, cause }
            } else {
                Error::no_answer(url, cause)
            }
        })
    }

    fn posting(&self, url: &Url, body: Body) -> RequestBuilder {
        let post = self.http.post(url.clone());
        post.header(CONTENT_TYPE, body.content_type).body(body.text)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        url: &Url,
        expected: &'static str,
    ) -> Result<T, Error> {
        let received = self.send(request).await;
        let RawAnswer { status, body, .. } =
            received.map_err(|cause| Error::no_answer(url, cause))?;
        if status != StatusCode::OK {
            return Err(UnexpectedAnswer::of_status(url, status, expected).into());
        }
        serde_json::from_slice(&body).map_err(|error| {
            let cause = error.to_string();
            let answer = UnexpectedAnswer::of_status(url, status, expected);
            UnexpectedAnswer { cause, ..answer }.into()
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<RawAnswer, TransportError> {
        within(self.timeout, async {
            let response = request.header(ACCEPT, JSON).send().await;
            let response = response.map_err(|error| TransportError::of_request(&error))?;
            receive(Response::from(response)).await
        })
        .await
    }
}
