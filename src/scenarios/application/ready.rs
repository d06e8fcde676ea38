//! The start of an application, and the wait until it is ready.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};

use super::answered::beginning_of;
use super::http;
use super::lane::{LaneApplication, PAUSE};
use super::plan::ApplicationPlan;
use super::process::Process;

/// How long it may take to connect to an application.
const CONNECTS_WITHIN: Duration = Duration::from_secs(1);

/// The least time for a look. It is longer than connecting takes: what has not answered by then
/// has let itself be connected to.
const LOOKS_FOR: Duration = Duration::from_secs(2);

/// What was seen of an application that is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unready {
    /// Nobody accepts a connection.
    Absent,
    /// It accepts a connection, and no answer comes.
    Silent,
    /// It accepts a connection, and closes it without an answer.
    Closes,
    /// It accepts a connection, and what comes is no answer.
    Garbles(String),
    /// It answers a status that does not say that it is ready. The text is the end of a message.
    Answers(StatusCode, String),
}

impl Unready {
    /// What an error says of whom the request was sent to.
    fn of(error: reqwest::Error) -> Self {
        if error.is_connect() {
            return Self::Absent;
        }
        if error.is_timeout() {
            return Self::Silent;
        }
        let words = http::in_full(error);
        let closes = ["connection closed", "onnection reset", "roken pipe"];
        if closes.iter().any(|it| words.contains(it)) {
            Self::Closes
        } else {
            Self::Garbles(words)
        }
    }

    /// Whether it has done something with a connection.
    fn has_reacted(&self) -> bool {
        !matches!(self, Self::Absent | Self::Silent)
    }

    /// Whether it listens and does not come to an answer.
    fn is_stuck(&self) -> bool {
        matches!(self, Self::Silent | Self::Closes)
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing listens there"),
            Self::Silent => f.write_str("it listens, and does not answer"),
            Self::Closes => f.write_str("it listens, and closed the connection"),
            Self::Garbles(words) => write!(f, "it listens, and gives no HTTP answer: {words}"),
            Self::Answers(status, beginning) => write!(f, "it answers {status}{beginning}"),
        }
    }
}

impl LaneApplication {
    /// Starts the application, if it is not there already, and waits until it is ready.
    pub(super) async fn start(&self, plan: &ApplicationPlan) -> Result<(), String> {
        if !plan.is_there() {
            return Ok(());
        }
        let mut process = match &self.start {
            Some(start) => Some(Process::start(&start.words, &start.folder, &start.env)?),
            None => None,
        };
        let deadline = Instant::now() + plan.ready_within;
        let path = plan.ready.as_deref().unwrap_or("/");
        let url = format!("{}{path}", self.base_url);
        let client = http::builder().connect_timeout(CONNECTS_WITHIN).build();
        let client = client.map_err(http::in_full)?;
        let mut last = None;
        loop {
            if let Some(process) = &mut process
                && let Some(status) = process.ended()
            {
                return Err(format!("the application: {}", process.ended_with(status)));
            }
            let until = deadline.max(Instant::now() + LOOKS_FOR);
            let seen = match timeout_at(until, look(plan, &client, &url)).await {
                Ok(Ok(())) => break,
                Ok(Err(seen)) => seen,
                // What came before says more, also on a machine that is slow at this moment.
                Err(_elapsed) => last.filter(Unready::has_reacted).unwrap_or(Unready::Silent),
            };
            if Instant::now() >= deadline {
                return Err(self.is_not_ready(plan, &url, &seen, process.as_ref()));
            }
            last = Some(seen);
            sleep(PAUSE * 4).await;
        }
        *self.process.lock().await = process;
        Ok(())
    }

    fn is_not_ready(
        &self,
        plan: &ApplicationPlan,
        url: &str,
        seen: &Unready,
        process: Option<&Process>,
    ) -> String {
        let seconds = plan.ready_within.as_secs();
        let hint = match process {
            _ if seen.is_stuck() => {
                let address = self.proxy.address();
                let tries = match self.proxy.tries() + self.proxy.connections() {
                    0 => ", where nothing has connected",
                    _ => "",
                };
                format!(
                    "Does it reach its database at {{db_host}}:{{db_port}}, which is \
                     {address}{tries}?"
                )
            }
            _ if matches!(seen, Unready::Answers(..)) => {
                "`ready` names a path that it answers with 200 to 399".to_owned()
            }
            _ if matches!(seen, Unready::Garbles(_)) => {
                "It has to speak HTTP there, without TLS".to_owned()
            }
            Some(_) => "It has to listen on the port {app_port}, e.g. \"--bind\", \
                        \"127.0.0.1:{app_port}\""
                .to_owned(),
            None => "`base_url` says where it runs: start it first, or give a `command`".to_owned(),
        };
        let refused = self.proxy.refusals();
        let refused = refused.first().map(|why| {
            format!("\nThe proxy has turned its connection to the database away: {why}")
        });
        let log = process.map(Process::end_of_log).unwrap_or_default();
        format!(
            "the application is not ready after {seconds} s: {url}: {seen}. {hint}{}{log}",
            refused.unwrap_or_default()
        )
    }
}

/// One look at an application.
async fn look(plan: &ApplicationPlan, client: &reqwest::Client, url: &str) -> Result<(), Unready> {
    let answer = client.get(url).send().await.map_err(Unready::of)?;
    let status = answer.status();
    if plan.ready.is_none() || status.as_u16() < 400 {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    Err(Unready::Answers(status, beginning_of(&body)))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What is seen of one that does this with a connection.
    async fn seen_of(says: Option<&'static [u8]>) -> Unready {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                match says {
                    Some(says) => stream.write_all(says).await.unwrap(),
                    None => kept.push(stream),
                }
            }
        });
        seen_at(address).await
    }

    async fn seen_at(address: SocketAddr) -> Unready {
        let client = http::builder().timeout(Duration::from_millis(500)).build();
        let sent = client.unwrap().get(format!("http://{address}/")).send();
        Unready::of(sent.await.unwrap_err())
    }

    #[tokio::test]
    async fn one_that_listens_is_told_from_one_that_does_not() {
        // Port 1 is nobody's.
        let nobody = seen_at((Ipv4Addr::LOCALHOST, 1).into()).await;
        assert_eq!(nobody.to_string(), "nothing listens there");
        let silent = seen_of(None).await;
        assert_eq!(silent.to_string(), "it listens, and does not answer");
        let closes = seen_of(Some(b"")).await;
        assert_eq!(closes.to_string(), "it listens, and closed the connection");
        let garbles = seen_of(Some(b"no HTTP\r\n\r\n")).await.to_string();
        let begin = "it listens, and gives no HTTP answer: error sending request";
        assert!(garbles.starts_with(begin), "{garbles}");
    }
}
