//! Applications: clients that send requests to a program that is not ours, whose statements pass
//! through the [proxy](crate::proxy).
//!
//! - `file`: what a scenario file says of them. `plan`: the same, parsed. `pattern`: texts with
//!   `{names}` in them.
//! - `request`, `answered`, `capture`, `status`: one HTTP request, its answer, what is kept of it,
//!   and what it means. `http`: how it is sent. `visit`: a client's cookies and requests.
//! - `process`: a program that the lab starts, and `start`: with what. `tables`: how they are
//!   brought back. `lane`: the application of one lane, with its proxy
//!   and its beginning. `why`: what is said if it does not do what it should. `applications`: those
//!   of all lanes.
//! - `proxied`: a client of either kind. `racing`: those of one run that send requests, and
//!   `commanded`: those that are commands.
//! - `command`: a client that is a program. `exit`: what its exit says. `output`: what it prints.
//!   `running`: its process in one run. `under_way`: which clients are not done yet.

mod answered;
mod applications;
mod capture;
mod command;
mod commanded;
mod exit;
mod file;
mod http;
mod lane;
mod output;
mod pattern;
mod plan;
mod process;
mod proxied;
mod racing;
mod ready;
mod request;
mod running;
mod start;
mod status;
mod tables;
mod under_way;
mod visit;
mod why;
mod words;

pub(super) use applications::Applications;
pub(super) use command::CommandClient;
pub(super) use file::{
    AnswerTable, ApplicationTable, CommandPart, CommandTable, ProbeTable, RequestTable,
};
pub(super) use plan::{ApplicationPlan, Probe};
pub(super) use proxied::ProxiedClient;
pub(super) use racing::ProxiedRun;
pub(super) use visit::RequestClient;
