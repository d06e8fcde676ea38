//! One connection's conversation after its opening.

use super::authentication::AuthProgress;
use super::awaited::Awaited;
use super::bytes::NotUnderstood;
use super::copy::ClientData;
use super::exchange::{Exchange, unexpected};
use super::group::{FLUSH, Requests, joined};
use super::message::Message;
use super::opening::Startup;
use super::reply::{ServerError, read_process, read_ready};
use super::request;
use super::result::Progress;
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
    requests: Requests,
    exchange: Exchange,
    /// What the first piece of a message meant, if the answer does not just go on.
    delayed: Option<Progress>,
    /// Why nothing can be understood any more.
    lost: Option<String>,
}

impl Conversation {
    /// A conversation of this client, whose authentication begins.
    pub(in crate::proxy) fn new(startup: &Startup) -> Self {
        let copies = "the client copies the server's data".to_owned();
        Self {
            lost: startup.replication.then_some(copies),
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
        self.exchange.transaction.is_open()
    }

    /// Whether the open block has failed. The server has rolled it back and released its locks,
    /// except what was before a savepoint.
    pub(in crate::proxy) fn has_failed(&self) -> bool {
        self.exchange.transaction.has_failed()
    }

    /// Takes one message that the server sends until the client is in.
    pub(in crate::proxy) fn authentication(&mut self, message: &Message) -> AuthProgress {
        match (message.tag, message.continues) {
            (b'K', false) => self.process = read_process(message.body()).ok(),
            (b'E', false) => return AuthProgress::Refused(ServerError::read(message.body())),
            (b'Z', false) => {
                if let Ok(block) = read_ready(message.body()) {
                    self.exchange.transaction.is_ready(block);
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

    /// Whether something of the client's waits here.
    pub(in crate::proxy) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Whether nothing of the client's waits here, or for its Sync.
    pub(in crate::proxy) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.exchange.is_at_rest()
    }

    /// What goes to the server next. None if the client has not sent all of it.
    ///
    /// The answer to the unit before must be complete: it says what the next one means.
    pub(in crate::proxy) fn next_unit(&mut self) -> Option<Unit> {
        if let Some(why) = &self.lost {
            let what = What::Opaque(why.clone());
            let bytes = self.requests.take_all();
            return (!bytes.is_empty()).then_some(Unit {
                bytes,
                what,
                awaits_answer: false,
            });
        }
        let commits_several = self.exchange.transaction.is_committed_by_sync();
        let group = self.requests.next_group(commits_several)?;
        self.exchange.begin();
        let mut what = What::Passes;
        for message in &group.messages {
            if let Some(does) = self.exchange.ask(request::read(message)) {
                what = does;
            }
        }
        let mut bytes = joined(group.messages);
        if let What::Opaque(why) = &what {
            self.lost = Some(why.clone());
            bytes.extend(self.requests.take_all());
        }
        let awaits_answer = self.exchange.awaits_answer();
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
            awaited: self.exchange.replace_awaited(Awaited::default()),
        }
    }

    /// The answer to the unit that was set aside comes next.
    pub(in crate::proxy) fn take_up(&mut self, before: SetAside) {
        self.requests = before.requests;
        self.exchange.replace_awaited(before.awaited);
        self.exchange.begin();
    }

    /// The bytes of the client that were taken and did not go to the server. They come first if
    /// everything is only forwarded from here on.
    pub(in crate::proxy) fn take_held(&mut self) -> Vec<u8> {
        let end = self.exchange.take_end_of_copy();
        let mut held = end.map(|end| end.bytes).unwrap_or_default();
        held.extend(self.requests.take_all());
        held
    }

    /// A message of the client that came with the statement of a COPY, and belongs to its data. It
    /// goes to [`client_data`](Self::client_data) before all that is still to come.
    pub(in crate::proxy) fn take_early_data(&mut self) -> Option<Message> {
        self.requests.pop()
    }

    /// Takes one message of the client after [`Progress::AwaitsClient`].
    ///
    /// Messages of the server go to [`answer`](Self::answer) meanwhile. If the answer is complete
    /// before the data are, what follows goes to [`client`](Self::client): the server ignores it.
    pub(in crate::proxy) fn client_data(&mut self, message: Message) -> ClientData {
        let (data, next) = self.exchange.client_data(message);
        if let Some(next) = next {
            self.requests.push(next);
        }
        data
    }

    /// Takes one message of the server: of the answer to the last unit, or one that comes unasked.
    pub(in crate::proxy) fn answer(&mut self, message: &Message) -> Progress {
        if message.continues {
            let delayed = self.delayed.take_if(|_| !message.is_continued);
            return delayed.unwrap_or(Progress::GoesOn);
        }
        match self.take(message) {
            Err(NotUnderstood(complaint)) => {
                self.lost = Some(complaint.clone());
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
        if self.lost.is_some() {
            return Err(unexpected(message, "what came before was not understood"));
        }
        if message.is_broken() {
            return Err(unexpected(message, "it has no length"));
        }
        // An error ends a COPY. What ends its data still goes to the server.
        if message.tag == b'E'
            && let Some(end) = self.exchange.take_end_of_copy()
        {
            self.requests.push(end);
        }
        self.exchange.take(message)
    }
}
