//! Trying again, for strategies whose attempts fail instead of losing updates.
//!
//! A failed attempt is rolled back. The next one is a transaction of its own that reads everything
//! anew. Between the two comes a pause, because the client that has just won is probably still
//! busy. [`Retry`] says how long: the policies can be measured against each other. The session
//! keeps its connection during the pause, so pausing clients take up room in the pool.

use std::time::Duration;

use clap::ValueEnum;

use super::{Receipt, Refusal};
use crate::engine::{Fault, Session, shared_work};

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

/// Why an attempt made no deposit.
#[derive(Debug)]
pub(super) enum NotMade {
    /// Another client was faster. A further attempt may well succeed.
    Lost,
    /// The reason would be the same the next time.
    Refused(Refusal),
}

impl From<Fault> for NotMade {
    fn from(fault: Fault) -> Self {
        if fault.kind.is_collision() {
            Self::Lost
        } else {
            Self::Refused(fault.into())
        }
    }
}

impl From<Refusal> for NotMade {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Engine(fault) => fault.into(),
            other => Self::Refused(other),
        }
    }
}

/// The number of attempts of one deposit.
#[derive(Debug)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// The count during the first attempt.
    pub(super) fn first() -> Self {
        Self(1)
    }

    /// How many attempts there were, the current one included.
    pub(super) fn count(&self) -> u32 {
        self.0
    }

    /// Rolls a failed attempt back, and pauses before the next one.
    ///
    /// # Errors
    /// [`Refusal::GaveUp`] if that was the last attempt.
    #[track_caller]
    pub(super) fn next(
        &mut self,
        s: &mut Session<'_>,
    ) -> impl Future<Output = Result<(), Refusal>> {
        shared_work!(s, {
            s.rollback().await?;
            if s.pause().await {
                self.0 += 1;
                Ok(())
            } else {
                Err(Refusal::GaveUp { attempts: self.0 })
            }
        })
    }

    /// The receipt of the current attempt, if it succeeds.
    pub(super) fn receipt(&self, balance_read: i64, balance_written: i64) -> Receipt {
        Receipt {
            attempts: self.0,
            ..Receipt::at_first_try(balance_read, balance_written)
        }
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

    #[test]
    fn a_lost_answer_is_no_lost_attempt() {
        let fault = Fault::unavailable("the connection failed");
        assert!(matches!(NotMade::from(fault), NotMade::Refused(_)));
    }
}
