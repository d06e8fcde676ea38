//! Posts the requests of a plan, and sends one again if the plan wants that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer::{Answer, Outcome};
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::key::Keys;
use crate::plan::Plan;
use crate::race::Auditor;
use crate::service::Service;
use crate::transport::{RawAnswer, TransportError};

/// How many more times one request may be sent.
struct Patience {
    /// After its answer did not come in time.
    after_timeouts: u32,
    /// After the answer that an earlier request with its key is still running.
    while_in_flight: u32,
}

impl Patience {
    fn new() -> Self {
        Self {
            after_timeouts: 5,
            while_in_flight: 120,
        }
    }

    /// How long to wait before the request is sent again. None if it is not sent again.
    fn pause_after(&mut self, outcome: &Outcome) -> Option<Duration> {
        let (left, pause) = match outcome.in_flight() {
            Some(pause) => (&mut self.while_in_flight, pause),
            None if outcome.timed_out() => (&mut self.after_timeouts, Duration::ZERO),
            None => return None,
        };
        *left = left.checked_sub(1)?;
        Some(pause)
    }
}

/// The instances of the service that the requests go to in turn.
#[derive(Debug, Clone)]
pub(crate) struct Instances(Vec<BaseUrl>);

impl Instances {
    pub(crate) fn new(first: &BaseUrl, further: Vec<BaseUrl>) -> Self {
        Self([first.clone()].into_iter().chain(further).collect())
    }

    pub(crate) fn all(&self) -> &[BaseUrl] {
        &self.0
    }

    /// The place of the instance that a request goes to. Requests are numbered from 1.
    pub(crate) fn place_of(&self, request: u32) -> usize {
        (request as usize).saturating_sub(1) % self.0.len()
    }

    pub(crate) fn of(&self, request: u32) -> &BaseUrl {
        &self.0[self.place_of(request)]
    }
}

/// Posts the requests of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Poster {
    pub(crate) plan: Plan,
    instances: Instances,
    service: Service,
    keys: Keys,
    pub(crate) auditor: Arc<dyn Auditor>,
}

/// How a request ended the last time it was sent.
#[derive(Debug)]
pub(crate) struct FinalOutcome {
    pub(crate) request: u32,
    pub(crate) ended: Instant,
    sent: u32,
    outcome: Outcome,
}

impl FinalOutcome {
    pub(crate) fn started_at(self, started: Instant) -> Answer {
        Answer {
            request: self.request,
            started,
            ended: self.ended,
            sent: self.sent,
            outcome: self.outcome,
        }
    }
}

impl Poster {
    pub(crate) fn new(
        plan: &Plan,
        instances: &Instances,
        service: Service,
        keys: Keys,
        auditor: Arc<dyn Auditor>,
    ) -> Self {
        Self {
            plan: plan.clone(),
            instances: instances.clone(),
            service,
            keys,
            auditor,
        }
    }

    /// The body of this request.
    pub(crate) fn body(&self, request: u32) -> Body {
        self.plan.target.race().body(request, self.keys)
    }

    /// The `Idempotency-Key` of this request. None if the plan wants none.
    pub(crate) fn key(&self, request: u32) -> Option<String> {
        let has_keys = self.plan.target.race().has_keys();
        has_keys.then(|| self.keys.header_of(request))
    }

    /// Posts this request over a connection of its own.
    pub(crate) async fn post(&self, request: u32) -> Outcome {
        let url = self.plan.post_url_at(self.instances.of(request));
        let answer = self
            .service
            .post(&url, self.body(request), self.key(request));
        self.outcome(answer.await)
    }

    /// Reads an answer, or the reason why there is none.
    pub(crate) fn outcome(&self, answer: Result<RawAnswer, TransportError>) -> Outcome {
        match answer {
            Ok(received) => Outcome::read(&received, |body| self.plan.target.race().receipt(body)),
            Err(error) => Outcome::NoAnswer(error),
        }
    }

    /// Sends a request again if the plan wants that, and lets its last answer be examined.
    pub(crate) async fn settle(&self, request: u32, first: Outcome) -> FinalOutcome {
        let (outcome, sent) = self.insist(request, first).await;
        let ended = Instant::now();
        if let Some(receipt) = outcome.receipt() {
            self.auditor.examine(request, receipt).await;
        }
        FinalOutcome {
            request,
            ended,
            sent,
            outcome,
        }
    }

    /// Returns the last outcome, and how many times the request was sent.
    async fn insist(&self, request: u32, first: Outcome) -> (Outcome, u32) {
        let (mut outcome, mut sent) = (first, 1);
        if !self.plan.target.race().retries_timeouts() {
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
}
