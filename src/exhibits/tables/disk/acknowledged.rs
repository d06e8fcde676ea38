//! `acknowledged.csv`: the keys that clients were told are in the table.
//!
//! It is no part of the table. It is the lab's own book, by which an audit knows what is missing. A
//! line is written before the client is answered, in one call at the file's end (`O_APPEND`), so
//! that the lines of several processes do not mix.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use super::record::Record;
use super::table::Table;

/// The end of a line. A line without it broke off.
const END: &str = ".";

impl Table {
    /// Notes that these records are about to be acknowledged.
    pub(in crate::exhibits::tables) fn acknowledge(&self, records: &[Record]) -> io::Result<()> {
        let mut lines = csv::WriterBuilder::new()
            .flexible(true)
            // A key may begin with a byte order mark, which a reader of CSV would leave out.
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        // What a write that broke off has left of a line ends here.
        lines.write_record([""])?;
        for record in records {
            lines.write_record([record.key.as_str(), END])?;
        }
        let bytes = lines
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut options = File::options();
        let book = options.append(true).create(true).mode(0o600);
        book.open(self.acknowledged())?.write_all(&bytes)
    }

    /// Calls `each` with every acknowledged key. A line that broke off was never answered.
    pub(in crate::exhibits::tables) fn each_acknowledged(
        &self,
        mut each: impl FnMut(&str),
    ) -> io::Result<()> {
        let file = match File::open(self.acknowledged()) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            lines.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(&line[..]);
            if let Some(Ok(row)) = reader.records().next()
                && let (Some(key), Some(END)) = (row.get(0), row.get(1))
            {
                each(key);
            }
        }
    }
}
