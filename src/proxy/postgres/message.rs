//! Messages: what both sides send is cut into them.

use std::ops::RangeInclusive;

use crate::proxy::framing::{Framing, Incoming};

/// A message that is longer than this comes in pieces.
const LONGEST: usize = 16 * 1024 * 1024;

/// The bytes before the body: one of the tag and four of the length, which counts itself.
const HEADER: usize = 5;

/// The lengths that are possible: it counts itself, and is a signed number.
const LENGTHS: RangeInclusive<u32> = 4..=i32::MAX.unsigned_abs();

/// The original bytes of one message, or a piece of one that is too long to be held whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Message {
    /// The first byte of the message. Both sides use the same letters for different things.
    pub(in crate::proxy) tag: u8,
    /// The tag, the length and the body. A piece that continues a message has its bytes alone.
    pub(in crate::proxy) bytes: Vec<u8>,
    /// Whether the next message of the stream is a piece that continues this one.
    pub(in crate::proxy) is_continued: bool,
    /// Whether this is a piece that continues the one before.
    pub(in crate::proxy) continues: bool,
}

impl Message {
    /// A statement that no client has sent, with all that belongs to it. It has a name: a simple
    /// query would make the client's unnamed statement go.
    ///
    /// It frees its names before and after it: the portal of a BEGIN would stay as long as its
    /// transaction, and after a refusal nothing is closed.
    pub(in crate::proxy) fn statement(sql: &str) -> [Self; 8] {
        const NAME: &str = "racy";
        let close_portal = Self::of_client(b'C', &format!("P{NAME}\0"), &[]);
        let close_statement = Self::of_client(b'C', &format!("S{NAME}\0"), &[]);
        [
            close_portal.clone(),
            close_statement.clone(),
            // No types of parameters.
            Self::of_client(b'P', &format!("{NAME}\0{sql}\0"), &[0, 0]),
            // No formats of parameters, no parameters, and no formats of results.
            Self::of_client(b'B', &format!("{NAME}\0{NAME}\0"), &[0; 6]),
            // All rows.
            Self::of_client(b'E', &format!("{NAME}\0"), &[0; 4]),
            close_portal,
            close_statement,
            Self::of_client(b'S', "", &[]),
        ]
    }

    fn of_client(tag: u8, texts: &str, rest: &[u8]) -> Self {
        let length = texts.len() + rest.len() + HEADER - 1;
        let mut bytes = vec![tag];
        bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(texts.as_bytes());
        bytes.extend(rest);
        Self {
            tag,
            bytes,
            is_continued: false,
            continues: false,
        }
    }

    /// Says that no transaction is open, if this is the server's message that says whether one is.
    pub(in crate::proxy) fn deny_transaction(&mut self) {
        if self.tag == b'Z'
            && let Some(state) = self.bytes.get_mut(HEADER)
        {
            *state = b'I';
        }
    }

    /// What follows the length, as far as it is in the first piece.
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// Whether its length is impossible. Then nothing tells where it ends.
    pub(super) fn is_broken(&self) -> bool {
        !self.continues && length_of(&self.bytes).is_none_or(|length| !LENGTHS.contains(&length))
    }
}

/// Cuts a stream of bytes into messages. A stream begins after the [`Opening`](super::Opening).
///
/// Everything after an impossible length is a single message, which comes in pieces.
#[derive(Debug, Default)]
pub(in crate::proxy) struct MessageReader {
    incoming: Incoming,
    /// The message whose last piece was not returned yet: its tag, and how many bytes are left.
    begun: Option<(u8, usize)>,
}

impl Framing for MessageReader {
    type Packet = Message;

    fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    fn next_packet(&mut self) -> Option<Message> {
        let rest = self.incoming.rest();
        if let Some((tag, left)) = self.begun {
            let piece = rest.get(..left).unwrap_or(rest);
            if piece.is_empty() {
                return None;
            }
            return Some(self.piece(tag, piece.to_vec(), left, true));
        }
        let tag = *rest.first()?;
        let length = length_of(rest)?;
        let whole = match usize::try_from(length) {
            Ok(whole) if LENGTHS.contains(&length) => whole.saturating_add(1),
            _ => return Some(self.piece(tag, rest.to_vec(), usize::MAX, false)),
        };
        let bytes = rest.get(..whole.min(LONGEST))?.to_vec();
        Some(self.piece(tag, bytes, whole, false))
    }

    fn write(message: &Message, bytes: &mut Vec<u8>) {
        bytes.extend(&message.bytes);
    }
}

impl MessageReader {
    /// Returns the next bytes of a message. `left` counts those that were not returned before.
    fn piece(&mut self, tag: u8, bytes: Vec<u8>, left: usize, continues: bool) -> Message {
        self.incoming.advance(bytes.len());
        let left = left.saturating_sub(bytes.len());
        self.begun = (left > 0).then_some((tag, left));
        Message {
            tag,
            bytes,
            is_continued: left > 0,
            continues,
        }
    }
}

fn length_of(bytes: &[u8]) -> Option<u32> {
    let length = bytes.get(1..)?.first_chunk()?;
    Some(u32::from_be_bytes(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(stream: &[u8], size: usize) -> (Vec<Message>, Vec<u8>) {
        let mut reader = MessageReader::default();
        let mut read = Vec::new();
        for chunk in stream.chunks(size) {
            reader.fill(chunk);
            read.extend(std::iter::from_fn(|| reader.next_packet()));
        }
        (read, reader.take_rest())
    }

    #[test]
    fn messages_are_cut_wherever_the_stream_was_cut() {
        let stream = b"S\0\0\0\x04Q\0\0\0\x08abc\0H\0\0\0\x04X\0\0";
        for size in 1..=stream.len() {
            let (read, rest) = read_all(stream, size);
            let bytes = read.iter().map(|it| it.bytes.as_slice());
            let expected: [&[u8]; 3] = [b"S\0\0\0\x04", b"Q\0\0\0\x08abc\0", b"H\0\0\0\x04"];
            assert!(bytes.eq(expected), "chunks of {size}");
            assert!(read.iter().all(|it| !it.is_continued && !it.continues));
            assert_eq!(rest, b"X\0\0");
        }
    }

    #[test]
    fn a_message_that_is_too_long_comes_in_pieces() {
        let mut stream = b"d\x01\0\0\x0b".to_vec();
        stream.resize(1 + 0x0100_000B, b'x');
        stream.extend(b"c\0\0\0\x04");
        let (read, rest) = read_all(&stream, 1024 * 1024);
        let [first, second, last] = read.as_slice() else {
            panic!("{} messages", read.len());
        };
        assert_eq!((first.bytes.len(), first.tag), (LONGEST, b'd'));
        assert!(first.is_continued && !first.continues);
        assert_eq!((second.bytes.len(), second.tag), (12, b'd'));
        assert!(!second.is_continued && second.continues);
        assert_eq!((last.tag, rest.len()), (b'c', 0));
    }

    #[test]
    fn what_follows_an_impossible_length_is_one_message() {
        let stream = b"S\0\0\0\x04Q\0\0\0\x03abcS\0\0\0\x04";
        let (read, _) = read_all(stream, 12);
        let [whole, broken, rest] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert!(!whole.is_broken() && broken.is_broken() && rest.continues);
        assert_eq!([broken.bytes.as_slice(), &rest.bytes].concat(), stream[5..]);
    }

    #[test]
    fn a_negative_length_is_impossible() {
        let (read, _) = read_all(b"Q\xff\xff\xff\xffabc", 8);
        assert!(read.iter().all(Message::is_broken));
        assert_eq!(read.len(), 1);
    }
}
