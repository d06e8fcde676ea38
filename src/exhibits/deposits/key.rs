//! A client's own name for a deposit: the value of the header `Idempotency-Key`.
//! [`keys`](super::keys) says what it is used for.

use std::fmt;
use std::str::FromStr;

/// A client's name for a deposit that it may send again: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

/// The complaint about a text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 1 to 255 visible ASCII characters, in double quotes or without them")
    }
}

impl std::error::Error for InvalidKey {}

impl Key {
    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    /// Reads a header's value. The IETF's draft has a string in double quotes, in which `"` and `\`
    /// are escaped by a backslash. Many clients send the bare key. Both forms name the same key.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let key = match text.strip_prefix('"') {
            Some(rest) => unquoted(rest).ok_or(InvalidKey)?,
            None => text.to_owned(),
        };
        let is_allowed = key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_allowed && (1..=255).contains(&key.len()) {
            Ok(Self(key))
        } else {
            Err(InvalidKey)
        }
    }
}

/// The text before the closing quote. None if the text does not end with that quote.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(key),
            '\\' => key.push(chars.next().filter(|it| matches!(it, '"' | '\\'))?),
            other => key.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_quotes_and_without() {
        let key = |text: &str| text.parse::<Key>().map(|key| key.0);
        for text in ["8e03978e-40d5", "\"8e03978e-40d5\""] {
            assert_eq!(key(text), Ok("8e03978e-40d5".to_owned()));
        }
        assert_eq!(key(r#""a\"b\\c""#), Ok(r#"a"b\c"#.to_owned()));
        assert_eq!(key(&"k".repeat(255)).map(|it| it.len()), Ok(255));
        for text in [
            "", "\"\"", "\"", "\"open", "\"a\"b", r#""a\b""#, "a b", "\"a b\"", "ä", "a\tb",
        ] {
            assert_eq!(key(text), Err(InvalidKey), "{text:?}");
        }
        assert_eq!(key(&"k".repeat(256)), Err(InvalidKey));
    }
}
