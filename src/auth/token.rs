//! Tokens: what a browser or a script sends instead of a password.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

use crate::engine::Fault;

/// 256 random bits, in hexadecimal. A request that has them is its user's; the database has only
/// their hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Creates a token.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new() -> Result<Self, Fault> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Fault::other(error.to_string()))?;
        Ok(Self(hexadecimal(&random)))
    }

    /// A token as a request has it. It may belong to no user.
    pub fn shown(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token itself, for its user alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The hash, which the database has. It needs no salt, because 256 bits cannot be guessed. An
    /// index may find it, because the time that takes tells something about hashes and not about
    /// tokens.
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
