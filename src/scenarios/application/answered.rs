//! What an application has answered.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};

/// An answer, with its whole body.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answered {
    pub(super) async fn of(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        Ok(Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: String::from_utf8_lossy(&response.bytes().await?).into_owned(),
        })
    }

    /// Where the answer leads. Empty if it leads nowhere.
    pub(super) fn location(&self) -> &str {
        let location = self.headers.get(LOCATION);
        location.and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// The first line of its body, as the end of a message.
    pub(super) fn beginning(&self) -> String {
        beginning_of(&self.body)
    }
}

/// The first line of a body that is not empty, as the end of a message.
pub(super) fn beginning_of(body: &str) -> String {
    const MOST: usize = 200;
    let line = body.lines().map(str::trim).find(|it| !it.is_empty());
    match line {
        None => String::new(),
        Some(line) => format!(": {}", line.chars().take(MOST).collect::<String>()),
    }
}
