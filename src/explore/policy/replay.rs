//! One schedule, run again.

use super::{Divergence, Policy, Standing, described};
use crate::explore::{Client, Schedule};

/// One schedule, exactly as it is given.
#[derive(Debug, Clone)]
pub struct Replay {
    schedule: Schedule,
    made: usize,
}

impl Replay {
    /// That schedule.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, made: 0 }
    }
}

impl Policy for Replay {
    fn choose(&mut self, standing: &Standing<'_>) -> Result<Option<Client>, Divergence> {
        let diverged = |expected| Divergence {
            after: self.made,
            expected,
        };
        let Some(client) = self.schedule.0.get(self.made) else {
            return Err(diverged(format!(
                "the schedule ends, but not all clients are done: next could be {}",
                described(standing)
            )));
        };
        if standing.parked(*client).is_none() {
            return Err(diverged(format!(
                "it is {client}'s turn, but {client} waits or is done: next could be {}",
                described(standing)
            )));
        }
        self.made += 1;
        Ok(Some(*client))
    }

    fn end(&self) -> Result<(), Divergence> {
        match self.schedule.0.get(self.made) {
            None => Ok(()),
            Some(client) => Err(Divergence {
                after: self.made,
                expected: format!("it is {client}'s turn, but all clients are done"),
            }),
        }
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        Vec::new()
    }

    fn share(&self) -> f64 {
        1.0
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(Self::new(self.schedule.clone()))
    }
}
