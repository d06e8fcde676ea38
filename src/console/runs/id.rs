//! The name of a record in URLs.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::engine::Fault;

/// The name of a record: 130 random bits, so that a visitor reaches only the records whose link is
/// known to them.
///
/// The page with the form draws it. So a form that is sent twice names one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordId(String);

/// Letters and digits that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

const LENGTH: usize = 26;

impl RecordId {
    /// Draws a name.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn draw() -> Result<Self, Fault> {
        let mut random = [0; LENGTH];
        getrandom::fill(&mut random).map_err(|error| Fault::other(error.to_string()))?;
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        Ok(Self(random.iter().map(letter).collect()))
    }

    /// The name that follows from this one: that of a second run, which one form starts.
    #[must_use]
    pub fn next(&self) -> Self {
        let hash = Sha256::digest(&self.0);
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        Self(hash.iter().take(LENGTH).map(letter).collect())
    }

    /// The name of what a form asks for that was drawn this name. The same texts have the same
    /// name. So a form that is sent twice starts one run, and a form that was changed another.
    #[must_use]
    pub fn with<'t>(&self, texts: impl Iterator<Item = (&'t str, &'t str)>) -> Self {
        let mut hash = Sha256::new_with_prefix(&self.0);
        for text in texts.flat_map(|(name, text)| [name, text]) {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        Self(hash.finalize().iter().take(LENGTH).map(letter).collect())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RecordId {
    type Err = &'static str;

    /// Takes the names that [`draw`](Self::draw) makes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then(|| Self(text.to_owned()))
            .ok_or("the id that came with the form: 26 letters and digits")
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_id_is_the_same_each_time() {
        let one = RecordId::draw().unwrap();
        assert_ne!(one.next(), one);
        assert_eq!(one.next(), one.next());
        assert_eq!(one.next().as_str().parse(), Ok(one.next()));
    }

    #[test]
    fn a_drawn_id_is_read_again_and_no_other_text_is() {
        let (one, two) = (RecordId::draw().unwrap(), RecordId::draw().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.as_str().parse(), Ok(one.clone()));
        for wrong in [
            "",
            "x",
            "../../etc",
            &one.as_str().to_uppercase(),
            &format!("{one}a"),
        ] {
            assert!(wrong.parse::<RecordId>().is_err(), "{wrong:?}");
        }
    }
}
