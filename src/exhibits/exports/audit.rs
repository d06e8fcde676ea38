//! The audit of a file: whether it is one whole export. It reads the file once, line by line, and
//! keeps no line. A line may be as long as the file.

use std::collections::BTreeSet;
use std::io::Read;

use serde::Serialize;
use utoipa::ToSchema;

use super::lines::{self, Lines};
use super::sheet::{END, ExportId, HEADER};
use crate::exhibits::found::AnomalyCount;

/// The contents of a file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FileAudit)]
pub struct Audit {
    /// The number of rows, of all exports.
    pub rows: u64,
    /// The exports of which it has rows or a trailer, at most 100 of them.
    pub exports: BTreeSet<ExportId>,
    /// All kinds of anomalies, also those that were not found.
    pub anomalies: [AnomalyCount; 4],
}

impl Audit {
    /// Reads a file. A line that cannot be read is an anomaly and no error, and so is an error of
    /// the disk.
    pub fn of(file: impl Read) -> Self {
        let mut auditor = Auditor::default();
        let mut lines = Lines::of(file);
        loop {
            match lines.next() {
                Ok(Some(line)) => auditor.take_in(line),
                Ok(None) => break,
                Err(error) => {
                    auditor.unparsable.found(|| error.to_string());
                    break;
                }
            }
        }
        auditor.into_audit()
    }

    /// Whether it has rows of several exports.
    pub fn is_mixed(&self) -> bool {
        self.anomalies[1].is_there()
    }

    /// Whether it is one whole export.
    pub fn is_right(&self) -> bool {
        !self.anomalies.iter().any(AnomalyCount::is_there)
    }
}

/// The audit of the lines so far.
#[derive(Debug)]
struct Auditor {
    lines: u64,
    rows: u64,
    exports: BTreeSet<ExportId>,
    first: Option<ExportId>,
    /// The number of the last row and of its transaction.
    last: Option<(u64, i64)>,
    /// The number of rows that the trailer states.
    trailer: Option<u64>,
    unparsable: AnomalyCount,
    mixed: AnomalyCount,
    wrong_row_count: AnomalyCount,
    out_of_order: AnomalyCount,
}

impl Default for Auditor {
    fn default() -> Self {
        Self {
            lines: 0,
            rows: 0,
            exports: BTreeSet::new(),
            first: None,
            last: None,
            trailer: None,
            unparsable: AnomalyCount::none("unparsable"),
            mixed: AnomalyCount::none("mixed_exports"),
            wrong_row_count: AnomalyCount::none("wrong_row_count"),
            out_of_order: AnomalyCount::none("out_of_order"),
        }
    }
}

/// A line of an export.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Row {
        export: ExportId,
        number: u64,
        id: i64,
    },
    Trailer {
        export: ExportId,
        rows: u64,
    },
}

impl Auditor {
    /// The largest number of exports that are listed, so that no file makes the audit large.
    const MOST_EXPORTS: usize = 100;

    fn take_in(&mut self, read: lines::Line<'_>) {
        self.lines += 1;
        let line = self.lines;
        if line == 1 {
            if read.is_too_long || !read.fields().eq(HEADER.map(str::as_bytes)) {
                self.unparsable
                    .found(|| format!("line 1 is no header: {}", shown(read)));
            }
            return;
        }
        match Line::parse(read) {
            Some(Line::Row { export, number, id }) => self.row(export, number, id),
            Some(Line::Trailer { export, rows }) => self.end(export, rows),
            None => self
                .unparsable
                .found(|| format!("line {line} is no row: {}", shown(read))),
        }
    }

    fn row(&mut self, export: ExportId, number: u64, id: i64) {
        self.rows += 1;
        self.belongs_to(export);
        if self.trailer.is_some() {
            self.wrong_row_count
                .found(|| format!("row {number} of export {export} comes after the last line"));
        }
        let (before, id_before) = self.last.unwrap_or((0, i64::MIN));
        if number != before + 1 || id <= id_before {
            self.out_of_order
                .found(|| format!("row {number} with transaction {id} comes after row {before}"));
        }
        self.last = Some((number, id));
    }

    fn end(&mut self, export: ExportId, rows: u64) {
        self.belongs_to(export);
        if self.trailer.is_some() {
            self.wrong_row_count
                .found(|| "it has more than one last line".to_owned());
        }
        self.trailer = Some(rows);
    }

    fn belongs_to(&mut self, export: ExportId) {
        let first = *self.first.get_or_insert(export);
        if export != first {
            let line = self.lines;
            self.mixed.found(|| {
                format!(
                    "line {line} is of export {export}, and those before it are of export {first}"
                )
            });
        }
        if self.exports.len() < Self::MOST_EXPORTS {
            self.exports.insert(export);
        }
    }

    fn into_audit(mut self) -> Audit {
        let rows = self.rows;
        match self.trailer {
            Some(said) if said == rows => {}
            Some(said) => self
                .wrong_row_count
                .found(|| format!("it has {rows} rows, and its last line says {said}")),
            None => self
                .wrong_row_count
                .found(|| format!("it has {rows} rows and no last line that says how many")),
        }
        Audit {
            rows,
            exports: self.exports,
            anomalies: [
                self.unparsable,
                self.mixed,
                self.wrong_row_count,
                self.out_of_order,
            ],
        }
    }
}

impl Line {
    fn parse(line: lines::Line<'_>) -> Option<Self> {
        let mut fields = [&b""[..]; HEADER.len()];
        let mut found = line.fields();
        for field in &mut fields {
            *field = found.next()?;
        }
        if line.is_too_long || found.next().is_some() {
            return None;
        }
        let text = |place: usize| str::from_utf8(fields[place]).ok();
        let number = |place: usize| text(place)?.parse().ok();
        let integer = |place: usize| text(place)?.parse::<i64>().ok();
        let export = ExportId(number(0)?);
        if text(2)? == END {
            let is_empty = |place: usize| text(place).is_some_and(str::is_empty);
            return [3, 4, 5]
                .into_iter()
                .all(is_empty)
                .then_some(Self::Trailer {
                    export,
                    rows: number(1)?,
                });
        }
        let (_account, _amount, _created_at) = (integer(3)?, integer(4)?, integer(5)?);
        Some(Self::Row {
            export,
            number: number(1)?,
            id: integer(2)?,
        })
    }
}

/// The beginning of a line, short enough for an example.
fn shown(line: lines::Line<'_>) -> String {
    const LONGEST: usize = 40;
    let mut fields: Vec<_> = line.fields().map(String::from_utf8_lossy).collect();
    if line.is_too_long {
        // There may be no whole field.
        fields = vec![String::from_utf8_lossy(line.beginning())];
    }
    let text: String = fields.join(",").chars().take(LONGEST).collect();
    if line.is_too_long {
        format!("{text:?}, and it is longer than any row")
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "export,row,id,account,amount,created_at_us\r\n";

    fn audit(lines: &str) -> Audit {
        Audit::of(format!("{HEAD}{lines}").as_bytes())
    }

    fn counts(audit: &Audit) -> [u64; 4] {
        audit.anomalies.each_ref().map(|it| it.count)
    }

    #[test]
    fn a_whole_export_is_right() {
        let whole = audit("7,1,17,1,100,5\r\n7,2,19,1,-100,6\r\n7,2,end,,,\r\n");
        assert!(whole.is_right() && !whole.is_mixed());
        assert_eq!((whole.rows, whole.exports), (2, [ExportId(7)].into()));
        let empty = audit("7,0,end,,,\r\n");
        assert!(empty.is_right());
        assert_eq!(empty.rows, 0);
    }

    #[test]
    fn the_anomalies_have_their_names() {
        let names = audit("").anomalies.map(|it| it.name);
        let expected = [
            "unparsable",
            "mixed_exports",
            "wrong_row_count",
            "out_of_order",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn rows_of_two_exports_are_mixed() {
        let mixed = audit("7,1,17,1,100,5\r\n8,2,19,1,100,6\r\n8,2,end,,,\r\n");
        assert!(mixed.is_mixed());
        assert_eq!(counts(&mixed), [0, 2, 0, 0]);
        let example = mixed.anomalies[1].example.as_deref();
        assert_eq!(
            example,
            Some("line 3 is of export 8, and those before it are of export 7")
        );
        let trailer_alone = audit("7,1,17,1,100,5\r\n8,1,end,,,\r\n");
        assert_eq!(counts(&trailer_alone), [0, 1, 0, 0]);
    }

    #[test]
    fn what_is_missing_or_too_much_is_a_wrong_row_count() {
        for lines in [
            "",
            "7,1,17,1,100,5\r\n",
            "7,1,17,1,100,5\r\n7,2,end,,,\r\n",
            "7,1,17,1,100,5\r\n7,1,end,,,\r\n7,1,end,,,\r\n",
        ] {
            assert_eq!(counts(&audit(lines)), [0, 0, 1, 0], "{lines:?}");
        }
        let after_the_end = audit("7,0,end,,,\r\n7,1,17,1,100,5\r\n");
        assert_eq!(counts(&after_the_end), [0, 0, 2, 0]);
    }

    #[test]
    fn rows_are_numbered_and_their_transactions_ascend() {
        for lines in [
            "7,2,17,1,100,5\r\n7,3,19,1,100,5\r\n7,2,end,,,\r\n",
            "7,1,17,1,100,5\r\n7,2,17,1,100,5\r\n7,2,end,,,\r\n",
        ] {
            assert_eq!(counts(&audit(lines)), [0, 0, 0, 1], "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_row_is_named() {
        for line in [
            "\0\0\0\0",
            "7,1,17,1,100",
            "7,1,17,1,100,5,6",
            "7,1,seventeen,1,100,5",
            "7,1,17,1,1e3,5",
            "7,1,end,1,,",
            "\"7,1,17",
            &format!("7,1,17,1,{},5", "1".repeat(10_000)),
        ] {
            let found = audit(&format!("7,1,17,1,100,5\r\n7,1,end,,,\r\n{line}\r\n"));
            assert_eq!(counts(&found), [1, 0, 0, 0], "{line:?}");
            let example = found.anomalies[0].example.as_deref().unwrap();
            assert!(example.starts_with("line 4 is no row: "), "{example}");
        }
        let without_a_header = Audit::of("7,1,17,1,100,5\r\n7,0,end,,,\r\n".as_bytes());
        assert_eq!(counts(&without_a_header), [1, 0, 0, 0]);
        assert_eq!(counts(&Audit::of(&b"\xff\xfe\r\n"[..])), [1, 0, 1, 0]);
    }
}
