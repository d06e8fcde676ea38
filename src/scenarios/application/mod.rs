//! Applications: clients that send requests to a program that is not ours, whose statements pass
//! through the [proxy](crate::proxy).
//!
//! - `file`: what a scenario file says of them. `plan`: the same, parsed. `pattern`: texts with
//!   `{names}` in them.
//! - `request`, `answered`, `capture`, `status`: one HTTP request, its answer, what is kept of it,
//!   and what it means. `http`: how it is sent. `visit`: a client's cookies and requests.
//! - `process`: a program that the lab starts, and `start`: with what. `tables`: how they are
//!   brought back. `lane`: the application of one lane, with its proxy
//!   and its beginning. `applications`: those of all lanes.
//! - `racing`: the clients of one run that send requests.

mod answered;
mod applications;
mod capture;
mod file;
mod http;
mod lane;
mod pattern;
mod plan;
mod process;
mod racing;
mod request;
mod start;
mod status;
mod tables;
mod visit;

pub(super) use applications::Applications;
pub(super) use file::{AnswerTable, ApplicationTable, ProbeTable, RequestTable};
pub(super) use plan::{ApplicationPlan, Probe};
pub(super) use racing::RequestRun;
pub(super) use visit::RequestClient;
