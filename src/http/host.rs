//! A request names exactly one host (RFC 9112, 3.2). With two, a proxy and the service might read
//! different ones.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// Refuses a request that does not name exactly one host. In HTTP/1.0 the header may be missing.
pub(super) async fn only_one(request: Request, next: Next) -> Response {
    match check(request.version(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(wrong) => Problem::wrong_host(wrong).into_response(),
    }
}

fn check(version: Version, target: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return match version {
            Version::HTTP_10 => Ok(()),
            _ => Err("The request has no Host header"),
        };
    };
    if hosts.next().is_some() {
        return Err("The request has several Host headers");
    }
    let host = host.to_str().ok().and_then(authority);
    let host = host.ok_or("The Host header is no host, with or without a port")?;
    match target.authority() {
        Some(named) if !named.as_str().eq_ignore_ascii_case(host.as_str()) => {
            Err("The request's target names another host than its Host header")
        }
        _ => Ok(()),
    }
}

/// Reads a host, with or without a port, and nothing before it.
fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let port_fits = port.is_empty() || authority.port_u16().is_some();
    // A URI's host may contain commas. In a header a comma joins what were two headers.
    let is_a_hosts = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:".contains(&byte);
    let host = authority.host();
    let host_fits = !host.is_empty() && host.bytes().all(is_a_hosts);
    (port_fits && host_fits).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, target: &str, hosts: &[&str]) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        check(version, &target.parse().unwrap(), &headers)
    }

    #[test]
    fn one_host_is_let_through() {
        for host in [
            "here",
            "here:8080",
            "127.0.0.1:80",
            "[::1]:8080",
            "HERE",
            "a_b.example",
        ] {
            assert_eq!(checked(Version::HTTP_11, "/", &[host]), Ok(()), "{host}");
        }
        let absolute = checked(Version::HTTP_11, "http://Here:8080/x", &["here:8080"]);
        assert_eq!(absolute, Ok(()));
        assert_eq!(checked(Version::HTTP_10, "/", &[]), Ok(()));
    }

    #[test]
    fn any_other_number_of_hosts_is_not() {
        assert!(checked(Version::HTTP_11, "/", &[]).is_err());
        assert!(checked(Version::HTTP_11, "/", &["here", "here"]).is_err());
        assert!(checked(Version::HTTP_10, "/", &["here", "there"]).is_err());
        assert!(checked(Version::HTTP_11, "http://there/", &["here"]).is_err());
    }

    #[test]
    fn what_is_no_host_is_not() {
        for odd in [
            "",
            " ",
            "a b",
            "user@here",
            "here/there",
            "here:port",
            "here:99999",
            "here:",
            "a,b",
        ] {
            assert!(checked(Version::HTTP_11, "/", &[odd]).is_err(), "{odd:?}");
        }
    }
}
