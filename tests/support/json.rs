//! JSON documents, of which a test is about some fields and leaves the others open.

use serde_json::Value;

/// Checks that a document has these fields with these values, at every depth. It may have more
/// fields; an array has as many elements as expected.
#[track_caller]
pub fn assert_includes(document: &Value, expected: &Value) {
    if let Some(path) = difference(document, expected) {
        panic!("at {path:?}: expected {expected}\nin {document}");
    }
}

/// The path to the first value that is not as expected.
fn difference(found: &Value, expected: &Value) -> Option<String> {
    let parts: Vec<(String, Option<&Value>, &Value)> = match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let part = |(name, value)| (format!(".{name}"), found.get(name), value);
            expected.iter().map(part).collect()
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let pairs = found.iter().zip(expected).enumerate();
            let part = |(index, (found, expected))| (format!("[{index}]"), Some(found), expected);
            pairs.map(part).collect()
        }
        _ => return (found != expected).then(String::new),
    };
    parts.into_iter().find_map(|(name, found, expected)| {
        let within = match found {
            Some(found) => difference(found, expected)?,
            None => " is missing".to_owned(),
        };
        Some(name + &within)
    })
}
