//! The messages of a client whose authentication is over.

use std::sync::Arc;

use super::bytes::{Bytes, NotUnderstood};
use super::message::Message;
use super::shown::shortened;
use super::values::Formats;

/// A statement's text is cut after this number of bytes.
pub(super) const MOST_TEXT: usize = 64 * 1024;

/// A prepared statement or a portal, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// What a client asks for. A message that cannot be read is read as an empty one of its kind: the
/// server refuses it, so that its meaning does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request<'a> {
    Query {
        text: Arc<str>,
    },
    Parse {
        name: String,
        text: Arc<str>,
        /// The types of the first arguments. 0 if the server is to find out.
        types: Vec<u32>,
    },
    Bind(Bind<'a>),
    Describe(Target),
    Close(Target),
    Execute {
        portal: String,
    },
    Sync,
    Flush,
    Function {
        oid: u32,
    },
    Terminate,
    /// Data, or the end, of a COPY that is over. The server ignores it. Or the rest of a message
    /// that the server has refused.
    LateData,
    /// What cannot be understood. It says why.
    Unknown(String),
}

/// A portal: a statement with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bind<'a> {
    pub(super) portal: String,
    pub(super) statement: String,
    /// Empty if they cannot be read.
    pub(super) arguments: Vec<Option<&'a [u8]>>,
    pub(super) argument_formats: Formats,
    pub(super) result_formats: Formats,
}

/// Reads a whole message. One that is too long to be held whole was joined again.
pub(super) fn read(message: &Message) -> Request<'_> {
    if message.is_broken() {
        return Request::Unknown("a message of the client has no length".to_owned());
    }
    let mut body = Bytes::new(message.body());
    match message.tag {
        _ if message.continues => Request::LateData,
        b'Q' => Request::Query {
            text: shortened(body.text(), MOST_TEXT).into(),
        },
        b'P' => Request::Parse {
            name: body.name().unwrap_or_default(),
            text: shortened(body.text(), MOST_TEXT).into(),
            types: body.counted(Bytes::u32).unwrap_or_default(),
        },
        b'B' => Request::Bind(bind(body).unwrap_or_default()),
        b'D' => Request::Describe(target(body)),
        b'C' => Request::Close(target(body)),
        b'E' => Request::Execute {
            portal: body.name().unwrap_or_default(),
        },
        b'S' => Request::Sync,
        b'H' => Request::Flush,
        b'F' => Request::Function {
            oid: body.u32().unwrap_or_default(),
        },
        b'X' => Request::Terminate,
        b'd' | b'c' | b'f' => Request::LateData,
        other => Request::Unknown(format!("a client sends no message 0x{other:02X}")),
    }
}

fn bind(mut body: Bytes<'_>) -> Result<Bind<'_>, NotUnderstood> {
    let mut bind = Bind {
        portal: body.name()?,
        statement: body.name()?,
        argument_formats: Formats(body.counted(Bytes::u16)?),
        ..Bind::default()
    };
    if let Ok(arguments) = body.counted(Bytes::sized) {
        bind.arguments = arguments;
        bind.result_formats = Formats(body.counted(Bytes::u16).unwrap_or_default());
    }
    Ok(bind)
}

fn target(mut body: Bytes<'_>) -> Target {
    let is_portal = body.u8() == Ok(b'P');
    let name = body.name().unwrap_or_default();
    if is_portal {
        Target::Portal(name)
    } else {
        Target::Statement(name)
    }
}
