//! Findings for people and for programs.
//!
//! [`Report`] is the data. Text, Markdown, the matrix and SQL are drawn from it, and from nothing
//! else.

mod annotations;
mod answer;
mod build;
mod data;
mod from_finding;
mod junit;
pub mod matrix;
mod read;
mod reduction;
mod sql;
mod statement;
mod summary;
mod text;
mod timeline;
mod words;

pub use annotations::annotations;
pub use answer::{AnswerData, ClientData};
pub use build::{Asked, Build};
pub use data::{
    AnomalyData, ExampleData, FindingData, HighlightData, RefusedData, Report, StepData, VERSION,
    ValueData,
};
pub use junit::junit;
pub use read::{MOST_BYTES, ReadError, read};
pub use reduction::{PairData, ReductionData, StatementData, TouchData};
pub use sql::script;
pub use statement::with_values;
pub use summary::{MOST_SUMMARY_BYTES, summary};
pub use text::{markdown, text};
