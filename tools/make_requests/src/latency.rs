//! How long requests took.

use std::time::Duration;

/// How the latencies of the answered requests are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The shortest.
    pub min: Duration,
    /// The median.
    pub p50: Duration,
    /// 90 in 100 are at most this.
    pub p90: Duration,
    /// 99 in 100 are at most this.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Latency {
    /// The distribution of these latencies. None if there are none.
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Option<Self> {
        latencies.sort_unstable();
        Some(Self {
            min: *latencies.first()?,
            p50: percentile(&latencies, 50)?,
            p90: percentile(&latencies, 90)?,
            p99: percentile(&latencies, 99)?,
            max: *latencies.last()?,
        })
    }

    /// The figures with their names, in ascending order.
    pub(crate) fn figures(self) -> [(&'static str, Duration); 5] {
        [
            ("min", self.min),
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("max", self.max),
        ]
    }
}

/// A duration in whole microseconds, for machines.
pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The smallest value that at least `percent` in 100 of the sorted values do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A number of values 1 ms, 2 ms, …, a percentage, and the percentile in ms.
    const PERCENTILES: &[(u32, usize, u32)] = &[
        (100, 50, 50),
        (100, 99, 99),
        (10, 50, 5),
        (10, 90, 9),
        (10, 99, 10),
        (1, 50, 1),
    ];

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        for &(values, percent, expected) in PERCENTILES {
            let sorted: Vec<_> = (1..=values).map(|n| MS * n).collect();
            assert_eq!(percentile(&sorted, percent), Some(MS * expected));
        }
        assert_eq!(percentile(&[], 50), None);
    }
}
