//! The text for one engine, and mistakes in it.

use toml::Spanned;

use super::by_engine::{EngineName, Texts};
use super::place::{FileError, Position, SourceFile};
use super::script::ScriptError;

/// The text for an engine, which must be there.
pub(super) fn text_on(
    source: SourceFile<'_>,
    texts: &Spanned<Texts>,
    engine: EngineName,
    key: &str,
) -> Result<Spanned<String>, FileError> {
    let text = texts.get_ref().on(engine, &texts.span());
    text.ok_or_else(|| {
        let name = engine.name();
        let message = format!(
            "there is no `{key}` for {name}: add `{key}.{name}` or `{key}.default`, or list in \
             `engines` those on which the scenario makes sense"
        );
        source.mistake(texts.span().start, message)
    })
}

/// A mistake that the reader of SQL has found in a text, at its place in the file.
pub(super) fn mistake_in_text(
    source: SourceFile<'_>,
    text: &Spanned<String>,
    engine: EngineName,
    texts: &Spanned<Texts>,
    error: &ScriptError,
) -> FileError {
    let within = Position {
        line: error.line,
        column: error.column,
    };
    let others = match texts.get_ref() {
        Texts::Same(_) => format!(" (as {} reads it)", engine.name()),
        Texts::ByEngine(_) => String::new(),
    };
    source.mistake_within(&text.span(), within, format!("{}{others}", error.message))
}
