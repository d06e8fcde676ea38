//! What one export was answered with.

use serde::Deserialize;

use crate::audit::Id;
use crate::pair::{Claim, TimeSpan};
use crate::receipt::{Action, Product, Receipt};
use crate::words::printable_text;

/// A file that was exported.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Export {
    /// The export that every row of the file should come from.
    pub(super) export: Id,
    /// The file's name.
    #[serde(deserialize_with = "printable_text")]
    pub(super) file: String,
    /// The URL of the download. Only its path is used.
    pub(super) url: String,
    /// How many rows were written.
    pub(super) rows: u64,
}

impl Product for Export {
    fn title(&self) -> String {
        format!("writes export {}", self.export)
    }

    fn csv_fields(&self) -> [String; 2] {
        [self.export.to_string(), self.file.clone()]
    }
}

/// An export claims its file from its first write to its last.
pub(super) fn claim(receipt: &Receipt) -> Option<Claim> {
    let file = &receipt.product_as::<Export>()?.file;
    let arrived = receipt.arrived_at_us?;
    let steps = receipt.timeline.iter();
    let writes = steps.filter(|step| step.action == Action::Write);
    Some(Claim {
        collision: format!("have both written {file}"),
        span: TimeSpan {
            start: writes.clone().map(|step| step.start(arrived)).min()?,
            end: writes.map(|step| step.end(arrived)).max()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{collision, overlap};
    use crate::receipt::samples::{self, step};
    use crate::timeline::draw;

    fn export(arrived: i64, first_write: i64) -> Receipt {
        let product = Export {
            export: Id::Number(arrived.into()),
            file: "t.csv".to_owned(),
            url: "/exports/t.csv".to_owned(),
            rows: 2,
        };
        let timeline = vec![
            step(Action::Other, "open file", 5, 10),
            step(Action::Write, "write rows", first_write, 10),
            step(Action::Write, "write rows", first_write + 30, 10),
        ];
        samples::receipt(product, arrived, timeline)
    }

    #[test]
    fn a_receipt_tells_the_file() {
        let body = br#"{"account": 1, "export": 9, "file": "t.csv", "url": "/exports/t.csv",
            "rows": 2}"#;
        let receipt = Receipt::read::<Export>(body).unwrap();
        assert_eq!(receipt.product().csv_fields(), ["9", "t.csv"]);
    }

    #[test]
    fn exports_that_write_one_file_at_the_same_time_collide() {
        let (a, b) = (export(1000, 20), export(1005, 20));
        let drawing = draw(&collision(&[&a, &b], claim).unwrap());
        assert!(drawing.contains("client B writes export 1005"), "{drawing}");
        let mark = "✗ A and B have both written t.csv";
        assert!(drawing.trim_end().ends_with(mark), "{drawing}");
    }

    #[test]
    fn exports_that_wait_for_each_other_do_not_collide() {
        let (a, afterwards) = (export(1000, 20), export(1007, 60));
        assert!(collision(&[&a, &afterwards], claim).is_none());
        assert!(overlap(&[&a, &afterwards]).is_some());
    }
}
