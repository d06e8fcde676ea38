//! What a client has asked, and what the server answers to it.

use super::awaited::{Awaited, Expected};
use super::bytes::{Bytes, NotUnderstood};
use super::columns;
use super::copy::{ClientData, CopyIn, Step};
use super::deallocated;
use super::message::Message;
use super::prepared::{Portal, Prepared, Statement};
use super::reply::{ServerError, read_complete, read_ready};
use super::request::{Request, Target};
use super::result::{Outcome, Progress, RowsReader, StatementResult};
use super::transaction::Transaction;
use super::unit::What;

/// Both sides of one connection, as far as they have talked.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) transaction: Transaction,
    prepared: Prepared,
    awaited: Awaited,
    rows: RowsReader,
    outcome: Outcome,
    /// How many statements of the text that is answered have deallocated a name.
    deallocated: usize,
    copy: Option<CopyIn>,
    /// Whether the server skips everything up to the next Sync.
    is_skipping: bool,
    /// How often the server may say its state although it is not awaited. See [`CopyIn`].
    unasked_states: usize,
}

impl Exchange {
    /// Whether the server owes an answer.
    pub(super) fn awaits_answer(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Whether the client is neither in an answer nor before a Sync that others could notice.
    pub(super) fn is_at_rest(&self) -> bool {
        let waits_for_sync = self.is_skipping || self.transaction.is_committed_by_sync();
        !self.awaits_answer() && !waits_for_sync
    }

    /// Awaits something else. Returns what was awaited.
    pub(super) fn replace_awaited(&mut self, awaited: Awaited) -> Awaited {
        std::mem::replace(&mut self.awaited, awaited)
    }

    /// What is asked from here on has an answer of its own.
    pub(super) fn begin(&mut self) {
        self.outcome = Outcome::default();
        self.deallocated = 0;
    }

    /// Expects what the server answers to this. Returns what it does, if it runs something.
    pub(super) fn ask(&mut self, request: Request<'_>) -> Option<What> {
        match request {
            Request::Unknown(why) => {
                self.awaited.clear();
                return Some(What::Opaque(why));
            }
            Request::Terminate => {
                self.awaited.clear();
                return Some(What::Terminate);
            }
            Request::Sync => return self.sync(),
            _ if self.is_skipping => {}
            Request::Query { text } => {
                let what = What::Query {
                    text: text.to_string(),
                };
                self.awaited.push(Expected::Query { text });
                return Some(what);
            }
            Request::Function { oid } => {
                self.awaited.push(Expected::Function);
                let text = format!("SELECT function {oid}");
                return Some(What::Query { text });
            }
            Request::Execute { portal } => return Some(self.execute(portal)),
            Request::Parse { name, text, types } => {
                let statement = Statement {
                    text,
                    types,
                    columns: None,
                };
                self.awaited.push(Expected::Parse(name, statement));
            }
            Request::Bind(mut bind) => {
                let name = std::mem::take(&mut bind.portal);
                let statement = self.awaited.statement(&bind.statement, &self.prepared);
                let portal = Portal::new(bind, statement);
                self.awaited.push(Expected::Bind(name, portal));
            }
            Request::Describe(target) => self.awaited.push(Expected::Describe(target)),
            Request::Close(target) => self.awaited.push(Expected::Close(target)),
            Request::Flush | Request::LateData => {}
        }
        None
    }

    fn sync(&mut self) -> Option<What> {
        // What the same unit executes is committed with it.
        let is_alone = !self.is_skipping && !self.awaited.executes();
        let commits = is_alone && self.transaction.is_committed_by_sync();
        self.awaited.push(Expected::Sync);
        self.is_skipping = false;
        commits.then_some(What::Commit)
    }

    fn execute(&mut self, name: String) -> What {
        let portal = self.awaited.portal(&name, &self.prepared);
        let text = portal.and_then(|it| it.text.clone());
        let arguments = portal.map(|it| it.arguments.clone());
        let what = What::Execute {
            text: text.as_deref().map(str::to_owned),
            arguments: arguments.unwrap_or_default(),
        };
        self.awaited.push(Expected::Execute {
            portal: name,
            text: text.unwrap_or_default(),
        });
        what
    }

    /// Takes data of a COPY. Also returns a message that comes after it.
    pub(super) fn client_data(&mut self, message: Message) -> (ClientData, Option<Message>) {
        let step = match &mut self.copy {
            Some(copy) => copy.take(message),
            None => Step::EndsBefore(Vec::new(), message),
        };
        let (bytes, is_last, next) = match step {
            Step::GoesOn(bytes) => (bytes, false, None),
            Step::Ends(bytes) => (bytes, true, None),
            Step::EndsWithSync(bytes) => {
                self.awaited.push(Expected::Sync);
                (bytes, true, None)
            }
            Step::EndsBefore(bytes, message) => (bytes, true, Some(message)),
        };
        (ClientData { bytes, is_last }, next)
    }

    /// The end of a COPY's data, if it was taken and went nowhere.
    pub(super) fn take_end_of_copy(&mut self) -> Option<Message> {
        self.copy.as_mut()?.end.take()
    }

    /// Takes one message of the server.
    pub(super) fn take(&mut self, message: &Message) -> Result<Progress, NotUnderstood> {
        let is_idle = self.awaited.is_empty();
        match message.tag {
            // A notification, or a setting that has changed.
            b'A' | b'S' => Ok(Progress::Unasked),
            b'N' | b'E' if is_idle => Ok(Progress::Unasked),
            b'N' => Ok(Progress::GoesOn),
            b'E' => Ok(self.error(ServerError::read(message.body()))),
            b'Z' => self.ready(message),
            _ => {
                self.unasked_states = 0;
                self.reply(message)
            }
        }
    }

    fn error(&mut self, error: ServerError) -> Progress {
        let is_fatal = error.is_fatal();
        self.rows.discard();
        self.outcome.results.push(StatementResult::Refused(error));
        self.transaction.after_error();
        if let Some(copy) = self.copy.take() {
            self.unasked_states = copy.early_syncs;
        }
        match self.awaited.first() {
            _ if is_fatal => self.awaited.clear(),
            Some(first) if first.ends_with_state() => {}
            first => {
                // The server has dropped the statement before it has read the new one.
                if let Some(Expected::Parse(name, _)) = first
                    && name.is_empty()
                {
                    self.prepared.close(&Target::Statement(String::new()));
                }
                self.awaited.skip_to_sync();
                self.is_skipping = self.awaited.is_empty();
            }
        }
        self.progress()
    }

    /// Reads ReadyForQuery.
    fn ready(&mut self, message: &Message) -> Result<Progress, NotUnderstood> {
        let block = read_ready(message.body())?;
        let is_asked = match self.awaited.first() {
            Some(Expected::Sync) => true,
            Some(first) if first.ends_with_state() => !self.outcome.results.is_empty(),
            Some(_) | None => false,
        };
        if !is_asked {
            let left = self.unasked_states.checked_sub(1);
            let complaint = "the server was not asked for its state";
            self.unasked_states = left.ok_or_else(|| unexpected(message, complaint))?;
        }
        self.transaction.is_ready(block);
        if self.transaction.has_no_portals() {
            self.prepared.close_all_portals();
        }
        if !is_asked {
            self.is_skipping = false;
            return Ok(Progress::Unasked);
        }
        if let Some(Expected::Query { .. }) = self.awaited.pop() {
            self.prepared.close(&Target::Statement(String::new()));
            self.prepared.close(&Target::Portal(String::new()));
        }
        Ok(self.progress())
    }

    /// Reads an answer to the first message of those that are not answered yet.
    fn reply(&mut self, message: &Message) -> Result<Progress, NotUnderstood> {
        let Some(first) = self.awaited.first() else {
            return Err(unexpected(message, "the server was asked nothing"));
        };
        match (first, message.tag) {
            (Expected::Parse(..), b'1')
            | (Expected::Bind(..), b'2')
            | (Expected::Close(_), b'3') => {}
            (Expected::Describe(target), b't') => {
                let types = Bytes::new(message.body()).counted(Bytes::u32)?;
                self.prepared.set_types(target, types);
                return Ok(Progress::GoesOn);
            }
            (Expected::Describe(target), b'T') => {
                let columns = columns::read(message.body())?;
                self.prepared.set_columns(target, columns.into());
            }
            (Expected::Describe(target), b'n') => self.prepared.set_columns(target, [].into()),
            (Expected::Query { .. }, b'T') => {
                let columns = columns::read(message.body())?;
                self.rows.begin(Some(columns.into()));
                return Ok(Progress::GoesOn);
            }
            (Expected::Query { .. }, _) => {
                let progress = self.result(message)?;
                return Ok(progress.unwrap_or(Progress::GoesOn));
            }
            (Expected::Execute { .. }, _) => {
                if let Some(progress) = self.result(message)? {
                    return Ok(progress);
                }
            }
            (Expected::Function, b'V') => {
                let result = StatementResult::Done { affected_rows: 0 };
                self.outcome.results.push(result);
                return Ok(Progress::GoesOn);
            }
            _ => return Err(unexpected(message, "it answers something else")),
        }
        match self.awaited.pop() {
            Some(Expected::Parse(name, statement)) => self.prepared.insert(name, statement),
            Some(Expected::Bind(name, portal)) => self.prepared.bind(name, portal),
            Some(Expected::Close(target)) => self.prepared.close(&target),
            _ => {}
        }
        Ok(self.progress())
    }

    /// Reads a message of the result of a statement. None if it is the last one.
    fn result(&mut self, message: &Message) -> Result<Option<Progress>, NotUnderstood> {
        let portal = match self.awaited.first() {
            Some(Expected::Execute { portal, .. }) => Some(portal),
            _ => None,
        };
        if let Some(portal) = portal
            && !self.rows.has_begun()
        {
            self.rows.begin(self.prepared.columns_of(portal));
        }
        let affected_rows = match message.tag {
            b'D' => {
                self.rows.take(message)?;
                return Ok(Some(Progress::GoesOn));
            }
            // The data of COPY TO STDOUT.
            b'H' | b'd' | b'c' => return Ok(Some(Progress::GoesOn)),
            b'G' => {
                self.copy = Some(CopyIn {
                    is_extended: portal.is_some(),
                    early_syncs: self.awaited.drop_sync_of_copy().into(),
                    end: None,
                });
                return Ok(Some(Progress::AwaitsClient));
            }
            b'C' => self.complete(message)?,
            // Nothing was to be executed.
            b'I' => 0,
            // The rows were limited, and more are left.
            b's' => {
                self.transaction.after_rows();
                0
            }
            _ => return Err(unexpected(message, "it is no part of a result")),
        };
        let result = self.rows.end(affected_rows);
        self.outcome.results.push(result);
        Ok(None)
    }

    /// Reads CommandComplete. Returns how many rows it counts.
    fn complete(&mut self, message: &Message) -> Result<u64, NotUnderstood> {
        let tag = read_complete(message.body())?;
        self.copy = None;
        let text = match self.awaited.first() {
            Some(Expected::Execute { text, .. } | Expected::Query { text }) => text,
            _ => return Ok(tag.rows),
        };
        match tag.words.as_str() {
            "DEALLOCATE" => {
                let name = deallocated::names(text).into_iter().nth(self.deallocated);
                if let Some(name) = name {
                    self.prepared.close(&Target::Statement(name));
                }
                self.deallocated += 1;
            }
            "DEALLOCATE ALL" | "DISCARD ALL" => self.prepared.close_all_statements(),
            _ => {}
        }
        if self.transaction.after_statement(&tag, text) {
            self.prepared.close_all_portals();
        }
        Ok(tag.rows)
    }

    fn progress(&mut self) -> Progress {
        if self.awaited.is_empty() {
            Progress::Done(std::mem::take(&mut self.outcome))
        } else {
            Progress::GoesOn
        }
    }
}

/// Complains of a message of the server.
pub(super) fn unexpected(message: &Message, why: &str) -> NotUnderstood {
    let tag = char::from(message.tag).escape_default();
    NotUnderstood(format!(
        "a message '{tag}' of the server was not expected: {why}"
    ))
}
