//! Clients that race by sending requests: one run of them.

use std::sync::Arc;
use std::time::Instant;

use super::answered::Answered;
use super::applications::Applications;
use super::lane::LaneApplication;
use super::visit::RequestClient;
use crate::answer::{Answer, Datum};
use crate::engine::{Database, Fault, Kept};
use crate::explore::{Client, ClientResult, Gate};
use crate::proxy::{BeginOrder, Participant, RunTurns, Seen};
use crate::scenarios::anomalies::FAILED;
use crate::step::{Action, Ending, Observer as _, Record, Step};
use crate::verdict::Outcome;

/// One run of the clients whose statements pass a proxy.
#[derive(Debug)]
pub(in crate::scenarios) struct ProxiedRun {
    pub(super) lane: Arc<LaneApplication>,
    pub(super) turns: RunTurns,
}

impl Applications {
    /// Begins a run of these clients. None if the application of this lane was not opened.
    pub(in crate::scenarios) async fn begin_run(
        &self,
        database: &Database,
        clients: &[Participant],
        order: BeginOrder,
    ) -> Option<ProxiedRun> {
        let lane = self.of(database).await?;
        let turns = RunTurns::of(lane.proxy.turns(), clients, order);
        Some(ProxiedRun { lane, turns })
    }
}

impl ProxiedRun {
    /// Sends a client's request when its turn has come, and tells its gate how it ended.
    pub(in crate::scenarios) async fn race(
        &self,
        client: Client,
        gate: Gate,
        plan: &Arc<RequestClient>,
    ) {
        let gate = Arc::new(gate);
        if self.is_unseen(&gate) {
            return;
        }
        let under_way = self.turns.under_way();
        self.turns.begin(client, Arc::clone(&gate)).await;
        let hides = self.lane.proxy.turns().settings().hides_values;
        let words = if hides {
            plan.request_in_words()
        } else {
            self.lane.in_words(plan, client.index())
        };
        note(&gate, Action::Request, words, Ending::Done(None));
        let before = match hides {
            true => None,
            false => self.lane.length_of_log().await,
        };
        let answered = self.send(client, plan, before).await;
        let seen = self.turns.answered(client).await;
        let has_failed = |it: &Answered| it.status.is_server_error();
        let log = match &answered {
            Ok(answer) if has_failed(answer) => self.lane.log_after(before).await,
            _ => String::new(),
        };
        let (words, ending) = in_words(&answered, &log, hides);
        note(&gate, Action::Answer, words, ending);
        let result = result_of(&answered, seen, plan);
        self.turns.end(client, &gate, result);
        under_way.done();
    }

    /// Breaks the run off if statements are not seen any more, and returns true then.
    pub(super) fn is_unseen(&self, gate: &Gate) -> bool {
        let Some(why) = self.turns.unseen() else {
            return false;
        };
        gate.broke_off(Fault::other(format!(
            "the application's statements are not all seen any more, because {why}. So no verdict would \
             hold"
        )));
        true
    }

    /// Sends the request in a task of its own: if the run is broken off, the application can still
    /// answer, and the next run waits for that. What the application writes after this number of
    /// bytes is told if there is no answer.
    async fn send(
        &self,
        client: Client,
        plan: &Arc<RequestClient>,
        length_of_log: Option<u64>,
    ) -> Result<Answered, String> {
        let under_way = self.lane.under_way.begin();
        let (lane, plan) = (Arc::clone(&self.lane), Arc::clone(plan));
        let sent = tokio::spawn(async move {
            let answered = lane.race(&plan, client.index()).await;
            drop(under_way);
            match answered {
                Ok(answer) => Ok(answer),
                Err(why) => Err(lane.why_no_answer(why, length_of_log).await),
            }
        });
        sent.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// Shows in the timeline what is no statement.
pub(super) fn note(gate: &Gate, action: Action, label: String, ending: Ending) {
    let now = Instant::now();
    gate.after(&Record {
        step: Step::beside(action, label),
        started: now,
        ended: now,
        ending,
    });
}

/// What a report shows of an answer. `log` is what the application has written meanwhile, if it has
/// failed.
fn in_words(answered: &Result<Answered, String>, log: &str, hides: bool) -> (String, Ending) {
    match answered {
        Ok(answer) if hides => (format!("answered {}", answer.status), Ending::Done(None)),
        Ok(answer) => {
            let location = match answer.location() {
                "" => String::new(),
                location => format!(", to {location}"),
            };
            let body = answer.beginning();
            let body = body.trim_start_matches(": ");
            let body = match log {
                "" => body.to_owned(),
                log => format!("{body}; it has written: {log}"),
            };
            let shown = Answer {
                columns: vec!["body".to_owned()],
                rows: vec![vec![Datum::text(body)]],
                row_count: 1,
            };
            let words = format!("answered {}{location}", answer.status);
            (words, Ending::Answered(shown))
        }
        Err(why) => (
            "no answer".to_owned(),
            Ending::Failed {
                kind: FAILED.name,
                code: None,
                refusal: why.clone(),
            },
        ),
    }
}

/// How the client ended, by its answer and by what its statements have shown.
fn result_of(
    answered: &Result<Answered, String>,
    seen: Seen,
    plan: &RequestClient,
) -> ClientResult {
    let kept = Outcome::of_what_was_kept(if seen.has_changed_for_good {
        Kept::Something
    } else {
        Kept::Nothing
    });
    let failed = |fault| ClientResult::failed(kept, fault);
    let result = match answered {
        Ok(answer) if plan.acknowledged.is_said_by(answer) => ClientResult::APPLIED,
        Ok(answer) if seen.fault.is_none() && answer.status.is_server_error() => ClientResult {
            saw: Some(&FAILED),
            ..failed(None)
        },
        // The application's own decision, or the engine's refusal.
        Ok(_) => failed(seen.fault),
        Err(_) => ClientResult {
            saw: Some(&FAILED),
            ..failed(None)
        },
    };
    let mut captured = Vec::new();
    if let Ok(answer) = answered {
        captured.push(("status".to_owned(), Datum::number(answer.status.as_u16())));
        for (name, capture) in &plan.request.capture {
            // What is not there is NULL, as in an invariant.
            let value = capture
                .of(answer, |_| None)
                .map_or(Datum::Null, Datum::text);
            captured.push((name.clone(), value));
        }
    }
    ClientResult {
        captured,
        changed_nothing: !seen.has_changed_for_good,
        tries_locks: seen.tries_locks,
        ..result
    }
}
