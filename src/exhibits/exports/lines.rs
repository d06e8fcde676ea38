//! The lines of a file of any content, read with little memory: of a line that is longer than any
//! row, only the beginning is kept.

use std::io::{BufRead as _, BufReader, Read};

use csv_core::{ReadRecordResult, Reader};

/// The largest number of bytes that are kept of a line: ten times the longest row.
const LONGEST: usize = 1024;

/// The largest number of fields that are kept of a line: more than any row has.
const MOST_FIELDS: usize = 16;

/// Reads a file as CSV, line by line. A line with quoted line breaks counts as one.
#[derive(Debug)]
pub(super) struct Lines<R> {
    file: BufReader<R>,
    parser: Reader,
    text: [u8; LONGEST],
    ends: [usize; MOST_FIELDS],
}

/// A line, or its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'l> {
    text: &'l [u8],
    ends: &'l [usize],
    /// Whether it is longer than any row, so that only its beginning was kept.
    pub(super) is_too_long: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn of(file: R) -> Self {
        Self {
            file: BufReader::with_capacity(64 * 1024, file),
            parser: Reader::new(),
            text: [0; LONGEST],
            ends: [0; MOST_FIELDS],
        }
    }

    /// The next line. None at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        let (mut bytes, mut fields, mut is_too_long) = (0, 0, false);
        // The rest of a line that is too long goes here, and is dropped.
        let (mut spilled, mut spilled_ends) = ([0; LONGEST], [0; MOST_FIELDS]);
        loop {
            let input = self.file.fill_buf()?;
            let (result, read, written, ended) = if is_too_long {
                self.parser
                    .read_record(input, &mut spilled, &mut spilled_ends)
            } else {
                self.parser
                    .read_record(input, &mut self.text[bytes..], &mut self.ends[fields..])
            };
            self.file.consume(read);
            if !is_too_long {
                (bytes, fields) = (bytes + written, fields + ended);
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    is_too_long = true;
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        Ok(Some(Line {
            text: &self.text[..bytes],
            ends: &self.ends[..fields],
            is_too_long,
        }))
    }
}

impl<'l> Line<'l> {
    /// The fields that were kept.
    pub(super) fn fields(self) -> impl Iterator<Item = &'l [u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let text = self.text;
        begins
            .zip(self.ends.iter().copied())
            .map(move |(begin, end)| &text[begin..end])
    }

    /// The text that was kept. It may end within a field.
    pub(super) fn beginning(self) -> &'l [u8] {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn lines(text: &[u8]) -> Vec<(Vec<String>, bool)> {
        let mut lines = Lines::of(text);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let fields = line.fields().map(String::from_utf8_lossy);
            found.push((fields.map(Into::into).collect(), line.is_too_long));
        }
        found
    }

    #[test]
    fn a_line_has_fields_and_may_be_quoted() {
        let found = lines(b"a,b\r\n\"c\nd\",\n\ne");
        let expected = [vec!["a", "b"], vec!["c\nd", ""], vec!["e"]];
        for ((fields, is_too_long), expected) in found.iter().zip(&expected) {
            assert_eq!(
                (
                    fields.iter().map(String::as_str).collect::<Vec<_>>(),
                    *is_too_long
                ),
                (expected.clone(), false)
            );
        }
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn of_a_line_that_is_too_long_the_beginning_is_kept() {
        for long in [
            "x".repeat(LONGEST + 1),
            ",".repeat(MOST_FIELDS),
            "x".repeat(10 * LONGEST),
            format!("\"{}\"", "x\n".repeat(LONGEST)),
        ] {
            let found = lines(format!("a\n{long}\nb\n").as_bytes());
            assert_eq!(found.len(), 3, "{} bytes", long.len());
            assert_eq!(found[0], (vec!["a".to_owned()], false));
            assert!(found[1].1);
            assert_eq!(found[2], (vec!["b".to_owned()], false));
        }
    }

    #[test]
    fn a_file_of_one_line_is_read_to_its_end() {
        let endless = io::repeat(b'x').take(64 * 1024 * 1024);
        let mut lines = Lines::of(endless);
        let line = lines.next().unwrap().unwrap();
        assert!(line.is_too_long);
        assert_eq!(line.beginning(), [b'x'; LONGEST]);
        assert!(lines.next().unwrap().is_none());
    }
}
