//! A run as a record: a burst of requests to one strategy, and what became of them.
//!
//! The record owns its data, so that it can be stored, sent and drawn without the code that ran.
//! Times are in microseconds since the first request was released.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::step::Argument;

/// The version of the record's form. It changes when a field is renamed, removed or given another
/// meaning.
pub const VERSION: u32 = 1;

/// A burst of requests to one strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunRecord {
    /// The version of this form.
    pub version: u32,
    /// Always `run`.
    pub kind: String,
    /// Its name in URLs.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// What was asked for.
    pub plan: RunPlan,
    /// The engine, as reports have it: `engine`, `engine_version`, `isolation` and its mode.
    #[schema(value_type = Option<crate::engine::Engine>)]
    pub engine: serde_json::Value,
    /// When it began, in UTC: `2026-11-29T17:00:00Z`.
    pub started_at: String,
    /// How long it took.
    pub took_us: i64,
    /// Why it failed. None if it did not.
    pub error: Option<String>,
    /// What it says about the strategy. None while it runs, and if it failed.
    pub verdict: Option<RunVerdict>,
    /// The refusals by kind, in words.
    pub refusals: Vec<RefusalKind>,
    /// One for each request, in the order of their release.
    pub lanes: Vec<Lane>,
    /// What was lost, and by which two requests.
    pub losses: Vec<Loss>,
    /// What a reader of the figures should know.
    pub notes: Vec<String>,
}

/// How far a run or an exploration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RunState)]
pub enum State {
    /// It is under way.
    Running,
    /// It ran to its end.
    Ended,
    /// A visitor has stopped it.
    Stopped,
    /// It could not go on, for example because the service was stopped.
    Failed,
}

impl State {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Running, Self::Ended, Self::Stopped, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// What a visitor asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunPlan {
    /// The exhibit.
    pub exhibit: String,
    /// The strategy's name within the exhibit.
    pub strategy: String,
    /// The number of requests.
    pub requests: u32,
    /// The pause between two requests, in milliseconds. None if all are released together.
    pub wait_ms: Option<u64>,
    /// How long the strategy thinks, in milliseconds.
    pub delay_ms: u64,
    /// The account, or the order book.
    pub account: i64,
    /// The amount of each deposit.
    pub amount: i64,
    /// The number of instances of the service.
    pub instances: u32,
    /// The isolation level. None for the lab's own.
    pub isolation: Option<String>,
    /// What the visitor predicted: the balance after the run. None without a prediction.
    pub predicted: Option<i64>,
}

/// What a run says about its strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunVerdict {
    /// How it ended.
    pub kind: VerdictKind,
    /// A headline: `9 of 10 deposits lost`.
    pub title: String,
    /// Why, in one sentence, with the two requests that did it.
    pub sentence: String,
    /// What was there before. None if the exhibit has no balance.
    pub before: Option<i64>,
    /// What should be there now.
    pub expected: Option<i64>,
    /// What is there now.
    pub actual: Option<i64>,
    /// What is missing.
    pub missing: Option<i64>,
    /// The number of acknowledged requests.
    pub acknowledged: u32,
    /// The number of refused requests.
    pub refused: u32,
    /// The number of requests of which it is not known whether they were kept.
    pub unclear: u32,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RunVerdictKind)]
pub enum VerdictKind {
    /// Something went wrong that must not.
    Anomaly,
    /// Nothing went wrong, but requests were refused.
    Refused,
    /// Every request was served, and nothing went wrong.
    Safe,
    /// The run could not tell.
    Unclear,
}

/// Refusals of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunRefusal)]
pub struct RefusalKind {
    /// The kind of fault. None if the strategy refused.
    pub fault: Option<String>,
    /// The engine's own code.
    pub code: Option<String>,
    /// The number of requests.
    pub requests: u32,
    /// What it means.
    pub words: String,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunLane)]
pub struct Lane {
    /// The request's number, from 1.
    pub request: u32,
    /// `applied`, `refused`, `partial`, `unknown` or `no_answer`.
    pub outcome: String,
    /// The HTTP status. None if no answer came.
    pub status: Option<u16>,
    /// When it was sent.
    pub sent_us: i64,
    /// When its answer had come.
    pub answered_us: i64,
    /// When the service received it. None if the answer does not say so.
    pub arrived_us: Option<i64>,
    /// Whether what it wrote is missing in the end.
    pub lost: bool,
    /// What it did: `deposits 100`.
    pub title: String,
    /// Why it was not applied.
    pub problem: Option<LaneProblem>,
    /// Its steps, in their order, waits for a worker and a connection included.
    pub steps: Vec<LaneStep>,
}

/// Why a request was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunLaneProblem)]
pub struct LaneProblem {
    /// A headline.
    pub title: String,
    /// A sentence.
    pub detail: String,
    /// The kind of fault.
    pub fault: Option<String>,
    /// The engine's own code.
    pub code: Option<String>,
}

/// One step of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunStep)]
pub struct LaneStep {
    /// `worker` and `connection` are waits before the first step. The others are actions.
    pub kind: String,
    /// A few words.
    pub label: String,
    /// The statement.
    pub sql: Option<String>,
    /// The values of its placeholders.
    pub args: Vec<Argument>,
    /// When it began.
    pub start_us: i64,
    /// When it ended.
    pub end_us: i64,
    /// The value that was read or written, if the clients race for it.
    pub value: Option<i64>,
    /// Whether it was to change rows and found none to change.
    pub matched_no_row: bool,
    /// The engine's refusal in words.
    pub refusal: Option<String>,
    /// The waits for a lock that the engine showed while the step ran.
    pub waits: Vec<LockWait>,
}

/// A wait for a lock, as the engine showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunLockWait)]
pub struct LockWait {
    /// When it was first seen.
    pub from_us: i64,
    /// When it was last seen.
    pub to_us: i64,
    /// The place in `lanes` of the request that had the lock. None if it is not known.
    pub for_lane: Option<usize>,
}

/// One thing that was lost, and the two requests that did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunLoss)]
pub struct Loss {
    /// The place in `lanes` of the request whose work is gone.
    pub lost: usize,
    /// The place in `lanes` of the request that overwrote it.
    pub by: usize,
    /// The read that did not see it.
    pub read: Option<StepPlace>,
    /// What was written, and is gone.
    pub written: Option<StepPlace>,
    /// What was written over it.
    pub overwrite: Option<StepPlace>,
    /// The story in one sentence.
    pub sentence: String,
}

/// A step in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunStepPlace)]
pub struct StepPlace {
    /// The place in `lanes`.
    pub lane: usize,
    /// The place in the lane's `steps`.
    pub step: usize,
}
