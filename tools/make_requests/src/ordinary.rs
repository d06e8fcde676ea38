//! Requests without ceremony: the account's, and those deposits that are spaced out.

use hyper::Response;
use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE};
use reqwest::RequestBuilder;

use crate::account::Account;
use crate::answer::Outcome;
use crate::key::{IDEMPOTENCY_KEY, Keys};
use crate::plan::Plan;
use crate::run::{Error, read_account};
use crate::transport::{Received, TransportError, receive, within};

/// How this tool introduces itself.
pub(crate) const USER_AGENT: &str = concat!("make_requests/", env!("CARGO_PKG_VERSION"));
/// What a deposit's body is.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// What answers it understands.
pub(crate) const JSON: &str = "application/json, application/problem+json";

/// How often one deposit may still be sent again.
struct Patience {
    /// Where its answer does not come in time.
    retries: u32,
    /// Where it is in flight.
    questions: u32,
}

impl Patience {
    fn new() -> Self {
        Self {
            retries: 5,
            questions: 120,
        }
    }

    /// How long to wait before it is sent again; none where it is not.
    fn pause_after(&mut self, outcome: &Outcome) -> Option<Duration> {
        let (left, pause) = match outcome.in_flight() {
            Some(pause) => (&mut self.questions, pause),
            None if outcome.timed_out() => (&mut self.retries, Duration::ZERO),
            None => return None,
        };
        *left = left.checked_sub(1)?;
        Some(pause)
    }
}

/// Asks the service of a plan, one connection per request.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) plan: Plan,
    keys: Option<Keys>,
}

impl Client {
    pub(crate) fn new(plan: &Plan) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            // A burst goes straight to the service; so must what it is compared with.
            .no_proxy()
            // A redirect is an answer like any other: following it would deposit elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // A deposit is sent again only where the plan wants that.
            .retry(reqwest::retry::never())
            // An idle connection may be closed by the server just when it is used again.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| Error::Client(error.to_string()))?;
        Ok(Self {
            http,
            plan: plan.clone(),
            keys: plan.idempotency.then(Keys::of_a_new_run),
        })
    }

    /// Reads the account and its audit.
    pub(crate) async fn account(&self) -> Result<Account, Error> {
        let url = self.plan.account_url();
        let Received { status, body, .. } =
            self.send(self.http.get(url.clone()))
                .await
                .map_err(|cause| Error::NoAnswer {
                    url: url.to_string(),
                    cause,
                })?;
        read_account(&self.plan, status, &body)
    }

    /// The key of this request, where the plan wants keys.
    pub(crate) fn key(&self, request: u32) -> Option<String> {
        self.keys.map(|keys| keys.of(request))
    }

    /// Posts one deposit.
    pub(crate) async fn deposit(&self, request: u32) -> Outcome {
        let mut post = self
            .http
            .post(self.plan.deposit_url())
            .header(CONTENT_TYPE, FORM)
            .body(self.plan.form_body());
        if let Some(key) = self.key(request) {
            post = post.header(IDEMPOTENCY_KEY, key);
        }
        Outcome::of(self.send(post).await)
    }

    /// Sends a deposit again as long as its answers do not come in time, where the plan wants that; says how it
    /// ended and how often it was sent. With a key, it also asks again while the first is in flight.
    pub(crate) async fn insist(&self, request: u32, first: Outcome) -> (Outcome, u32) {
        let (mut outcome, mut sent) = (first, 1);
        if !self.plan.retry_timeouts {
            return (outcome, sent);
        }
        let mut patience = Patience::new();
        while let Some(pause) = patience.pause_after(&outcome) {
            tokio::time::sleep(pause).await;
            outcome = self.deposit(request).await;
            sent += 1;
        }
        (outcome, sent)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Received, TransportError> {
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
