//! How far the answer to a command is.

/// How far an answer is whose end is such an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress<O> {
    /// The server sends more.
    GoesOn,
    /// The client sends data now: the file of LOAD DATA LOCAL, or the rows of a COPY. The server
    /// answers after their end.
    AwaitsClient,
    /// The answer is complete.
    Done(O),
    /// It is no part of an answer: the client may have it at once. Only PostgreSQL sends such ones.
    Unasked,
    /// Nothing can be said of this connection any more. It says why.
    NotUnderstood(String),
}
