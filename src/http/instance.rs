//! The name by which one of several instances of the service is known. Every response carries it.

use std::str::FromStr;
use std::{env, fs};

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// An instance's name: short, and fit for a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance(HeaderValue);

const LONGEST: usize = 64;

impl FromStr for Instance {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let complaint =
            || format!("give 1 to {LONGEST} ASCII characters without spaces, e.g. replica-1");
        let fits = (1..=LONGEST).contains(&name.len());
        if !fits || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(complaint());
        }
        HeaderValue::from_str(name)
            .map(Self)
            .map_err(|_| complaint())
    }
}

impl Instance {
    /// The name of this host, which in a container is the container's. `racy` if it has none.
    pub fn of_this_host() -> Self {
        // Linux has it in a file; on other systems it may be in the environment.
        let name = fs::read_to_string("/proc/sys/kernel/hostname");
        let name = name.ok().or_else(|| env::var("HOSTNAME").ok());
        let name = name.and_then(|name| name.trim().parse().ok());
        name.unwrap_or_else(|| Self(HeaderValue::from_static("racy")))
    }

    /// The name.
    pub fn name(&self) -> &str {
        // It is ASCII, because `from_str` takes nothing else.
        self.0.to_str().unwrap_or_default()
    }
}

/// Adds the instance's name to a response.
pub(super) async fn sign(State(instance): State<Instance>, mut response: Response) -> Response {
    const HEADER: HeaderName = HeaderName::from_static("x-racy-instance");
    response.headers_mut().insert(HEADER, instance.0);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_a_header() {
        let name = |text: &str| text.parse::<Instance>();
        assert_eq!(name("replica-1").unwrap().name(), "replica-1");
        for wrong in ["", "two words", "naïve", "a\nb", &"x".repeat(65)] {
            assert!(name(wrong).unwrap_err().contains("1 to 64"), "{wrong:?}");
        }
    }

    #[test]
    fn this_host_has_a_name() {
        assert!(!Instance::of_this_host().name().is_empty());
    }
}
