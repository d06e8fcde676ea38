//! Idempotency keys: a deposit that is sent several times is made once, in every schedule and on
//! every engine.

mod claims;
mod requests;
mod schedules;

use std::time::Duration;

use racy::exhibits::deposits::keys::Terms;
use racy::exhibits::deposits::{OnceKey, Strategy};

fn named(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

const TERMS: Terms = Terms {
    kept_for: Duration::from_hours(1),
    claim_lasts: Duration::from_mins(1),
};

fn under(key: &str) -> OnceKey {
    OnceKey {
        key: key.parse().unwrap(),
        terms: TERMS,
    }
}
