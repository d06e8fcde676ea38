//! The commands of a client.

use std::sync::Arc;

use super::arguments::{count_of_bulk, of_execute, text_after_attributes};
use super::bytes::Bytes;
use super::capabilities::Capabilities;
use super::prepared::PreparedStatements;
use crate::answer::Datum;
use crate::proxy::shown::{MOST_TEXT, shortened};

/// One command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Command {
    /// What it asks for.
    pub(in crate::proxy) kind: CommandKind,
    /// What the server sends.
    pub(in crate::proxy) answered: Answered,
}

/// What a server sends to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Answered {
    /// Nothing. The next command follows at once.
    Never,
    /// One answer, of one or more packets.
    Once,
    /// What it sends to a new client: both sides may send until the authentication is over.
    Authentication,
    /// A stream that has no end. Nothing can be said of this connection any more.
    Endless,
}

/// What a client asks for.
///
/// `text` is `None` if the statement was not prepared on this connection. A text that is not UTF-8
/// has replacement characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum CommandKind {
    /// Run one or more statements.
    Query {
        /// The statements, without the attributes of the query.
        text: String,
    },
    /// Prepare a statement.
    Prepare {
        /// The statement.
        text: String,
    },
    /// Execute a prepared statement.
    Execute {
        /// The statement.
        text: Option<Arc<str>>,
        /// Its arguments. Empty if they cannot be read: then the server refuses them too.
        arguments: Vec<Datum>,
        /// Whether the rows are to wait for FETCH.
        opens_cursor: bool,
    },
    /// MariaDB: execute a prepared statement once for each row of arguments.
    Bulk {
        /// The statement.
        text: Option<Arc<str>>,
        /// How many rows of arguments there are. `None` if they cannot be read.
        rows: Option<usize>,
    },
    /// Return the next rows of a cursor.
    Fetch {
        /// The statement that opened the cursor.
        text: Option<Arc<str>>,
    },
    /// Forget a prepared statement.
    CloseStatement,
    /// Forget a prepared statement's cursor and long arguments.
    ResetStatement,
    /// Keep a part of an argument for a prepared statement.
    LongData,
    /// Use this database.
    InitDb(String),
    /// Answer.
    Ping,
    /// End the connection.
    Quit,
    /// Begin a new session on this connection.
    ResetConnection,
    /// Begin a new session as another user.
    ChangeUser,
    /// Allow or refuse several statements in one query.
    SetOption,
    /// Define the columns of a table.
    FieldList,
    /// Describe the server in one line.
    Statistics,
    /// Write to the server's log.
    Debug,
    /// List the connections.
    ProcessList,
    /// End another connection.
    ProcessKill,
    /// Flush caches or logs.
    Refresh,
    /// Stop the server.
    Shutdown,
    /// Send the binary log or a copy of the data.
    Replication,
    /// A command that this module has no name for: its first byte.
    Unknown(u8),
}

/// The shape of an answer. It tells where the answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AnswerShape {
    Nothing,
    Ok,
    /// An OK packet. Then nothing is prepared any more.
    Reset,
    /// An ERR packet. Anything else is not understood.
    Error,
    OneText,
    Definitions,
    TextResults,
    BinaryResults {
        id: u32,
        opens_cursor: bool,
    },
    Fetched {
        id: u32,
    },
    Preparation {
        text: Arc<str>,
    },
    Authentication,
    Endless,
}

impl AnswerShape {
    pub(super) fn answered(&self) -> Answered {
        match self {
            Self::Nothing => Answered::Never,
            Self::Authentication => Answered::Authentication,
            Self::Endless => Answered::Endless,
            Self::Ok
            | Self::Reset
            | Self::Error
            | Self::OneText
            | Self::Definitions
            | Self::TextResults
            | Self::BinaryResults { .. }
            | Self::Fetched { .. }
            | Self::Preparation { .. } => Answered::Once,
        }
    }
}

/// Reads a command, and keeps what later ones leave out.
pub(super) fn read(
    payload: &[u8],
    agreed: Capabilities,
    prepared: &mut PreparedStatements,
) -> (CommandKind, AnswerShape) {
    // The server takes an empty command for its first one, which it refuses.
    let (byte, rest) = payload.split_first().unwrap_or((&0, &[]));
    let text = || shortened(rest, MOST_TEXT);
    match byte {
        0x01 => (CommandKind::Quit, AnswerShape::Nothing),
        0x02 => (CommandKind::InitDb(text()), AnswerShape::Ok),
        0x03 => (query(rest, agreed), AnswerShape::TextResults),
        0x04 => (CommandKind::FieldList, AnswerShape::Definitions),
        0x07 => (CommandKind::Refresh, AnswerShape::Ok),
        0x08 => (CommandKind::Shutdown, AnswerShape::Ok),
        0x09 => (CommandKind::Statistics, AnswerShape::OneText),
        0x0A => (CommandKind::ProcessList, AnswerShape::TextResults),
        0x0C => (CommandKind::ProcessKill, AnswerShape::Ok),
        0x0D => (CommandKind::Debug, AnswerShape::Ok),
        0x0E => (CommandKind::Ping, AnswerShape::Ok),
        0x11 => (CommandKind::ChangeUser, AnswerShape::Authentication),
        // BINLOG_DUMP, TABLE_DUMP, BINLOG_DUMP_GTID, CLONE and the stream of a group.
        0x12 | 0x13 | 0x1E | 0x20 | 0x22 => (CommandKind::Replication, AnswerShape::Endless),
        // REGISTER_SLAVE.
        0x15 => (CommandKind::Replication, AnswerShape::Ok),
        0x16 => preparation(text()),
        0x17 => execution(rest, agreed, prepared),
        0x18 => long_data(rest, prepared),
        0x19 => close(rest, prepared),
        0x1A => reset(rest, prepared),
        0x1B => (CommandKind::SetOption, AnswerShape::Ok),
        0x1C => fetch(rest, prepared),
        0x1F => (CommandKind::ResetConnection, AnswerShape::Reset),
        0xFA => bulk(rest, prepared),
        unknown => (CommandKind::Unknown(*unknown), AnswerShape::Error),
    }
}

fn query(rest: &[u8], agreed: Capabilities) -> CommandKind {
    let text = if agreed.has(Capabilities::QUERY_ATTRIBUTES) {
        // The server refuses a query whose attributes cannot be read.
        text_after_attributes(rest).unwrap_or(rest)
    } else {
        rest
    };
    CommandKind::Query {
        text: shortened(text, MOST_TEXT),
    }
}

fn preparation(text: String) -> (CommandKind, AnswerShape) {
    let expected = AnswerShape::Preparation {
        text: text.as_str().into(),
    };
    (CommandKind::Prepare { text }, expected)
}

fn execution(
    rest: &[u8],
    agreed: Capabilities,
    prepared: &mut PreparedStatements,
) -> (CommandKind, AnswerShape) {
    /// The flags of EXECUTE that ask for a cursor: read only, for update, scrollable.
    const CURSOR: u8 = 0x07;
    let mut bytes = Bytes::new(rest);
    let id = bytes.u32().unwrap_or_default();
    let flags = bytes.u8().unwrap_or_default();
    let opens_cursor = flags & CURSOR != 0;
    let mut text = None;
    let mut arguments = Vec::new();
    if let Some(statement) = prepared.get_mut(id) {
        text = Some(Arc::clone(&statement.text));
        if bytes.u32().is_ok() {
            let read = of_execute(bytes, flags, agreed, &mut statement.binding);
            arguments = read.unwrap_or_default();
        }
        // The server forgets them with each execution.
        statement.binding.long.clear();
    }
    let kind = CommandKind::Execute {
        text,
        arguments,
        opens_cursor,
    };
    (kind, AnswerShape::BinaryResults { id, opens_cursor })
}

fn bulk(rest: &[u8], prepared: &mut PreparedStatements) -> (CommandKind, AnswerShape) {
    let mut bytes = Bytes::new(rest);
    let id = bytes.u32().unwrap_or_default();
    let statement = prepared.get_mut(id);
    let text = statement.as_ref().map(|it| Arc::clone(&it.text));
    let rows = statement.and_then(|it| count_of_bulk(bytes, &mut it.binding).ok());
    let expected = AnswerShape::BinaryResults {
        id,
        opens_cursor: false,
    };
    (CommandKind::Bulk { text, rows }, expected)
}

fn fetch(rest: &[u8], prepared: &mut PreparedStatements) -> (CommandKind, AnswerShape) {
    let id = id_of(rest);
    let text = prepared.get_mut(id).map(|it| Arc::clone(&it.text));
    (CommandKind::Fetch { text }, AnswerShape::Fetched { id })
}

fn long_data(rest: &[u8], prepared: &mut PreparedStatements) -> (CommandKind, AnswerShape) {
    let mut bytes = Bytes::new(rest);
    // The server does not answer, so there is no complaint about a packet that is too short.
    if let (Ok(id), Ok(index)) = (bytes.u32(), bytes.u16()) {
        prepared.append(id, index, bytes.rest());
    }
    (CommandKind::LongData, AnswerShape::Nothing)
}

fn close(rest: &[u8], prepared: &mut PreparedStatements) -> (CommandKind, AnswerShape) {
    prepared.remove(id_of(rest));
    (CommandKind::CloseStatement, AnswerShape::Nothing)
}

fn reset(rest: &[u8], prepared: &mut PreparedStatements) -> (CommandKind, AnswerShape) {
    if let Some(statement) = prepared.get_mut(id_of(rest)) {
        statement.binding.long.clear();
    }
    (CommandKind::ResetStatement, AnswerShape::Ok)
}

/// The statement's id, with which a command begins. No statement has the id 0.
fn id_of(rest: &[u8]) -> u32 {
    Bytes::new(rest).u32().unwrap_or_default()
}
