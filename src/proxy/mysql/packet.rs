//! Packets: what both sides send is cut into them.

use crate::proxy::framing::{Framing, Incoming};

/// The longest payload of a packet.
const LONGEST: usize = 0xFF_FFFF;

/// The bytes before the payload: three of its length and one of the sequence.
const HEADER: usize = 4;

/// One physical packet. Its payload has at most 0xFFFFFF bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Packet {
    /// Its number within one command, which begins with 0. Both sides count on.
    pub(in crate::proxy) sequence: u8,
    /// What follows the header.
    pub(in crate::proxy) payload: Vec<u8>,
}

impl Packet {
    /// Appends the packet as it is sent.
    pub(in crate::proxy) fn write_to(&self, bytes: &mut Vec<u8>) {
        let [low, middle, high, ..] = self.payload.len().to_le_bytes();
        bytes.extend([low, middle, high, self.sequence]);
        bytes.extend(&self.payload);
    }

    /// Says that no transaction is open, if this is a packet that says whether one is: OK or EOF.
    /// It must be the first or the last packet of an answer.
    pub(in crate::proxy) fn deny_transaction(&mut self) {
        let at = match self.payload.first() {
            Some(0xFE) if self.payload.len() == 5 => Some(3),
            // After the number of rows and the last key.
            Some(0x00 | 0xFE) => {
                let rows = end_of_length(&self.payload, 1);
                rows.and_then(|at| end_of_length(&self.payload, at))
            }
            _ => None,
        };
        if let Some(flags) = at.and_then(|at| self.payload.get_mut(at)) {
            *flags &= !1;
        }
    }

    /// Whether the next packet continues this one's payload. Its payload may be empty.
    pub(in crate::proxy) fn is_continued(&self) -> bool {
        self.payload.len() >= LONGEST
    }
}

/// Where the number ends whose length its first byte tells.
fn end_of_length(payload: &[u8], at: usize) -> Option<usize> {
    let length = match payload.get(at)? {
        0xFC => 3,
        0xFD => 4,
        0xFE => 9,
        _ => 1,
    };
    Some(at + length)
}

/// An ERR packet that ends a connection before its authentication: `Bad handshake`.
///
/// `sequence` is one more than that of the last packet from the client.
pub(in crate::proxy) fn refusal(sequence: u8, message: &str) -> Packet {
    // ER_HANDSHAKE_ERROR. No driver retries it or reads a fault of the network into it.
    const CODE: u16 = 1043;
    let mut payload = vec![0xFF];
    payload.extend(CODE.to_le_bytes());
    payload.extend(b"#08S01");
    payload.extend(message.as_bytes());
    Packet { sequence, payload }
}

/// Cuts a stream of bytes into packets.
#[derive(Debug, Default)]
pub(in crate::proxy) struct PacketReader {
    incoming: Incoming,
}

impl Framing for PacketReader {
    type Packet = Packet;

    fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    fn next_packet(&mut self) -> Option<Packet> {
        let rest = self.incoming.rest();
        let (&[low, middle, high, sequence], rest) = rest.split_first_chunk()?;
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let payload = rest.get(..length)?.to_vec();
        self.incoming.advance(HEADER + length);
        Some(Packet { sequence, payload })
    }

    fn write(packet: &Packet, bytes: &mut Vec<u8>) {
        packet.write_to(bytes);
    }
}

/// Joins the packets of one command of the client.
#[derive(Debug, Default)]
pub(in crate::proxy) struct CommandReader {
    /// The payload of a command whose last packet has not come yet.
    begun: Option<Vec<u8>>,
}

impl CommandReader {
    /// A reader of a connection whose authentication is over.
    pub(in crate::proxy) fn new() -> Self {
        Self::default()
    }

    /// Takes one packet from the client. Returns the command's payload with its last packet.
    pub(in crate::proxy) fn take(&mut self, packet: &Packet) -> Option<Vec<u8>> {
        let mut payload = self.begun.take().unwrap_or_default();
        payload.extend(&packet.payload);
        if packet.is_continued() {
            self.begun = Some(payload);
            None
        } else {
            Some(payload)
        }
    }

    /// Whether this packet from the client begins a command. All others continue one, or answer
    /// what the server has asked for.
    pub(in crate::proxy) fn is_beginning(&self, packet: &Packet) -> bool {
        self.begun.is_none() && packet.sequence == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u8, payload: Vec<u8>) -> Packet {
        Packet { sequence, payload }
    }

    #[test]
    fn packets_are_cut_wherever_the_stream_was_cut() {
        let packets = [
            packet(0, b"\x03SELECT 1".to_vec()),
            packet(1, Vec::new()),
            packet(2, vec![7; 300]),
        ];
        let mut stream = Vec::new();
        packets.iter().for_each(|it| it.write_to(&mut stream));
        for size in [1, 2, 3, 5, 100, stream.len()] {
            let mut reader = PacketReader::default();
            let mut read = Vec::new();
            for chunk in stream.chunks(size) {
                reader.fill(chunk);
                read.extend(std::iter::from_fn(|| reader.next_packet()));
            }
            assert_eq!(read, packets, "chunks of {size}");
            assert!(reader.take_rest().is_empty());
        }
    }

    #[test]
    fn half_a_packet_waits_for_its_rest() {
        let mut reader = PacketReader::default();
        reader.fill(&[3, 0, 0, 9, 1, 2]);
        assert_eq!(reader.next_packet(), None);
        reader.fill(&[3, 5]);
        assert_eq!(reader.next_packet(), Some(packet(9, vec![1, 2, 3])));
        assert_eq!(reader.next_packet(), None);
        assert_eq!(reader.take_rest(), [5]);
    }

    #[test]
    fn a_payload_of_the_greatest_length_is_continued_by_an_empty_packet() {
        let mut command = CommandReader::new();
        let first = packet(0, vec![3; LONGEST]);
        assert!(first.is_continued());
        assert_eq!(command.take(&first), None);
        let rest = packet(0, Vec::new());
        assert!(!command.is_beginning(&rest));
        let joined = command.take(&rest);
        assert_eq!(joined.map(|payload| payload.len()), Some(0xFF_FFFF));
        assert!(command.is_beginning(&packet(0, vec![1])));
        assert!(!command.is_beginning(&packet(1, vec![1])));
        assert_eq!(command.take(&packet(0, vec![1])), Some(vec![1]));
    }

    #[test]
    fn a_refusal_is_an_error_of_the_handshake() {
        let mut bytes = Vec::new();
        refusal(2, "no").write_to(&mut bytes);
        assert_eq!(bytes, b"\x0b\x00\x00\x02\xff\x13\x04#08S01no");
    }
}
