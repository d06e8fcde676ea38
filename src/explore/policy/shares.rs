//! How much of an unreduced search follows from a run: an estimate, so that progress can be shown.

use std::collections::BTreeMap;

use crate::explore::Client;

/// What is left to choose from a place in a run on.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest {
    /// The number of steps that each client has left.
    pub(super) steps: BTreeMap<Client, usize>,
    /// The number of preemptions that are allowed. None if there is no bound.
    pub(super) preemptions: Option<usize>,
}

impl Rest {
    /// The logarithm of the number of schedules, if no client waits and each takes the steps that
    /// it has taken before. Exact without a bound. With one it is the number of ways to choose the
    /// places of the preemptions.
    pub(super) fn schedules_ln(&self) -> f64 {
        let total: usize = self.steps.values().sum();
        match self.preemptions {
            None => {
                let each = self.steps.values().map(|it| factorial_ln(*it));
                factorial_ln(total) - each.sum::<f64>()
            }
            Some(most) => {
                let ways = (0..=most.min(total)).map(|count| {
                    let places = factorial_ln(total) - factorial_ln(total - count);
                    (places - factorial_ln(count)).exp()
                });
                ways.sum::<f64>().ln()
            }
        }
    }
}

fn factorial_ln(number: usize) -> f64 {
    (2..=number).map(|it| (it as f64).ln()).sum()
}

/// Divides a share in proportion to numbers of which these are the logarithms.
pub(super) fn divided(share: f64, logarithms: &[f64]) -> Vec<f64> {
    let largest = logarithms.iter().copied().fold(0.0, f64::max);
    let weights: Vec<_> = logarithms.iter().map(|it| (it - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|it| share * it / sum).collect()
}
