//! A client that speaks MySQL's protocol byte by byte. It shares no code with the proxy.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a client asks for: the layout since MySQL 4.1, a database, transactions, several results, a
/// length before the proof of the password, plugins, and LOAD DATA LOCAL.
pub const PLAIN: u64 = 0xF_A289;

/// Also: no EOF packets, and what has changed in the session.
pub const MODERN: u64 = PLAIN | 0x180_0000;

/// Also, of MySQL: attributes before the text of a query.
pub const WITH_ATTRIBUTES: u64 = MODERN | ATTRIBUTES;

/// Of MariaDB alone: progress, bulk execution, more about columns, and definitions that are left
/// out.
pub const MARIADB: u64 = MODERN & !1 | 0x1D << 32;

/// Asks for attributes before the text of a query.
pub const ATTRIBUTES: u64 = 1 << 27;

/// Asks for no EOF packets.
pub const NO_EOF: u64 = 1 << 24;

/// Asks for TLS.
pub const SSL: u64 = 1 << 11;

/// Asks for compression.
pub const COMPRESS: u64 = 1 << 5;

/// Asks that definitions of columns may be left out.
pub const OPTIONAL_METADATA: u64 = 1 << 25;

/// The longest payload of one packet.
const LONGEST: usize = 0xFF_FFFF;

/// One connection.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// The server's greeting, without its header.
    pub greeting: Vec<u8>,
}

/// One packet of the server: its number, and its payload.
pub type Packet = (u8, Vec<u8>);

impl RawClient {
    /// Connects and reads the greeting.
    pub async fn greeted(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream,
            greeting: Vec::new(),
        };
        client.greeting = client.packet().await.unwrap().1;
        client
    }

    /// Logs in as root without a password.
    pub async fn log_in(at: SocketAddr, database: &str, capabilities: u64) -> Self {
        let mut client = Self::greeted(at).await;
        let mut response = hello(capabilities);
        response.extend(b"root\0\0");
        response.extend(database.as_bytes());
        response.extend(b"\0mysql_native_password\0");
        client.send(1, &response).await;
        let (_, last) = client.authenticate().await;
        assert_eq!(last[0], 0, "{}", String::from_utf8_lossy(&last));
        client
    }

    /// Answers the server's questions with an empty password. Returns its last word.
    pub async fn authenticate(&mut self) -> Packet {
        loop {
            let (sequence, payload) = self.packet().await.unwrap();
            match payload[0] {
                // Another plugin is asked for: each takes its own proof of an empty password.
                0xFE if payload.starts_with(b"\xfecaching_sha2_password\0") => {
                    self.send(sequence + 1, &[0]).await;
                }
                0xFE => self.send(sequence + 1, &[]).await,
                0x01 => {}
                _ => return (sequence, payload),
            }
        }
    }

    /// The connection's number on the server.
    pub fn id(&self) -> u32 {
        let version = self.greeting.iter().position(|it| *it == 0).unwrap();
        let id = self.greeting[version + 1..version + 5].try_into();
        u32::from_le_bytes(id.unwrap())
    }

    /// Sends a payload from this number on. A long one is cut.
    pub async fn send(&mut self, sequence: u8, payload: &[u8]) {
        let bytes = packets(sequence, payload);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next bytes, this number of them.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Sends a command that is answered with one packet, and returns it.
    pub async fn ask(&mut self, payload: &[u8]) -> Packet {
        self.send(0, payload).await;
        self.packet().await.unwrap()
    }

    /// Runs a statement that returns no rows.
    pub async fn execute(&mut self, sql: &str) -> Packet {
        self.ask(&query(sql)).await
    }

    /// Prepares a statement, reads the definitions that follow, and returns its number.
    pub async fn prepare(&mut self, sql: &str, capabilities: u64) -> u32 {
        let (_, prepared) = self.ask(&prepare(sql)).await;
        assert_eq!(prepared[0], 0, "{}", String::from_utf8_lossy(&prepared));
        for count in [&prepared[5..7], &prepared[7..9]] {
            let definitions = u16::from_le_bytes([count[0], count[1]]);
            let ends = u16::from(definitions > 0 && capabilities & NO_EOF == 0);
            for _ in 0..definitions + ends {
                self.packet().await.unwrap();
            }
        }
        u32::from_le_bytes(prepared[1..5].try_into().unwrap())
    }

    /// The next packet. None if the server has closed the connection.
    pub async fn packet(&mut self) -> Option<Packet> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await.ok()?;
        let [low, middle, high, sequence] = header;
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((sequence, payload))
    }

    /// Sends all of this while it reads, and returns all packets until the server closes the
    /// connection.
    pub async fn pipeline(self, bytes: &[u8]) -> Vec<Packet> {
        let (mut from, mut to) = self.stream.into_split();
        let mut answers = Vec::new();
        let reads = from.read_to_end(&mut answers);
        // The sending half stays open: a client that is gone gets nothing more.
        let (read, _) = tokio::join!(reads, to.write_all(bytes));
        read.unwrap();
        cut(&answers)
    }

    /// All packets until the server closes the connection.
    pub async fn rest(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(packet) = self.packet().await {
            packets.push(packet);
        }
        packets
    }
}

/// The fields before the user's name. The character set is utf8mb4.
pub fn hello(capabilities: u64) -> Vec<u8> {
    let bytes = capabilities.to_le_bytes();
    let (common, of_mariadb) = bytes.split_at(4);
    let longest = (1_u32 << 30).to_le_bytes();
    [common, &longest, &[45], &[0; 19], of_mariadb].concat()
}

/// A payload, as it is sent from this number on.
pub fn packets(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 8);
    let mut sequence = sequence;
    let mut rest = payload;
    loop {
        let (part, left) = rest.split_at(rest.len().min(LONGEST));
        bytes.extend(&u32::try_from(part.len()).unwrap().to_le_bytes()[..3]);
        bytes.push(sequence);
        bytes.extend(part);
        if part.len() < LONGEST {
            return bytes;
        }
        sequence = sequence.wrapping_add(1);
        rest = left;
    }
}

/// Cuts what came into packets.
fn cut(mut bytes: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let [low, middle, high, sequence, rest @ ..] = bytes {
        let length = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
        let (payload, rest) = rest.split_at(length);
        packets.push((*sequence, payload.to_vec()));
        bytes = rest;
    }
    packets
}

/// The payload of a query.
pub fn query(sql: &str) -> Vec<u8> {
    [b"\x03", sql.as_bytes()].concat()
}

/// The payload that prepares a statement.
pub fn prepare(sql: &str) -> Vec<u8> {
    [b"\x16", sql.as_bytes()].concat()
}

/// The payload that executes a statement: its number, its flags, and what follows.
pub fn execute(id: u32, flags: u8, arguments: &[u8]) -> Vec<u8> {
    let mut payload = vec![0x17];
    payload.extend(id.to_le_bytes());
    payload.push(flags);
    payload.extend(1_u32.to_le_bytes());
    payload.extend(arguments);
    payload
}

/// The payload of a command about a statement.
pub fn about(command: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    let mut payload = vec![command];
    payload.extend(id.to_le_bytes());
    payload.extend(rest);
    payload
}

/// What a packet says, if it is an error: its code and words.
pub fn error(payload: &[u8]) -> (u16, String) {
    assert_eq!(payload[0], 0xFF, "{payload:?}");
    let code = u16::from_le_bytes([payload[1], payload[2]]);
    (code, String::from_utf8_lossy(&payload[3..]).into_owned())
}
