//! A sample of all schedules, drawn at random.

use fastrand::Rng;

use super::{Divergence, Policy, Standing};
use crate::explore::Client;

/// Random schedules, drawn the way PCT does (Burckhardt et al., "A Randomized Scheduler with
/// Probabilistic Guarantees of Finding Bugs", 2010). Every client gets a random priority, and of
/// those that can move the highest moves. At a few random steps, the client whose turn it is falls
/// to the lowest priority. This finds a race that takes few switches far more often than dice at
/// every step.
#[derive(Debug, Clone)]
pub struct Random {
    draw: Draw,
    /// The number of this run, from 1. 0 is the trial before them.
    number: u64,
    /// The number of runs to draw.
    runs: u64,
    /// The clients by priority, the highest last.
    priorities: Vec<Client>,
    /// The steps before which the priorities change.
    changes: Vec<usize>,
    made: usize,
}

/// What all runs of a sample have in common.
#[derive(Debug, Clone, Copy)]
struct Draw {
    seed: u64,
    clients: usize,
    /// The number of steps of a run. None until the trial has shown it.
    length: Option<usize>,
}

impl Random {
    /// The most switches of a run that priorities alone do not bring about.
    const MOST_CHANGES: usize = 3;

    /// The trial before this number of runs. It changes no priorities, so that it takes the clients
    /// one after the other. The runs learn from it how long a run is, and it does not count.
    pub fn new(seed: u64, runs: u32, clients: usize) -> Self {
        let draw = Draw {
            seed,
            clients,
            length: None,
        };
        draw.policy(0, runs.into())
    }
}

impl Draw {
    fn policy(self, number: u64, runs: u64) -> Random {
        // Numbers beside each other as seeds would draw much the same.
        let mut rng = Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut priorities: Vec<_> = Client::first(self.clients).collect();
        rng.shuffle(&mut priorities);
        let changes = match self.length {
            None | Some(0) => Vec::new(),
            Some(length) => (0..rng.usize(1..=Random::MOST_CHANGES))
                .map(|_| rng.usize(0..length))
                .collect(),
        };
        Random {
            draw: self,
            number,
            runs,
            priorities,
            changes,
            made: 0,
        }
    }
}

impl Policy for Random {
    fn choose(&mut self, standing: &Standing<'_>) -> Result<Option<Client>, Divergence> {
        let can_move = |client: &Client| standing.parked(*client).is_some();
        for _ in self.changes.iter().filter(|step| **step == self.made) {
            if let Some(at) = self.priorities.iter().rposition(can_move) {
                let falls = self.priorities.remove(at);
                self.priorities.insert(0, falls);
            }
        }
        self.made += 1;
        Ok(self.priorities.iter().copied().rfind(can_move))
    }

    fn is_trial(&self) -> bool {
        self.number == 0
    }

    fn share(&self) -> f64 {
        match self.number {
            0 => 0.0,
            _ => 1.0 / self.runs as f64,
        }
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(self.draw.policy(self.number, self.runs))
    }

    /// Two runs follow from each run, so that no run is drawn long before its turn.
    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        let draw = Draw {
            length: self.draw.length.or(Some(self.made)),
            ..self.draw
        };
        let following = match self.number {
            0 => vec![1],
            number => vec![2 * number, 2 * number + 1],
        };
        let following = following.into_iter().filter(|number| *number <= self.runs);
        following
            .map(|number| Box::new(draw.policy(number, self.runs)) as Box<dyn Policy>)
            .collect()
    }
}
