//! How a deposit lets time pass: its delay, and the pauses between its attempts.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// How long a strategy thinks between reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Not at all: the window is as short as the code makes it.
    None,
    /// For a random time within the lab's long delay.
    Long,
}

/// The lab's long delay: a range of which each deposit draws its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongDelay(pub RangeInclusive<Duration>);

impl LongDelay {
    pub(super) fn draw(&self) -> Duration {
        let (shortest, longest) = (self.0.start(), self.0.end());
        shortest.saturating_add(longest.saturating_sub(*shortest).mul_f64(fastrand::f64()))
    }
}

/// How one deposit lets time pass: decided before it begins, so that a strategy needs no clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// How long it thinks.
    pub think: Duration,
    /// How long it pauses before each further attempt, and with that how many there may be.
    pub pauses: Vec<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_delay_stays_within_its_range() {
        let range = LongDelay(Duration::from_millis(50)..=Duration::from_millis(150));
        for _ in 0..1000 {
            assert!(range.0.contains(&range.draw()));
        }
    }
}
