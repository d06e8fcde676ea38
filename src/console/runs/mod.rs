//! Runs: a visitor asks for a burst of requests, and gets a record of what became of them.
//!
//! | file | |
//! |---|---|
//! | `id` | the name of a record |
//! | `store` | the records of runs and explorations, in the lab's database |
//! | `limits` | what visitors may ask for |

mod id;
mod limits;
mod store;

pub use id::RecordId;
pub use limits::{Limits, NoPlace, Places, TakenPlace};
pub use store::{Inserted, Kind, MOST_RECORDS, Store, Stored};
