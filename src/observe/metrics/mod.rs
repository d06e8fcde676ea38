//! The metrics: what `GET /metrics` shows of the requests, of the steps that they took, of the pool
//! of database connections, and of what was lost.
//!
//! A strategy knows nothing of this. What is counted is derived, once a request is done, from the
//! records of its steps and from its answer.
//!
//! | file | |
//! |---|---|
//! | `declare` | each metric once: its name, its labels, its help |
//! | `count` | what is counted while the service works |
//! | `scrape` | what is looked up for one scrape, and all of it as text |

mod count;
mod declare;
mod scrape;
#[cfg(test)]
mod tests;

pub(crate) use count::{AnswerKind, AnsweredRequest, BatchSteps, Metrics, TableCommit};
pub(crate) use scrape::{AccountLoss, CONTENT_TYPE, FolderUse, ScrapeFacts};
