//! An export's rows as CSV (RFC 4180), a chunk at a time.
//!
//! The first line is the header. A line for each transaction follows, and the last line is a
//! trailer:
//!
//! ```csv
//! export,row,id,account,amount,created_at_us
//! 424242424242424,1,17,1,100,1798761600000000
//! 424242424242424,2,19,1,250,1798761600250000
//! 424242424242424,2,end,,,
//! ```
//!
//! The trailer says how many rows there are. It comes last because the number is known only when
//! all rows have been read, and rows are not kept until then. A file without a trailer is not
//! whole. A number in the header could not tell that of an export without rows.

use std::borrow::Cow;
use std::fmt;

use csv::Terminator;
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::Transaction;
use crate::engine::Fault;

/// The header.
pub(super) const HEADER: [&str; 6] = ["export", "row", "id", "account", "amount", "created_at_us"];

/// The text that a trailer has in the place of a transaction's number.
pub(super) const END: &str = "end";

/// The number of an export. It is drawn at random, and is in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
pub struct ExportId(pub u64);

impl ExportId {
    /// Draws a number. It always has 15 digits: a spreadsheet keeps no more, and JavaScript keeps
    /// these too.
    pub fn draw() -> Self {
        const FIFTEEN_DIGITS: std::ops::Range<u64> = 100_000_000_000_000..1_000_000_000_000_000;
        Self(fastrand::u64(FIFTEEN_DIGITS))
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Lines that are written together.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// The numbers of its first and last row. None if it has no row.
    pub(super) rows: Option<(i64, i64)>,
}

/// An export as it grows: the lines that are not written yet.
#[derive(Debug)]
pub(super) struct Sheet {
    export: ExportId,
    account: i64,
    lines: csv::Writer<Vec<u8>>,
    /// The number of rows so far.
    rows: i64,
    /// How many of them are in chunks that were taken.
    taken: i64,
}

impl Sheet {
    /// Begins an export of this account's transactions.
    pub(super) fn begin(export: ExportId, account: i64) -> Result<Self, Fault> {
        let mut sheet = Self {
            export,
            account,
            lines: lines(),
            rows: 0,
            taken: 0,
        };
        let header = sheet.lines.write_record(HEADER);
        header.map_err(unwritten)?;
        Ok(sheet)
    }

    /// Adds a row.
    pub(super) fn add(&mut self, transaction: &Transaction) -> Result<(), Fault> {
        self.rows += 1;
        let export = self.export.to_string();
        let numbers = [
            self.rows,
            transaction.id,
            self.account,
            transaction.amount,
            transaction.created_at_us,
        ]
        .map(|number| number.to_string());
        let fields = std::iter::once(&export).chain(&numbers);
        self.lines.write_record(fields).map_err(unwritten)
    }

    /// Takes the lines so far, if they have a row and at least `bytes` bytes. None if not.
    pub(super) fn full(&mut self, bytes: usize) -> Result<Option<Chunk>, Fault> {
        if self.rows == self.taken {
            return Ok(None);
        }
        self.lines
            .flush()
            .map_err(|error| unwritten(error.into()))?;
        if self.lines.get_ref().len() >= bytes {
            self.take().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Adds the trailer, and takes the last lines.
    pub(super) fn end(&mut self) -> Result<Chunk, Fault> {
        let (export, rows) = (self.export.to_string(), self.rows.to_string());
        let trailer = [&export, &rows, &*text(END), "", "", ""];
        self.lines.write_record(trailer).map_err(unwritten)?;
        self.take()
    }

    /// The number of rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows.unsigned_abs()
    }

    fn take(&mut self) -> Result<Chunk, Fault> {
        let lines = std::mem::replace(&mut self.lines, lines());
        let bytes = lines.into_inner();
        let rows = (self.taken < self.rows).then_some((self.taken + 1, self.rows));
        self.taken = self.rows;
        Ok(Chunk {
            bytes: bytes.map_err(|error| unwritten(error.into_error().into()))?,
            rows,
        })
    }
}

fn lines() -> csv::Writer<Vec<u8>> {
    let mut lines = csv::WriterBuilder::new();
    lines.terminator(Terminator::CRLF).from_writer(Vec::new())
}

/// Writing to memory does not fail, but the library's writer has an error for any target.
fn unwritten(error: csv::Error) -> Fault {
    Fault::other(format!("the CSV could not be written: {error}"))
}

/// A text that is safe in a field. A spreadsheet takes a text that begins with one of these
/// characters for a formula, and runs it. A quote in front makes it a text again. Numbers are not
/// texts, and stay as they are.
///
/// <https://owasp.org/www-community/attacks/CSV_Injection>
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: ExportId = ExportId(424_242_424_242_424);

    fn transaction(id: i64, amount: i64) -> Transaction {
        Transaction {
            id,
            amount,
            created_at_us: 1_798_761_600_000_000,
        }
    }

    #[test]
    fn an_export_has_a_header_its_rows_and_a_trailer() {
        let mut sheet = Sheet::begin(EXPORT, 1).unwrap();
        sheet.add(&transaction(17, 100)).unwrap();
        sheet.add(&transaction(19, -250)).unwrap();
        let chunk = sheet.end().unwrap();
        assert_eq!(chunk.rows, Some((1, 2)));
        assert_eq!(sheet.rows(), 2);
        assert_eq!(
            String::from_utf8(chunk.bytes).unwrap(),
            "export,row,id,account,amount,created_at_us\r\n\
             424242424242424,1,17,1,100,1798761600000000\r\n\
             424242424242424,2,19,1,-250,1798761600000000\r\n\
             424242424242424,2,end,,,\r\n"
        );
    }

    #[test]
    fn a_chunk_has_whole_rows_and_the_last_one_the_trailer() {
        let mut sheet = Sheet::begin(EXPORT, 1).unwrap();
        assert!(sheet.full(1).unwrap().is_none(), "no row yet");
        sheet.add(&transaction(17, 100)).unwrap();
        assert!(sheet.full(10_000).unwrap().is_none(), "not full yet");
        let first = sheet.full(1).unwrap().unwrap();
        assert_eq!(first.rows, Some((1, 1)));
        assert!(first.bytes.starts_with(b"export,row") && first.bytes.ends_with(b"\r\n"));
        assert!(sheet.full(1).unwrap().is_none());
        sheet.add(&transaction(19, 100)).unwrap();
        let last = sheet.end().unwrap();
        assert_eq!(last.rows, Some((2, 2)));
        assert!(last.bytes.starts_with(b"424242424242424,2,19,"));
        let nothing_more = Sheet::begin(EXPORT, 1).unwrap().end().unwrap();
        assert_eq!(nothing_more.rows, None);
    }

    #[test]
    fn a_text_that_looks_like_a_formula_is_made_a_text_again() {
        for (given, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("", ""),
            ("end", "end"),
            ("1-1", "1-1"),
            ("'=1", "'=1"),
        ] {
            assert_eq!(text(given), written, "{given:?}");
        }
    }

    #[test]
    fn what_would_end_a_field_is_quoted() {
        let mut lines = lines();
        let fields = ["a,b", "say \"a\"", "two\r\nlines", "plain"];
        lines
            .write_record(fields.map(text).each_ref().map(|it| &**it))
            .unwrap();
        let written = String::from_utf8(lines.into_inner().unwrap()).unwrap();
        assert_eq!(
            written,
            "\"a,b\",\"say \"\"a\"\"\",\"two\r\nlines\",plain\r\n"
        );
        let mut read = csv::ReaderBuilder::new();
        let mut read = read.has_headers(false).from_reader(written.as_bytes());
        let record = read.records().next().unwrap().unwrap();
        assert_eq!(record, fields.to_vec());
    }

    #[test]
    fn an_exports_number_has_fifteen_digits() {
        for _ in 0..100 {
            assert_eq!(ExportId::draw().to_string().len(), 15);
        }
    }
}
