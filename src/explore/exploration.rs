//! What a job has led to.

use super::{Finding, JobError};

/// What a job has led to, also if it ended early.
#[derive(Debug, Default)]
pub struct Exploration {
    /// One for each subject, engine, level and number of instances.
    pub findings: Vec<Finding>,
    /// The engines that are not here, and the subjects that were left out, and why.
    pub missing: Vec<String>,
    /// What was wrong with subjects that a user has brought, so that they were not explored, or not
    /// to their end.
    pub broken: Vec<String>,
    /// Why it ended early. None if it ran to its end or was stopped.
    pub error: Option<JobError>,
}

impl Exploration {
    /// Whether something was found that should not have been.
    pub fn is_unexpected(&self) -> bool {
        self.findings.iter().any(|it| !it.unexpected.is_empty())
    }

    /// What is to be said of a finding without a single run that came to its end: it is no verdict.
    /// None if there is no such finding.
    pub fn without_a_verdict(&self) -> Option<String> {
        let is_empty = |it: &&Finding| it.tally.schedules == 0 && it.diverged > 0;
        let finding = self.findings.iter().find(is_empty)?;
        let scenario = finding.about.scenario.as_ref();
        let hint = match scenario.and_then(|it| it.at_once) {
            Some(_) => {
                ". A request that works for longer than --settle allows before its first statement \
                 looks like one that waits: try --settle 3000"
            }
            None => "",
        };
        Some(format!(
            "{}: nothing is known of it, because no run repeated what an earlier one had done{hint}",
            finding.about.name
        ))
    }
}
