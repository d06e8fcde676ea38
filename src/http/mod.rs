//! The HTTP service: one file for each resource.
//!
//! A request flows one way: request → handler → strategy → session → step → engine → receipt →
//! response. The lists in this file say of which parts the API consists; each part brings its
//! routes and their description. [`serve`] runs the service on a listener until it is told to stop.
//!
//! | files | |
//! |---|---|
//! | `deposits`, `statements`, `orders`, `exports`, `tables` | the exhibits, a part each |
//! | `accounts`, `strategies`, `admin`, `health`, `metrics` | the other parts |
//! | `console` | the web console, a file for each kind of page |
//! | `router` | what stands around the parts |
//! | `exchange` | what every request to a strategy has in common |
//! | `completion`, `streams` | requests that run to their end, and those that have none |
//! | `problem`, `fields`, `input`, `paging` | errors, and what comes in |
//! | `settings`, `app`, `service`, `server` | from the settings to the accept loop |
//!
//! What a client may take is in four files. `limits`: the numbers. `admission`: how many clients
//! may be connected. `connection`: what one connection is doing, and when it must be closed.
//! `socket`: whether its client reads. `host`, `caller`, `signed_in_user` and `protection` are
//! about headers.

mod accounts;
mod admin;
mod admission;
mod app;
mod assets;
mod caller;
mod completion;
mod connection;
mod console;
mod deposits;
mod download;
mod exchange;
mod exports;
mod fields;
mod health;
mod host;
mod input;
mod instance;
mod limits;
mod metrics;
mod openapi;
mod orders;
mod paging;
mod part;
mod probe;
mod problem;
mod protection;
mod room;
mod router;
mod server;
mod service;
mod settings;
mod signed_in_user;
mod socket;
mod statements;
mod strategies;
mod streams;
mod tables;

pub use admission::RESERVED_PLACES;
pub use instance::Instance;
pub use limits::Limits;
pub use probe::probe;
pub use problem::Problem;
pub use server::serve;
pub use service::Service;
pub use settings::Settings;

use part::Part;

/// What takes a worker and runs to its end: the exhibits, and what shows them. Another exhibit is
/// another file, and another line here.
const WORK: &[&Part] = &[
    &accounts::PART,
    &deposits::PART,
    &statements::PART,
    &orders::PART,
    &exports::PART,
    &tables::PART,
    &strategies::PART,
];

/// What changes accounts. It takes no worker.
const KEEPER: &Part = &admin::PART;

/// The web console. It takes no worker: behind deposits, it could not show them.
const CONSOLE: &Part = &console::PART;

/// What other programs ask every few seconds.
const PROBES: [&Part; 2] = [&health::PART, &metrics::PART];

/// What is answered with a stream that lasts until its client leaves or the service stops.
const STREAMS: [&Part; 1] = [&console::EVENTS];

fn parts() -> impl Iterator<Item = &'static Part> {
    WORK.iter()
        .copied()
        .chain([KEEPER, CONSOLE])
        .chain(PROBES)
        .chain(STREAMS)
}

/// The description of the API, as `/openapi.json` serves it.
pub fn description() -> utoipa::openapi::OpenApi {
    openapi::describe(parts())
}
