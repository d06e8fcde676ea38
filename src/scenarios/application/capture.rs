//! What is kept of an answer: `json:/order/id`, `header:Location`, `cookie:sessionid`, `regex:…`.

use regex_lite::Regex;
use reqwest::header::HeaderName;
use toml::Spanned;

use super::answered::Answered;
use crate::scenarios::place::{FileError, SourceFile};

/// One value of an answer.
#[derive(Debug)]
pub(super) enum Capture {
    /// The value at a JSON pointer in the body.
    Json(String),
    /// A header.
    Header(HeaderName),
    /// A cookie that is set now, by this answer or an earlier one.
    Cookie(String),
    /// The first group of a regular expression in the body.
    Regex(Box<Regex>),
}

impl Capture {
    /// What is kept of a program's output: no headers, and no cookies.
    pub(super) fn of_output(
        source: SourceFile<'_>,
        text: &Spanned<String>,
    ) -> Result<Self, FileError> {
        match Self::read(source, text)? {
            Self::Header(_) | Self::Cookie(_) => {
                let message = "an output has neither headers nor cookies: regex:… with one group, or \
                               json:/pointer";
                Err(source.mistake(text.span().start, message))
            }
            capture => Ok(capture),
        }
    }

    pub(super) fn read(source: SourceFile<'_>, text: &Spanned<String>) -> Result<Self, FileError> {
        let mistake = |message: String| source.mistake(text.span().start, message);
        let Some((kind, what)) = text.get_ref().split_once(':') else {
            return Err(mistake(unknown(text.get_ref())));
        };
        match kind {
            "json" if what.is_empty() || what.starts_with('/') => Ok(Self::Json(what.to_owned())),
            "json" => Err(mistake(format!(
                "{what:?} is no JSON pointer: it begins with a slash, e.g. json:/order/id"
            ))),
            "header" => HeaderName::try_from(what)
                .map(Self::Header)
                .map_err(|_| mistake(format!("{what:?} is no name of a header"))),
            "cookie" => Ok(Self::Cookie(what.to_owned())),
            "regex" => {
                let regex = Regex::new(what)
                    .map_err(|error| mistake(format!("{what:?} is no expression: {error}")))?;
                if regex.captures_len() != 2 {
                    return Err(mistake(
                        "a regular expression captures its one group: regex:value=\"([^\"]+)\""
                            .to_owned(),
                    ));
                }
                Ok(Self::Regex(Box::new(regex)))
            }
            _ => Err(mistake(unknown(text.get_ref()))),
        }
    }

    /// The value in this answer.
    ///
    /// # Errors
    /// What is not there, in words.
    pub(super) fn of(
        &self,
        answer: &Answered,
        cookie: impl Fn(&str) -> Option<String>,
    ) -> Result<String, String> {
        match self {
            Self::Json(_) | Self::Regex(_) => self.of_text(&answer.body),
            Self::Header(name) => {
                let value = answer.headers.get(name);
                let text = value.and_then(|it| it.to_str().ok());
                text.map(str::to_owned)
                    .ok_or_else(|| format!("the answer has no header {name}"))
            }
            Self::Cookie(name) => cookie(name).ok_or_else(|| format!("no cookie {name:?} is set")),
        }
    }

    /// The value in this text, which has neither headers nor cookies.
    ///
    /// # Errors
    /// What is not there, in words.
    pub(super) fn of_text(&self, text: &str) -> Result<String, String> {
        match self {
            Self::Json(pointer) => {
                let body: serde_json::Value = serde_json::from_str(text)
                    .map_err(|error| format!("the answer is no JSON: {error}"))?;
                match body.pointer(pointer) {
                    Some(serde_json::Value::String(text)) => Ok(text.clone()),
                    Some(value) => Ok(value.to_string()),
                    None => Err(format!("the answer has nothing at {pointer:?}")),
                }
            }
            Self::Regex(regex) => {
                let found = regex.captures(text);
                let group = found.and_then(|it| Some(it.get(1)?.as_str().to_owned()));
                group.ok_or_else(|| format!("nothing in the answer matches {}", regex.as_str()))
            }
            Self::Header(_) | Self::Cookie(_) => Err("a text has no headers".to_owned()),
        }
    }
}

fn unknown(text: &str) -> String {
    format!("{text:?} captures nothing: json:/pointer, header:NAME, cookie:NAME or regex:…")
}
