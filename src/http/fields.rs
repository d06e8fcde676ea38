//! The fields of a request's body. It is a form of either kind, as racy-django's clients send it,
//! or a JSON object.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderValue, header};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::problem::Problem;

/// The fields of a body, as text: a form's values, or the JSON text of an object's values. So a
/// number out of range can be named as it was sent.
#[derive(Debug, Default)]
pub(super) struct Fields {
    fields: BTreeMap<&'static str, String>,
    is_json: bool,
}

impl Fields {
    /// Reads the wanted fields from the body. Missing ones stay missing, others are ignored.
    ///
    /// # Errors
    /// 400 if the body cannot be read or has a field twice, 415 if it is of another type.
    pub(super) async fn read(
        request: Request,
        wanted: &'static [&'static str],
    ) -> Result<Self, Problem> {
        match content_type(&request)?.as_deref() {
            Some("application/x-www-form-urlencoded") => of_form(request, wanted).await,
            Some("multipart/form-data") => of_multipart(request, wanted).await,
            Some("application/json") => of_json(&body(request).await?, wanted),
            Some(other) => Err(Problem::unsupported_type(other)),
            // A request without a body has no type either. The complaint is about its missing
            // fields.
            None if body(request).await?.is_empty() => Ok(Self::default()),
            None => Err(Problem::unsupported_type("missing")),
        }
    }

    /// As [`read`](Self::read), but takes a JSON object only, because it has more than one level.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) async fn read_json(
        request: Request,
        wanted: &'static [&'static str],
    ) -> Result<Self, Problem> {
        match content_type(&request)?.as_deref() {
            Some("application/json") => of_json(&body(request).await?, wanted),
            Some(other) => Err(Problem::not_json(other)),
            None => Err(Problem::not_json("missing")),
        }
    }

    /// Takes a field's text. None if the field is missing.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.fields.remove(name)
    }

    /// Takes a field that is a text. None if the field is missing.
    ///
    /// # Errors
    /// 400 if it is another value of JSON.
    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let Some(given) = self.take(name) else {
            return Ok(None);
        };
        if !self.is_json {
            return Ok(Some(given));
        }
        serde_json::from_str(&given)
            .map(Some)
            .map_err(|_| Problem::invalid(format!("The field {name:?} is no text: {given}.")))
    }

    /// Keeps a field, unless it is there already.
    fn keep(&mut self, name: &'static str, text: String) -> Result<(), String> {
        match self.fields.insert(name, text) {
            None => Ok(()),
            Some(_earlier) => Err(format!("duplicate field `{name}`")),
        }
    }
}

/// The wanted field of this name.
fn known(name: &str, wanted: &'static [&'static str]) -> Option<&'static str> {
    wanted.iter().copied().find(|known| *known == name)
}

/// The media type in lower case and without its parameters.
fn content_type(request: &Request) -> Result<Option<String>, Problem> {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let Some(first) = types.next() else {
        return Ok(None);
    };
    if types.next().is_some() {
        return Err(Problem::unsupported_type("given twice"));
    }
    let text = first
        .to_str()
        .map_err(|_| Problem::unsupported_type("not text"))?;
    let essence = text.split(';').next().unwrap_or_default();
    Ok(Some(essence.trim().to_ascii_lowercase()))
}

async fn body(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &())
        .await
        .map_err(|rejection| Problem::invalid(rejection.body_text()))
}

async fn of_form(mut request: Request, wanted: &'static [&'static str]) -> Result<Fields, Problem> {
    let unreadable =
        |reason: String| Problem::invalid(format!("The form cannot be read: {reason}."));
    // The type is known by now. axum would check it again, and more strictly.
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, form);
    let Form(pairs) = Form::<Vec<(String, String)>>::from_request(request, &())
        .await
        .map_err(|rejection| unreadable(innermost(&rejection)))?;
    let mut fields = Fields::default();
    for (name, text) in pairs {
        if let Some(name) = known(&name, wanted) {
            fields.keep(name, text).map_err(unreadable)?;
        }
    }
    Ok(fields)
}

async fn of_multipart(
    request: Request,
    wanted: &'static [&'static str],
) -> Result<Fields, Problem> {
    let unreadable =
        |reason: String| Problem::invalid(format!("The multipart form cannot be read: {reason}."));
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|rejection| unreadable(rejection.body_text()))?;
    let mut fields = Fields::default();
    while let Some(part) = form
        .next_field()
        .await
        .map_err(|error| unreadable(error.body_text()))?
    {
        let Some(name) = part.name().and_then(|name| known(name, wanted)) else {
            continue;
        };
        let text = part
            .text()
            .await
            .map_err(|error| unreadable(error.body_text()))?;
        fields.keep(name, text).map_err(unreadable)?;
    }
    Ok(fields)
}

fn of_json(body: &[u8], wanted: &'static [&'static str]) -> Result<Fields, Problem> {
    // serde would call it a "sequence".
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::invalid(format!(
            "The JSON body is an array; send an object. Its fields: {}.",
            wanted.join(", ")
        )));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let fields = json.deserialize_map(JsonFields { wanted });
    fields
        .and_then(|fields| json.end().map(|()| fields))
        .map_err(|error| Problem::invalid(format!("The JSON object cannot be read: {error}.")))
}

/// Reads an object field by field.
struct JsonFields {
    wanted: &'static [&'static str],
}

impl<'de> Visitor<'de> for JsonFields {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the fields {}", self.wanted.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
        let mut fields = Fields {
            is_json: true,
            ..Fields::default()
        };
        while let Some((name, value)) = object.next_entry::<String, &'de RawValue>()? {
            let name = known(&name, self.wanted);
            // A field that is null counts as missing.
            if let Some(name) = name.filter(|_| value.get() != "null") {
                let text = value.get().to_owned();
                fields.keep(name, text).map_err(serde::de::Error::custom)?;
            }
        }
        Ok(fields)
    }
}

/// The innermost cause of an error. The causes around it speak of Rust and not of the request.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
