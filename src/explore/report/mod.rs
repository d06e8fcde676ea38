//! Findings for people and for programs.
//!
//! [`Report`] is the data. Text, Markdown, the matrix and SQL are drawn from it, and from nothing
//! else.

mod data;
pub mod matrix;
mod sql;
mod statement;
mod text;
mod timeline;
mod words;

pub use data::{
    AnomalyData, ExampleData, FindingData, HighlightData, RefusedData, Report, StepData, VERSION,
};
pub use text::{markdown, text};
