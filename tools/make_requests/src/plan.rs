//! What a run shall do, parsed: inside this crate nothing sees a raw string of the user's.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

use crate::invalid::Invalid;
use crate::target::{Deposits, Exports, Orders, Target};

/// A run that is fully described: which requests to fire at which service, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the service answers.
    pub base_url: BaseUrl,
    /// What to race for.
    pub target: Target,
    /// All together, or one after another.
    pub pace: Pace,
    /// How many requests are fired.
    pub requests: Requests,
    /// How long any single request may take before it is given up.
    pub timeout: Duration,
}

impl Plan {
    /// The URL that each request is posted to.
    #[must_use]
    pub fn post_url(&self) -> Url {
        let (room, strategy) = match &self.target {
            Target::Deposits(deposits) => ("demo", &deposits.strategy),
            Target::Orders(orders) => ("orders", &orders.strategy),
            Target::Exports(exports) => ("exports", &exports.strategy),
        };
        // racy-django's routes end in a slash.
        let segments = [room].into_iter().chain(strategy.segments()).chain([""]);
        self.base_url.join(segments)
    }

    /// The URL that is asked before the first request and, where it answers with an audit, after the last: the
    /// account of deposits and of exports, the book of orders.
    #[must_use]
    pub fn probe_url(&self) -> Url {
        match &self.target {
            Target::Deposits(Deposits { account, .. })
            | Target::Exports(Exports { account, .. }) => {
                self.base_url.join(["accounts", &account.to_string()])
            }
            Target::Orders(Orders { book, .. }) => {
                let mut url = self.base_url.join(["orders", "audit"]);
                url.set_query(Some(&format!("book={book}")));
                url
            }
        }
    }
}

/// The service's address: `http://host:port`, with an optional path in front of all its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Appends path segments, percent-encoded, to whatever path the address already has.
    pub(crate) fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        // An http URL always has a path, so the `Err` of a URL without one cannot occur.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Host and port to connect to; an IPv6 address comes without its brackets.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let host = self.0.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host, self.0.port_or_known_default().unwrap_or(80))
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        self.0.authority()
    }
}

impl FromStr for BaseUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if !text.contains("://") {
            // What stands before an @ may be a password.
            let rest = if text.contains('@') { "" } else { text };
            return Err(Invalid(format!(
                "a URL starts with its scheme: http://{rest}"
            )));
        }
        let url: Url = text
            .parse()
            .map_err(|error| Invalid(format!("{error}; a URL looks like http://localhost:8080")))?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err(Invalid(
                    "https is not supported: a burst is written to bare sockets; \
                     use the service's http:// address"
                        .to_owned(),
                ));
            }
            other => {
                return Err(Invalid(format!(
                    "only http:// is supported, not {other}://"
                )));
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid(
                "a user name or password in the URL is not supported".to_owned(),
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Invalid(
                "the service's address ends with its path: leave out everything from ? or #"
                    .to_owned(),
            ));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// When the requests start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// All at once, each over its own connection that was opened and warmed beforehand.
    Together,
    /// One every so often, whether or not the earlier ones were answered.
    Every(Duration),
}

impl Pace {
    /// The timer's resolution is the shortest wait that can be kept.
    const SHORTEST_WAIT: Duration = Duration::from_millis(1);
    const LONGEST_WAIT: Duration = Duration::from_secs(3600);

    /// The wait between two requests; zero where all start together.
    #[must_use]
    pub fn wait(self) -> Duration {
        match self {
            Self::Together => Duration::ZERO,
            Self::Every(wait) => wait,
        }
    }
}

impl FromStr for Pace {
    type Err = Invalid;

    /// Parses seconds: `0` is together, `0.5` one request every half second.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match parse_seconds(text) {
            Some(Duration::ZERO) => Ok(Self::Together),
            Some(wait) if (Self::SHORTEST_WAIT..=Self::LONGEST_WAIT).contains(&wait) => {
                Ok(Self::Every(wait))
            }
            _ => Err(Invalid(
                "the wait is 0 (all together) or 0.001 to 3600 seconds".to_owned(),
            )),
        }
    }
}

/// Parses a timeout in seconds, a millisecond at least and a day at most.
///
/// # Errors
///
/// [`Invalid`] for anything else.
pub fn parse_timeout(text: &str) -> Result<Duration, Invalid> {
    let allowed = Duration::from_millis(1)..=Duration::from_secs(86_400);
    parse_seconds(text)
        .filter(|timeout| allowed.contains(timeout))
        .ok_or_else(|| Invalid("a timeout is 0.001 to 86400 seconds".to_owned()))
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    // Refuses what is negative, not a number, or infinite.
    Duration::try_from_secs_f64(seconds).ok()
}

/// How many requests a run fires: 1 to 10 000.
///
/// A burst holds a connection open for each of them, so the limit stays below the number of local
/// ports and of files that a process can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests(u32);

impl Requests {
    const MOST: u32 = 10_000;

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Requests {
    type Error = Invalid;

    fn try_from(requests: u32) -> Result<Self, Invalid> {
        if (1..=Self::MOST).contains(&requests) {
            Ok(Self(requests))
        } else {
            Err(Invalid(format!(
                "the number of requests is 1 to {}",
                Self::MOST
            )))
        }
    }
}

impl FromStr for Requests {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // What is no number at all is refused with the same words as 0.
        text.parse().unwrap_or(0).try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(base_url: &str, target: impl Into<Target>) -> Plan {
        Plan {
            base_url: base_url.parse().unwrap(),
            target: target.into(),
            pace: Pace::Together,
            requests: Requests(10),
            timeout: Duration::from_secs(1),
        }
    }

    fn deposits(strategy: &str) -> Deposits {
        Deposits {
            strategy: strategy.parse().unwrap(),
            account: 7,
            amount: 100.try_into().unwrap(),
            retry_timeouts: false,
            idempotency: false,
        }
    }

    #[test]
    fn urls_keep_a_prefix_and_end_as_the_routes_do() {
        for (base, deposit, account) in [
            ("http://h:1", "http://h:1/demo/x/", "http://h:1/accounts/7"),
            ("http://h:1/", "http://h:1/demo/x/", "http://h:1/accounts/7"),
            (
                "http://h/lab",
                "http://h/lab/demo/x/",
                "http://h/lab/accounts/7",
            ),
            (
                "http://h/a%20b/",
                "http://h/a%20b/demo/x/",
                "http://h/a%20b/accounts/7",
            ),
        ] {
            let plan = plan(base, deposits("x"));
            assert_eq!(plan.post_url().as_str(), deposit);
            assert_eq!(plan.probe_url().as_str(), account);
        }
    }

    #[test]
    fn each_exhibit_has_its_routes() {
        let orders = Orders {
            strategy: "x".parse().unwrap(),
            book: 9.try_into().unwrap(),
        };
        let plan_of_orders = plan("http://h/lab", orders);
        assert_eq!(plan_of_orders.post_url().as_str(), "http://h/lab/orders/x/");
        assert_eq!(
            plan_of_orders.probe_url().as_str(),
            "http://h/lab/orders/audit?book=9"
        );

        let exports = Exports {
            strategy: "x".parse().unwrap(),
            account: 7,
        };
        let plan_of_exports = plan("http://h", exports);
        assert_eq!(plan_of_exports.post_url().as_str(), "http://h/exports/x/");
        assert_eq!(plan_of_exports.probe_url().as_str(), "http://h/accounts/7");
    }

    #[test]
    fn a_strategy_may_have_several_segments() {
        let url = plan("http://h", deposits("nested/max-plus_1")).post_url();
        assert_eq!(url.as_str(), "http://h/demo/nested/max-plus_1/");
    }

    #[test]
    fn hosts_are_ready_to_connect_to() {
        for (base, host, port, authority) in [
            ("http://localhost:8080", "localhost", 8080, "localhost:8080"),
            ("http://example.org/lab", "example.org", 80, "example.org"),
            ("http://[::1]:81", "::1", 81, "[::1]:81"),
        ] {
            let base: BaseUrl = base.parse().unwrap();
            assert_eq!(base.host_and_port(), (host, port));
            assert_eq!(base.authority(), authority);
        }
    }

    #[test]
    fn a_base_url_that_cannot_work_is_refused_with_what_would() {
        for (bad, hint) in [
            ("localhost:8080", "http://localhost:8080"),
            ("user:secret@localhost", "starts with its scheme: http://"),
            ("https://h", "https is not supported"),
            ("ftp://h", "only http://"),
            ("http://", "looks like http://localhost:8080"),
            ("http://h:99999", "looks like http://localhost:8080"),
            ("http://user:secret@h", "user name or password"),
            ("http://h/?x=1", "leave out everything from ?"),
            ("http://h/#top", "leave out everything from ?"),
        ] {
            let error = bad.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(error.contains(hint), "{bad:?}: {error}");
            assert!(!error.contains("secret"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn waits_are_zero_or_reasonable() {
        assert_eq!("0".parse(), Ok(Pace::Together));
        assert_eq!("0.0".parse(), Ok(Pace::Together));
        assert_eq!("0.25".parse(), Ok(Pace::Every(Duration::from_millis(250))));
        for bad in [
            "",
            "x",
            "-1",
            "nan",
            "inf",
            "1e300",
            "0.0000001",
            "3601",
            "1s",
        ] {
            assert!(bad.parse::<Pace>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn timeouts_and_requests_have_limits() {
        assert_eq!(parse_timeout("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "-1", "nan", "86401", ""] {
            assert!(parse_timeout(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!("10000".parse(), Ok(Requests(10_000)));
        for bad in ["0", "10001", "-1", "1.5", ""] {
            assert!(bad.parse::<Requests>().is_err(), "{bad:?} was taken");
        }
    }
}
