//! One client's visit to the application: its cookies, what it has captured, and its requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::COOKIE;
use reqwest::{Method, Url};

use super::answered::Answered;
use super::http;
use super::request::RequestPlan;
use super::status::Acknowledged;

/// What a `request` client does.
#[derive(Debug)]
pub(in crate::scenarios) struct RequestClient {
    /// Sent once, before any run.
    pub(super) before: Vec<RequestPlan>,
    /// Sent in each run.
    pub(super) request: RequestPlan,
    pub(super) acknowledged: Acknowledged,
}

impl RequestClient {
    /// Whether its request has a number, a session or a captured value of its own.
    pub(in crate::scenarios) fn is_somebody(&self) -> bool {
        !self.before.is_empty() || self.request.has_names()
    }

    /// Whether it sends requests before any run.
    pub(in crate::scenarios) fn has_before(&self) -> bool {
        !self.before.is_empty()
    }

    /// The racing request as the file has it.
    pub(in crate::scenarios) fn request_in_words(&self) -> String {
        self.request.as_written()
    }

    /// The names that its racing request captures.
    pub(in crate::scenarios) fn captured_names(&self) -> impl Iterator<Item = &str> {
        self.request.captured_names()
    }

    /// Whether it only reads, and nothing of what it reads is kept: then its status alone can tell
    /// one run from another.
    pub(in crate::scenarios) fn reads_for_nobody(&self) -> bool {
        self.request.method == Method::GET && self.request.capture.is_empty()
    }
}

/// A client's visit, after its `before` requests.
#[derive(Debug)]
pub(super) struct Visit {
    /// Keeps no cookie that the racing request is answered with: every run sends the same.
    racing: reqwest::Client,
    base_url: String,
    url: Url,
    number: usize,
    jar: Arc<Jar>,
    captured: BTreeMap<String, String>,
}

impl Visit {
    /// Sends the `before` requests of the client with this number, from 1.
    ///
    /// # Errors
    /// What went wrong, in words for the author of the file.
    pub(super) async fn begin(
        before: &[RequestPlan],
        number: usize,
        base_url: &str,
    ) -> Result<Self, String> {
        let jar = Arc::new(Jar::default());
        let with_cookies = http::builder().cookie_provider(Arc::clone(&jar)).build();
        let with_cookies = with_cookies.map_err(http::in_full)?;
        let mut visit = Self {
            racing: http::client()?,
            base_url: base_url.to_owned(),
            url: Url::parse(base_url).map_err(|error| format!("{base_url:?}: {error}"))?,
            number,
            jar,
            captured: BTreeMap::new(),
        };
        for request in before {
            visit.send_before(request, &with_cookies).await?;
        }
        Ok(visit)
    }

    async fn send_before(
        &mut self,
        request: &RequestPlan,
        client: &reqwest::Client,
    ) -> Result<(), String> {
        let values = |name: &str| self.value(name);
        let words = request
            .in_words(&values)
            .map_err(|unset| unset.to_string())?;
        let sent = request.with(client, &self.base_url, &values);
        let sent = sent.map_err(|unfit| format!("{words}: {unfit}"))?;
        let answer = http::answer_to(sent)
            .await
            .map_err(|error| format!("{words}: {error}"))?;
        if !request.statuses.contain(answer.status) {
            return Err(format!(
                "{words}, before any run, was answered {}{}",
                answer.status,
                answer.beginning()
            ));
        }
        for (name, capture) in &request.capture {
            let value = capture.of(&answer, |cookie| self.cookie(cookie));
            let value = value.map_err(|error| {
                format!(
                    "{words}: {{{name}}} was not captured: {error}{}",
                    hint(&answer)
                )
            })?;
            self.captured.insert(name.clone(), value);
        }
        Ok(())
    }

    /// Sends the racing request.
    ///
    /// # Errors
    /// Why there was no answer.
    pub(super) async fn race(&self, request: &RequestPlan) -> Result<Answered, String> {
        let values = |name: &str| self.value(name);
        let sent = request.with(&self.racing, &self.base_url, &values);
        let sent = sent.map_err(|unfit| unfit.to_string())?;
        let mut sent = sent.build().map_err(http::in_full)?;
        if let Some(cookies) = self.jar.cookies(sent.url()) {
            sent.headers_mut().entry(COOKIE).or_insert(cookies);
        }
        let response = self.racing.execute(sent).await.map_err(http::in_full)?;
        Answered::of(response).await.map_err(http::in_full)
    }

    /// A few words that name the racing request.
    pub(super) fn in_words(&self, request: &RequestPlan) -> String {
        let values = |name: &str| self.value(name);
        request
            .in_words(&values)
            .unwrap_or_else(|unset| unset.to_string())
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        match name.strip_prefix("cookie.") {
            Some(cookie) => self.cookie(cookie),
            None if name == "n" => Some(self.number.to_string()),
            None => self.captured.get(name).cloned(),
        }
    }

    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let header = self.jar.cookies(&self.url)?;
        let pairs = header.to_str().ok()?.split("; ");
        let mut named = pairs.filter_map(|pair| pair.split_once('='));
        let found = named.find(|(it, _)| *it == name);
        found.map(|(_, value)| value.to_owned())
    }
}

/// What a status that leads elsewhere may mean.
fn hint(answer: &Answered) -> String {
    match answer.location() {
        "" => answer.beginning(),
        location => format!("; it leads to {location}: is a login missing in `before`?"),
    }
}
