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
    /// How often a Sync was sent before the end of the data. The server ignores it, unless it has
    /// refused the COPY before it read the Sync.
    pub(super) early_syncs: usize,
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
                b'S' => Step::EndsWithSync(bytes(&message.bytes)),
                b'H' => Step::Ends(bytes(&message.bytes)),
                _ => Step::EndsBefore(bytes(&FLUSH), message),
            };
        }
        match message.tag {
            b'c' if self.is_extended => {
                self.end = Some(message);
                Step::GoesOn(Vec::new())
            }
            // The reason of a failure may be long.
            b'f' if message.is_continued => Step::GoesOn(message.bytes),
            b'd' | b'H' => Step::GoesOn(message.bytes),
            b'S' => {
                self.early_syncs += 1;
                Step::GoesOn(message.bytes)
            }
            // Its end, or what the server takes for a violation of the protocol. An error is sent
            // before anything asks for it.
            _ => Step::Ends(message.bytes),
        }
    }
}
