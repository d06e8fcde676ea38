//! Fires concurrent requests at a service and says what went wrong: deposits that were lost, order
//! numbers that were given twice, exports that were mixed.
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
//! println!("lost: {:?}, {}", report.lost(), report.verdict());
//! # Ok(())
//! # }
//! ```
//!
//! The crate knows HTTP and the few routes it uses, and nothing of the service behind them:
//!
//! | exhibit | a request | the audit |
//! |---|---|---|
//! | deposits | `POST /demo/{strategy}/` | `GET /accounts/{id}` |
//! | orders | `POST /orders/{strategy}/` | `POST /orders/process` ships, `GET /orders/audit?book={n}` |
//! | exports | `POST /exports/{strategy}/` | `GET /exports/{file}`, `GET /exports/{file}/audit` |
//!
//! # Map
//!
//! In reading order:
//!
//! - `error`, `invalid`, `words`, `volley`: what the others share.
//! - `plan`, `target`: what a run shall do, parsed.
//! - `run`: the run itself: look at what is raced for, fire, look again.
//! - `ordinary`, `spaced`: requests through reqwest, one every so often.
//! - `burst`, `gate`: requests all together, each held back complete on its own open connection
//!   until one loop releases them.
//! - `consumer`: ships orders while others are being written.
//! - `key`: what a deposit is called that may be sent several times.
//! - `answer`, `transport`: what came back, or why nothing did.
//! - `account`, `audit`, `evidence`: what the service's audits said around the run.
//! - `report`, `verdict`: the facts of a run, and what follows from them.
//! - `pair`, [`timeline`]: two requests that show what happened, side by side.
//! - [`output`]: a report as text, JSON or CSV.

mod account;
mod answer;
mod audit;
mod burst;
mod consumer;
mod credentials;
mod error;
mod evidence;
mod gate;
mod invalid;
mod key;
mod ordinary;
pub mod output;
mod pair;
mod plan;
mod report;
mod run;
mod spaced;
mod target;
mod tasks;
pub mod timeline;
mod transport;
mod verdict;
mod volley;
mod words;

pub use account::Account;
pub use answer::{
    Action, Answer, Deposited, Exported, Inspection, Made, Ordered, Outcome, Problem, Receipt, Step,
};
pub use audit::{Anomaly, BookAudit, FileAudit, Id, Shipment, Shipped};
pub use consumer::Consumption;
pub use credentials::without_credentials;
pub use error::{Error, Unfit};
pub use evidence::{Books, Evidence, Files, OrderBook};
pub use invalid::Invalid;
pub use plan::{BaseUrl, Pace, Plan, Requests, parse_timeout};
pub use report::{Latency, Problems, Report, TransportErrors};
pub use run::run;
pub use target::{Amount, Book, Deposits, Exhibit, Exports, Orders, Strategy, Target, TargetName};
pub use transport::{TransportError, TransportErrorKind};
pub use verdict::{Doubt, Verdict};
pub use volley::Progress;
