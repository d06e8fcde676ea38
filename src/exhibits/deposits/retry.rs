//! Trying again, for strategies whose attempts fail instead of losing updates.
//!
//! A failed attempt is rolled back. The next one is a transaction of its own that reads everything
//! anew. Between the two comes a pause, because the client that has just won is probably still
//! busy: see [`Retry`](crate::exhibits::Retry). The session keeps its connection during the pause,
//! so pausing clients take up room in the pool.

use super::{Receipt, Refusal};
use crate::engine::{Fault, Session, shared_work};

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
    fn a_lost_answer_is_no_lost_attempt() {
        let fault = Fault::unavailable("the connection failed");
        assert!(matches!(NotMade::from(fault), NotMade::Refused(_)));
    }
}
