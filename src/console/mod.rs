//! The web console: what its pages show, as data and as HTML. It knows no HTTP.
//!
//! | file | |
//! |---|---|
//! | `record` | a burst of requests: who did what when, what was lost, and why |
//! | `stepped` | a schedule, with the state after every step |

pub mod record;
pub mod stepped;
