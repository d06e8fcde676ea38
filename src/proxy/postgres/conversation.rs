//! One connection's conversation after its opening.

use super::authentication::AuthProgress;
use super::awaited::{Awaited, Expected};
use super::bytes::{Bytes, NotUnderstood};
use super::columns;
use super::copy::{ClientData, CopyIn, Step};
use super::deallocated;
use super::group::{FLUSH, Requests};
use super::message::Message;
use super::opening::Startup;
use super::prepared::{Portal, Prepared, Statement};
use super::reply::{ServerError, read_complete, read_process, read_ready};
use super::request::{self, Request, Target};
use super::result::{Outcome, Progress, RowsReader, StatementResult};
use super::transaction::Transaction;
use super::unit::{Unit, What};

/// What the client has sent, while the lab's own query is answered before it.
#[derive(Debug)]
pub(in crate::proxy) struct SetAside {
    requests: Requests,
    awaited: Awaited,
}

/// What one connection has said so far: its prepared statements and its state.
///
/// It holds the beginnings of texts and values, and no passwords. One unit is answered before the
/// next one is taken, although the client may have sent it already.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Conversation {
    process: Option<u32>,
    transaction: Transaction,
    prepared: Prepared,
    requests: Requests,
    awaited: Awaited,
    rows: RowsReader,
    outcome: Outcome,
    /// How many statements of the text that is answered have deallocated a name.
    deallocated: usize,
    copy: Option<CopyIn>,
    /// Whether the server skips everything up to the next Sync.
    is_skipping: bool,
    /// Whether the server may say its state once more than is awaited. See [`CopyIn`].
    may_say_state: bool,
    /// What the first piece of a message meant, if the answer does not just go on.
    delayed: Option<Progress>,
    /// Why nothing can be understood any more.
    is_lost: Option<String>,
}

impl Conversation {
    /// A conversation of this client, whose authentication begins.
    pub(in crate::proxy) fn new(startup: &Startup) -> Self {
        let copies = "the client copies the server's data".to_owned();
        Self {
            is_lost: startup.replication.then_some(copies),
            ..Self::default()
        }
    }

    /// The server's process for this connection, which its own views name. None if the server has
    /// named none.
    pub(in crate::proxy) fn process(&self) -> Option<u32> {
        self.process
    }

    /// Whether a transaction is open: a block, or statements outside one that no Sync has committed
    /// yet. A block that has failed is open. None before the authentication is over.
    pub(in crate::proxy) fn in_transaction(&self) -> Option<bool> {
        self.transaction.is_open()
    }

    /// Whether the open block has failed. The server has rolled it back and released its locks,
    /// except what was before a savepoint.
    pub(in crate::proxy) fn has_failed(&self) -> bool {
        self.transaction.has_failed()
    }

    /// Takes one message that the server sends until the client is in.
    pub(in crate::proxy) fn authentication(&mut self, message: &Message) -> AuthProgress {
        match (message.tag, message.continues) {
            (b'K', false) => self.process = read_process(message.body()).ok(),
            (b'E', false) => return AuthProgress::Refused(ServerError::read(message.body())),
            (b'Z', false) => {
                if let Ok(block) = read_ready(message.body()) {
                    self.transaction.is_ready(block);
                }
                return AuthProgress::Done;
            }
            _ => {}
        }
        AuthProgress::GoesOn
    }

    /// Takes one message of the client. See [`next_unit`](Self::next_unit).
    pub(in crate::proxy) fn client(&mut self, message: Message) {
        self.requests.push(message);
    }

    /// Whether the client has sent nothing that waits here or for its Sync.
    pub(in crate::proxy) fn is_idle(&self) -> bool {
        self.requests.is_empty() && !self.transaction.is_committed_by_sync() && !self.is_skipping
    }

    /// The bytes that were taken and went into no unit.
    pub(in crate::proxy) fn take_held(&mut self) -> Vec<u8> {
        let end = self.copy.take().and_then(|copy| copy.end);
        let mut held = end.map(|end| end.bytes).unwrap_or_default();
        held.extend(self.requests.take_all());
        held
    }

    /// What goes to the server next. None if the client has not sent all of it.
    ///
    /// The answer to the unit before must be complete: it says what the next one means.
    pub(in crate::proxy) fn next_unit(&mut self) -> Option<Unit> {
        if let Some(why) = &self.is_lost {
            let what = What::Opaque(why.clone());
            let bytes = self.requests.take_all();
            return (!bytes.is_empty()).then_some(Unit {
                bytes,
                what,
                awaits_answer: false,
            });
        }
        let group = self.requests.next_group()?;
        self.outcome = Outcome::default();
        self.deallocated = 0;
        let mut what = What::Passes;
        for message in &group.messages {
            if let Some(does) = self.ask(request::read(message)) {
                what = does;
            }
        }
        let messages = group.messages.into_iter();
        let mut bytes = messages.flat_map(|it| it.bytes).collect::<Vec<_>>();
        let awaits_answer = !self.awaited.is_empty();
        if group.needs_flush && awaits_answer {
            bytes.extend(FLUSH);
        }
        Some(Unit {
            bytes,
            what,
            awaits_answer,
        })
    }

    /// Something else is asked before the last unit is sent.
    pub(in crate::proxy) fn set_aside(&mut self) -> SetAside {
        SetAside {
            requests: std::mem::take(&mut self.requests),
            awaited: std::mem::take(&mut self.awaited),
        }
    }

    /// The answer to the unit that was set aside comes next.
    pub(in crate::proxy) fn take_up(&mut self, before: SetAside) {
        self.requests = before.requests;
        self.awaited = before.awaited;
        self.outcome = Outcome::default();
    }

    /// Expects what the server answers to this. Returns what it does, if it runs something.
    fn ask(&mut self, request: Request<'_>) -> Option<What> {
        let is_skipped = self.is_skipping;
        match request {
            Request::Unknown(why) => {
                self.is_lost = Some(why.clone());
                return Some(What::Opaque(why));
            }
            Request::Terminate => {
                self.awaited.clear();
                return Some(What::Terminate);
            }
            Request::Sync => {
                self.awaited.push(Expected::Sync);
                self.is_skipping = false;
                let commits = !is_skipped && self.transaction.is_committed_by_sync();
                // What the same unit executes is committed with it.
                let is_alone = !self.awaited.executes();
                return (commits && is_alone).then_some(What::Commit);
            }
            _ if is_skipped => {}
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

    /// Takes one message of the client after [`Progress::AwaitsClient`].
    pub(in crate::proxy) fn client_data(&mut self, message: Message) -> ClientData {
        let step = match &mut self.copy {
            Some(copy) => copy.take(message),
            None => Step::EndsBefore(Vec::new(), message),
        };
        let (bytes, is_last) = match step {
            Step::GoesOn(bytes) => (bytes, false),
            Step::Ends(bytes) => (bytes, true),
            Step::EndsWithSync(bytes) => {
                self.awaited.push(Expected::Sync);
                (bytes, true)
            }
            Step::EndsBefore(bytes, message) => {
                self.requests.push(message);
                (bytes, true)
            }
        };
        ClientData { bytes, is_last }
    }

    /// Takes one message of the server: of the answer to the last unit, or one that comes unasked.
    pub(in crate::proxy) fn answer(&mut self, message: &Message) -> Progress {
        if message.continues {
            let delayed = self.delayed.take_if(|_| !message.is_continued);
            return delayed.unwrap_or(Progress::GoesOn);
        }
        match self.take(message) {
            Err(NotUnderstood(complaint)) => {
                self.is_lost = Some(complaint.clone());
                Progress::NotUnderstood(complaint)
            }
            Ok(progress) if message.is_continued && progress != Progress::GoesOn => {
                self.delayed = Some(progress);
                Progress::GoesOn
            }
            Ok(progress) => progress,
        }
    }

    fn take(&mut self, message: &Message) -> Result<Progress, NotUnderstood> {
        if self.is_lost.is_some() {
            return Err(unexpected(message, "what came before was not understood"));
        }
        if message.is_broken() {
            return Err(unexpected(message, "it has no length"));
        }
        let is_idle = self.awaited.is_empty();
        match message.tag {
            // A notification, or a setting that has changed.
            b'A' | b'S' => Ok(Progress::Unasked),
            b'N' | b'E' if is_idle => Ok(Progress::Unasked),
            b'N' => Ok(Progress::GoesOn),
            b'E' => Ok(self.error(ServerError::read(message.body()))),
            b'Z' => self.ready(message),
            _ => {
                self.may_say_state = false;
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
            self.may_say_state = copy.has_early_sync;
            if let Some(end) = copy.end {
                self.requests.push(end);
            }
        }
        match self.awaited.first() {
            _ if is_fatal => self.awaited.clear(),
            Some(first) if first.ends_with_state() => {}
            first => {
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
        if !is_asked && !std::mem::take(&mut self.may_say_state) {
            return Err(unexpected(
                message,
                "the server was not asked for its state",
            ));
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
        let is_execution = matches!(first, Expected::Execute { .. });
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
            (Expected::Function, b'V') => {
                let result = StatementResult::Done { affected_rows: 0 };
                self.outcome.results.push(result);
                return Ok(Progress::GoesOn);
            }
            (Expected::Query { .. } | Expected::Execute { .. }, _) => {
                if let Some(progress) = self.result(message)? {
                    return Ok(progress);
                }
                if !is_execution {
                    return Ok(Progress::GoesOn);
                }
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
        if let Some(Expected::Execute { portal, .. }) = self.awaited.first()
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
                    is_extended: matches!(self.awaited.first(), Some(Expected::Execute { .. })),
                    has_early_sync: self.awaited.drop_sync_of_copy(),
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
                if let Some(name) = deallocated::names(text).into_iter().nth(self.deallocated) {
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

fn unexpected(message: &Message, why: &str) -> NotUnderstood {
    let tag = char::from(message.tag).escape_default();
    NotUnderstood(format!(
        "a message '{tag}' of the server was not expected: {why}"
    ))
}
