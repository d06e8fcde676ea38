//! Compares every answer of every test with the service's own description.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use serde_json::{Map, Value};

/// Fails at an answer that is not as it is described.
pub fn checked(router: Router) -> Router {
    router.layer(middleware::from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    let method = request.method().as_str().to_lowercase();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some((template, operation)) = operation(&method, &path) else {
        return response;
    };
    let (parts, body) = response.into_parts();
    let content_type = content_type(&parts.headers);
    // A page for people is not described.
    if content_type.starts_with("text/html") {
        return Response::from_parts(parts, body);
    }
    // A file may be long, and may break off.
    let (body, text) = if content_type.contains("json") {
        let text = to_bytes(body, usize::MAX).await.unwrap();
        (Body::from(text.clone()), Some(text))
    } else {
        (body, None)
    };
    let described = &operation["responses"][parts.status.as_str()];
    if let Err(wrong) = fits(described, &content_type, &parts.headers, text) {
        panic!("{method} {template} ({path}), {}: {wrong}", parts.status);
    }
    Response::from_parts(parts, body)
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

fn fits(
    described: &Value,
    content_type: &str,
    headers: &HeaderMap,
    text: Option<Bytes>,
) -> Result<(), String> {
    if described.is_null() {
        return Err("this status is not described".to_owned());
    }
    let content = described["content"].as_object();
    if content.is_none() && content_type.is_empty() {
        return Ok(());
    }
    let schema = content.and_then(|types| types.get(content_type));
    let schema = schema.ok_or_else(|| format!("{content_type:?} is not described"))?;
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let is_optional = may_be_null(&header["schema"]);
        if !is_optional && !headers.contains_key(name.as_str()) {
            return Err(format!("the header {name} is missing"));
        }
    }
    match text {
        None => Ok(()),
        Some(text) => {
            let value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
            has_schema(&schema["schema"], &value).map_err(|wrong| format!("{wrong}: {value}"))
        }
    }
}

fn may_be_null(schema: &Value) -> bool {
    let types = schema["type"].as_array();
    types.is_some_and(|types| types.iter().any(|one| one == "null"))
}

/// The document, as the service serves it.
pub fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    DESCRIPTION.get_or_init(|| serde_json::to_value(racy::http::description()).unwrap())
}

/// The described operation that a request meets, and its path; of several the one with the longest
/// words of its own.
pub fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = description()["paths"].as_object().unwrap();
    let found = paths.iter().filter(|(template, operations)| {
        operations.get(method).is_some() && matches(template, path)
    });
    let found = found.max_by_key(|(template, _)| template.split('{').next().map(str::len));
    found.map(|(template, operations)| (template.as_str(), &operations[method]))
}

/// A path may end with a slash or not.
fn matches(template: &str, path: &str) -> bool {
    let parts = |path: &'_ str| -> Vec<String> {
        let path = path.trim_end_matches('/');
        path.split('/').map(str::to_owned).collect()
    };
    let (template, path) = (parts(template), parts(path));
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(part, given)| part == given || fills(part, given))
}

/// Whether a part of a path fills a place in a template, such as `{id}` or `{id}.json`.
fn fills(place: &str, given: &str) -> bool {
    let suffix = place.strip_prefix('{').and_then(|it| it.split_once('}'));
    suffix.is_some_and(|(_, suffix)| given.len() > suffix.len() && given.ends_with(suffix))
}

fn resolved(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        None => schema,
        Some(pointer) => {
            let target = description().pointer(pointer.trim_start_matches('#'));
            resolved(target.unwrap_or_else(|| panic!("{pointer} leads nowhere")))
        }
    }
}

/// Whether a value has the schema with this name in the description.
pub fn has_schema_named(name: &str, value: &Value) -> Result<(), String> {
    let reference = format!("#/components/schemas/{name}");
    has_schema(&serde_json::json!({ "$ref": reference }), value)
}

/// Whether a value has this schema. Knows as much of JSON Schema as the description uses, and takes
/// no field that is not described.
fn has_schema(schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolved(schema);
    let says_nothing = schema
        .as_object()
        .is_some_and(|it| it.keys().all(|key| key == "description"));
    if says_nothing {
        return Ok(());
    }
    for ways in ["oneOf", "anyOf"] {
        if let Some(ways) = schema[ways].as_array() {
            let tried: Vec<_> = ways.iter().map(|way| has_schema(way, value)).collect();
            return match tried.iter().any(Result::is_ok) {
                true => Ok(()),
                false => Err(format!("fits none: {tried:?}")),
            };
        }
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return match allowed.contains(value) {
            true => Ok(()),
            false => Err(format!("{value} is none of {allowed:?}")),
        };
    }
    has_type(schema, value)?;
    match value {
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| has_schema(&schema["items"], item)),
        Value::Object(fields) => has_fields(schema, fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn has_type(schema: &Value, value: &Value) -> Result<(), String> {
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().collect(),
        Value::Null => return Ok(()),
        one => vec![one],
    };
    let is = |one: &Value| match one.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        // Wider ones than a program's are read as floating point.
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("the type {other}"),
    };
    match types.into_iter().any(is) {
        true => Ok(()),
        false => Err(format!("{value} is not of type {}", schema["type"])),
    }
}

fn has_fields(schema: &Value, fields: &Map<String, Value>) -> Result<(), String> {
    let mut described = Described::default();
    described.gather(schema, fields);
    if let Some(missing) = described
        .required
        .iter()
        .find(|name| !fields.contains_key(**name))
    {
        return Err(format!("the field {missing} is missing"));
    }
    for (name, value) in fields {
        let schema = described.properties.get(name.as_str()).copied();
        let schema = schema.or(described.others);
        let schema = schema.ok_or_else(|| format!("the field {name} is not described"))?;
        has_schema(schema, value).map_err(|wrong| format!("{name}: {wrong}"))?;
    }
    Ok(())
}

/// The fields of an object, of which parts may be described elsewhere.
#[derive(Default)]
struct Described<'s> {
    properties: BTreeMap<&'s str, &'s Value>,
    required: Vec<&'s str>,
    others: Option<&'s Value>,
}

impl<'s> Described<'s> {
    fn gather(&mut self, schema: &'s Value, fields: &Map<String, Value>) {
        let schema = resolved(schema);
        // Of several alternatives, the one that the value can be seen to be.
        for way in schema["oneOf"].as_array().into_iter().flatten() {
            let properties = resolved(way)["properties"].as_object();
            let is_this = |(name, schema): (&String, &Value)| {
                let value = fields.get(name);
                value.is_some_and(|value| has_schema(schema, value).is_ok())
            };
            if properties.is_some_and(|it| it.iter().all(is_this)) {
                self.gather(way, fields);
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(part, fields);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.properties.insert(name, property);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str));
        self.others = self.others.or(schema.get("additionalProperties"));
    }
}
