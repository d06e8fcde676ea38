//! Tokens: what a browser or a script holds instead of a password.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

use crate::engine::Fault;

/// 256 random bits, in hexadecimal. Whoever has it is signed in; the database has only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub(super) fn new() -> Result<Self, Fault> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Fault::other(error.to_string()))?;
        Ok(Self(hexadecimal(&random)))
    }

    /// One that somebody has shown. It may be none of ours.
    pub fn shown(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token itself, for the one it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the database knows it by. No salt, because nobody guesses 256 bits; and found by an index,
    /// because how long that takes says something of hashes, not of tokens.
    pub(super) fn hash(&self) -> String {
        hexadecimal(&Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_kept_as_hashes() {
        let (one, two) = (Token::new().unwrap(), Token::new().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.reveal().len(), 64);
        assert_eq!(Token::shown(one.reveal()).hash(), one.hash());
        assert_ne!(one.hash(), one.reveal());
        assert!(!format!("{one:?}").contains(one.reveal()));
        // FIPS 180-2's example.
        let abc = Token::shown("abc").hash();
        assert!(abc.starts_with("ba7816bf8f01cfea"), "{abc}");
    }
}
