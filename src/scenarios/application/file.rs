//! What a scenario file says of an application and of requests to it, as it is written.

use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use utoipa::ToSchema;

use super::exit::{ExitSchema, ExitTable};
use super::words::Words;

/// An application whose statements are explored. It reaches its database through a proxy. If no
/// client sends a request, `command` and `base_url` may both be missing: then it says what the
/// commands share.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenarios) struct ApplicationTable {
    /// The program and its arguments. `{app_port}` is the port that it has to listen on. Either
    /// this or `base_url`.
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) command: Option<Spanned<Words>>,
    /// The folder in which it runs, as seen from the file's folder. Without it, that folder.
    pub(super) directory: Option<String>,
    /// Variables of its environment, and of commands'. `{db_host}`, `{db_port}`, `{db_name}`,
    /// `{db_user}`, `{db_password}` and `{db_url}` lead through the proxy.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) env: BTreeMap<String, Spanned<String>>,
    /// Commands that run once before it starts, e.g. its migrations.
    #[serde(default)]
    #[schema(value_type = Vec<Vec<String>>)]
    pub(super) prepare: Vec<Spanned<Words>>,
    /// The path that it answers with 200 to 399 when it is ready. Without it, any answer counts.
    pub(super) ready: Option<String>,
    /// How many seconds it may take to be ready. Without it, 60.
    pub(super) ready_within: Option<u32>,
    /// Where it runs already, e.g. `http://127.0.0.1:8000`. Either this or `command`.
    #[schema(value_type = Option<String>)]
    pub(super) base_url: Option<Spanned<String>>,
    /// Where the proxy listens, e.g. `127.0.0.1:3307`. Without it, on a free port of 127.0.0.1.
    #[schema(value_type = Option<String>)]
    pub(super) listen: Option<Spanned<String>>,
    /// The largest number of its instances at once, each with a database of its own. Without it,
    /// one for each processor, but at least two and at most four.
    #[schema(value_type = Option<u8>)]
    pub(super) instances: Option<Spanned<u8>>,
    /// What brings its state back before each run, besides its tables: see [`RestoreTable`].
    #[schema(value_type = Option<RestoreSchema>)]
    pub(super) restore: Option<Spanned<RestoreTable>>,
}

/// A program that is started in each run. Its environment says where its database is:
/// `DATABASE_URL`, `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER` and `DB_PASSWORD`, and the variables
/// that the engine's own client reads.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenarios) struct CommandTable {
    /// The program and its arguments. `{n}` is the client's number, `{name}` what was captured
    /// before.
    #[schema(value_type = Vec<String>)]
    pub(super) run: Spanned<Words>,
    /// The folder in which it runs, as seen from the file's folder. Without it, that of the
    /// application, or the file's folder.
    pub(super) directory: Option<String>,
    /// Variables of its environment, besides those of the application.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) env: BTreeMap<String, Spanned<String>>,
    /// The exit statuses that say that it was done. Without it, 0.
    #[schema(value_type = Option<ExitSchema>)]
    pub(super) acknowledged: Option<Spanned<ExitTable>>,
    /// The exit statuses that say that it has decided not to do it. Without it, all but those that
    /// programs crash with: 1, 2, 101, 126, 127, 255, and those of signals.
    #[schema(value_type = Option<ExitSchema>)]
    pub(super) declined: Option<Spanned<ExitTable>>,
    /// What is kept of its standard output, by name: `regex:…` with one group, or `json:/pointer`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) capture: BTreeMap<String, Spanned<String>>,
    /// How many seconds it may take in one run, at most 60. Without it, 60.
    #[schema(value_type = Option<u8>)]
    pub(super) ends_within: Option<Spanned<u64>>,
}

/// A [`CommandTable`] in a file. The mistake of a list in its place says what would be right.
#[derive(Debug)]
pub(in crate::scenarios) struct CommandPart(pub(in crate::scenarios) CommandTable);

impl<'de> Deserialize<'de> for CommandPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CommandVisitor)
    }
}

struct CommandVisitor;

impl<'de> serde::de::Visitor<'de> for CommandVisitor {
    type Value = CommandPart;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table with `run = [\"…\"]`")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<CommandPart, A::Error> {
        CommandTable::deserialize(MapAccessDeserializer::new(map)).map(CommandPart)
    }
}

/// What brings an application back to its beginning.
#[derive(Debug)]
pub(in crate::scenarios) enum RestoreTable {
    /// A word or SQL: `auto`, `restart`, or statements.
    Text(String),
    /// A request that tells the application to forget what it holds in memory.
    Request(Box<RequestTable>),
}

impl<'de> Deserialize<'de> for RestoreTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RestoreVisitor)
    }
}

struct RestoreVisitor;

impl<'de> serde::de::Visitor<'de> for RestoreVisitor {
    type Value = RestoreTable;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"auto\", \"restart\", SQL, or a request")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RestoreTable, E> {
        Ok(RestoreTable::Text(text.to_owned()))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<RestoreTable, A::Error> {
        let request = RequestTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RestoreTable::Request(Box::new(request)))
    }
}

/// What brings an application back, as the schema shows it.
#[derive(ToSchema)]
#[schema(as = Restore)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema alone")]
pub(in crate::scenarios) enum RestoreSchema {
    /// `auto` (the tables come back from copies), `restart` (and the application is started again),
    /// or SQL that is run instead.
    Text(String),
    /// The tables come back from copies, and this request is sent.
    Request(Box<RequestTable>),
}

/// An HTTP request. `{n}` is the client's number, `{name}` what was captured before, and
/// `{cookie.name}` a cookie.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenarios) struct RequestTable {
    /// Without it, GET.
    #[schema(value_type = Option<String>)]
    pub(super) method: Option<Spanned<String>>,
    /// The path and the query.
    #[schema(value_type = String)]
    pub(super) path: Spanned<String>,
    /// Headers.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) headers: BTreeMap<String, Spanned<String>>,
    /// The fields of a form.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(super) form: Option<BTreeMap<String, Spanned<String>>>,
    /// A JSON body.
    #[schema(value_type = Option<Object>)]
    pub(super) json: Option<Spanned<serde_json::Value>>,
    /// Any other body.
    #[schema(value_type = Option<String>)]
    pub(super) body: Option<Spanned<String>>,
    /// What is kept of the answer, by name: `json:/pointer`, `header:NAME`, `cookie:NAME` or
    /// `regex:…` with one group.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) capture: BTreeMap<String, Spanned<String>>,
    /// The statuses that a request in `before` must be answered with. Without it, 200 to 399.
    #[schema(value_type = Option<String>)]
    pub(super) status: Option<Spanned<String>>,
}

/// Which answers say that a request was done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenarios) struct AnswerTable {
    /// Statuses: `200`, `2xx`, several with spaces in between. Without it, `2xx 3xx`.
    #[schema(value_type = Option<String>)]
    pub(super) status: Option<Spanned<String>>,
    /// A text that the body must have.
    pub(super) body: Option<String>,
    /// A text that the body must not have.
    pub(super) body_not: Option<String>,
    /// A text that the `Location` header must have.
    pub(super) location: Option<String>,
    /// A text that the `Location` header must not have: a login page.
    pub(super) location_not: Option<String>,
}

/// What the application must answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenarios) struct ProbeTable {
    /// The path and the query.
    #[schema(value_type = String)]
    pub(super) path: Spanned<String>,
    /// The place in the JSON answer, as a JSON pointer: `/account/balance`. Without it, the whole.
    #[schema(value_type = Option<String>)]
    pub(super) pointer: Option<Spanned<String>>,
    /// What must be there.
    #[schema(value_type = Object)]
    pub(super) equals: serde_json::Value,
}
