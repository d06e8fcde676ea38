//! Requests without ceremony: the account's, and those deposits that are spaced out.

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Response, StatusCode};
use reqwest::RequestBuilder;

use crate::account::Account;
use crate::answer::Outcome;
use crate::plan::Plan;
use crate::run::{Error, read_account};
use crate::transport::{TransportError, receive, within};

/// How this tool introduces itself.
pub(crate) const USER_AGENT: &str = concat!("make_requests/", env!("CARGO_PKG_VERSION"));
/// What a deposit's body is.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// What answers it understands.
pub(crate) const JSON: &str = "application/json, application/problem+json";

/// Asks the service of a plan, one connection per request.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) plan: Plan,
}

impl Client {
    pub(crate) fn new(plan: &Plan) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            // A burst goes straight to the service; so must what it is compared with.
            .no_proxy()
            // A redirect is an answer like any other: following it would deposit elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // Every deposit is sent exactly once.
            .retry(reqwest::retry::never())
            // An idle connection may be closed by the server just when it is used again.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| Error::Client(error.to_string()))?;
        Ok(Self {
            http,
            plan: plan.clone(),
        })
    }

    /// Reads the account and its audit.
    pub(crate) async fn account(&self) -> Result<Account, Error> {
        let url = self.plan.account_url();
        let (status, body) = self
            .send(self.http.get(url.clone()))
            .await
            .map_err(|cause| Error::NoAnswer {
                url: url.to_string(),
                cause,
            })?;
        read_account(&self.plan, status, &body)
    }

    /// Posts one deposit.
    pub(crate) async fn deposit(&self) -> Outcome {
        let request = self
            .http
            .post(self.plan.deposit_url())
            .header(CONTENT_TYPE, FORM)
            .body(self.plan.form_body());
        match self.send(request).await {
            Ok((status, body)) => Outcome::read(status, &body),
            Err(error) => Outcome::NoAnswer(error),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Bytes), TransportError> {
        within(self.plan.timeout, async {
            let response = request
                .header(ACCEPT, JSON)
                .send()
                .await
                .map_err(|error| TransportError::of_request(&error))?;
            receive(Response::from(response)).await
        })
        .await
    }
}
