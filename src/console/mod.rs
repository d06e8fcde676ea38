//! The web console: what its pages show, as data and as HTML. It knows no HTTP.
//!
//! | file | |
//! |---|---|
//! | `corpus` | the scenario files |
//! | `explorations` | the schedules of a strategy or a scenario, explored on the lab's engine |
//! | `matrix` | the report of every strategy on every engine that comes with the program |
//! | `record` | a burst of requests: who did what when, what was lost, and why |
//! | `runs` | the runs that visitors ask for, and the store of all records |
//! | `assets` | the style sheet and the scripts |
//! | `pages` | the pages, a file each |
//! | `trace` | runs and schedules as traces, for ui.perfetto.dev and chrome://tracing |
//! | `stepped` | a schedule, with the state after every step |

pub mod assets;
pub mod corpus;
pub mod explorations;
pub mod matrix;
pub mod pages;
pub mod record;
pub mod runs;
pub mod stepped;
pub mod trace;
