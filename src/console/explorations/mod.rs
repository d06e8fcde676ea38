//! Live explorations: a visitor asks for the schedules of a strategy or a scenario on the lab's own
//! engine, and gets a report.
//!
//! | file | |
//! |---|---|
//! | `plan` | what a form asks for |
//! | `work` | the exploration itself, in a database of the explorer's own |
//! | `tally` | how far it is |
//!
//! Their records are in the store of runs, and their events go the same way.

mod plan;
mod tally;
mod work;

use std::net::IpAddr;

use serde_json::json;

use super::record::State;
use super::runs::{Inserted, Kind, RecordId, Runs, StartError, Stored};
use crate::explore::report::{Report, VERSION, read};
pub use plan::{
    ASKED, CARRIED, ExplorationPlan, ExplorationRequest, FIELDS, MOST_CLIENTS, MOST_SCENARIO_BYTES,
    UnfitExploration, What, of_form, of_text,
};

/// Starts an exploration. If there is a record of that name already, nothing is explored.
pub async fn start(
    runs: &Runs,
    id: &RecordId,
    request: ExplorationRequest,
    caller: IpAddr,
) -> Result<Inserted, StartError> {
    if runs.store().glance(id).await?.is_some() {
        return Ok(Inserted::Already);
    }
    let place = runs.places().take(runs.limits(), Kind::Exploration, caller);
    let place = place.map_err(StartError::NoPlace)?;
    let plan = json!(request.plan);
    let inserted = runs.store().insert(id, Kind::Exploration, &plan).await?;
    if inserted == Inserted::New {
        // It is told of from now on, so that no watcher comes too early.
        let teller = runs.live().begin(id);
        let (runs, id) = (runs.clone(), id.clone());
        let tasks = runs.laboratory().tasks.clone();
        tasks.spawn(async move {
            work::carry_out(&runs, &id, &request, &teller).await;
            drop(place);
        });
    }
    Ok(inserted)
}

impl Stored {
    /// What an exploration was asked for. None if it is of another kind, or of a program with
    /// another form of plans.
    pub fn exploration(&self) -> Option<ExplorationPlan> {
        if self.kind != Kind::Exploration {
            return None;
        }
        serde_json::from_value(self.plan.clone()).ok()
    }

    /// The report of an exploration. Without findings, as long as there are none.
    pub fn report(&self) -> Report {
        let stored = self.record.as_deref().unwrap_or_default();
        read(stored.as_bytes()).unwrap_or_else(|error| Report {
            version: VERSION,
            findings: Vec::new(),
            missing: match (self.state, &self.record) {
                (State::Running, _) => vec!["the exploration is under way".to_owned()],
                (State::Ended | State::Stopped | State::Failed, None) => Vec::new(),
                (State::Ended | State::Stopped | State::Failed, Some(_)) => {
                    vec![error.to_string()]
                }
            },
            broken: self.error().map(str::to_owned).into_iter().collect(),
        })
    }
}
