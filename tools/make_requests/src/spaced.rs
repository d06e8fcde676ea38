//! Requests one after another, each at its time, whether or not the earlier ones were answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::consumer::Consumer;
use crate::ordinary::Client;
use crate::tasks::joined;
use crate::volley::{Progress, Volley};

/// Starts one request every `wait`, the first at once, and the consumer beside the one in the middle.
pub(crate) async fn fire(
    client: &Client,
    wait: Duration,
    consumer: &mut Consumer,
    progress: &mut impl FnMut(Progress),
) -> Volley {
    let mut clock = tokio::time::interval(wait);
    let mut in_flight = JoinSet::new();
    let mut answers = Vec::new();
    let requests = client.plan.requests.get();
    let middle = requests.div_ceil(2);
    let mut unsent = 1..=requests;

    while !unsent.is_empty() || !in_flight.is_empty() {
        tokio::select! {
            _ = clock.tick(), if !unsent.is_empty() => {
                if let Some(request) = unsent.next() {
                    in_flight.spawn(post(client.clone(), request));
                    if request == middle {
                        consumer.start();
                    }
                }
            }
            Some(finished) = in_flight.join_next() => {
                let answer: Answer = joined(finished);
                progress(Progress::Answered { request: answer.request });
                answers.push(answer);
            }
        }
    }
    Volley {
        answers,
        releases: Vec::new(),
    }
}

async fn post(client: Client, request: u32) -> Answer {
    let started = Instant::now();
    let first = client.post(request).await;
    let (outcome, sent) = client.insist(request, first).await;
    let ended = Instant::now();
    Answer {
        request,
        started,
        ended,
        sent,
        inspection: client.inspect_answer(&outcome).await,
        outcome,
    }
}
