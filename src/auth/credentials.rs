//! What a user signs in with: a name and a password, as they come from outside.

use std::fmt;

/// A user's name: 1 to 150 letters, digits and `@.+-_`, as Django's admin takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    const LONGEST: usize = 150;

    /// Reads a name.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
        match text.chars().count() {
            0 => Err("the username is empty".to_owned()),
            length if length > Self::LONGEST => Err(format!(
                "the username has {length} characters; it may have at most {}",
                Self::LONGEST
            )),
            _ if !text.chars().all(allowed) => Err(
                "the username has characters other than letters, digits and @ . + - _".to_owned(),
            ),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password. It is never shown, not even for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Passwords that are guessed first, and some that look longer than they are.
const TRIVIAL: [&str; 20] = [
    "1234567890",
    "12345678910",
    "0123456789",
    "9876543210",
    "qwertyuiop",
    "qwerty12345",
    "qwertz12345",
    "password12",
    "password123",
    "password1234",
    "passw0rd123",
    "administrator",
    "letmein123",
    "iloveyou123",
    "welcome123",
    "changeme123",
    "superuser123",
    "racecondition",
    "correcthorse",
    "abcdefghij",
];

impl Password {
    /// Shorter passwords are guessed too quickly.
    const SHORTEST: usize = 10;

    /// Longer passwords only keep the processor busy.
    const LONGEST: usize = 1000;

    /// A password as it was typed to sign in. An impossible one is as wrong as any other.
    pub fn typed(text: String) -> Self {
        Self(text)
    }

    /// A password for a new user. With `weak` it may be easy to guess, but not empty.
    ///
    /// # Errors
    /// A sentence that says why it would be guessed too easily.
    pub fn chosen(text: String, username: &Username, weak: bool) -> Result<Self, String> {
        let length = text.chars().count();
        if length == 0 {
            return Err("the password is empty".to_owned());
        }
        if length > Self::LONGEST {
            return Err(format!(
                "the password has {length} characters; it may have at most {}",
                Self::LONGEST
            ));
        }
        match Self::weakness(&text, username).filter(|_| !weak) {
            Some(weakness) => Err(format!(
                "the password {weakness}; --allow-weak takes it nevertheless"
            )),
            None => Ok(Self(text)),
        }
    }

    fn weakness(text: &str, username: &Username) -> Option<String> {
        let lower = text.to_lowercase();
        let name = username.as_str().to_lowercase();
        let mut letters: Vec<_> = lower.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        if text.chars().count() < Self::SHORTEST {
            Some(format!("has fewer than {} characters", Self::SHORTEST))
        } else if text.chars().all(|c| c.is_ascii_digit()) {
            Some("is nothing but digits".to_owned())
        } else if letters.len() < 5 {
            Some("has fewer than five different characters".to_owned())
        } else if TRIVIAL.contains(&lower.as_str()) {
            Some("is one that is guessed first".to_owned())
        } else if name.chars().count() > 3 && lower.contains(&name) {
            Some("contains the username".to_owned())
        } else {
            None
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<Password, String> {
        let ada = Username::parse("ada.lovelace").unwrap();
        Password::chosen(text.to_owned(), &ada, false)
    }

    #[test]
    fn a_name_is_letters_digits_and_a_few_signs() {
        for name in ["ada", "Ada.Lovelace@bank", "žofie_1", "a+b-c"] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
        for (name, complaint) in [
            ("", "empty"),
            ("a b", "other than letters"),
            ("<script>", "other than letters"),
            ("' OR 1=1 --", "other than letters"),
            (&"a".repeat(151), "151 characters"),
        ] {
            assert!(
                Username::parse(name).unwrap_err().contains(complaint),
                "{name}"
            );
        }
    }

    #[test]
    fn a_trivial_password_is_refused_and_the_reason_told() {
        for (password, complaint) in [
            ("", "empty"),
            ("short", "fewer than 10"),
            ("73019264850183", "nothing but digits"),
            ("aaaaaaaaaaab", "different characters"),
            ("Password123", "guessed first"),
            ("xAda.Lovelace1", "contains the username"),
        ] {
            assert!(
                chosen(password).unwrap_err().contains(complaint),
                "{password}"
            );
        }
        assert!(chosen("a grain of salt").is_ok());
        let ada = Username::parse("ada").unwrap();
        assert!(Password::chosen("short".to_owned(), &ada, true).is_ok());
        assert!(Password::chosen(String::new(), &ada, true).is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let password = chosen("a grain of salt").unwrap();
        assert!(!format!("{password:?}").contains("salt"));
    }
}
