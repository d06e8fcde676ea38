//! Where the service answers.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::invalid::Invalid;

/// The service's address: `http://host:port`, with an optional path in front of all its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The address with path segments appended, percent-encoded.
    pub(crate) fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        // Only a URL that cannot have a path gives an `Err`; an http URL always has one.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The host and the port to connect to. An IPv6 address has no brackets here.
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
            // The part before an @ may be a password: it is not shown.
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

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: &[(&str, &str, u16, &str)] = &[
        ("http://localhost:8080", "localhost", 8080, "localhost:8080"),
        ("http://example.org/lab", "example.org", 80, "example.org"),
        ("http://[::1]:81", "::1", 81, "[::1]:81"),
    ];

    const REFUSED: &[(&str, &str)] = &[
        ("localhost:8080", "http://localhost:8080"),
        ("user:secret@localhost", "starts with its scheme: http://"),
        ("https://h", "https is not supported"),
        ("ftp://h", "only http://"),
        ("http://", "looks like http://localhost:8080"),
        ("http://h:99999", "looks like http://localhost:8080"),
        ("http://user:secret@h", "user name or password"),
        ("http://h/?x=1", "leave out everything from ?"),
        ("http://h/#top", "leave out everything from ?"),
    ];

    #[test]
    fn hosts_are_ready_to_connect_to() {
        for (text, host, port, authority) in ADDRESSES {
            let url: BaseUrl = text.parse().unwrap();
            assert_eq!(url.host_and_port(), (*host, *port));
            assert_eq!(url.authority(), *authority);
        }
    }

    #[test]
    fn a_refusal_says_what_would_be_right_and_shows_no_password() {
        for (text, hint) in REFUSED {
            let error = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text:?}: {error}");
            assert!(!error.contains("secret"), "{text:?}: {error}");
        }
    }
}
