//! A database of its own for the permutations of a file.

use std::fmt;

use super::{PermutationReport, Spec, SpecReport, TestError};
use crate::engine::choice::OpenDatabase;
use crate::engine::{Database, Fault, Flavour, LaneKind, OpenError, Scratch};
use crate::explore::Stop;

/// Why a file was not run.
#[derive(Debug)]
pub enum SpecRunError {
    /// There is no database of its own for it.
    Open(OpenError),
    /// There are fewer connections than it has sessions.
    TooFewConnections(String),
    /// It could not be run there.
    Test(TestError),
}

impl fmt::Display for SpecRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::TooFewConnections(why) => f.write_str(why),
            Self::Test(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SpecRunError {}

impl From<OpenError> for SpecRunError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<Fault> for SpecRunError {
    fn from(fault: Fault) -> Self {
        Self::Test(fault.into())
    }
}

impl From<TestError> for SpecRunError {
    fn from(error: TestError) -> Self {
        Self::Test(error)
    }
}

impl Spec {
    /// Runs the file in a database of its own beside this one. It is gone afterwards. Each report
    /// is told as soon as it is there.
    ///
    /// # Errors
    /// [`SpecRunError`] if the permutations could not begin, or if the engine failed.
    pub async fn run_beside(
        &self,
        opened: &OpenDatabase,
        stop: &Stop,
        told: &mut (dyn FnMut(&PermutationReport) + Send),
    ) -> Result<SpecReport, SpecRunError> {
        let scratch = scratch(opened).await?;
        let home = scratch.as_ref().map_or(&opened.database, |it| &it.database);
        let ran = self.run_in_a_lane(home, stop, told).await;
        let closed = match scratch {
            Some(scratch) => scratch.close().await,
            None => Ok(()),
        };
        let report = ran?;
        closed?;
        Ok(report)
    }

    async fn run_in_a_lane(
        &self,
        home: &Database,
        stop: &Stop,
        told: &mut (dyn FnMut(&PermutationReport) + Send),
    ) -> Result<SpecReport, SpecRunError> {
        // One more sets up and tidies up.
        let clients = self.sessions.len() + 1;
        let lanes = home.lanes(clients, 1, LaneKind::WholeDatabase).await?;
        let ran = match lanes.lanes.first() {
            Some(lane) => match lanes.must_show_waits(clients).await {
                Ok(()) => self
                    .run(&lane.database, stop, told)
                    .await
                    .map_err(Into::into),
                Err(error) => Err(error.into()),
            },
            None => Err(SpecRunError::TooFewConnections(
                lanes.fewer_because.clone().unwrap_or_default(),
            )),
        };
        // The first error is the one worth reporting.
        let closed = lanes.close().await;
        let report = ran?;
        closed?;
        Ok(report)
    }
}

/// On MySQL and MariaDB waits are tried out in the lab's own tables, which must not be made in a
/// database that has other users.
async fn scratch(opened: &OpenDatabase) -> Result<Option<Scratch>, OpenError> {
    opened.database.must_be_direct()?;
    match opened.database.engine().flavour {
        Flavour::Postgres | Flavour::Sqlite => Ok(None),
        Flavour::MySql | Flavour::MariaDb if opened.is_private() => {
            opened.database.migrate().await?;
            Ok(None)
        }
        Flavour::MySql | Flavour::MariaDb => opened.database.scratch().await.map(Some),
    }
}
