//! One connection's conversation after its greeting.

use std::sync::Arc;

use super::authentication::{self, AuthProgress};
use super::bytes::NotUnderstood;
use super::capabilities::{Capabilities, Status};
use super::columns::Column;
use super::command::{self, AnswerShape, Command};
use super::greeting::Greeting;
use super::packet::Packet;
use super::preparation::PreparationReader;
use super::prepared::PreparedStatements;
use super::reply::{ErrPacket, is_err, is_ok, read_end, read_err, read_ok};
use super::response::Response;
use super::result::{Outcome, Progress, ResultReader, StatementResult};

/// What is awaited from the server.
#[derive(Debug)]
enum Expectation {
    /// Nothing: it is the client's turn.
    Nothing,
    /// OK, EOF or ERR. With `resets` nothing is prepared any more after OK.
    Ok {
        resets: bool,
    },
    Error,
    OneText,
    Definitions,
    /// `id` is the statement whose columns the results may define.
    Results {
        reader: Box<ResultReader>,
        id: Option<u32>,
    },
    Preparation(PreparationReader),
    /// See [`Conversation::authentication`].
    Authentication,
    /// What comes cannot be understood any more.
    Anything,
}

/// What is awaited of a command of the client's, while the lab's own is answered before it.
#[derive(Debug)]
pub(in crate::proxy) struct SetAside(Expectation);

/// What one connection has said so far: its capabilities, its prepared statements and its state.
///
/// It holds the beginnings of texts and values, and no passwords. One command is answered before
/// the next one is read, although the client may have sent it already.
#[derive(Debug)]
pub(in crate::proxy) struct Conversation {
    agreed: Capabilities,
    status: Status,
    prepared: PreparedStatements,
    awaited: Expectation,
    /// Whether the server's next packet continues a payload.
    is_within_payload: bool,
    /// What the first packet of that payload meant, if the answer does not just go on.
    delayed: Option<Progress>,
    /// Whether the client's next packet of a file continues a payload.
    is_within_data: bool,
}

impl Conversation {
    /// A conversation that begins with these. `shown` is the greeting as the client saw it.
    pub(in crate::proxy) fn new(shown: &Greeting, response: &Response) -> Self {
        Self {
            agreed: shown.capabilities & response.capabilities,
            status: shown.status,
            prepared: PreparedStatements::default(),
            awaited: Expectation::Authentication,
            is_within_payload: false,
            delayed: None,
            is_within_data: false,
        }
    }

    /// The state of the session, as the server announced it last.
    pub(in crate::proxy) fn status(&self) -> Status {
        self.status
    }

    /// Whether the text of a query comes after its attributes.
    pub(in crate::proxy) fn has_query_attributes(&self) -> bool {
        self.agreed.has(Capabilities::QUERY_ATTRIBUTES)
    }

    /// Takes one packet that the server sends during an authentication: that of a new client, or
    /// the answer to [`ChangeUser`](super::CommandKind::ChangeUser).
    pub(in crate::proxy) fn authentication(&mut self, packet: &Packet) -> AuthProgress {
        let progress = authentication::watch(packet);
        match &progress {
            AuthProgress::GoesOn => {}
            AuthProgress::Done(status) => {
                self.prepared.clear();
                self.status = *status;
                self.expect(Expectation::Nothing);
            }
            AuthProgress::Refused(_) => {
                self.status = self.status.after_error();
                self.expect(Expectation::Nothing);
            }
        }
        progress
    }

    /// Reads a command of the client: its whole payload, be it from several packets.
    ///
    /// The answer to the command before must be complete.
    pub(in crate::proxy) fn command(&mut self, payload: &[u8]) -> Command {
        let (kind, shape) = command::read(payload, self.agreed, &mut self.prepared);
        let answered = shape.answered();
        let expectation = self.expectation_of(shape);
        self.expect(expectation);
        Command { kind, answered }
    }

    /// Something else is asked before the last command is sent.
    pub(in crate::proxy) fn set_aside(&mut self) -> SetAside {
        SetAside(std::mem::replace(&mut self.awaited, Expectation::Nothing))
    }

    /// The answer to the command that was set aside comes next.
    pub(in crate::proxy) fn take_up(&mut self, command: SetAside) {
        self.expect(command.0);
    }

    /// Takes one packet of the answer to the last command.
    ///
    /// A server that ends an idle connection may say why: that error is an answer to nothing.
    pub(in crate::proxy) fn answer(&mut self, packet: &Packet) -> Progress {
        if self.is_within_payload {
            self.is_within_payload = packet.is_continued();
            let delayed = self.delayed.take_if(|_| !packet.is_continued());
            return delayed.unwrap_or(Progress::GoesOn);
        }
        match self.take(packet) {
            Err(NotUnderstood(complaint)) => {
                self.awaited = Expectation::Anything;
                Progress::NotUnderstood(complaint)
            }
            Ok(progress) => {
                if matches!(progress, Progress::Done(_)) {
                    self.finish();
                }
                self.is_within_payload = packet.is_continued();
                if self.is_within_payload && progress != Progress::GoesOn {
                    self.delayed = Some(progress);
                    Progress::GoesOn
                } else {
                    progress
                }
            }
        }
    }

    /// Takes one packet of a file that the client sends for LOAD DATA LOCAL. Returns whether it is
    /// the last one, which is empty.
    pub(in crate::proxy) fn client_data(&mut self, packet: &Packet) -> bool {
        let is_last = packet.payload.is_empty() && !self.is_within_data;
        self.is_within_data = packet.is_continued();
        is_last
    }

    /// Sets what is awaited, unless nothing can be understood any more.
    fn expect(&mut self, expectation: Expectation) {
        if !matches!(self.awaited, Expectation::Anything) {
            self.awaited = expectation;
        }
    }

    fn expectation_of(&mut self, shape: AnswerShape) -> Expectation {
        match shape {
            AnswerShape::Nothing => Expectation::Nothing,
            AnswerShape::Ok => Expectation::Ok { resets: false },
            AnswerShape::Reset => Expectation::Ok { resets: true },
            AnswerShape::Error => Expectation::Error,
            AnswerShape::OneText => Expectation::OneText,
            AnswerShape::Definitions => Expectation::Definitions,
            AnswerShape::TextResults => Expectation::Results {
                reader: Box::new(ResultReader::of_query(self.agreed)),
                id: None,
            },
            AnswerShape::BinaryResults { id, opens_cursor } => {
                let columns = self.columns_of(id);
                let reader = ResultReader::of_execution(self.agreed, opens_cursor, columns);
                Expectation::Results {
                    reader: Box::new(reader),
                    id: Some(id),
                }
            }
            AnswerShape::Fetched { id } => {
                let reader = ResultReader::of_fetch(self.agreed, self.columns_of(id));
                Expectation::Results {
                    reader: Box::new(reader),
                    id: None,
                }
            }
            AnswerShape::Preparation { text } => {
                Expectation::Preparation(PreparationReader::new(self.agreed, text))
            }
            AnswerShape::Authentication => Expectation::Authentication,
            AnswerShape::Endless => Expectation::Anything,
        }
    }

    fn columns_of(&mut self, id: u32) -> Option<Arc<[Column]>> {
        let statement = self.prepared.get_mut(id)?;
        Some(Arc::clone(&statement.columns))
    }

    fn take(&mut self, packet: &Packet) -> Result<Progress, NotUnderstood> {
        let payload = packet.payload.as_slice();
        match &mut self.awaited {
            Expectation::Results { reader, .. } => reader.take(packet, &mut self.status),
            Expectation::Preparation(reader) => {
                reader.take(payload, &mut self.status, &mut self.prepared)
            }
            Expectation::Authentication => Err(unexpected("an authentication is not over")),
            Expectation::Anything => Err(unexpected("what came before was not understood")),
            Expectation::Nothing
            | Expectation::Ok { .. }
            | Expectation::Error
            | Expectation::Definitions
                if is_err(payload) =>
            {
                self.error(payload)
            }
            Expectation::Ok { .. } => self.ok(payload),
            Expectation::OneText => Ok(done(StatementResult::NOTHING)),
            // A definition begins with the length of its catalog's name.
            Expectation::Definitions if payload.first() == Some(&0xFE) => self.ok(payload),
            Expectation::Definitions => Ok(Progress::GoesOn),
            Expectation::Nothing => Err(unexpected("the server was asked nothing")),
            Expectation::Error => Err(unexpected("the command is not known")),
        }
    }

    fn error(&mut self, payload: &[u8]) -> Result<Progress, NotUnderstood> {
        Ok(match read_err(payload)? {
            ErrPacket::Progress => Progress::GoesOn,
            ErrPacket::Error(error) => {
                self.status = self.status.after_error();
                done(StatementResult::Refused(error))
            }
        })
    }

    /// Reads the only packet of a successful answer.
    fn ok(&mut self, payload: &[u8]) -> Result<Progress, NotUnderstood> {
        let (result, flags) = if is_ok(payload) {
            let ok = read_ok(payload)?;
            (ok.into(), ok.flags)
        } else if payload.first() == Some(&0xFE) {
            (StatementResult::NOTHING, read_end(payload)?)
        } else {
            return Err(unexpected("neither OK, EOF nor ERR was answered"));
        };
        self.status = flags.into();
        if matches!(self.awaited, Expectation::Ok { resets: true }) {
            self.prepared.clear();
        }
        Ok(done(result))
    }

    /// Keeps what the answer has defined, and gives the client its turn.
    fn finish(&mut self) {
        let answered = std::mem::replace(&mut self.awaited, Expectation::Nothing);
        if let Expectation::Results {
            reader,
            id: Some(id),
        } = answered
            && let Some(columns) = reader.columns()
            && let Some(statement) = self.prepared.get_mut(id)
        {
            statement.columns = Arc::clone(columns);
        }
    }
}

fn done(result: StatementResult) -> Progress {
    Progress::Done(Outcome {
        results: vec![result],
    })
}

fn unexpected(why: &str) -> NotUnderstood {
    NotUnderstood(format!("a packet of the server was not expected: {why}"))
}
