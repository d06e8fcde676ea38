//! Requests one after another, each at its time, whether or not the earlier ones were answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::answers::Answers;
use crate::poster::Poster;
use crate::tasks::joined;
use crate::volley::{Progress, Stop, StopPhase, Volley};

/// Starts one request after each `wait`, the first at once. The request in the middle is halfway.
pub(crate) async fn fire(
    poster: &Poster,
    wait: Duration,
    mut stop: Stop,
    progress: &mut impl FnMut(Progress),
) -> Volley {
    let mut clock = tokio::time::interval(wait);
    let mut in_flight = JoinSet::new();
    let mut started = BTreeMap::new();
    let mut answers = Vec::new();
    let requests = poster.plan.requests.get();
    let middle = requests.div_ceil(2);
    let mut unsent = 1..=requests;

    while !in_flight.is_empty() || !(unsent.is_empty() || stop.is_asked()) {
        tokio::select! {
            _ = clock.tick(), if !unsent.is_empty() && !stop.is_asked() => {
                if let Some(request) = unsent.next() {
                    started.insert(request, Instant::now());
                    in_flight.spawn(post(poster.clone(), request));
                    if request == middle {
                        poster.auditor.halfway();
                    }
                }
            }
            Some(finished) = in_flight.join_next() => {
                let answer: Answer = joined(finished);
                started.remove(&answer.request);
                progress(Progress::of(&answer));
                answers.push(answer);
            }
            phase = stop.next() => {
                if phase == StopPhase::NoFurtherAnswer {
                    break;
                }
            }
        }
    }
    let given_up = started.into_iter();
    answers.extend(given_up.map(|(request, started)| Answer::given_up(request, started)));
    Volley {
        answers: Answers::new(answers),
        releases: Vec::new(),
    }
}

async fn post(poster: Poster, request: u32) -> Answer {
    let started = Instant::now();
    let first = poster.post(request).await;
    poster.settle(request, first).await.started_at(started)
}
