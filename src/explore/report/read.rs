//! Reading a report that a visitor brings: the JSON of any `racy explore`.

use std::fmt;

use serde::Deserialize;

use super::data::{ExampleData, FindingData, Report, VERSION};

/// The largest report that is read, in bytes.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Why a text is no report that can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError(String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

/// What is read first, because all else depends on it.
#[derive(Deserialize)]
struct Head {
    version: Option<u64>,
}

/// Reads a report from the JSON that `racy explore --format json` prints. Fields that this version
/// does not have are left out.
///
/// # Errors
/// What is wrong and where, for people. JSON nested deeper than 128 levels is refused.
pub fn read(json: &[u8]) -> Result<Report, ReadError> {
    if json.len() > MOST_BYTES {
        return Err(ReadError(format!(
            "the report has {} bytes; at most {MOST_BYTES} are read",
            json.len()
        )));
    }
    must_be_this_version(json)?;
    let mut parser = serde_json::Deserializer::from_slice(json);
    let report: Report = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let field = error.path().to_string();
        malformed(error.inner(), &field)
    })?;
    parser.end().map_err(|error| malformed(&error, "."))?;
    for (number, finding) in report.findings.iter().enumerate() {
        must_be_sound(finding).map_err(|(field, wrong)| {
            ReadError(format!("the field findings[{number}].{field} {wrong}"))
        })?;
    }
    Ok(report)
}

fn must_be_this_version(json: &[u8]) -> Result<(), ReadError> {
    let head: Head = serde_json::from_slice(json).map_err(|error| malformed(&error, "."))?;
    match head.version {
        Some(version) if version == u64::from(VERSION) => Ok(()),
        Some(version) => Err(ReadError(format!(
            "the report has version {version}, and this racy reads version {VERSION}; the racy that \
             wrote it shows it too"
        ))),
        None => Err(ReadError(format!(
            "the JSON has no field `version`; a report of `racy explore --format json` has \
             \"version\": {VERSION}"
        ))),
    }
}

/// The place of a mistake, and what is wrong there.
fn malformed(error: &serde_json::Error, field: &str) -> ReadError {
    let text = error.to_string();
    let wrong = text.split(" at line ").next().unwrap_or_default();
    let place = match error.line() {
        0 => String::new(),
        line => format!("line {line}, column {}", error.column()),
    };
    let field = match field {
        "." | "?" => String::new(),
        field => format!(", in the field {field}"),
    };
    let what = if error.is_data() {
        "this is no report of `racy explore --format json`"
    } else {
        "this is no JSON"
    };
    ReadError(format!("{what}: {place}{field}: {wrong}"))
}

/// A field, and what is wrong with it.
type Unsound = (String, String);

/// What the form allows and no exploration writes.
fn must_be_sound(finding: &FindingData) -> Result<(), Unsound> {
    let most = crate::explore::Client::MOST;
    if !(1..=most).contains(&finding.clients) {
        let wrong = format!("is {}; there are 1 to {most} clients", finding.clients);
        return Err(("clients".to_owned(), wrong));
    }
    let reduction = finding.reduction.iter();
    let unknown = reduction.flat_map(|it| {
        let count = it.statements.len();
        it.pairs
            .iter()
            .position(move |it| it.one.max(it.other) >= count)
    });
    if let Some(at) = unknown.into_iter().next() {
        let wrong = "names a statement that is not there".to_owned();
        return Err((format!("reduction.pairs[{at}]"), wrong));
    }
    let examples = [
        ("counterexample", &finding.counterexample),
        ("refused_example", &finding.refused_example),
        ("replayed", &finding.replayed),
    ];
    let unexpected = finding.unexpected_examples.iter();
    let unexpected = unexpected.map(|it| ("unexpected_examples", Some(it)));
    let examples = examples.map(|(name, it)| (name, it.as_ref()));
    for (name, example) in examples.into_iter().chain(unexpected) {
        if let Some(example) = example {
            must_fit(example, finding.clients)
                .map_err(|(field, wrong)| (format!("{name}.{field}"), wrong))?;
        }
    }
    Ok(())
}

fn must_fit(example: &ExampleData, clients: usize) -> Result<(), Unsound> {
    let count = example.steps.len();
    if let Some(highlight) = example.highlight.as_ref().filter(|it| it.index >= count) {
        let wrong = format!("is {}; there are {count} steps, from 0", highlight.index);
        return Err(("highlight.index".to_owned(), wrong));
    }
    let stranger = example
        .steps
        .iter()
        .position(|it| it.client.index() >= clients);
    if let Some(at) = stranger {
        let wrong = format!(
            "is {}; there are {clients} clients",
            example.steps[at].client
        );
        return Err((format!("steps[{at}].client"), wrong));
    }
    let in_schedule = example.schedule.0.iter().find(|it| it.index() >= clients);
    match in_schedule {
        Some(client) => {
            let wrong = format!("names {client}; there are {clients} clients");
            Err(("schedule".to_owned(), wrong))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests;
