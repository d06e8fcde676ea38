//! Why a job ended early.

use std::borrow::Cow;
use std::fmt;

use super::RunError;
use crate::engine::choice::ChoiceError;
use crate::engine::{BESIDE_THE_CLIENTS, OpenError};

/// Why an exploration ended early.
#[derive(Debug)]
pub enum JobError {
    /// No server of the engine could be started or reached.
    Engine(ChoiceError),
    /// The database could not be opened as it was asked for.
    Open(OpenError),
    /// Fewer connections than a run needs.
    TooFewConnections {
        /// The number of clients.
        clients: usize,
        /// Why there are not more.
        because: String,
    },
    /// A run did not come to its end.
    Run(Cow<'static, str>, RunError),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::TooFewConnections { clients, because } => write!(
                f,
                "{clients} clients need {} connections, one each and two to watch them: {because}",
                clients + BESIDE_THE_CLIENTS
            ),
            Self::Run(subject, error) => write!(f, "{subject}: {error}"),
        }
    }
}

impl std::error::Error for JobError {}

impl From<ChoiceError> for JobError {
    fn from(error: ChoiceError) -> Self {
        Self::Engine(error)
    }
}

impl From<OpenError> for JobError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}
