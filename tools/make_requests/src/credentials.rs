//! Passwords stay out of complaints about the command line.

use clap::error::{ContextKind, ContextValue};

/// A complaint about the command line, without users and passwords.
///
/// clap shows each argument that it does not understand, and such an argument may be a URL with a
/// password.
#[must_use]
pub fn without_credentials(mut error: clap::Error) -> clap::Error {
    let hidden: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(hidden(text)?))),
            ContextValue::Strings(texts) if texts.iter().any(|it| hidden(it).is_some()) => {
                let texts = texts.iter();
                let texts = texts.map(|it| hidden(it).unwrap_or_else(|| it.clone()));
                Some((kind, ContextValue::Strings(texts.collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in hidden {
        error.insert(kind, value);
    }
    error
}

/// What is shown of a text that may have a password. None if it cannot have one.
fn hidden(text: &str) -> Option<String> {
    match text.split_once("://") {
        Some((scheme, _)) => Some(format!("{scheme}://…")),
        None => text.contains('@').then(|| "…".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn no_complaint_shows_a_password() {
        let command = Command::new("x")
            .arg(Arg::new("url").long("url").value_parser(["a", "b"]))
            .arg(
                Arg::new("number")
                    .long("number")
                    .value_parser(clap::value_parser!(u16)),
            );
        for arguments in [
            ["x", "--url", "mysql://u:secret@h/db"],
            ["x", "--number", "u:secret@h"],
            ["x", "--url=a", "http://u:secret@h"],
            ["x", "--url=a", "--urls=mysql://u:secret@h"],
        ] {
            let error = command.clone().try_get_matches_from(arguments).unwrap_err();
            let said = without_credentials(error).render().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
