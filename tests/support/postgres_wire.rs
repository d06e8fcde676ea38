//! A client that speaks PostgreSQL's protocol byte by byte. It shares no code with the proxy.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The protocol's version that all clients know.
pub const V3_0: u32 = 3 << 16;

/// The version since which the key that cancels statements may be longer than four bytes.
pub const V3_2: u32 = V3_0 | 2;

/// Asks for TLS.
pub const SSL_REQUEST: [u8; 8] = *b"\0\0\0\x08\x04\xd2\x16\x2f";

/// Asks for encryption by GSSAPI.
pub const GSS_REQUEST: [u8; 8] = *b"\0\0\0\x08\x04\xd2\x16\x30";

/// Asks for the answers so far.
pub const FLUSH: [u8; 5] = *b"H\0\0\0\x04";

/// One connection.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// The server's process for it, and the key with which its statements are cancelled.
    pub process: i32,
    pub key: Vec<u8>,
}

/// One message: its kind, and what follows its length.
pub type Message = (u8, Vec<u8>);

impl RawClient {
    /// Connects, and says nothing yet.
    pub async fn connect(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            process: 0,
            key: Vec::new(),
        }
    }

    /// Logs in as the server's first user, without a password.
    pub async fn log_in(at: SocketAddr, database: &str) -> Self {
        let mut client = Self::connect(at).await;
        let startup = startup(V3_0, &[("user", "postgres"), ("database", database)]);
        client.send(&startup).await;
        client.begin().await;
        client
    }

    /// Reads the server's answer to a startup, up to its state. Returns its kinds.
    pub async fn begin(&mut self) -> String {
        let answer = self.until_ready().await;
        for (kind, body) in &answer {
            if *kind == b'K' {
                let (process, key) = body.split_at(4);
                self.process = i32::from_be_bytes(process.try_into().unwrap());
                self.key = key.to_vec();
            }
        }
        assert_eq!(answer.last().unwrap().0, b'Z', "{answer:?}");
        kinds(&answer)
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next bytes, this number of them.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// The next message. None if the server has closed the connection.
    pub async fn message(&mut self) -> Option<Message> {
        let kind = self.stream.read_u8().await.ok()?;
        let length = self.stream.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    }

    /// All messages up to this kind.
    pub async fn until_kind(&mut self, kind: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.message().await;
            messages.push(message.unwrap_or_else(|| panic!("the server ends: {messages:?}")));
            if messages.last().is_some_and(|it| it.0 == kind) {
                return messages;
            }
        }
    }

    /// All messages up to the server's state.
    pub async fn until_ready(&mut self) -> Vec<Message> {
        self.until_kind(b'Z').await
    }

    /// Sends what is answered with one state, and returns the answer.
    pub async fn ask(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.send(bytes).await;
        self.until_ready().await
    }

    /// Runs statements as a text, none of which is refused.
    pub async fn execute(&mut self, sql: &str) -> Vec<Message> {
        let answer = self.ask(&query(sql)).await;
        assert!(answer.iter().all(|it| it.0 != b'E'), "{sql}: {answer:?}");
        answer
    }

    /// All messages until the server closes the connection.
    pub async fn rest(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            messages.push(message);
        }
        messages
    }

    /// Sends all of this and the end while it reads, and returns all messages until the server
    /// closes the connection.
    pub async fn pipeline(self, bytes: &[u8]) -> Vec<Message> {
        let (mut from, mut to) = self.stream.into_split();
        let sent = [bytes, &terminate()].concat();
        let mut answers = Vec::new();
        let reads = from.read_to_end(&mut answers);
        // The sending half stays open: a client that is gone gets nothing more.
        let (read, _) = tokio::join!(reads, to.write_all(&sent));
        read.unwrap();
        cut(&answers)
    }
}

/// The first message of a client.
pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(text(name));
        body.extend(text(value));
    }
    body.push(0);
    [&length_of(&body)[..], &body].concat()
}

/// The only message of a client that cancels another one's statement.
pub fn cancel(process: i32, key: &[u8]) -> Vec<u8> {
    let body = [&b"\x04\xd2\x16\x2e"[..], &process.to_be_bytes(), key].concat();
    [&length_of(&body)[..], &body].concat()
}

/// A message of this kind.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length_of(body), body].concat()
}

fn length_of(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).unwrap().to_be_bytes()
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// Statements as a text.
pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &text(sql))
}

/// Prepares a statement. The server finds the types of its arguments.
pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', &[text(name), text(sql), vec![0, 0]].concat())
}

/// Binds a prepared statement with these arguments as texts. Its results are texts too.
pub fn bind(portal: &str, statement: &str, arguments: &[&str]) -> Vec<u8> {
    let mut body = [text(portal), text(statement), vec![0, 0]].concat();
    body.extend(u16::try_from(arguments.len()).unwrap().to_be_bytes());
    for argument in arguments {
        body.extend(u32::try_from(argument.len()).unwrap().to_be_bytes());
        body.extend(argument.as_bytes());
    }
    body.extend([0, 0]);
    message(b'B', &body)
}

/// Asks what a statement (`S`) or a portal (`P`) returns.
pub fn describe(of: u8, name: &str) -> Vec<u8> {
    message(b'D', &[vec![of], text(name)].concat())
}

/// Closes a statement (`S`) or a portal (`P`).
pub fn close(of: u8, name: &str) -> Vec<u8> {
    message(b'C', &[vec![of], text(name)].concat())
}

/// Executes a portal. It returns at most this number of rows, or all of them if it is 0.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    message(b'E', &[text(portal), rows.to_be_bytes().to_vec()].concat())
}

/// Prepares, binds and executes a statement without a name.
pub fn run(sql: &str, arguments: &[&str]) -> Vec<u8> {
    [parse("", sql), bind("", "", arguments), execute("", 0)].concat()
}

/// Ends a series, and asks for the state.
pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// Data of a COPY.
pub fn copy_data(rows: &str) -> Vec<u8> {
    message(b'd', rows.as_bytes())
}

/// The end of the data of a COPY.
pub fn copy_done() -> Vec<u8> {
    message(b'c', b"")
}

/// The client's refusal to send more data of a COPY.
pub fn copy_fail(why: &str) -> Vec<u8> {
    message(b'f', &text(why))
}

/// Ends the connection.
pub fn terminate() -> Vec<u8> {
    message(b'X', b"")
}

/// Cuts bytes into messages.
pub fn cut(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let [kind, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let (body, rest) = rest.split_at(usize::try_from(length).unwrap() - 4);
        messages.push((*kind, body.to_vec()));
        bytes = rest;
    }
    messages
}

/// The kinds of messages, one letter for each. Several rows in a row are one `D`, or one `d` of a
/// COPY.
pub fn kinds(messages: &[Message]) -> String {
    let mut kinds = String::new();
    for (kind, _) in messages {
        let kind = char::from(*kind);
        if !matches!(kind, 'D' | 'd') || !kinds.ends_with(kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// What an error says: its code (SQLSTATE), and its words.
pub fn error(message: &Message) -> (String, String) {
    assert!(matches!(message.0, b'E' | b'N'), "{message:?}");
    let field = |of: u8| {
        let mut fields = message.1.split(|it| *it == 0);
        let found = fields.find(|it| it.first() == Some(&of)).unwrap();
        String::from_utf8_lossy(&found[1..]).into_owned()
    };
    (field(b'C'), field(b'M'))
}

/// The first value of each row.
pub fn values(messages: &[Message]) -> Vec<String> {
    let rows = messages.iter().filter(|it| it.0 == b'D');
    let first = rows.map(|(_, body)| {
        let length = u32::from_be_bytes(body[2..6].try_into().unwrap());
        let value = &body[6..6 + usize::try_from(length).unwrap()];
        String::from_utf8_lossy(value).into_owned()
    });
    first.collect()
}
