//! The requests that flow through a strategy. The service counts totals. A rate is the difference
//! of two totals, divided by the time between them. Both have the same fields, so both are a
//! [`Flow`].

use super::exposition::Sample;

/// Numbers of requests: since the service began, or per second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Flow {
    pub(super) requests: f64,
    pub(super) applied: f64,
    /// Requests that were answered with 409, because another request was in the way.
    pub(super) conflicts: f64,
    pub(super) retries: f64,
    pub(super) durations: Buckets,
}

impl Flow {
    /// Adds a sample, if it belongs to one of the numbers.
    pub(super) fn count(&mut self, sample: &Sample) {
        match sample.name.as_str() {
            "racy_requests_total" => {
                self.requests += sample.value;
                if sample.label("outcome") == "applied" {
                    self.applied += sample.value;
                }
                if sample.label("status") == "409" {
                    self.conflicts += sample.value;
                }
            }
            "racy_retries_total" => self.retries += sample.value,
            "racy_request_duration_seconds_bucket" => {
                if let Ok(bound) = sample.label("le").parse() {
                    self.durations.add(bound, sample.value);
                }
            }
            _ => {}
        }
    }

    /// The rate per second, from an earlier total to this one.
    pub(super) fn per_second(&self, earlier: &Self, seconds: f64) -> Self {
        let mut rate = Self::default();
        rate.add(self, seconds.recip());
        rate.add(earlier, -seconds.recip());
        rate
    }

    /// Adds another flow, multiplied by a factor.
    pub(super) fn add(&mut self, other: &Self, factor: f64) {
        self.requests += other.requests * factor;
        self.applied += other.applied * factor;
        self.conflicts += other.conflicts * factor;
        self.retries += other.retries * factor;
        for (bound, number) in &other.durations.0 {
            self.durations.add(*bound, number * factor);
        }
    }
}

/// A histogram: for each bound, the number of requests that took at most that many seconds. The
/// last bound is infinite.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

/// A quantile, as exactly as buckets tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantile {
    /// About this number of seconds.
    About(f64),
    /// More than this number of seconds.
    Beyond(f64),
}

impl Buckets {
    fn add(&mut self, bound: f64, number: f64) {
        match self
            .0
            .binary_search_by(|(known, _)| known.total_cmp(&bound))
        {
            Ok(at) => self.0[at].1 += number,
            Err(at) => self.0.insert(at, (bound, number)),
        }
    }

    /// The time in which this share of all requests was done. It assumes that the requests of a
    /// bucket are spread over it evenly. None if there were no requests.
    pub(super) fn quantile(&self, share: f64) -> Option<Quantile> {
        let (_, all) = self.0.last().filter(|(_, all)| *all > 0.0)?;
        let rank = all * share;
        let (mut lower, mut before) = (0.0, 0.0);
        for &(upper, number) in &self.0 {
            if number >= rank && upper.is_finite() {
                let within = (rank - before) / (number - before);
                return Some(Quantile::About(lower + (upper - lower) * within));
            }
            if upper.is_finite() {
                (lower, before) = (upper, number);
            }
        }
        Some(Quantile::Beyond(lower))
    }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::parse;
    use super::*;

    fn flow(text: &str) -> Flow {
        let mut flow = Flow::default();
        for sample in &parse(text).unwrap() {
            flow.count(sample);
        }
        flow
    }

    fn buckets(of: &[(f64, f64)]) -> Buckets {
        Buckets(of.to_vec())
    }

    #[test]
    fn outcomes_and_statuses_add_up() {
        let total = flow(
            "racy_requests_total{outcome=\"applied\",status=\"200\"} 6\n\
             racy_requests_total{outcome=\"refused\",status=\"409\"} 3\n\
             racy_requests_total{outcome=\"partial\",status=\"409\"} 1\n\
             racy_requests_total{outcome=\"refused\",status=\"404\"} 2\n\
             racy_retries_total 5\n\
             racy_request_duration_seconds_sum 9\n\
             something_else 7",
        );
        let counted = (
            total.requests,
            total.applied,
            total.conflicts,
            total.retries,
        );
        assert_eq!(counted, (12.0, 6.0, 4.0, 5.0));
    }

    #[test]
    fn a_rate_is_the_difference_of_two_totals_by_the_time_between_them() {
        let total = |requests, quick, all| {
            flow(&format!(
                "racy_requests_total{{outcome=\"applied\",status=\"200\"}} {requests}\n\
                 racy_request_duration_seconds_bucket{{le=\"0.01\"}} {quick}\n\
                 racy_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}"
            ))
        };
        let rate = total(50, 30, 50).per_second(&total(10, 10, 10), 2.0);
        assert_eq!((rate.requests, rate.applied), (20.0, 20.0));
        assert_eq!(
            rate.durations,
            buckets(&[(0.01, 10.0), (f64::INFINITY, 20.0)])
        );
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let buckets = buckets(&[(1.0, 0.0), (2.0, 80.0), (4.0, 98.0), (f64::INFINITY, 100.0)]);
        for (share, quantile) in [
            (0.5, Quantile::About(1.625)),
            (0.8, Quantile::About(2.0)),
            (0.89, Quantile::About(3.0)),
            (0.99, Quantile::Beyond(4.0)),
        ] {
            assert_eq!(buckets.quantile(share), Some(quantile), "{share}");
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(buckets(&[]).quantile(0.5), None);
        assert_eq!(
            buckets(&[(1.0, 0.0), (f64::INFINITY, 0.0)]).quantile(0.5),
            None
        );
    }
}
