//! What stands behind a meta-command's name, up to the end of its line.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use super::error::ScriptError;
use super::lexer::Lexer;
use super::template::{Part, Spelling};

/// One argument, with its quotes and escapes undone.
#[derive(Debug)]
pub(super) struct Argument {
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
    pub(super) parts: Vec<Part>,
    pub(super) is_quoted: bool,
}

impl Argument {
    /// Its text, if there is no variable in it.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn push(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }
}

/// Reads the arguments up to the end of the line, or to a backslash, which begins the next command.
/// As in psql, `\\` only ends them. Other than in psql, a comment behind them is one.
pub(super) fn read_arguments(
    lexer: &mut Lexer<'_>,
    takes_values: bool,
) -> Result<Vec<Argument>, ScriptError> {
    let mut arguments = Vec::new();
    loop {
        skip_spaces(lexer);
        let rest = lexer.rest();
        if rest.is_empty() || rest.starts_with('\n') {
            return Ok(arguments);
        }
        if rest.starts_with('\\') {
            if rest.starts_with(r"\\") {
                lexer.at += r"\\".len();
            }
            return Ok(arguments);
        }
        if let Some(after) = rest.strip_prefix("--")
            && (after.is_empty() || after.starts_with(char::is_whitespace))
        {
            if takes_values {
                return Err(lexer.error(
                    "a comment behind \\set would be part of the value; it belongs on a line of \
                     its own (in quotes, '--' is a value)",
                ));
            }
            lexer.at += rest.find('\n').unwrap_or(rest.len());
            return Ok(arguments);
        }
        arguments.push(read_argument(lexer)?);
    }
}

fn skip_spaces(lexer: &mut Lexer<'_>) {
    let rest = lexer.rest();
    let spaces = rest.find(|it: char| it == '\n' || !it.is_whitespace());
    lexer.at += spaces.unwrap_or(rest.len());
}

fn read_argument(lexer: &mut Lexer<'_>) -> Result<Argument, ScriptError> {
    let mut argument = Argument {
        range: lexer.at..lexer.at,
        parts: Vec::new(),
        is_quoted: false,
    };
    while let Some(next) = lexer.rest().chars().next() {
        match next {
            '\\' => break,
            _ if next.is_whitespace() => break,
            '\'' => {
                argument.is_quoted = true;
                argument.push(&read_quoted(lexer)?);
            }
            '"' => {
                return Err(lexer.error(
                    "a value stands in single quotes: 'value'; psql takes double quotes as a part \
                     of it",
                ));
            }
            '`' => {
                return Err(lexer.error(
                    "psql would run a program here, Racy does not; a value stands in single \
                     quotes: 'value'",
                ));
            }
            ';' if is_line_end(&lexer.rest()[1..]) => {
                return Err(lexer.error(
                    "a meta-command ends with its line, without a ; (in quotes, ';' is a value)",
                ));
            }
            ':' => read_colon(lexer, &mut argument)?,
            _ => {
                argument.push(next.encode_utf8(&mut [0; 4]));
                lexer.at += next.len_utf8();
            }
        }
    }
    argument.range.end = lexer.at;
    Ok(argument)
}

fn is_line_end(rest: &str) -> bool {
    let line = rest.split('\n').next().unwrap_or("");
    line.trim().is_empty()
}

fn read_colon(lexer: &mut Lexer<'_>, argument: &mut Argument) -> Result<(), ScriptError> {
    let rest = lexer.rest();
    let colons = rest.find(|it| it != ':').unwrap_or(rest.len());
    let place = if colons == 1 { lexer.variable()? } else { None };
    let Some(place) = place else {
        argument.push(&rest[..colons]);
        lexer.at += colons;
        return Ok(());
    };
    match place.spelling {
        Spelling::Typed | Spelling::Test => {
            lexer.at = place.range.end;
            argument.parts.push(Part::Variable(place));
            Ok(())
        }
        Spelling::Quoted | Spelling::Name => Err(lexer.error(format!(
            "quotes around a variable belong to SQL; a meta-command takes its value: `:{}`",
            place.name
        ))),
    }
}

/// Reads `'…'`. A doubled quote is one, and a backslash begins an escape as in C.
fn read_quoted(lexer: &mut Lexer<'_>) -> Result<String, ScriptError> {
    let inside = lexer.at + 1;
    let text = lexer.text;
    let mut value = String::new();
    let mut characters = text[inside..].char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\n' => break,
            '\'' if characters.next_if(|(_, next)| *next == '\'').is_none() => {
                lexer.at = inside + at + 1;
                return Ok(value);
            }
            '\\' => match read_escape(&mut characters) {
                Some(escaped) => value.push(escaped),
                None => {
                    return Err(ScriptError::at(
                        text,
                        inside + at,
                        "the escape that begins here is none: \\n, \\t, \\r, \\b, \\f, \\', \\\\, \
                         \\x41 and \\101 are, up to \\x7f and without \\0",
                    ));
                }
            },
            _ => value.push(character),
        }
    }
    Err(lexer.error(
        "the value that begins here has no end on its line: ' is missing; a quote within is \
         doubled: ''",
    ))
}

/// The character for which the escape stands, whose backslash was read.
fn read_escape(characters: &mut Peekable<CharIndices<'_>>) -> Option<char> {
    let (_, first) = characters.next()?;
    match first {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'x' => read_code(characters, 16, 2, 0),
        '0'..='7' => read_code(characters, 8, 2, first.to_digit(8)?),
        '\n' => None,
        other => Some(other),
    }
}

/// A character by its number, of which `code` was read. Beyond ASCII it would be half a character.
fn read_code(
    characters: &mut Peekable<CharIndices<'_>>,
    base: u32,
    most: usize,
    mut code: u32,
) -> Option<char> {
    for _ in 0..most {
        let Some((_, digit)) = characters.next_if(|(_, it)| it.is_digit(base)) else {
            break;
        };
        code = code * base + digit.to_digit(base)?;
    }
    char::from_u32(code).filter(|it| it.is_ascii() && *it != '\0')
}
