//! A service behind HTTP that behaves as a test wants: correctly, wrongly, or not at all.
//!
//! Each connection has a thread with blocking reads, so that a test can order its clients with a
//! barrier. Nothing in it sleeps.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A service that listens until the process ends.
pub(crate) struct StandIn {
    address: SocketAddr,
    prefix: &'static str,
    log: Arc<Mutex<Vec<LogEntry>>>,
}

/// The answer to a request.
pub(crate) enum Reply {
    /// An HTTP answer with a body of some type.
    Http(u16, &'static str, String),
    /// These bytes, which may not be HTTP.
    Raw(&'static [u8]),
    /// This answer. Then the connection is closed without notice.
    Last(Box<Reply>),
    /// The connection is closed without an answer.
    HangUp,
    /// No answer, ever.
    Silence,
}

/// A request that the service received: the number of its connection, and its method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub(crate) connection: usize,
    pub(crate) method: String,
}

/// The parts of a request that tests look at.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path with its query and without the prefix.
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: String,
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

impl StandIn {
    /// A service whose routes all start with a prefix.
    pub(crate) fn start(
        prefix: &'static str,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::default();
        let (answer, shared_log): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&log));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&shared_log));
                thread::spawn(move || serve(connection, &stream, prefix, &*answer, &log));
            }
        });
        Self {
            address,
            prefix,
            log,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.address, self.prefix)
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<LogEntry> {
        self.log.lock().unwrap().clone()
    }
}

/// Serves one connection until it ends.
fn serve(
    connection: usize,
    stream: &TcpStream,
    prefix: &str,
    answer: &Answer,
    log: &Mutex<Vec<LogEntry>>,
) {
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read_request(&mut reader) {
        log.lock().unwrap().push(LogEntry {
            connection,
            method: request.method.clone(),
        });
        let reply = match request.path.strip_prefix(prefix) {
            Some(path) => {
                request.path = path.to_owned();
                answer(&request)
            }
            None => problem(404, &json!({"title": "No such route"})),
        };
        if !send(stream, reply) {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let start = lines.next()?;
    let mut start = start.split(' ');
    let (method, path) = (start.next()?.to_owned(), start.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(": ")
                .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
        })
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        key: headers.get("idempotency-key").cloned(),
        body: String::from_utf8(body).unwrap(),
    })
}

/// Sends the reply. Returns whether the connection stays open.
fn send(mut stream: &TcpStream, reply: Reply) -> bool {
    match reply {
        Reply::Http(status, content_type, body) => {
            let head = format!(
                "HTTP/1.1 {status} -\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).is_ok()
        }
        Reply::Raw(bytes) => stream.write_all(bytes).is_ok(),
        Reply::Last(reply) => {
            send(stream, *reply);
            false
        }
        Reply::HangUp => false,
        // The next read ends when the client closes the connection.
        Reply::Silence => true,
    }
}

pub(crate) fn ok(body: &Value) -> Reply {
    Reply::Http(200, "application/json", body.to_string())
}

pub(crate) fn problem(status: u16, body: &Value) -> Reply {
    Reply::Http(status, "application/problem+json", body.to_string())
}

pub(crate) fn deadlock() -> Reply {
    problem(
        409,
        &json!({
            "type": "urn:racy:problem:deadlock", "title": "Deadlock", "status": 409,
            "detail": "the database chose this transaction as the victim", "fault": "deadlock",
            "code": "1213", "retryable": true, "outcome": "refused",
        }),
    )
}
