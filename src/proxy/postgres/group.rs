//! Which messages of a client go to the server together.

use std::collections::VecDeque;

use super::message::Message;

/// Asks the server for the answers that it has. It is not answered itself.
pub(super) const FLUSH: [u8; 5] = *b"H\0\0\0\x04";

/// The messages that go together. Their last one has the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) messages: Vec<Message>,
    /// Whether the client itself does not ask for the answer now.
    pub(super) needs_flush: bool,
}

/// The messages of a client that were not sent yet.
///
/// A snapshot is taken by Bind, and locks by Parse. So all that prepares an execution waits for it.
/// An execution waits for what follows it: outside a block, Sync is what commits it. A Sync that
/// commits several executions is apart from the last of them.
#[derive(Debug, Default)]
pub(super) struct Requests {
    messages: VecDeque<Message>,
}

impl Requests {
    /// Appends a message, or a piece to the message that it continues.
    pub(super) fn push(&mut self, message: Message) {
        match self.messages.back_mut() {
            Some(last) if message.continues && last.is_continued => {
                last.bytes.extend(message.bytes);
                last.is_continued = message.is_continued;
            }
            _ => self.messages.push_back(message),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes the next message alone.
    pub(super) fn pop(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// Takes the next messages that go together, if all of them have come. `sync_is_apart` if the
    /// next Sync commits more than the execution before it.
    pub(super) fn next_group(&mut self, sync_is_apart: bool) -> Option<Group> {
        let (count, needs_flush) = self.first_group(sync_is_apart)?;
        let messages = self.messages.drain(..count).collect();
        Some(Group {
            messages,
            needs_flush,
        })
    }

    /// How many messages the next group has, and whether it needs a Flush.
    fn first_group(&self, sync_is_apart: bool) -> Option<(usize, bool)> {
        let mut executed = None;
        for (index, message) in self.messages.iter().enumerate() {
            let through = index + 1;
            // A piece is here without its beginning if that has ended a COPY.
            if message.is_broken() || message.continues {
                return Some((through, false));
            }
            if message.is_continued {
                return None;
            }
            match (message.tag, executed) {
                // Parse, Bind, Describe and Close.
                (b'P' | b'B' | b'D' | b'C', _) => {}
                (b'S', Some(executed)) if sync_is_apart => return Some((executed, true)),
                // Sync and Flush.
                (b'S' | b'H', _) => return Some((through, false)),
                (b'E', None) => executed = Some(through),
                // Each execution is a step of its own.
                (_, Some(executed)) => return Some((executed, true)),
                // A Query is a Sync as well.
                (b'Q' | b'F' | b'X', None) => return Some((through, false)),
                (_, None) => return Some((through, index > 0)),
            }
        }
        None
    }

    /// Takes the bytes of all messages.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        joined(std::mem::take(&mut self.messages))
    }
}

/// The bytes of these messages.
pub(super) fn joined(messages: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend(message.bytes);
    }
    bytes
}
