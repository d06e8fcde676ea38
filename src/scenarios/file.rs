//! The file's format, as it is written. Reading it says where a mistake is; what the parts mean
//! together is decided in `scenario`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::application::{
    AnswerTable, ApplicationTable, CommandPart, CommandTable, ProbeTable, RequestTable,
};
use super::by_engine::{EngineName, TextSchema, TextTable, Texts};
use super::place::{FileError, SourceFile};

/// A scenario: set-up, clients, and what must hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    /// A few words that name it.
    pub(super) title: String,
    /// What it shows: why it breaks, and what stops it. Markdown.
    #[serde(default)]
    pub(super) about: String,
    /// The engines on which it makes sense. Without it, all.
    pub(super) engines: Option<Vec<EngineName>>,
    /// The database that each run begins with.
    #[schema(value_type = Option<DatabaseTable>)]
    pub(super) database: Option<DatabaseTable>,
    /// The application that requests are sent to, and what commands share.
    #[schema(value_type = Option<ApplicationTable>)]
    pub(super) application: Option<Spanned<ApplicationTable>>,
    /// The clients, A first.
    #[schema(value_type = Vec<ClientTable>)]
    pub(super) client: Vec<Spanned<ClientTable>>,
    /// Whether what the clients do at once must be what they do one after the other, in some order:
    /// the tables, the outcomes, and what is captured. Without it, yes if there is no invariant.
    pub(super) serial: Option<bool>,
    /// Which schedules are run, unless the command line says it. Without it all, or with an
    /// application those with at most two preemptions, until some go wrong.
    #[schema(value_type = Option<ExploreTable>)]
    pub(super) explore: Option<Spanned<ExploreTable>>,
    /// What must hold.
    #[serde(default)]
    #[schema(value_type = Vec<InvariantTable>)]
    pub(super) invariant: Vec<Spanned<InvariantTable>>,
    /// What is to be found, by engine and isolation level: `[expect."mysql read-committed"]`. A
    /// word that is left out stands for all. `[expect.else]` holds where no other entry does.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, BTreeMap<String, CountSchema>>)]
    pub(super) expect: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Count>>>,
}

/// The database that each run begins with. It is one of the scenario's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseTable {
    /// SQL statements that make tables and rows.
    #[schema(value_type = TextSchema)]
    pub(super) setup: Spanned<Texts>,
}

/// Which schedules are run. One of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExploreTable {
    /// All. Of three clients or more, one of those that must end alike.
    #[serde(default)]
    pub(super) exhaustive: bool,
    /// All with at most this number of preemptions.
    pub(super) preemptions: Option<u8>,
}

/// One client, or several that are alike.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientTable {
    /// What it is, e.g. `customer`.
    pub(super) name: Option<String>,
    /// How many clients are like this one. Without it, one.
    #[schema(value_type = Option<u8>)]
    pub(super) count: Option<Spanned<u64>>,
    /// The isolation level of its transactions. Without it, the one that is asked for.
    #[schema(value_type = Option<LevelSchema>)]
    pub(super) isolation: Option<Spanned<String>>,
    /// When the application runs it again from its beginning.
    pub(super) retry: Option<RetryTable>,
    /// The kinds of refusal that do not count as a failure.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(super) may_be_refused: Vec<Spanned<String>>,
    /// SQL statements and psql's meta-commands. Either this, `request` or `command`.
    #[schema(value_type = Option<TextSchema>)]
    pub(super) script: Option<Spanned<Texts>>,
    /// The request that races, to the application. Either this, `script` or `command`.
    pub(super) request: Option<RequestTable>,
    /// The program that races: it is started in each run. Either this, `script` or `request`.
    #[schema(value_type = Option<CommandTable>)]
    pub(super) command: Option<CommandPart>,
    /// Requests that are sent once, before any run: a login, a basket. Their cookies and captures
    /// are kept for `request` or `command`.
    #[serde(default)]
    pub(super) before: Vec<RequestTable>,
    /// Which answers to `request` say that it was done. Without it, those of 200 to 399.
    pub(super) acknowledged: Option<AnswerTable>,
}

/// When a client is run again from its first line, in a new transaction and without its variables.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryTable {
    /// After these kinds of refusal.
    #[schema(value_type = Vec<String>)]
    pub(super) on: Vec<Spanned<String>>,
    /// The largest number of attempts, the first one included.
    #[schema(value_type = u32)]
    pub(super) times: Spanned<u64>,
}

/// What must hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvariantTable {
    /// A few words that name it.
    #[schema(value_type = String)]
    pub(super) name: Spanned<String>,
    /// A query that returns one row with one boolean. Either this or `probe`.
    #[schema(value_type = Option<TextSchema>)]
    pub(super) sql: Option<Spanned<Texts>>,
    /// What the application must answer when all clients have come to their end.
    pub(super) probe: Option<ProbeTable>,
    /// When it must hold. Without it, at the end.
    #[serde(default)]
    pub(super) when: When,
}

/// When an invariant must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum When {
    /// When all clients have come to their end.
    #[default]
    End,
    /// After each commit, and at the end.
    EveryCommit,
}

/// A number of schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// No schedule.
    None,
    /// At least one schedule.
    Some,
    /// This number of all schedules, without reduction.
    Exactly(u64),
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl serde::de::Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"none\", \"some\" or a number of schedules")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Count, E> {
        match text {
            "none" => Ok(Count::None),
            "some" => Ok(Count::Some),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Count, E> {
        let wrong = || E::invalid_value(serde::de::Unexpected::Signed(number), &self);
        u64::try_from(number)
            .map(Count::Exactly)
            .map_err(|_| wrong())
    }
}

/// A count as the schema shows it.
#[derive(ToSchema)]
#[schema(as = Count)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema alone")]
enum CountSchema {
    /// `none` or `some`.
    Words(String),
    /// The number of all schedules, without reduction.
    Exactly(u64),
}

/// A level as the schema shows it.
#[derive(ToSchema)]
#[schema(as = Level)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it is there for its schema alone")]
enum LevelSchema {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl ScenarioFile {
    /// Reads a file.
    pub(super) fn read(source: SourceFile<'_>) -> Result<Self, FileError> {
        toml::from_str(source.text).map_err(|error| {
            let message = in_plain_words(error.message());
            match error.span() {
                Some(span) => source.mistake(span.start, message),
                None => source.mistake_anywhere(message),
            }
        })
    }
}

/// What the TOML reader says, in the words of the file's author.
fn in_plain_words(message: &str) -> String {
    let missing = message.strip_prefix("missing field ");
    if let Some(name) = missing {
        return format!("the key {name} is missing here");
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let (name, known) = rest.split_once(", ").unwrap_or((rest, ""));
        let known = known
            .trim_start_matches("expected one of ")
            .trim_start_matches("expected ");
        return format!("{name} is no key here; the keys are {known}");
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let (name, known) = rest.split_once(", ").unwrap_or((rest, ""));
        let known = known
            .trim_start_matches("expected one of ")
            .trim_start_matches("expected ");
        return format!("{name} is not known here; right would be {known}");
    }
    message.trim().to_owned()
}

/// The JSON Schema of the format.
pub fn schema() -> serde_json::Value {
    let mut parts = Vec::new();
    ScenarioFile::schemas(&mut parts);
    parts.push((TextTable::name().into_owned(), TextTable::schema()));
    let parts = parts
        .into_iter()
        .map(|(name, schema)| (name, as_json(&schema)));
    let mut schema = as_json(&ScenarioFile::schema());
    if let serde_json::Value::Object(root) = &mut schema {
        root.insert(
            "$schema".to_owned(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        root.insert("title".to_owned(), "A scenario of Racy's".into());
        root.insert(
            "$defs".to_owned(),
            serde_json::Value::Object(parts.collect()),
        );
    }
    schema
}

/// The schema as JSON, whose references stay within the document.
fn as_json(schema: &RefOr<Schema>) -> serde_json::Value {
    let mut json = serde_json::to_value(schema).unwrap_or_default();
    point_within(&mut json);
    json
}

fn point_within(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::String(target)) = object.get_mut("$ref") {
                *target = target.replace("#/components/schemas/", "#/$defs/");
            }
            object.values_mut().for_each(point_within);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(point_within),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        let source = SourceFile {
            name: "x.toml",
            text,
        };
        ScenarioFile::read(source).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_names_its_place_and_what_would_be_right() {
        for (text, expected) in [
            (
                "titel = 'x'",
                "x.toml:1:1: `titel` is no key here; the keys are `title`",
            ),
            (
                "title = 3",
                "x.toml:1:9: invalid type: integer `3`, expected a string",
            ),
            ("title = 'x", "x.toml:1:11: "),
            (
                "title = 'x'\nclient = []\nengines = ['oracle']",
                "x.toml:3:12: `oracle` is not known",
            ),
            (
                "title = 'x'\n[[client]]\nscript.mysq = 'a'",
                "x.toml:3:8: `mysq` is no key here; the keys are `default`, `mysql`",
            ),
            (
                "title = 'x'\nclient = []\n[expect.else]\nviolated = 'many'",
                "x.toml:4:12: invalid value: string \"many\", expected \"none\", \"some\" or a number",
            ),
            (
                "title = 'x'\n[[client]]\ncommand = ['python3', 'job.py']",
                "x.toml:3:11: invalid type: sequence, expected a table with `run = [\"…\"]`",
            ),
            (
                "title = 'x'\n[[client]]\ncommand.run = 'python3 job.py'",
                "x.toml:3:15: invalid type: string \"python3 job.py\", expected a list of words, such as \
                 [\"python3\", \"job.py\"]",
            ),
            (
                "title = 'x'\n[application]\ncommand = 'node server.js'",
                "x.toml:3:11: invalid type: string \"node server.js\", expected a list of words",
            ),
        ] {
            let complaint = complaint(text);
            assert!(complaint.starts_with(expected), "{complaint}");
        }
    }

    #[test]
    fn the_schema_names_only_what_it_defines() {
        let schema = schema();
        let text = schema.to_string();
        for (at, _) in text.match_indices("#/$defs/") {
            let name = &text[at + 8..];
            let name = &name[..name.find('"').unwrap()];
            assert!(schema["$defs"][name].is_object(), "{name}");
        }
        assert!(schema["properties"]["client"].is_object());
    }
}
