//! What a run does. Everything in a plan is parsed: no other module sees the user's raw text.

use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

use crate::base_url::BaseUrl;
use crate::invalid::Invalid;
use crate::race::Target;

/// The complete description of a run: which requests to fire at which service, and when.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the service answers.
    pub base_url: BaseUrl,
    /// What the requests race for.
    pub target: Target,
    /// All together, or one after another.
    pub pace: Pace,
    /// How many requests are fired.
    pub requests: Requests,
    /// How long to wait for the answer to one request.
    pub timeout: Duration,
}

impl Plan {
    /// The URL that each request is posted to.
    pub(crate) fn post_url(&self) -> Url {
        self.post_url_at(&self.base_url)
    }

    /// The same at another instance of the service.
    pub(crate) fn post_url_at(&self, base_url: &BaseUrl) -> Url {
        let race = self.target.race();
        let segments = [race.exhibit().route].into_iter();
        let segments = segments.chain(race.strategy().segments());
        // racy-django's routes end in a slash.
        base_url.join(segments.chain([""]))
    }

    /// The URL that is read before the first request: it shows whether the service is there.
    pub(crate) fn probe_url_at(&self, base_url: &BaseUrl) -> Url {
        self.target.race().probe_url(base_url)
    }
}

/// When the requests start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// All at the same time, each over its own connection, opened and warmed in advance.
    Together,
    /// One after each wait, whether or not the earlier ones were answered.
    Every(Duration),
}

impl Pace {
    /// The resolution of the timer: a shorter wait could not be kept.
    const SHORTEST_WAIT: Duration = Duration::from_millis(1);
    const LONGEST_WAIT: Duration = Duration::from_secs(3600);

    /// The wait between two requests; zero if all start together.
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

    /// Parses seconds: `0` means together, `0.5` means one request every half second.
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

/// Parses a timeout in seconds: at least a millisecond, at most a day.
pub fn parse_timeout(text: &str) -> Result<Duration, Invalid> {
    let allowed = Duration::from_millis(1)..=Duration::from_secs(86_400);
    parse_seconds(text)
        .filter(|timeout| allowed.contains(timeout))
        .ok_or_else(|| Invalid("a timeout is 0.001 to 86400 seconds".to_owned()))
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    // Refuses a negative number, infinity and NaN.
    Duration::try_from_secs_f64(seconds).ok()
}

/// How many requests a run fires: 1 to 10 000.
///
/// A burst holds one open connection for each. The limit is below the number of local ports, and
/// below the number of files that a process may have open.
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
        // A text that is not a number gets the same complaint as 0.
        text.parse().unwrap_or(0).try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exhibits::{Appends, Deposits, Exports, Orders};

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

    /// A base URL, and the URLs of a deposit and of its account.
    const PREFIXES: &[(&str, &str, &str)] = &[
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
    ];

    #[test]
    fn urls_keep_a_prefix_and_end_as_the_routes_do() {
        for (base, deposit, account) in PREFIXES {
            let plan = plan(base, deposits("x"));
            assert_eq!(plan.post_url().as_str(), *deposit);
            assert_eq!(plan.probe_url_at(&plan.base_url).as_str(), *account);
        }
    }

    #[test]
    fn orders_have_routes_of_their_own() {
        let orders = Orders {
            strategy: "x".parse().unwrap(),
            book: 9.try_into().unwrap(),
        };
        let plan = plan("http://h/lab", orders);
        assert_eq!(plan.post_url().as_str(), "http://h/lab/orders/x/");
        let probe = "http://h/lab/orders/audit?book=9";
        assert_eq!(plan.probe_url_at(&plan.base_url).as_str(), probe);
    }

    #[test]
    fn exports_probe_their_account() {
        let exports = Exports {
            strategy: "x".parse().unwrap(),
            account: 7,
        };
        let plan = plan("http://h", exports);
        assert_eq!(plan.post_url().as_str(), "http://h/exports/x/");
        assert_eq!(
            plan.probe_url_at(&plan.base_url).as_str(),
            "http://h/accounts/7"
        );
    }

    #[test]
    fn appends_probe_the_list_of_tables() {
        let appends = Appends {
            strategy: "x".parse().unwrap(),
            table: None,
            partition: None,
        };
        let plan = plan("http://h/lab", appends);
        assert_eq!(plan.post_url().as_str(), "http://h/lab/tables/x/");
        let probe = "http://h/lab/tables";
        assert_eq!(plan.probe_url_at(&plan.base_url).as_str(), probe);
    }

    #[test]
    fn a_strategy_may_have_several_segments() {
        let url = plan("http://h", deposits("nested/max-plus_1")).post_url();
        assert_eq!(url.as_str(), "http://h/demo/nested/max-plus_1/");
    }

    #[test]
    fn a_wait_is_zero_or_at_least_a_millisecond() {
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
    fn a_timeout_has_limits() {
        assert_eq!(parse_timeout("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "-1", "nan", "86401", ""] {
            assert!(parse_timeout(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn the_number_of_requests_has_limits() {
        assert_eq!("10000".parse(), Ok(Requests(10_000)));
        for bad in ["0", "10001", "-1", "1.5", ""] {
            assert!(bad.parse::<Requests>().is_err(), "{bad:?} was taken");
        }
    }
}
