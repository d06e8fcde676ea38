//! Where a recording cannot be right, or rests on a guess.

/// One of these places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    /// How certain it is.
    pub(super) kind: DoubtKind,
    /// The statement that it concerns, by its place among those of the client. None if it concerns
    /// all of them.
    pub(super) line: Option<usize>,
    /// What it is, in words that go on after the kind's.
    pub(super) words: String,
}

/// How certain a doubt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DoubtKind {
    /// The file has to be edited before it can be explored.
    CannotRun,
    /// The application would do something else in another order.
    CannotBeRight,
    /// It may be so, and one recording does not tell.
    Guess,
    /// Only somebody who knows the application can tell.
    Question,
    /// It is so, and should be known.
    Note,
}

impl Doubt {
    pub(super) fn new(kind: DoubtKind, line: Option<usize>, words: impl Into<String>) -> Self {
        Self {
            kind,
            line,
            words: words.into(),
        }
    }

    /// The whole sentence.
    pub(super) fn sentence(&self) -> String {
        let begin = match self.kind {
            DoubtKind::CannotRun => "cannot run: ",
            DoubtKind::CannotBeRight => "cannot be right: ",
            DoubtKind::Guess => "a guess: ",
            DoubtKind::Question => "a question: ",
            DoubtKind::Note => "",
        };
        format!("{begin}{}", self.words)
    }
}
