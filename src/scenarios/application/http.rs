//! How requests are sent to an application.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder};

use super::answered::Answered;

/// The longest wait for an answer. A request whose statements are held takes as long as its run.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// What makes a client. No redirect is followed, no proxy of the environment is in between, and no
/// connection is kept: one that the application closes just then would look like a failure.
pub(super) fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(ANSWER_WITHIN)
}

/// A client without cookies.
pub(super) fn client() -> Result<Client, String> {
    builder().build().map_err(in_full)
}

/// Sends a request, and reads its whole answer.
pub(super) async fn answer_to(request: RequestBuilder) -> Result<Answered, String> {
    let response = request.send().await.map_err(in_full)?;
    Answered::of(response).await.map_err(in_full)
}

/// An error with its causes: the first one alone says little.
pub(super) fn in_full(error: reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
