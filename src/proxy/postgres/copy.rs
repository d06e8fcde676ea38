//! What a client sends for COPY FROM STDIN.

use super::group::FLUSH;
use super::message::Message;

/// What to send to the server of a client's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct ClientData {
    /// The client's original bytes. A Flush is added if the answer would not come without it.
    pub(in crate::proxy) bytes: Vec<u8>,
    /// Whether the server answers now.
    pub(in crate::proxy) is_last: bool,
}

/// A COPY that awaits data.
#[derive(Debug)]
pub(super) struct CopyIn {
    /// Whether it was executed as a prepared statement. Then the answer comes after a Sync.
    pub(super) is_extended: bool,
    /// Whether a Sync was sent before the end of the data. The server ignores it, unless it has
    /// refused the COPY before it came.
    pub(super) has_early_sync: bool,
    /// The message that ends the data. It waits for the one that asks for the answer.
    pub(super) end: Option<Message>,
}

/// What a message means to a COPY.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These bytes go to the server, and more data follow.
    GoesOn(Vec<u8>),
    /// These bytes go to the server, which answers.
    Ends(Vec<u8>),
    /// These bytes go to the server, which answers, and says its state.
    EndsWithSync(Vec<u8>),
    /// These bytes go to the server, which answers. The message comes after the COPY.
    EndsBefore(Vec<u8>, Message),
}

impl CopyIn {
    pub(super) fn take(&mut self, message: Message) -> Step {
        if let Some(end) = self.end.take() {
            let bytes = |next: &[u8]| [end.bytes.as_slice(), next].concat();
            return match message.tag {
                _ if end.is_continued && message.continues => {
                    let bytes = bytes(&message.bytes);
                    self.end = Some(Message { bytes, ..message });
                    Step::GoesOn(Vec::new())
                }
                b'S' => Step::EndsWithSync(bytes(&message.bytes)),
                b'H' => Step::Ends(bytes(&message.bytes)),
                _ => Step::EndsBefore(bytes(&FLUSH), message),
            };
        }
        match message.tag {
            b'c' | b'f' if self.is_extended => {
                self.end = Some(message);
                Step::GoesOn(Vec::new())
            }
            b'c' | b'f' if message.is_continued => Step::GoesOn(message.bytes),
            b'd' | b'H' => Step::GoesOn(message.bytes),
            b'S' => {
                self.has_early_sync = true;
                Step::GoesOn(message.bytes)
            }
            // Its end, or what the server takes for a violation of the protocol.
            _ => Step::Ends(message.bytes),
        }
    }
}
