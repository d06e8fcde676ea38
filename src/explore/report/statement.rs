//! A statement as it can be typed, with its values in it.

use crate::step::Argument;

/// Puts values in the places of `?`, one after the other, and of `$1`, `$2`, ….
pub fn with_values(sql: &str, values: &[Argument]) -> String {
    let mut written = String::new();
    let mut rest = sql;
    let mut next = 0;
    while let Some(at) = rest.find(['?', '$']) {
        let (before, placeholder) = rest.split_at(at);
        let after = &placeholder[1..];
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = match placeholder.starts_with('?') {
            true => (next, after),
            false => (
                after[..digits]
                    .parse::<usize>()
                    .unwrap_or_default()
                    .wrapping_sub(1),
                &after[digits..],
            ),
        };
        next += 1;
        written.push_str(before);
        match values.get(number) {
            Some(value) => written.push_str(&value.to_string()),
            None => written.push_str(&placeholder[..placeholder.len() - after.len()]),
        }
        rest = after;
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_of_placeholders() {
        for (sql, written) in [
            ("SELECT 1", "SELECT 1"),
            (
                "UPDATE a SET b = ? WHERE id = ?",
                "UPDATE a SET b = 7 WHERE id = 8",
            ),
            (
                "UPDATE a SET b = $2 WHERE id = $1",
                "UPDATE a SET b = 8 WHERE id = 7",
            ),
            ("VALUES ($1, $2) $3", "VALUES (7, 8) $3"),
            ("a = ? AND b = ? AND c = ?", "a = 7 AND b = 8 AND c = ?"),
        ] {
            assert_eq!(with_values(sql, &[7.into(), 8.into()]), written);
        }
    }
}
