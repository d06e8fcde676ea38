//! The matrix that comes with the program: the reports behind docs/matrix.md and
//! docs/scenarios-matrix.md.
//!
//! `tools/matrix` writes them, and `tools/pack-report` packs them: what comes several times is
//! written once, in `shared`, and `{"$": N}` stands for it.

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value as Json;

use crate::explore::report::{FindingData, Report, VERSION};

/// The strategies, then the corpus.
const PACKED: [&[u8]; 2] = [
    include_bytes!("../../docs/matrix.json"),
    include_bytes!("../../docs/scenarios-matrix.json"),
];

static SHIPPED: LazyLock<Report> = LazyLock::new(|| {
    let mut all = report_of(Vec::new());
    for packed in PACKED {
        match unpacked(packed) {
            Ok(report) => all.findings.extend(report.findings),
            // A test reads them.
            Err(error) => all
                .missing
                .push(format!("the matrix that comes with the program: {error}")),
        }
    }
    all
});

/// Every strategy and every scenario on every engine at every level, as it was when this program
/// was made. It names no versions of engines, and no times.
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
    if packed.version != VERSION {
        let old = format!("its version is {}, and {VERSION} is right", packed.version);
        return Err(serde_json::Error::custom(old));
    }
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
    Ok(report_of(findings?))
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
