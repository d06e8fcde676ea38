//! One HTTP request: what a file says of it, parsed, and what is sent with the values of a client.

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use toml::Spanned;

use super::capture::Capture;
use super::file::RequestTable;
use super::pattern::{NoValue, Pattern};
use super::status::Statuses;
use crate::scenarios::place::{FileError, SourceFile};

/// A request whose parts are known to be right.
#[derive(Debug)]
pub(in crate::scenarios) struct RequestPlan {
    pub(super) method: Method,
    pub(super) path: Pattern,
    headers: Vec<(HeaderName, Pattern)>,
    body: Body,
    pub(super) capture: Vec<(String, Capture)>,
    pub(super) statuses: Statuses,
}

#[derive(Debug)]
enum Body {
    Nothing,
    Form(Vec<(String, Pattern)>),
    Json(Json),
    Text(Pattern),
}

/// A JSON value whose texts are patterns.
#[derive(Debug)]
enum Json {
    Text(Pattern),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// A value without a text.
    Plain(Value),
}

/// The values of names.
pub(super) type Values<'v> = &'v dyn Fn(&str) -> Option<String>;

/// A request that cannot be made of its values.
#[derive(Debug)]
pub(super) enum Unfit {
    NoValue(NoValue),
    NoHeader { name: String, value: String },
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoValue(unset) => unset.fmt(f),
            Self::NoHeader { name, value } => {
                write!(f, "{value:?} cannot be the value of the header {name}")
            }
        }
    }
}

impl From<NoValue> for Unfit {
    fn from(unset: NoValue) -> Self {
        Self::NoValue(unset)
    }
}

/// Reads the patterns of a file, and says where one is wrong.
#[derive(Clone, Copy)]
pub(super) struct Patterns<'f> {
    pub(super) source: SourceFile<'f>,
    /// The names that have a value.
    pub(super) known: &'f [&'f str],
}

impl Patterns<'_> {
    pub(super) fn read(self, text: &Spanned<String>) -> Result<Pattern, FileError> {
        let begin = self.source.begin_of_text(&text.span());
        let pattern = Pattern::parse(text.get_ref())
            .map_err(|error| self.source.mistake(begin + error.at, error.message))?;
        self.must_be_known(&pattern, begin)?;
        Ok(pattern)
    }

    fn must_be_known(self, pattern: &Pattern, at: usize) -> Result<(), FileError> {
        let is_known = |name: &&str| name.starts_with("cookie.") || self.known.contains(name);
        match pattern.names().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = self.known.iter().map(|it| format!("{{{it}}}")).collect();
                let message = format!(
                    "{{{name}}} has no value here; there are {}",
                    known.join(", ")
                );
                Err(self.source.mistake(at, message))
            }
        }
    }
}

impl RequestPlan {
    /// Reads a request. `known` are the names that have a value when it is sent.
    pub(super) fn read(
        source: SourceFile<'_>,
        table: &RequestTable,
        known: &[&str],
    ) -> Result<Self, FileError> {
        let patterns = Patterns { source, known };
        let path = patterns.read(&table.path)?;
        if !table.path.get_ref().starts_with('/') {
            let message = "`path` begins with a slash: the application's address is known";
            return Err(source.mistake(table.path.span().start, message));
        }
        let read = |(name, value): (&String, &Spanned<String>)| {
            let header = HeaderName::try_from(name.as_str()).map_err(|_| {
                let message = format!("{name:?} is no name of a header");
                source.mistake(value.span().start, message)
            })?;
            Ok((header, patterns.read(value)?))
        };
        Ok(Self {
            method: method(source, table.method.as_ref())?,
            path,
            headers: table.headers.iter().map(read).collect::<Result<_, _>>()?,
            body: body(source, table, patterns)?,
            capture: table
                .capture
                .iter()
                .map(|(name, what)| Ok((name.clone(), Capture::read(source, what)?)))
                .collect::<Result<_, _>>()?,
            statuses: Statuses::read(source, table.status.as_ref())?,
        })
    }

    /// Reads requests that are sent in turn, and the names that have a value after the last one.
    pub(super) fn read_in_turn(
        source: SourceFile<'_>,
        tables: &[RequestTable],
    ) -> Result<(Vec<Self>, Vec<String>), FileError> {
        let mut known = vec!["n".to_owned()];
        let mut sent = Vec::new();
        for request in tables {
            let names: Vec<_> = known.iter().map(String::as_str).collect();
            let read = Self::read(source, request, &names)?;
            let captured: Vec<_> = read.captured_names().map(str::to_owned).collect();
            known.extend(captured);
            sent.push(read);
        }
        Ok((sent, known))
    }

    /// The names that it captures.
    pub(super) fn captured_names(&self) -> impl Iterator<Item = &str> {
        self.capture.iter().map(|(name, _)| name.as_str())
    }

    /// Whether a name stands anywhere in it.
    pub(super) fn has_names(&self) -> bool {
        let has_one = |pattern: &Pattern| pattern.names().next().is_some();
        let in_the_body = match &self.body {
            Body::Nothing => false,
            Body::Form(fields) => fields.iter().any(|(_, it)| has_one(it)),
            Body::Json(json) => json.has_names(),
            Body::Text(text) => has_one(text),
        };
        has_one(&self.path) || in_the_body || self.headers.iter().any(|(_, it)| has_one(it))
    }

    /// The method and the path, as the file has them, without the query.
    pub(super) fn as_written(&self) -> String {
        let path = self.path.as_written();
        let path = path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }

    /// A few words that name it: `POST /checkout/{order}/` with its values.
    pub(super) fn in_words(&self, values: Values<'_>) -> Result<String, NoValue> {
        Ok(format!("{} {}", self.method, self.path.fill(values)?))
    }

    /// What is sent to the application at this address.
    pub(super) fn with(
        &self,
        client: &reqwest::Client,
        base_url: &str,
        values: Values<'_>,
    ) -> Result<RequestBuilder, Unfit> {
        let url = format!("{base_url}{}", self.path.fill(values)?);
        let mut request = client.request(self.method.clone(), url);
        request = match &self.body {
            Body::Nothing => request,
            Body::Form(fields) => {
                let filled = fields
                    .iter()
                    .map(|(name, value)| Ok((name.as_str(), value.fill(values)?)));
                request.form(&filled.collect::<Result<Vec<_>, NoValue>>()?)
            }
            Body::Json(json) => request
                .header(CONTENT_TYPE, "application/json")
                .body(json.filled(values)?.to_string()),
            Body::Text(text) => request.body(text.fill(values)?),
        };
        for (name, value) in &self.headers {
            let value = value.fill(values)?;
            let header = HeaderValue::from_str(&value).map_err(|_| Unfit::NoHeader {
                name: name.to_string(),
                value,
            })?;
            request = request.header(name, header);
        }
        Ok(request)
    }
}

fn method(source: SourceFile<'_>, text: Option<&Spanned<String>>) -> Result<Method, FileError> {
    let Some(text) = text else {
        return Ok(Method::GET);
    };
    let is_upper = text.get_ref().chars().all(|it| it.is_ascii_uppercase());
    let read = Method::from_bytes(text.get_ref().as_bytes()).ok();
    read.filter(|_| is_upper).ok_or_else(|| {
        let message = format!("{:?} is no method: GET, POST, …", text.get_ref());
        source.mistake(text.span().start, message)
    })
}

fn body(
    source: SourceFile<'_>,
    table: &RequestTable,
    patterns: Patterns<'_>,
) -> Result<Body, FileError> {
    match (&table.form, &table.json, &table.body) {
        (None, None, None) => Ok(Body::Nothing),
        (Some(form), None, None) => {
            let fields = form
                .iter()
                .map(|(name, value)| Ok((name.clone(), patterns.read(value)?)));
            Ok(Body::Form(fields.collect::<Result<_, _>>()?))
        }
        (None, Some(json), None) => {
            let at = json.span().start;
            Ok(Body::Json(Json::read(json.get_ref(), patterns, at)?))
        }
        (None, None, Some(text)) => Ok(Body::Text(patterns.read(text)?)),
        _ => {
            let message = "a request has one body: `form`, `json` or `body`";
            Err(source.mistake(table.path.span().start, message))
        }
    }
}

impl Json {
    fn read(value: &Value, patterns: Patterns<'_>, at: usize) -> Result<Self, FileError> {
        Ok(match value {
            Value::String(text) => {
                let pattern = Pattern::parse(text)
                    .map_err(|error| patterns.source.mistake(at, error.message))?;
                patterns.must_be_known(&pattern, at)?;
                Self::Text(pattern)
            }
            Value::Array(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::read(item, patterns, at))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), Self::read(value, patterns, at)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Plain(value.clone()),
        })
    }

    fn has_names(&self) -> bool {
        match self {
            Self::Text(pattern) => pattern.names().next().is_some(),
            Self::List(items) => items.iter().any(Self::has_names),
            Self::Object(fields) => fields.iter().any(|(_, it)| it.has_names()),
            Self::Plain(_) => false,
        }
    }

    fn filled(&self, values: Values<'_>) -> Result<Value, NoValue> {
        Ok(match self {
            Self::Text(pattern) => Value::String(pattern.fill(values)?),
            Self::List(items) => {
                let items = items.iter().map(|item| item.filled(values));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), value.filled(values)?)));
                Value::Object(fields.collect::<Result<_, NoValue>>()?)
            }
            Self::Plain(value) => value.clone(),
        })
    }
}
