//! The keys of a run's requests. By its key a service recognises a deposit that is sent again, and
//! this tool recognises a record of its own in a table.

/// The header that carries a key.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The keys of one run. No two runs have the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    run: u128,
}

impl Keys {
    /// Draws the keys of a new run.
    pub(crate) fn of_a_new_run() -> Self {
        Self {
            run: fastrand::u128(..),
        }
    }

    /// The key of this request.
    pub(crate) fn of(self, request: u32) -> String {
        format!("{:032x}-{request}", self.run)
    }

    /// The header's value for this request: its key in quotes.
    pub(crate) fn header_of(self, request: u32) -> String {
        format!("\"{}\"", self.of(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_of_each_run_has_its_own() {
        let (one, other) = (Keys::of_a_new_run(), Keys::of_a_new_run());
        assert_eq!(one.of(1), one.of(1));
        assert_ne!(one.of(1), one.of(2));
        assert_ne!(one.of(1), other.of(1));
        assert_eq!(one.header_of(1), format!("\"{}\"", one.of(1)));
    }
}
