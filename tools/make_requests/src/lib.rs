//! Fires concurrent requests at a service and says what went wrong: deposits that were lost, order
//! numbers that were given twice, exports that were mixed, appends to a table that were lost.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use make_requests::{Deposits, Pace, Plan};
//!
//! let plan = Plan {
//!     base_url: "http://localhost:8080".parse()?,
//!     target: Deposits {
//!         strategy: "atomic_long_delay".parse()?,
//!         account: 1,
//!         amount: "100".parse()?,
//!         retry_timeouts: false,
//!         idempotency: false,
//!     }
//!     .into(),
//!     pace: Pace::Together,
//!     requests: "10".parse()?,
//!     timeout: std::time::Duration::from_secs(120),
//! };
//! let report = make_requests::run(&plan, |_| {}).await?;
//! println!("{}", report.verdict());
//! # Ok(())
//! # }
//! ```
//!
//! The crate knows HTTP and the few routes that it uses, and nothing of the service behind them:
//!
//! | exhibit | a request | the audit |
//! |---|---|---|
//! | deposits | `POST /demo/{strategy}/` | `GET /accounts/{id}` |
//! | orders | `POST /orders/{strategy}/` | `GET /orders/audit?book={n}` |
//! | exports | `POST /exports/{strategy}/` | `GET /exports/{file}`, `GET /exports/{file}/audit` |
//! | tables | `POST /tables/{strategy}/` | `GET /tables/{table}/records`, `GET …/audit` |
//!
//! During a run of orders, `POST /orders/process` lets the service's consumer ship some of them.
//!
//! # Map
//!
//! In reading order. No module uses one that comes later, so there is no circle.
//!
//! - `invalid`, `words`, `body`, `tasks`, `key`: small parts that the others share.
//! - `credentials`: complaints about a command line, without passwords.
//! - `amount`, `strategy`, `table_name`, `base_url`: input, parsed.
//! - `transport`, `error`: why an answer did not come, and why a run could not begin.
//! - `service`: requests in the ordinary way, for audits and for spaced runs.
//! - `receipt`, `answer`, `latency`, `answers`: what came back for each request, and for all.
//! - `audit`, `fields`, `pair`, [`timeline`]: what audits count, and two requests side by side.
//! - `verdict`: what a run says about its target.
//! - `race`: what an exhibit must tell. Its traits are the only way in which the tool knows one.
//! - `exhibits`: deposits, orders, exports and tables, a module and a line of the registry for
//!   each.
//! - `target_name`, `plan`: what a run does.
//! - `volley`, `poster`, `spaced`: requests one after another.
//! - `gate`, `burst`: requests all together, each held back complete on its own open connection
//!   until one loop releases them.
//! - `report`, `run`: the run itself, and its result.
//! - `times`: the requests of a run on one axis.
//! - [`output`], [`trace`]: a report as text, JSON or CSV, and as a trace for Perfetto.

mod amount;
mod answer;
mod answers;
mod audit;
mod base_url;
mod body;
mod burst;
mod credentials;
mod error;
mod exhibits;
mod fields;
mod gate;
mod invalid;
mod key;
mod latency;
pub mod output;
mod pair;
mod plan;
mod poster;
mod race;
mod receipt;
mod report;
mod run;
mod service;
mod spaced;
mod strategy;
mod table_name;
mod target_name;
mod tasks;
pub mod timeline;
mod times;
pub mod trace;
mod transport;
mod verdict;
mod volley;
mod words;

pub use amount::Amount;
pub use answer::{Answer, Outcome, Problem, Visit};
pub use answers::{Answers, ProblemCount, TransportErrorCount};
pub use audit::Anomaly;
pub use base_url::BaseUrl;
pub use credentials::without_credentials;
pub use error::{Error, UnexpectedAnswer};
pub use exhibits::{Appends, Book, Deposits, Exports, Orders};
pub use invalid::Invalid;
pub use latency::Latency;
pub use pair::Pair;
pub use plan::{Pace, Plan, Requests, parse_timeout};
pub use race::{Target, TargetOptions};
pub use receipt::{Action, Argument, Queued, Receipt, Resource, Step};
pub use report::{Moment, Report};
pub use run::{Run, run};
pub use strategy::Strategy;
pub use table_name::{PartitionName, TableName};
pub use target_name::TargetName;
pub use times::Times;
pub use transport::{TransportError, TransportErrorKind};
pub use verdict::{Doubt, Trace, Verdict};
pub use volley::Progress;
