//! The pauses between the attempts of strategies that try again. The policies can be measured
//! against each other.

use std::time::Duration;

use clap::ValueEnum;

/// How long to pause before a failed attempt is made again. There are at most five pauses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Retry {
    /// No further attempt: the first failure is the last.
    None,
    /// 10 ms each time. Clients that have collided collide again, because all wait equally long.
    Fixed,
    /// 10 ms, then twice as long each time.
    Exponential,
    /// A random time up to what `exponential` would pause ("full jitter"). Clients that have
    /// collided come back at different times.
    #[default]
    Jitter,
}

impl Retry {
    const FIRST_PAUSE: Duration = Duration::from_millis(10);
    const MOST: u32 = 5;

    /// The pauses of one deposit, one before each further attempt.
    pub fn pauses(self) -> Vec<Duration> {
        let exponential = (0..Self::MOST).map(|doubled| Self::FIRST_PAUSE * (1 << doubled));
        match self {
            Self::None => Vec::new(),
            Self::Fixed => vec![Self::FIRST_PAUSE; Self::MOST as usize],
            Self::Exponential => exponential.collect(),
            Self::Jitter => exponential
                .map(|longest| longest.mul_f64(fastrand::f64()))
                .collect(),
        }
    }

    /// The largest number of pauses, each of which takes no time. For an observer that decides what
    /// happens during a pause.
    pub fn pauses_in_no_time() -> Vec<Duration> {
        vec![Duration::ZERO; Self::MOST as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_pauses_in_its_own_way() {
        let milliseconds = |retry: Retry| {
            let pauses = retry.pauses().into_iter();
            pauses.map(|it| it.as_millis()).collect::<Vec<_>>()
        };
        assert!(milliseconds(Retry::None).is_empty());
        assert_eq!(milliseconds(Retry::Fixed), [10; 5]);
        assert_eq!(milliseconds(Retry::Exponential), [10, 20, 40, 80, 160]);
        for _ in 0..100 {
            let drawn = Retry::Jitter.pauses();
            let longest = Retry::Exponential.pauses();
            assert_eq!(drawn.len(), longest.len());
            assert!(drawn.iter().zip(&longest).all(|(one, most)| one <= most));
        }
        assert_ne!(Retry::Jitter.pauses(), Retry::Jitter.pauses());
    }
}
