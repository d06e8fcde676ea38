//! What a forwarder records of a connection: a line for each packet or message, without what is
//! another value in each session.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Records one direction of a connection.
pub(crate) trait Kinds: Send {
    /// Takes the bytes that come next, in segments of any length.
    fn take(&mut self, bytes: &[u8]);

    /// A line for each packet or message.
    fn lines(self: Box<Self>) -> String;
}

/// MySQL's protocol: from the client, and from the server.
pub(crate) fn of_packets() -> (Box<dyn Kinds>, Box<dyn Kinds>) {
    let [client, server] = ["client", "server"].map(Packets::new);
    (Box::new(client), Box::new(server))
}

/// PostgreSQL's protocol: from the client, and from the server.
pub(crate) fn of_messages() -> (Box<dyn Kinds>, Box<dyn Kinds>) {
    let asked = Arc::<AtomicUsize>::default();
    let client = Messages::new(true, asked.clone());
    let server = Messages::new(false, asked);
    (Box::new(client), Box::new(server))
}

// MySQL -------------------------------------------------------------------------------------------

/// The packets in one direction: the sequence and the length of each, and the first byte of a
/// command or an answer.
struct Packets {
    side: &'static str,
    lines: String,
    header: Vec<u8>,
    /// How much of a payload has not come yet.
    left: usize,
}

impl Packets {
    /// Three bytes of a length and one of the sequence.
    const HEADER: usize = 4;

    fn new(side: &'static str) -> Self {
        Self {
            side,
            lines: String::new(),
            header: Vec::new(),
            left: 0,
        }
    }

    fn note(&mut self, first: Option<u8>) {
        let sequence = self.header.last().copied().unwrap_or_default();
        // The client's first packet has the number of its process in it.
        let is_hello = self.side == "client" && self.lines.is_empty();
        let length = if is_hello { 0 } else { self.left };
        // An answer to the server, such as a password's proof, is another one each time.
        let is_command = self.side == "server" || sequence == 0;
        let first = first.filter(|_| is_command);
        let first = first.map_or_else(|| "-".to_owned(), |it| format!("{it:02x}"));
        self.lines += &format!("{} {sequence} {length} {first}\n", self.side);
        self.header.clear();
    }
}

impl Kinds for Packets {
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                if self.header.len() == Self::HEADER {
                    self.note(Some(*first));
                }
                self.left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let [low, middle, high, _] = self.header[..] {
                self.left = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
                if self.left == 0 {
                    self.note(None);
                }
            }
        }
    }

    fn lines(self: Box<Self>) -> String {
        self.lines
    }
}

// PostgreSQL --------------------------------------------------------------------------------------

/// The messages in one direction: the kind, the length and a sum of each.
struct Messages {
    is_client: bool,
    lines: String,
    /// What has come of the current message's start.
    header: Vec<u8>,
    /// How much of its content has not come yet.
    left: usize,
    sum: Sum,
    /// How much of its content has come.
    come: usize,
    /// Whether a client's next message has a kind. Those before the log-in have a code instead.
    has_kinds: bool,
    /// How many requests for encryption have no answer yet. It is a single byte.
    asked: Arc<AtomicUsize>,
}

/// A byte of the kind and four of a length, or four of a length and four of a code.
const TYPED: usize = 5;
const UNTYPED: usize = 8;

impl Messages {
    fn new(is_client: bool, asked: Arc<AtomicUsize>) -> Self {
        Self {
            is_client,
            lines: String::new(),
            header: Vec::new(),
            left: 0,
            sum: Sum::default(),
            come: 0,
            has_kinds: !is_client,
            asked,
        }
    }

    fn side(&self) -> &'static str {
        if self.is_client { "client" } else { "server" }
    }

    /// Takes a byte of a message's start, and returns whether its content comes next.
    fn begin(&mut self, byte: u8) -> bool {
        if !self.is_client && self.header.is_empty() && self.asked.load(Ordering::SeqCst) > 0 {
            self.asked.fetch_sub(1, Ordering::SeqCst);
            self.lines += &format!("server answers {}\n", byte.escape_ascii());
            return false;
        }
        self.header.push(byte);
        if self.header.len() < if self.has_kinds { TYPED } else { UNTYPED } {
            return false;
        }
        let length_at = usize::from(self.has_kinds);
        let length = number(&self.header[length_at..]);
        // The length counts itself, and the code.
        self.left = length.saturating_sub(self.header.len() - length_at);
        self.sum = Sum::default();
        self.come = 0;
        true
    }

    /// The part of the content that is summed, and whether the length is shown. Proofs of a
    /// password, numbers of processes and their keys are other ones in each session.
    fn shown(&self) -> (Range<usize>, bool) {
        match (self.is_client, self.has_kinds, self.header[0]) {
            // Some drivers make nonces of any length.
            (true, true, b'p') => (0..0, false),
            (false, _, b'R') => (0..4, false),
            (false, _, b'K') => (0..0, true),
            (false, _, b'A') => (4..usize::MAX, true),
            // The parameters of a start come in any order from some drivers.
            (true, false, _) => (0..0, true),
            _ => (0..usize::MAX, true),
        }
    }

    fn code(&self) -> usize {
        number(&self.header[4..])
    }

    /// The message has come whole.
    fn note(&mut self) {
        let side = self.side();
        let (summed, is_length_shown) = self.shown();
        let length = number(&self.header[usize::from(self.has_kinds)..]).to_string();
        let length = if is_length_shown { &length } else { "-" };
        let sum = if summed.is_empty() {
            "-".to_owned()
        } else {
            self.sum.to_string()
        };
        let kind = if self.has_kinds {
            self.header[0].escape_ascii().to_string()
        } else {
            match self.code() {
                SSL | GSS => {
                    self.asked.fetch_add(1, Ordering::SeqCst);
                    "asks for encryption".to_owned()
                }
                CANCEL => "cancels".to_owned(),
                version => {
                    self.has_kinds = true;
                    format!("starts {}.{}", version >> 16, version & 0xffff)
                }
            }
        };
        self.lines += &format!("{side} {kind} {length} {sum}\n");
        self.header.clear();
    }
}

const SSL: usize = 80_877_103;
const GSS: usize = 80_877_104;
const CANCEL: usize = 80_877_102;

/// The number in the first four bytes.
fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

impl Kinds for Messages {
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left == 0 {
                bytes = rest;
                if self.begin(*first) && self.left == 0 {
                    self.note();
                }
                continue;
            }
            let (taken, rest) = bytes.split_at(self.left.min(bytes.len()));
            let (summed, _) = self.shown();
            let within = |at: usize| at.saturating_sub(self.come).min(taken.len());
            self.sum
                .add(&taken[within(summed.start)..within(summed.end)]);
            self.come += taken.len();
            self.left -= taken.len();
            bytes = rest;
            if self.left == 0 {
                self.note();
            }
        }
    }

    fn lines(mut self: Box<Self>) -> String {
        if !self.header.is_empty() {
            self.lines += &format!("{} ends within a message\n", self.side());
        }
        self.lines
    }
}

/// FNV-1a: it tells two contents apart, and needs no care about segments.
struct Sum(u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}
