//! A report in the form that its reader wants.

use std::io::{self, Write};

use clap::ValueEnum;

use crate::report::Report;

mod csv;
mod json;
mod text;

pub use self::csv::write as write_csv;
pub use self::json::write as write_json;
pub use self::text::{write as write_text, write_summary};

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One object
    Json,
    /// One row for each request; the summary goes to stderr
    Csv,
}

/// Writes the report in the given form.
pub fn write(format: Format, report: &Report, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Text => write_text(report, out),
        Format::Json => write_json(report, out),
        Format::Csv => write_csv(report, out),
    }
}
