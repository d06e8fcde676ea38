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
}
