//! The answers of a run, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::answer::{Answer, Outcome, Problem};
use crate::latency::Latency;
use crate::receipt::Receipt;
use crate::transport::TransportErrorKind;

/// The answers of a run: one for each request, in the order of the requests' numbers.
#[derive(Debug)]
pub struct Answers(Vec<Answer>);

/// Requests that ended with the same kind of problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ProblemCount {
    /// The class of the database's refusal. None if it was not the database that refused.
    pub fault: Option<String>,
    /// The database's own code.
    pub code: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// A short sentence.
    pub title: String,
    /// How many requests ended like this.
    pub requests: usize,
}

/// Requests that ended with the same kind of transport error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransportErrorCount {
    /// The kind.
    pub kind: TransportErrorKind,
    /// The cause of one of them.
    pub detail: String,
    /// How many requests ended like this.
    pub requests: usize,
}

impl Deref for Answers {
    type Target = [Answer];

    fn deref(&self) -> &[Answer] {
        &self.0
    }
}

impl Answers {
    pub(crate) fn new(mut answers: Vec<Answer>) -> Self {
        answers.sort_by_key(|answer| answer.request);
        Self(answers)
    }

    /// How many requests the service promised to keep.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Acknowledged { .. }))
    }

    /// How many requests may have been kept although they were not acknowledged.
    pub(crate) fn in_doubt(&self) -> usize {
        self.count(Outcome::is_in_doubt)
    }

    /// How many requests have an answer that does not say clearly whether they were kept.
    pub(crate) fn unclear(&self) -> usize {
        self.count(|outcome| !matches!(outcome, Outcome::Acknowledged { .. } | Outcome::Refused(_)))
    }

    /// The refused requests, by kind.
    #[must_use]
    pub fn refused(&self) -> Vec<ProblemCount> {
        self.problems(|outcome| match outcome {
            Outcome::Refused(problem) => Some(problem),
            _ => None,
        })
    }

    /// The requests that failed half way, by kind.
    #[must_use]
    pub fn partial(&self) -> Vec<ProblemCount> {
        self.problems(|outcome| match outcome {
            Outcome::Partial(problem) => Some(problem),
            _ => None,
        })
    }

    /// The requests whose outcome the service does not know, by kind.
    #[must_use]
    pub fn unknown(&self) -> Vec<ProblemCount> {
        self.problems(|outcome| match outcome {
            Outcome::Unknown(problem) => Some(problem),
            _ => None,
        })
    }

    /// The requests without an answer, by kind.
    #[must_use]
    pub fn transport_errors(&self) -> Vec<TransportErrorCount> {
        let mut kinds: BTreeMap<TransportErrorKind, TransportErrorCount> = BTreeMap::new();
        for answer in self.iter() {
            let Outcome::NoAnswer(error) = &answer.outcome else {
                continue;
            };
            let first = || TransportErrorCount {
                kind: error.kind,
                detail: error.detail.clone(),
                requests: 0,
            };
            kinds.entry(error.kind).or_insert_with(first).requests += 1;
        }
        kinds.into_values().collect()
    }

    /// How many times requests were sent again, all together.
    #[must_use]
    pub fn sent_again(&self) -> u64 {
        self.iter().map(|answer| u64::from(answer.sent - 1)).sum()
    }

    /// How many acknowledged requests left no trace among those that were kept. None if all did.
    pub(crate) fn without_trace(&self, kept: u64) -> Option<u64> {
        let acknowledged = u64::try_from(self.acknowledged()).unwrap_or(u64::MAX);
        Some(acknowledged.saturating_sub(kept)).filter(|missing| *missing > 0)
    }

    /// What the service said with its 404. None if any answer was another one.
    pub(crate) fn all_not_found(&self) -> Option<Option<String>> {
        let mut detail = None;
        for answer in self.iter() {
            match &answer.outcome {
                Outcome::Refused(problem) if problem.status == 404 => {
                    detail.clone_from(&problem.detail);
                }
                _ => return None,
            }
        }
        Some(detail)
    }

    pub(crate) fn receipts(&self) -> Vec<&Receipt> {
        self.iter().filter_map(Answer::receipt).collect()
    }

    /// The latencies of the requests with an answer. None if there was no answer.
    #[must_use]
    pub fn latency(&self) -> Option<Latency> {
        let answered = self.iter().filter(|answer| answer.status().is_some());
        Latency::of(answered.map(Answer::latency).collect())
    }

    /// The time from the start of the first request to the end of the last.
    #[must_use]
    pub fn wall(&self) -> Duration {
        let end = self.iter().map(|answer| answer.ended).max();
        end.zip(self.started())
            .map_or(Duration::ZERO, |(end, start)| end.duration_since(start))
    }

    /// When the first request started.
    pub(crate) fn started(&self) -> Option<Instant> {
        self.iter().map(|answer| answer.started).min()
    }

    /// Whether any two requests were in flight at the same time.
    pub(crate) fn any_overlap(&self) -> bool {
        // They are in the order of their start: a request overlaps with an earlier one if it
        // started before the latest end so far.
        let mut latest_end = None;
        self.iter().any(|answer| {
            let overlaps = latest_end.is_some_and(|end| answer.started < end);
            latest_end = latest_end.max(Some(answer.ended));
            overlaps
        })
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.iter().filter(|answer| which(&answer.outcome)).count()
    }

    fn problems<'a>(
        &'a self,
        which: impl Fn(&'a Outcome) -> Option<&'a Problem>,
    ) -> Vec<ProblemCount> {
        let mut kinds = BTreeMap::new();
        for problem in self.0.iter().filter_map(|answer| which(&answer.outcome)) {
            let kind = ProblemCount {
                fault: problem.fault.clone(),
                code: problem.code.clone(),
                status: problem.status,
                title: problem.title.clone(),
                requests: 0,
            };
            *kinds.entry(kind).or_default() += 1;
        }
        let counted = kinds.into_iter();
        counted
            .map(|(kind, requests)| ProblemCount { requests, ..kind })
            .collect()
    }
}

impl fmt::Display for ProblemCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fault, &self.code) {
            (Some(fault), Some(code)) => write!(f, "{fault} ({code})"),
            (Some(fault), None) => f.write_str(fault),
            (None, _) => write!(f, "{} {}", self.status, self.title),
        }
    }
}

/// Answers for the tests of other modules.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Acknowledged requests without receipts, each with its start and end in ms.
    pub(crate) fn acknowledged(requests: &[(u32, u32)]) -> Answers {
        let origin = Instant::now();
        let answer = |(request, &(start, end)): (u32, &(u32, u32))| Answer {
            request,
            sent: 1,
            started: origin + MS * start,
            ended: origin + MS * end,
            outcome: Outcome::Acknowledged {
                status: 200,
                receipt: None,
            },
        };
        Answers::new((1..).zip(requests).map(answer).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::samples::acknowledged;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn times_follow_from_the_instants() {
        let answers = acknowledged(&[(0, 30), (10, 20), (20, 70)]);
        assert_eq!(answers.wall(), 70 * MS);
        let latency = answers.latency().unwrap();
        let times = (latency.min, latency.p50, latency.max);
        assert_eq!(times, (10 * MS, 30 * MS, 50 * MS));
    }

    #[test]
    fn an_overlap_may_be_with_any_earlier_request() {
        assert!(!acknowledged(&[(0, 10), (10, 20), (30, 40)]).any_overlap());
        assert!(acknowledged(&[(0, 35), (10, 20), (30, 40)]).any_overlap());
    }

    #[test]
    fn a_problem_is_named_by_its_fault_or_else_by_its_status() {
        let name = |fault: Option<&str>, code: Option<&str>| {
            let problem = ProblemCount {
                fault: fault.map(str::to_owned),
                code: code.map(str::to_owned),
                status: 409,
                title: "Conflict".to_owned(),
                requests: 1,
            };
            problem.to_string()
        };
        assert_eq!(name(Some("deadlock"), Some("1213")), "deadlock (1213)");
        assert_eq!(name(Some("busy"), None), "busy");
        assert_eq!(name(None, Some("1")), "409 Conflict");
    }
}
