//! The steps that a search has seen: what the explanation of its reduction is made of.

use super::{Client, Trace};
use crate::step::Step;

/// The steps that the runs of a search have shown, each once for each footprint that it had.
#[derive(Debug, Clone, Default)]
pub struct SeenSteps(Vec<SeenStep>);

/// A step of a client, as it was seen first.
#[derive(Debug, Clone)]
pub struct SeenStep {
    /// The client.
    pub client: Client,
    /// What it does, with the values that it had then.
    pub step: Step,
    /// Its place among the client's steps in that run.
    pub(super) place: usize,
}

impl SeenSteps {
    /// The steps by client and place.
    pub fn steps(&self) -> impl Iterator<Item = &SeenStep> {
        self.0.iter()
    }

    /// Takes in what a run has shown.
    pub(super) fn add(&mut self, trace: &Trace) {
        let mut places = [0; Client::MOST];
        for row in trace.rows.iter().filter(|row| row.number().is_some()) {
            let place = &mut places[row.client.index()];
            *place += 1;
            self.add_step(row.client, &row.step, *place);
        }
    }

    fn add_step(&mut self, client: Client, step: &Step, place: usize) {
        let is_it = |it: &SeenStep| {
            it.client == client
                && it.step.label == step.label
                && it.step.footprint == step.footprint
        };
        if self.0.iter().any(is_it) {
            return;
        }
        let key = (client, place);
        let at = self.0.partition_point(|it| (it.client, it.place) <= key);
        let seen = SeenStep {
            client,
            step: step.clone(),
            place,
        };
        self.0.insert(at, seen);
    }
}
