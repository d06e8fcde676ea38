//! Requests without ceremony: the audits', the consumer's, and those that are spaced out.

use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Response, StatusCode};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;

use crate::account::Account;
use crate::answer::{Inspection, Outcome};
use crate::audit::{BookAudit, Shipped};
use crate::error::{Error, Unfit};
use crate::key::{IDEMPOTENCY_KEY, Keys};
use crate::plan::Plan;
use crate::target::{Deposits, Exports, Target};
use crate::transport::{Received, TransportError, TransportErrorKind, drain, receive, within};

/// How this tool introduces itself.
pub(crate) const USER_AGENT: &str = concat!("make_requests/", env!("CARGO_PKG_VERSION"));
/// What answers it understands.
pub(crate) const JSON: &str = "application/json, application/problem+json";

/// How often one request may still be sent again.
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
            // A redirect is an answer like any other: following it would post elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // A request is sent again only where the plan wants that.
            .retry(reqwest::retry::never())
            // An idle connection may be closed by the server just when it is used again.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| Error::Client(error.to_string()))?;
        Ok(Self {
            http,
            plan: plan.clone(),
            keys: plan.target.wants_keys().then(Keys::of_a_new_run),
        })
    }

    /// Reads the account and its audit.
    pub(crate) async fn account(&self) -> Result<Account, Error> {
        let url = self.plan.probe_url();
        let account = self.read(self.http.get(url.clone()), &url, "an account and its audit");
        account.await.map_err(|error| self.named(error))
    }

    /// Where it is the account that is not there, the error says so.
    fn named(&self, error: Error) -> Error {
        match (&self.plan.target, error) {
            (
                Target::Deposits(Deposits { account, .. })
                | Target::Exports(Exports { account, .. }),
                Error::Unfit(Unfit {
                    url, status: 404, ..
                }),
            ) => Error::UnknownAccount {
                account: *account,
                url,
            },
            (_, error) => error,
        }
    }

    /// Reads the audit of the orders' book.
    pub(crate) async fn book(&self) -> Result<BookAudit, Error> {
        let url = self.plan.probe_url();
        self.read(self.http.get(url.clone()), &url, "an audit of orders")
            .await
    }

    /// Lets the orders' consumer ship what is there; `None` where the plan makes no orders.
    pub(crate) async fn ship(&self) -> Option<Result<Shipped, Error>> {
        let Target::Orders(orders) = &self.plan.target else {
            return None;
        };
        let url = self.plan.base_url.join(["orders", "process"]);
        let body = orders.book_to_process();
        let post = self.http.post(url.clone());
        let post = post.header(CONTENT_TYPE, body.content_type).body(body.text);
        Some(self.read(post, &url, "what was shipped").await)
    }

    /// Looks at the file that this export was answered with; `None` where it was none.
    pub(crate) async fn inspect_answer(&self, outcome: &Outcome) -> Option<Inspection> {
        let export = outcome.receipt()?.export()?;
        Some(self.inspect(&export.file, &export.url).await)
    }

    /// Downloads an exported file, and has it audited.
    pub(crate) async fn inspect(&self, file: &str, url: &str) -> Inspection {
        // A path of the service's own, whatever the answer says.
        let segments = url.split('/').skip_while(|segment| segment.is_empty());
        let download = self.download(&self.plan.base_url.join(segments)).await;
        let audit_url = self.plan.base_url.join(["exports", file, "audit"]);
        let get = self.http.get(audit_url.clone());
        Inspection {
            file: file.to_owned(),
            download,
            audit: self.read(get, &audit_url, "an audit of the file").await,
        }
    }

    /// Downloads a file to its end, and says how long it was.
    async fn download(&self, url: &Url) -> Result<u64, Error> {
        let not_in_time = |cause| Error::no_answer(url, cause);
        let download = async { Ok(self.download_in_any_time(url).await) };
        within(self.plan.timeout, download)
            .await
            .map_err(not_in_time)?
    }

    async fn download_in_any_time(&self, url: &Url) -> Result<u64, Error> {
        let response = self.http.get(url.clone()).send().await;
        let response =
            response.map_err(|error| Error::no_answer(url, TransportError::of_request(&error)))?;
        match response.status() {
            StatusCode::OK => {}
            status => return Err(Unfit::of_status(url, status, "the exported file").into()),
        }
        let drained = drain(reqwest::Body::from(response)).await;
        drained.map_err(|cause| match cause.kind {
            TransportErrorKind::Closed => Error::BrokenOff {
                url: url.to_string(),
                cause,
            },
            _ => Error::no_answer(url, cause),
        })
    }

    /// Sends a request, and reads its answer as whatever is wanted.
    async fn read<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        url: &Url,
        wanted: &'static str,
    ) -> Result<T, Error> {
        let received = self.send(request).await;
        let Received { status, body, .. } =
            received.map_err(|cause| Error::no_answer(url, cause))?;
        if status != StatusCode::OK {
            return Err(Unfit::of_status(url, status, wanted).into());
        }
        serde_json::from_slice(&body).map_err(|error| {
            let cause = error.to_string();
            Unfit {
                cause,
                ..Unfit::of_status(url, status, wanted)
            }
            .into()
        })
    }

    /// The key of this request, where the plan wants keys.
    pub(crate) fn key(&self, request: u32) -> Option<String> {
        self.keys.map(|keys| keys.of(request))
    }

    /// Posts the request of that number.
    pub(crate) async fn post(&self, request: u32) -> Outcome {
        let body = self.plan.target.body(request);
        let mut post = self
            .http
            .post(self.plan.post_url())
            .header(CONTENT_TYPE, body.content_type)
            .body(body.text);
        if let Some(key) = self.key(request) {
            post = post.header(IDEMPOTENCY_KEY, key);
        }
        Outcome::of(self.send(post).await)
    }

    /// Sends a request again as long as its answers do not come in time, where the plan wants that; says how it
    /// ended and how often it was sent. With a key, it also asks again while the first is in flight.
    pub(crate) async fn insist(&self, request: u32, first: Outcome) -> (Outcome, u32) {
        let (mut outcome, mut sent) = (first, 1);
        if !self.plan.target.retries_timeouts() {
            return (outcome, sent);
        }
        let mut patience = Patience::new();
        while let Some(pause) = patience.pause_after(&outcome) {
            tokio::time::sleep(pause).await;
            outcome = self.post(request).await;
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
