//! Findings for people and for programs.
//!
//! [`Report`] is the data. Text, Markdown, the matrix and SQL are drawn from it, and from nothing
//! else.

mod answer;
mod data;
mod from_finding;
mod junit;
pub mod matrix;
mod read;
mod reduction;
mod sql;
mod statement;
mod text;
mod timeline;
mod words;

pub use answer::{AnswerData, ClientData};
pub use data::{
    AnomalyData, ExampleData, FindingData, HighlightData, RefusedData, Report, StepData, VERSION,
    ValueData,
};
pub use junit::junit;
pub use read::{MOST_BYTES, ReadError, read};
pub use reduction::{PairData, ReductionData, StatementData, TouchData};
pub use sql::script;
pub use statement::with_values;
pub use text::{markdown, text};
