//! Arithmetic with what was read, as exact decimals.

use crate::answer::{Datum, DatumKind};

/// A decimal number: this number of the smallest parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(i128);

/// Digits behind the point.
const DIGITS: usize = 9;

impl Number {
    /// The number in a value. None if it is none, or not exact.
    pub(super) fn of(datum: &Datum) -> Option<Self> {
        let Datum::Value { text, kind } = datum else {
            return None;
        };
        // Drivers send a number as a text as well.
        let may_be_one = matches!(kind, DatumKind::Number | DatumKind::Text);
        Self::read(text).filter(|_| may_be_one)
    }

    fn read(text: &str) -> Option<Self> {
        let (digits, is_negative) = match text.strip_prefix('-') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        let is_one = !whole.is_empty() && are_digits(whole) && are_digits(fraction);
        if !is_one || whole.len() > 25 || fraction.len() > DIGITS {
            return None;
        }
        let parts: i128 = format!("{whole}{fraction:0<DIGITS$}").parse().ok()?;
        Some(Self(if is_negative { -parts } else { parts }))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(super) fn is_one_or_minus_one(self) -> bool {
        self.0.unsigned_abs() == 10_u128.pow(DIGITS as u32)
    }

    pub(super) fn is_the_same_but_for_its_sign(self, other: Self) -> bool {
        self.0.unsigned_abs() == other.0.unsigned_abs()
    }

    /// As it is added: `+ 5`, `- 1.50`.
    pub(super) fn as_a_change(self) -> String {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let parts = self.0.unsigned_abs();
        let scale = 10_u128.pow(DIGITS as u32);
        let (whole, fraction) = (parts / scale, parts % scale);
        let fraction = format!("{fraction:0DIGITS$}");
        match fraction.trim_end_matches('0') {
            "" => format!("{sign} {whole}"),
            fraction => format!("{sign} {whole}.{fraction}"),
        }
    }
}

/// Whether two values are the same. A number is, however it is written.
pub(super) fn are_same(one: &Datum, other: &Datum) -> bool {
    let (
        Datum::Value { text, kind },
        Datum::Value {
            text: other_text,
            kind: other_kind,
        },
    ) = (one, other)
    else {
        return false;
    };
    // Two texts of digits may be codes: `007`.
    let is_number = [kind, other_kind].contains(&&DatumKind::Number);
    let numbers = (Number::of(one), Number::of(other));
    text == other_text || is_number && matches!(numbers, (Some(one), Some(other)) if one == other)
}

/// Whether a value tells where it comes from. Small and round numbers, booleans and plain words are
/// often the same by chance.
pub(super) fn is_telling(datum: &Datum) -> bool {
    let Datum::Value { text, .. } = datum else {
        return false;
    };
    match Number::read(text) {
        Some(_) => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.trim_matches('0').len() >= 3
        }
        None => {
            let has_more_than_letters = text.chars().any(|it| !it.is_alphabetic());
            text.chars().count() >= 6 && has_more_than_letters
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::read(text).unwrap()
    }

    #[test]
    fn changes_are_exact() {
        for (one, other, change) in [
            ("100", "40", "- 60"),
            ("0.1", "0.3", "+ 0.2"),
            ("-5", "7.50", "+ 12.5"),
            ("100.00", "100", "+ 0"),
        ] {
            assert_eq!(number(other).minus(number(one)).as_a_change(), change);
        }
        for text in ["", "-", "1e5", "0x10", ".5", "1.0000000001", "ten"] {
            assert_eq!(Number::read(text), None, "{text}");
        }
        assert!(number("-1.0").is_one_or_minus_one());
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        let text = |text: &str| Datum::text(text);
        assert!(are_same(&Datum::number("100.00"), &Datum::number(100)));
        assert!(are_same(&Datum::number(7), &text("7")));
        assert!(are_same(&text("a"), &text("a")));
        assert!(!are_same(&text("a"), &text("A")));
        assert!(!are_same(&text("007"), &text("7")));
        assert!(!are_same(&Datum::Null, &Datum::Null));
    }

    #[test]
    fn small_and_round_values_tell_nothing() {
        for text in ["0", "1", "17", "100", "25000", "true", "pending", "", "a-b"] {
            assert!(!is_telling(&Datum::text(text)), "{text}");
        }
        for text in ["117", "4.25", "1004", "user-1", "2026-11-30"] {
            assert!(is_telling(&Datum::text(text)), "{text}");
        }
        assert!(!is_telling(&Datum::Null));
    }
}
