//! Who sends a request: the other end of the connection or, behind a proxy, the client that the
//! proxy names.
//!
//! Any client can write any header. So a proxy's headers are believed only if the settings say that
//! the service stands behind one, because then no client can reach it directly.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};

/// The proxy's headers. The proxy has to set these three itself, whatever its client wrote there.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What some proxies send instead of `X-Forwarded-For`.
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Who sent a request. Every request that is served carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// The client's address.
    pub(super) address: IpAddr,
    /// Whether the request came over TLS. The service itself speaks no TLS: only a proxy can say
    /// so.
    pub(super) secure: bool,
}

impl Caller {
    /// Notes in the request who sent it, and removes a request id that no proxy has set.
    pub(super) fn introduce(request: &mut Request, peer: IpAddr, behind_proxy: bool) {
        let headers = request.headers_mut();
        let caller = if behind_proxy {
            Self::named_by_a_proxy(headers, peer)
        } else {
            headers.remove(REQUEST_ID);
            Self {
                address: peer.to_canonical(),
                secure: false,
            }
        };
        request.extensions_mut().insert(caller);
    }

    fn named_by_a_proxy(headers: &HeaderMap, peer: IpAddr) -> Self {
        let address = last(headers, &FORWARDED_FOR).or_else(|| last(headers, &REAL_IP));
        let address = address.and_then(parse_address).unwrap_or(peer);
        Self {
            address: address.to_canonical(),
            secure: last(headers, &FORWARDED_PROTO)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
        }
    }
}

/// The last item of a header's list. A proxy adds its item at the end. What comes before it may be
/// the client's own invention.
fn last<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?;
    line.to_str().ok()?.rsplit(',').next().map(str::trim)
}

/// Reads an address, which some proxies give together with a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>();
    address
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const PEER: &str = "10.0.0.9";

    /// The address and the scheme that are believed of a request with these headers from [`PEER`].
    fn caller(behind_proxy: bool, headers: &[(&str, &str)]) -> (String, bool) {
        let request = headers
            .iter()
            .fold(Request::builder(), |request, (name, value)| {
                request.header(*name, *value)
            });
        let mut request = request.body(Body::empty()).unwrap();
        Caller::introduce(&mut request, PEER.parse().unwrap(), behind_proxy);
        let caller = request.extensions().get::<Caller>().unwrap();
        (caller.address.to_string(), caller.secure)
    }

    #[test]
    fn nothing_is_believed_without_a_proxy() {
        let forged = [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-real-ip", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(caller(false, &forged), (PEER.to_owned(), false));
    }

    #[test]
    fn a_proxy_names_the_caller() {
        for (headers, address) in [
            (&[][..], PEER),
            (&[("x-forwarded-for", "203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7:4711")], "203.0.113.7"),
            (&[("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
            (&[("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7"),
            (&[("x-forwarded-for", "::ffff:203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "unknown")], PEER),
            (&[("x-real-ip", "203.0.113.7")], "203.0.113.7"),
        ] {
            assert_eq!(caller(true, headers).0, address, "{headers:?}");
        }
    }

    #[test]
    fn what_was_said_before_the_proxy_is_not_believed() {
        let forged = "198.51.100.1, 203.0.113.7";
        assert_eq!(
            caller(true, &[("x-forwarded-for", forged)]).0,
            "203.0.113.7"
        );
        let two_lines = [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-real-ip", "198.51.100.1"),
        ];
        assert_eq!(caller(true, &two_lines).0, "203.0.113.7");
    }

    #[test]
    fn a_proxy_says_whether_there_was_tls() {
        for (scheme, secure) in [
            ("https", true),
            ("HTTPS", true),
            ("http", false),
            ("", false),
        ] {
            assert_eq!(caller(true, &[("x-forwarded-proto", scheme)]).1, secure);
        }
        assert!(!caller(true, &[]).1);
    }
}
