//! Fires concurrent deposits at a service and says what was lost.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use make_requests::{Pace, Plan};
//!
//! let plan = Plan {
//!     base_url: "http://localhost:8080".parse()?,
//!     target: "atomic_long_delay".parse()?,
//!     pace: Pace::Together,
//!     requests: "10".parse()?,
//!     account: 1,
//!     amount: "100".parse()?,
//!     timeout: std::time::Duration::from_secs(120),
//!     retry_timeouts: false,
//!     idempotency: false,
//! };
//! let report = make_requests::run(&plan, |_| {}).await?;
//! println!("lost: {:?}, {}", report.lost(), report.verdict());
//! # Ok(())
//! # }
//! ```
//!
//! The crate knows HTTP and the few routes it uses, and nothing of the service behind them:
//! `POST /demo/{target}/` deposits, `GET /accounts/{id}` shows the account and its audit.
//!
//! # Map
//!
//! In reading order:
//!
//! - `plan`: what a run shall do, parsed.
//! - `run`: the run itself: read the account, fire, read it again.
//! - `ordinary`, `spaced`: requests through reqwest, one every so often.
//! - `burst`, `gate`: requests all together, each held back complete on its own open connection
//!   until one loop releases them.
//! - `key`: what a deposit is called that may be sent several times.
//! - `answer`, `transport`, `account`: what came back, or why nothing did.
//! - `report`, `verdict`: the facts of a run, and what follows from them.
//! - `pair`, [`timeline`]: two requests that show what happened, side by side.
//! - [`output`]: a report as text, JSON or CSV.

mod account;
mod answer;
mod burst;
mod gate;
mod key;
mod ordinary;
pub mod output;
mod pair;
mod plan;
mod report;
mod run;
mod spaced;
mod tasks;
pub mod timeline;
mod transport;
mod verdict;

pub use account::Account;
pub use answer::{Action, Answer, Outcome, Problem, Receipt, Step};
pub use plan::{Amount, BaseUrl, Invalid, Pace, Plan, Requests, Target, parse_timeout};
pub use report::{Latency, Problems, Report, TransportErrors};
pub use run::{Error, Progress, run};
pub use transport::{TransportError, TransportErrorKind};
pub use verdict::{Doubt, Verdict};
