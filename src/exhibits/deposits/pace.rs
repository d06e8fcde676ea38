//! How a deposit lets time pass: its delay, and the pauses between its attempts.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// A strategy's delay between reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// No delay: the window is as short as the code makes it.
    None,
    /// A random time within the lab's long delay.
    Long,
}

/// The lab's long delay: a range from which each deposit draws its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongDelay(pub RangeInclusive<Duration>);

impl LongDelay {
    pub(super) fn draw(&self) -> Duration {
        let (shortest, longest) = (self.0.start(), self.0.end());
        shortest.saturating_add(longest.saturating_sub(*shortest).mul_f64(fastrand::f64()))
    }
}

/// How one deposit lets time pass. It is decided beforehand, so that a strategy needs no clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// The delay between reading and writing.
    pub think: Duration,
    /// The pause before each further attempt. Their number limits the attempts.
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
