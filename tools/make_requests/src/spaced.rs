//! Deposits one after another, each at its time, whether or not the earlier ones were answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::ordinary::Client;
use crate::run::{Fired, Progress};
use crate::tasks::joined;

/// Starts one deposit every `wait`, the first at once.
pub(crate) async fn fire(
    client: &Client,
    wait: Duration,
    progress: &mut impl FnMut(Progress),
) -> Fired {
    let mut clock = tokio::time::interval(wait);
    let mut in_flight = JoinSet::new();
    let mut answers = Vec::new();
    let mut unsent = 1..=client.plan.requests.get();

    while !unsent.is_empty() || !in_flight.is_empty() {
        tokio::select! {
            _ = clock.tick(), if !unsent.is_empty() => {
                if let Some(request) = unsent.next() {
                    in_flight.spawn(deposit(client.clone(), request));
                }
            }
            Some(finished) = in_flight.join_next() => {
                let answer: Answer = joined(finished);
                progress(Progress::Answered { request: answer.request });
                answers.push(answer);
            }
        }
    }
    Fired {
        answers,
        releases: Vec::new(),
    }
}

async fn deposit(client: Client, request: u32) -> Answer {
    let started = Instant::now();
    let first = client.deposit(request).await;
    let (outcome, sent) = client.insist(request, first).await;
    Answer {
        request,
        started,
        ended: Instant::now(),
        sent,
        outcome,
    }
}
