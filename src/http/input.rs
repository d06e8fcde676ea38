//! Integers in requests: one way to read them, and one way to complain.

use super::problem::Problem;

/// Reads a field that must be present as an integer that is not negative.
///
/// # Errors
/// 400, which names the field and what is wrong with it.
pub(super) fn integer(name: &str, text: Option<String>) -> Result<i64, Problem> {
    let text = text.ok_or_else(|| Problem::invalid(format!("The field {name:?} is missing.")))?;
    natural(name, &text)
}

/// Reads a field's text as an integer that is not negative.
///
/// # Errors
/// 400, which names the field and what is wrong with it.
pub(super) fn natural(name: &str, text: &str) -> Result<i64, Problem> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_an_integer(name, text));
    }
    match text.parse::<i64>() {
        Ok(value) if value >= 0 => Ok(value),
        _ if text.starts_with('-') => Err(Problem::invalid(format!(
            "The field {name:?} is negative: {text}."
        ))),
        _ => Err(Problem::invalid(format!(
            "The field {name:?} is out of range: {text} is more than {}.",
            i64::MAX
        ))),
    }
}

fn not_an_integer(name: &str, text: &str) -> Problem {
    Problem::invalid(format!("The field {name:?} is not an integer: {text:?}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: Option<&str>) -> String {
        integer("amount", text.map(str::to_owned))
            .unwrap_err()
            .detail
    }

    #[test]
    fn an_integer_is_read_as_a_form_brings_it() {
        for (text, value) in [
            ("0", 0),
            ("100", 100),
            (" 100 ", 100),
            ("+7", 7),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(integer("amount", Some(text.to_owned())).unwrap(), value);
        }
    }

    #[test]
    fn a_complaint_names_the_field_and_what_is_wrong() {
        assert_eq!(complaint(None), r#"The field "amount" is missing."#);
        for text in ["", "ten", "1.5", "1e3", "0x10", "+", "1_000", "１"] {
            assert_eq!(
                complaint(Some(text)),
                format!("The field \"amount\" is not an integer: {text:?}.")
            );
        }
        assert_eq!(
            complaint(Some("-1")),
            r#"The field "amount" is negative: -1."#
        );
        assert!(complaint(Some("9223372036854775808")).contains("out of range"));
        assert!(complaint(Some("-9223372036854775809")).contains("negative"));
    }
}
