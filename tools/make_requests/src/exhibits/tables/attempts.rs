//! How many attempts the appends took, and why some were refused.

use crate::answer::{Outcome, Problem};
use crate::answers::Answers;
use crate::audit::Anomaly;

/// The attempts of a run's appends, as the service told them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    /// Of all appends whose answer says it, together.
    pub(super) attempts: u64,
    /// Those of them that were not an append's first.
    pub(super) retries: u64,
    /// Appends that were refused because another client had committed first.
    pub(super) conflicts: usize,
    /// Appends that were refused after the last attempt.
    pub(super) gave_up: usize,
    /// Appends that found the table damaged, though it may be whole afterwards.
    damages: u64,
    /// What one of them was told.
    damage: Option<String>,
}

impl Attempts {
    pub(super) fn of(answers: &Answers) -> Self {
        let mut counts = Self::default();
        for answer in answers.iter() {
            let attempts = match &answer.outcome {
                Outcome::Acknowledged { receipt, .. } => {
                    receipt.as_ref().and_then(|receipt| receipt.attempts)
                }
                Outcome::Refused(problem) => {
                    counts.conflicts += usize::from(is_of_kind(problem, "commit-conflict"));
                    counts.gave_up += usize::from(is_of_kind(problem, "gave-up"));
                    counts.note_damage(problem);
                    problem.attempts
                }
                Outcome::Partial(problem) | Outcome::Unknown(problem) => {
                    counts.note_damage(problem);
                    problem.attempts
                }
                Outcome::NoAnswer(_) => None,
            };
            counts.attempts += u64::from(attempts.unwrap_or(0));
            counts.retries += u64::from(attempts.map_or(0, |it| it.saturating_sub(1)));
        }
        counts
    }

    fn note_damage(&mut self, problem: &Problem) {
        if is_of_kind(problem, "table-damaged") {
            self.damages += 1;
            let damage = problem.detail.as_ref().unwrap_or(&problem.title);
            self.damage.get_or_insert_with(|| damage.clone());
        }
    }

    /// A table can be read at every moment, also while others append to it.
    pub(super) fn anomaly(&self) -> Anomaly {
        Anomaly {
            name: "broken_table".to_owned(),
            count: self.damages,
            example: self.damage.clone(),
        }
    }
}

/// Whether the problem's type ends in this name.
fn is_of_kind(problem: &Problem, name: &str) -> bool {
    let kind = problem.kind.as_deref();
    kind.and_then(|it| it.rsplit([':', '/']).next()) == Some(name)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use hyper::StatusCode;
    use serde_json::{Value, json};

    use super::super::receipt::Appended;
    use super::*;
    use crate::answer::Answer;
    use crate::receipt::Receipt;
    use crate::transport::{RawAnswer, TransportError};

    fn answers(outcomes: Vec<Outcome>) -> Answers {
        let now = Instant::now();
        let answer = |(request, outcome)| Answer {
            request,
            started: now,
            ended: now,
            sent: 1,
            outcome,
        };
        Answers::new((1..).zip(outcomes).map(answer).collect())
    }

    fn outcome(status: u16, body: &Value) -> Outcome {
        let received = RawAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.to_string().into(),
        };
        Outcome::read(&received, Receipt::read::<Appended>)
    }

    fn problem(name: &str, attempts: u32) -> Outcome {
        let kind = format!("urn:racy:problem:{name}");
        outcome(409, &json!({"type": kind, "attempts": attempts}))
    }

    #[test]
    fn every_answer_that_tells_its_attempts_counts() {
        let answers = answers(vec![
            outcome(
                200,
                &json!({"version": 1, "snapshot": 1, "records": 1, "attempts": 3}),
            ),
            outcome(200, &json!({"version": 2, "snapshot": 2, "records": 1})),
            problem("commit-conflict", 1),
            problem("commit-conflict", 2),
            problem("gave-up", 6),
            problem("kept-otherwise", 1),
            outcome(
                500,
                &json!({"type": "urn:racy:problem:table-damaged", "detail": "cut off"}),
            ),
            outcome(409, &json!({"title": "Conflict"})),
            Outcome::NoAnswer(TransportError::stopped()),
        ]);
        let counts = Attempts {
            attempts: 13,
            retries: 8,
            conflicts: 2,
            gave_up: 1,
            damages: 1,
            damage: Some("cut off".to_owned()),
        };
        assert_eq!(Attempts::of(&answers), counts);
    }
}
