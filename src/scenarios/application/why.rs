//! What is said of an application that does not do what it should: its own log says most.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::lane::{LaneApplication, PAUSE};
use super::process::Process;

impl LaneApplication {
    /// How much the application has written so far. None if it was not started here.
    pub(super) async fn length_of_log(&self) -> Option<u64> {
        self.process.lock().await.as_ref()?.length_of_log()
    }

    /// What it has written since then: the last lines. Empty if it has written nothing.
    pub(super) async fn log_after(&self, length: Option<u64>) -> String {
        let process = self.process.lock().await;
        let (process, length) = process.as_ref().zip(length).unzip();
        let log = process.zip(length).map(|(it, length)| it.log_after(length));
        log.unwrap_or_default()
    }

    /// The last lines that it has written, for a message. Empty if it was not started here.
    pub(super) async fn end_of_log(&self) -> String {
        let process = self.process.lock().await;
        process
            .as_ref()
            .map(Process::end_of_log)
            .unwrap_or_default()
    }

    /// The application must have got in, if it has tried.
    pub(super) fn must_not_be_turned_away(&self) -> Result<(), String> {
        match (self.proxy.connections(), self.proxy.refusals().first()) {
            (0, Some(why)) => Err(format!(
                "the application's connection to the database was turned away: {why}"
            )),
            _ => Ok(()),
        }
    }

    /// What is to be said of runs in which no statement came through the proxy. None if some did.
    /// `has_failed` says that a request was answered 5xx, or not at all.
    pub(super) fn why_nothing_comes(&self, has_failed: bool) -> Option<String> {
        if self.proxy.connections() > 0 {
            return None;
        }
        // A pool that opens its connections late was not seen before.
        if let Err(why) = self.must_not_be_turned_away() {
            return Some(why);
        }
        let tries = self.proxy.tries();
        if tries > 0 {
            return Some(format!(
                "the application has connected to the proxy {tries} times, and never got in. Its own log \
                 says why. Most often it wants TLS or, because there is none, the server's RSA key: \
                 allowPublicKeyRetrieval=true (Connector/J), --get-server-public-key (libmysqlclient)"
            ));
        }
        let address = self.proxy.address();
        let (ip, port) = (address.ip(), address.port());
        Some(match has_failed {
            true => format!(
                "the application has failed, and nothing has connected to the proxy at {address}. \
                 Either it fails before it asks its database: its own log says why. Or it is \
                 not pointed at the proxy: {{db_host}} is {ip}, {{db_port}} is {port}"
            ),
            false => format!(
                "the application is not pointed at the proxy: it has answered requests, and nothing has \
                 connected to {address}. Its settings have to say that its database is there: {{db_host}} \
                 is {ip}, {{db_port}} is {port}. Or its answers need no database, because something is \
                 missing in `before`, such as a login"
            ),
        })
    }

    /// Why a request got no answer: the end of the application says more than that of a connection,
    /// and so does what it has written after this number of bytes.
    pub(super) async fn why_no_answer(&self, why: String, length: Option<u64>) -> String {
        let deadline = Instant::now() + Duration::from_secs(1);
        while let Some(process) = self.process.lock().await.as_mut()
            && Instant::now() < deadline
        {
            if let Some(status) = process.ended() {
                return format!("the application: {}", process.ended_with(status));
            }
            sleep(PAUSE).await;
        }
        match self.log_after(length).await {
            log if log.is_empty() => why,
            log => format!("{why}; it has written: {log}"),
        }
    }
}
