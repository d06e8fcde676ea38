//! Idempotency keys: by its key a service recognises a deposit that is sent again.

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

    /// The header's value for this request: a string in quotes.
    pub(crate) fn of(self, request: u32) -> String {
        format!("\"{:032x}-{request}\"", self.run)
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
    }
}
