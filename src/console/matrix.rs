//! The matrix that comes with the program: the report behind docs/matrix.md.
//!
//! `tools/matrix` writes it, and `tools/pack-report` packs it: what comes several times is written
//! once, in `shared`, and `{"$": N}` stands for it.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::explore::report::{FindingData, Report, VERSION};

const PACKED: &[u8] = include_bytes!("../../docs/matrix.json");

static SHIPPED: LazyLock<Report> = LazyLock::new(|| {
    // A test reads it.
    unpacked(PACKED).unwrap_or_else(|error| Report {
        missing: vec![format!("the matrix that comes with the program: {error}")],
        ..report_of(Vec::new())
    })
});

/// Every strategy on every engine at every level, as it was when this program was made. It names no
/// versions of engines, and no times.
pub fn shipped() -> &'static Report {
    &SHIPPED
}

/// A report as it is packed.
#[derive(Deserialize)]
struct Packed {
    version: u32,
    shared: Vec<Json>,
    findings: Vec<Json>,
}

fn unpacked(packed: &[u8]) -> serde_json::Result<Report> {
    let packed: Packed = serde_json::from_slice(packed)?;
    let mut shared: Vec<Json> = Vec::new();
    for value in packed.shared {
        // It refers to earlier ones alone.
        let whole = expanded(value, &shared);
        shared.push(whole);
    }
    let findings = packed.findings.into_iter();
    let findings: serde_json::Result<Vec<FindingData>> = findings
        .map(|it| serde_json::from_value(expanded(it, &shared)))
        .collect();
    Ok(Report {
        version: packed.version,
        ..report_of(findings?)
    })
}

fn report_of(findings: Vec<FindingData>) -> Report {
    Report {
        version: VERSION,
        findings,
        missing: Vec::new(),
        broken: Vec::new(),
    }
}

/// A value with what its references stand for.
fn expanded(value: Json, shared: &[Json]) -> Json {
    match value {
        Json::Object(fields) => match fields.get("$").and_then(Json::as_u64) {
            Some(place) => shared.get(place as usize).cloned().unwrap_or_default(),
            None => {
                let fields = fields.into_iter();
                let whole = fields.map(|(name, value)| (name, expanded(value, shared)));
                Json::Object(whole.collect())
            }
        },
        Json::Array(items) => {
            let items = items.into_iter();
            Json::Array(items.map(|it| expanded(it, shared)).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_that_comes_with_the_program_can_be_read() {
        assert_eq!(shipped().missing, [""; 0]);
        assert!(shipped().findings.len() > 100);
    }

    #[test]
    fn a_reference_stands_for_a_value_that_may_have_references() {
        let shared = [serde_json::json!("a")];
        let value = serde_json::json!({"x": [{"$": 0}, 1]});
        assert_eq!(expanded(value, &shared), serde_json::json!({"x": ["a", 1]}));
    }
}
