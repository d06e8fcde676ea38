//! The result of a run: the facts as they were observed, and what follows from them.

use std::time::{Duration, Instant, SystemTime};

use crate::answers::Answers;
use crate::audit::Anomaly;
use crate::pair::Pair;
use crate::plan::Plan;
use crate::race::{Evidence, Exhibit};
use crate::timeline;
use crate::verdict::{Doubt, Verdict};
use crate::words::counted;

/// A moment, by two clocks. It lays what a server on the same machine says about its own clock
/// beside what this tool measured.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By the steady clock.
    pub instant: Instant,
    /// By the wall clock.
    pub time: SystemTime,
}

/// The facts of one run. The methods derive everything else.
#[derive(Debug)]
pub struct Report {
    /// What the run did.
    pub plan: Plan,
    /// A moment before the first request, by two clocks.
    pub moment: Moment,
    /// One answer for each request.
    pub answers: Answers,
    /// The moment before a burst's first release, and the moment after each. Empty for a run of
    /// spaced requests.
    pub releases: Vec<Instant>,
    /// What the audits said.
    pub(crate) evidence: Box<dyn Evidence>,
}

impl Report {
    /// The anomalies that the audits counted. Deposits have none: their audit is the balance.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.evidence.anomalies()
    }

    /// The names of the two [fields](crate::Receipt::fields) that show what a request made.
    #[must_use]
    pub fn columns(&self) -> [&'static str; 2] {
        self.exhibit().csv_columns
    }

    /// The figures of the audits, by their names in a JSON report.
    #[must_use]
    pub fn figures(&self) -> serde_json::Value {
        let fields = self.evidence.fields(&self.answers);
        serde_json::to_value(fields).unwrap_or_default()
    }

    /// The time from a burst's first release to its last. None if there was no burst.
    #[must_use]
    pub fn spread(&self) -> Option<Duration> {
        let (first, last) = (self.releases.first()?, self.releases.last()?);
        Some(last.duration_since(*first))
    }

    /// What the run says about its target.
    ///
    /// An anomaly is a result whatever else happened. That nothing went wrong is a result only if
    /// the outcome of every request is known and something could have gone wrong.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if let Some(error) = self.evidence.audit_error() {
            return Verdict::CouldNotTell(Doubt::NoAudit(error.clone()));
        }
        if let Some(anomaly) = self.evidence.anomaly(&self.answers) {
            return anomaly;
        }
        if let Some(doubt) = self.doubt() {
            return Verdict::CouldNotTell(doubt);
        }
        if self.answers.acknowledged() < self.answers.len() {
            Verdict::Refused
        } else {
            Verdict::Safe
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        let unclear = self.answers.unclear();
        let traces = self.evidence.traces();
        if unclear > 0 {
            Some(Doubt::Unclear { requests: unclear })
        } else if let Some(requests) = traces.and_then(|it| self.answers.without_trace(it)) {
            let trace = self.exhibit().trace;
            Some(Doubt::NoTrace { requests, trace })
        } else if let Some(detail) = self.answers.all_not_found() {
            let url = self.plan.post_url().to_string();
            Some(Doubt::UnknownTarget { url, detail })
        } else if self.answers.acknowledged() == 0 {
            Some(Doubt::NoneAcknowledged)
        } else {
            self.evidence.not_examined().map(Doubt::NotExamined)
        }
    }

    /// What a reader of the figures should know.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let in_doubt = self.remark_on_doubt().into_iter();
        let evidence = self.evidence.remarks(&self.answers).into_iter();
        let races = self.remarks_on_races();
        in_doubt.chain(evidence).chain(races).collect()
    }

    fn remark_on_doubt(&self) -> Option<String> {
        let in_doubt = self.answers.in_doubt();
        let consequence = self.exhibit().while_in_doubt;
        (in_doubt > 0).then(|| {
            format!(
                "{in_doubt} of the requests may or may not have been kept, and some may still be \
                 running. {consequence}"
            )
        })
    }

    /// Why nothing could go wrong between any two requests.
    fn remarks_on_races(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.answers.len() > 1 && self.answers.acknowledged() == 1 {
            let Exhibit {
                product, incident, ..
            } = self.exhibit();
            remarks.push(format!(
                "Only one {product} was acknowledged, and {incident} needs two."
            ));
        }
        if self.answers.len() > 1 && !self.answers.any_overlap() {
            remarks.push(
                "No two requests were in flight at the same time, so nothing raced: \
                 shorten the wait, or choose 0 to release all together."
                    .to_owned(),
            );
        }
        remarks
    }

    /// Two requests between which something went wrong. None if the audits found nothing wrong,
    /// or if no receipts show it.
    #[must_use]
    pub fn incident(&self) -> Option<Pair<'_>> {
        self.evidence.incident(&self.answers)
    }

    /// A drawing of two requests: of an incident if there is one, else of two that overlapped.
    #[must_use]
    pub fn timeline(&self) -> Option<String> {
        self.shown_pair().map(|(_, pair)| timeline::draw(&pair))
    }

    /// The two requests of the drawing, and what they are.
    pub(crate) fn shown_pair(&self) -> Option<(&'static str, Pair<'_>)> {
        if let Some(pair) = self.incident() {
            return Some((self.exhibit().incident_caption, pair));
        }
        Some(("which overlapped", self.evidence.overlap(&self.answers)?))
    }

    /// What the requests did, as in `3 deposits of 100 into account 1`.
    pub(crate) fn requests_in_words(&self) -> String {
        let race = self.plan.target.race();
        let products = counted(self.answers.len(), race.exhibit().product);
        format!("{products} {}", race.purpose())
    }

    fn exhibit(&self) -> &'static Exhibit {
        self.plan.target.race().exhibit()
    }
}
