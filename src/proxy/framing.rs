//! How a stream of bytes is cut.

/// How a protocol cuts its stream of bytes.
pub(super) trait Framing: Default + Send {
    /// The smallest part of the stream that means something.
    type Packet: Send;

    /// Appends what came from the stream.
    fn fill(&mut self, bytes: &[u8]);

    /// The next packet. None if it is not complete yet.
    fn next_packet(&mut self) -> Option<Self::Packet>;

    /// Whether all that has come was returned in packets.
    fn is_empty(&self) -> bool;

    /// Takes what has come of a packet that is not complete.
    fn take_rest(&mut self) -> Vec<u8>;

    /// Appends a packet as it is sent.
    fn write(packet: &Self::Packet, bytes: &mut Vec<u8>);
}
