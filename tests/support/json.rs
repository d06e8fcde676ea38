//! JSON documents, of which a test is about some fields and leaves the others open.

use serde_json::Value;

/// Checks that a document has these fields with these values, at every depth. It may have more
/// fields. An array has as many elements as expected. A field that is missing counts as null.
#[track_caller]
pub fn assert_includes(document: &Value, expected: &Value) {
    if let Some(difference) = difference(document, expected) {
        panic!("the document differs at {difference}");
    }
}

/// The place of the first value that is not as expected, and both values.
fn difference(found: &Value, expected: &Value) -> Option<String> {
    let parts: Vec<(String, &Value, &Value)> = match (found, expected) {
        (Value::Object(_), Value::Object(expected)) => {
            let part = |(name, value)| (format!(".{name}"), &found[name], value);
            expected.iter().map(part).collect()
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let pairs = found.iter().zip(expected).enumerate();
            let part = |(index, (found, expected))| (format!("[{index}]"), found, expected);
            pairs.map(part).collect()
        }
        _ if found == expected => return None,
        _ => return Some(format!(": expected {expected}\nfound {found}")),
    };
    let mut within = parts.into_iter().filter_map(|(name, found, expected)| {
        let difference = difference(found, expected)?;
        Some(name + &difference)
    });
    within.next()
}
