//! How a stream of bytes is cut.

/// What has come of a stream.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    /// How many of `bytes` were returned in packets.
    read: usize,
}

impl Incoming {
    /// What was not returned yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    /// This number of bytes of the rest are returned now.
    pub(super) fn advance(&mut self, count: usize) {
        self.read += count;
    }

    fn leave_out_what_was_read(&mut self) {
        self.bytes.drain(..self.read);
        self.read = 0;
    }
}

/// How a protocol cuts its stream of bytes.
pub(super) trait Framing: Default + Send {
    /// The smallest part of the stream that means something.
    type Packet: Send;

    /// What has come, and how much of it was returned.
    fn incoming(&mut self) -> &mut Incoming;

    /// The next packet. None if it is not complete yet.
    fn next_packet(&mut self) -> Option<Self::Packet>;

    /// Appends a packet as it is sent.
    fn write(packet: &Self::Packet, bytes: &mut Vec<u8>);

    /// Appends what came from the stream.
    fn fill(&mut self, bytes: &[u8]) {
        let incoming = self.incoming();
        incoming.leave_out_what_was_read();
        incoming.bytes.extend(bytes);
    }

    /// Whether all that has come was returned in packets.
    fn is_empty(&mut self) -> bool {
        self.incoming().rest().is_empty()
    }

    /// Takes what has come of a packet that is not complete.
    fn take_rest(&mut self) -> Vec<u8> {
        let incoming = self.incoming();
        incoming.leave_out_what_was_read();
        std::mem::take(&mut incoming.bytes)
    }
}
