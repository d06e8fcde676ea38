//! What one append was answered with.

use serde::Deserialize;

use crate::audit::Id;
use crate::pair::{Claim, TimeSpan};
use crate::receipt::{Product, Receipt};
use crate::words::counted;

/// A snapshot that was made, and has the records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Appended {
    version: u64,
    snapshot: Id,
    /// How many records were appended.
    records: usize,
    /// How many appends are in the commit. None if each is committed alone.
    #[serde(default)]
    together: Option<u64>,
}

impl Product for Appended {
    fn title(&self) -> String {
        format!("appends {}", counted(self.records, "record"))
    }

    fn csv_fields(&self) -> [String; 2] {
        [self.version.to_string(), self.snapshot.to_string()]
    }
}

/// An append claims its version during the whole time of its request. Appends that are committed
/// together share one, so they claim none.
pub(super) fn claim(receipt: &Receipt) -> Option<Claim> {
    let appended = receipt.product_as::<Appended>()?;
    if appended.together.is_some() {
        return None;
    }
    Some(Claim {
        collision: format!("have both made version {}", appended.version),
        span: TimeSpan::of(receipt)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{collision, overlap};
    use crate::receipt::Action;
    use crate::receipt::samples::{self, step, with_value};
    use crate::timeline::draw;

    fn append(arrived: i64, version: u64, together: Option<u64>) -> Receipt {
        let product = Appended {
            version,
            snapshot: Id::Number(arrived.into()),
            records: 1,
            together,
        };
        let timeline = vec![
            with_value(step(Action::Read, "read pointer", 10, 50), 2),
            step(Action::Write, "write data", 80, 120),
            step(Action::Write, "write pointer", 220, 110),
        ];
        samples::receipt(product, arrived, timeline)
    }

    #[test]
    fn a_receipt_tells_the_snapshot() {
        let body = br#"{"strategy": "x", "table": "t", "version": 3, "snapshot": 77, "records": 1,
            "attempts": 2, "together": 4}"#;
        let receipt = Receipt::read::<Appended>(body).unwrap();
        assert_eq!(receipt.title(), "appends 1 record");
        assert_eq!(receipt.product().csv_fields(), ["3", "77"]);
        assert_eq!(receipt.attempts, Some(2));
    }

    #[test]
    fn appends_that_made_one_version_collide() {
        let (a, b) = (append(1_000, 3, None), append(1_030, 3, None));
        let pair = collision(&[&b, &a], claim).unwrap();
        insta::assert_snapshot!("one_version_twice", draw(&pair));
        assert!(collision(&[&a, &append(1_030, 4, None)], claim).is_none());
    }

    #[test]
    fn appends_that_are_committed_together_do_not_collide() {
        let (a, b) = (append(1_000, 3, Some(2)), append(1_030, 3, Some(2)));
        assert!(collision(&[&a, &b], claim).is_none());
        assert!(overlap(&[&a, &b]).is_some());
    }
}
