//! The HTTP service as its clients meet it: every endpoint, every bad input.

mod accounts;
mod busy;
mod deposits;
mod description;
mod wrong;

use crate::support::service::RunningService;
use crate::support::{Lab, TestEngine};

/// For what does not depend on the engine.
async fn service() -> (Lab, RunningService) {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    (lab, service)
}
