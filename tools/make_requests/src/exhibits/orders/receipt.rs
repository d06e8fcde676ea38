//! What one order was answered with.

use serde::Deserialize;

use crate::audit::Id;
use crate::pair::{Claim, TimeSpan};
use crate::receipt::{Product, Receipt};
use crate::words::or_empty;

/// An order that was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Order {
    /// Its number. None if the strategy cannot learn it.
    #[serde(default)]
    order: Option<Id>,
    customer_no: i64,
}

impl Product for Order {
    fn title(&self) -> String {
        format!("orders for customer {}", self.customer_no)
    }

    fn csv_fields(&self) -> [String; 2] {
        [or_empty(self.order.as_ref()), self.customer_no.to_string()]
    }
}

/// An order claims its number during the whole time of its request.
pub(super) fn claim(receipt: &Receipt) -> Option<Claim> {
    let number = receipt.product_as::<Order>()?.order.as_ref()?;
    Some(Claim {
        collision: format!("both have order number {number}"),
        span: TimeSpan::of(receipt)?,
    })
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::pair::{collision, overlap};
    use crate::receipt::Action;
    use crate::receipt::samples::{self, step, with_value};
    use crate::timeline::draw;

    fn order(arrived: i64, customer_no: i64, number: Option<i64>) -> Receipt {
        let product = Order {
            order: number.map(|number| Id::Number(number.into())),
            customer_no,
        };
        let timeline = vec![
            with_value(step(Action::Read, "read highest number", 10, 50), 16),
            step(Action::Write, "insert head", 80, 120),
            step(Action::Write, "insert line", 220, 110),
        ];
        samples::receipt(product, arrived, timeline)
    }

    #[test]
    fn the_number_may_be_missing() {
        let read = |body: &str| Receipt::read::<Order>(body.as_bytes()).unwrap();
        let numbered = read(r#"{"strategy": "x", "book": 1, "order": 17, "customer_no": 3}"#);
        assert_eq!(numbered.product().csv_fields(), ["17", "3"]);
        let unnumbered = read(r#"{"order": null, "customer_no": 3}"#);
        assert_eq!(unnumbered.product().csv_fields(), ["", "3"]);
    }

    #[test]
    fn orders_with_one_number_collide() {
        let (a, b) = (order(1000, 1, Some(1)), order(1005, 2, Some(2)));
        let c = order(1030, 3, Some(1));
        let pair = collision(&[&c, &b, &a], claim).unwrap();
        assert!(ptr::eq(pair.a, &a) && ptr::eq(pair.b, &c), "{pair:?}");
        assert!(collision(&[&a, &b], claim).is_none());
        let pair = overlap(&[&c, &b, &a]).unwrap();
        assert!(ptr::eq(pair.a, &a) && ptr::eq(pair.b, &b), "{pair:?}");
    }

    #[test]
    fn orders_without_a_number_do_not_collide() {
        let (a, b) = (order(1000, 1, None), order(1001, 2, None));
        assert!(collision(&[&a, &b], claim).is_none());
    }

    #[test]
    fn one_after_another_does_not_collide() {
        let (a, b) = (order(1000, 1, Some(1)), order(2000, 2, Some(1)));
        assert!(collision(&[&a, &b], claim).is_none());
    }

    #[test]
    fn a_collision_is_marked_at_its_end() {
        let (a, b) = (order(1_000, 1, Some(17)), order(1_030, 2, Some(17)));
        let pair = collision(&[&b, &a], claim).unwrap();
        insta::assert_snapshot!("duplicate_number", draw(&pair));
    }
}
