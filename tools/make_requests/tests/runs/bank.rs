//! A bank behind HTTP that behaves as a test wants: correctly, wrongly, or not at all.
//!
//! A thread per connection and blocking reads keep it small, and let a test order its clients
//! with a barrier. Nothing in it sleeps.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A bank that listens until the process ends.
pub(crate) struct Bank {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What a deposit or a look at the account is answered with.
pub(crate) enum Reply {
    /// An HTTP answer with a body of some type.
    Http(u16, &'static str, String),
    /// These bytes, whatever they mean.
    Raw(&'static [u8]),
    /// This answer, after which the connection is closed without having said so.
    Last(Box<Reply>),
    /// The connection is closed without an answer.
    HangUp,
    /// No answer, ever.
    Silence,
}

/// A deposit as it arrived.
pub(crate) struct Deposit {
    pub(crate) amount: i64,
    pub(crate) key: Option<String>,
}

type OnDeposit = dyn Fn(&Ledger, &Deposit) -> Reply + Send + Sync;
type OnAccount = dyn Fn(&Ledger) -> Reply + Send + Sync;

struct Shared {
    prefix: &'static str,
    ledger: Ledger,
    requests: Mutex<Vec<Request>>,
    on_deposit: Box<OnDeposit>,
    on_account: Box<OnAccount>,
}

/// A request that the bank saw: over which connection, and its method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) connection: usize,
    pub(crate) method: String,
}

impl Bank {
    pub(crate) fn new(
        on_deposit: impl Fn(&Ledger, &Deposit) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with_account(on_deposit, Ledger::audit)
    }

    pub(crate) fn with_account(
        on_deposit: impl Fn(&Ledger, &Deposit) -> Reply + Send + Sync + 'static,
        on_account: impl Fn(&Ledger) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start("", on_deposit, on_account)
    }

    /// A bank whose routes all start with a prefix.
    pub(crate) fn start(
        prefix: &'static str,
        on_deposit: impl Fn(&Ledger, &Deposit) -> Reply + Send + Sync + 'static,
        on_account: impl Fn(&Ledger) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            prefix,
            ledger: Ledger::default(),
            requests: Mutex::default(),
            on_deposit: Box::new(on_deposit),
            on_account: Box::new(on_account),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(connection, &stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.prefix)
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Shared {
    /// Serves one connection until it ends.
    fn serve(&self, connection: usize, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(Arrived {
            method,
            path,
            key,
            form,
        }) = read_request(&mut reader)
        {
            self.requests.lock().unwrap().push(Request {
                connection,
                method: method.clone(),
            });
            let reply = self.reply(&method, &path, key, &form);
            if !send(stream, reply) {
                return;
            }
        }
    }

    fn reply(&self, method: &str, path: &str, key: Option<String>, form: &str) -> Reply {
        let Some(path) = path.strip_prefix(self.prefix) else {
            return problem(404, &json!({"title": "No such route"}));
        };
        match (method, path) {
            ("GET", "/accounts/1") => (self.on_account)(&self.ledger),
            ("POST", "/demo/atomic_long_delay/" | "/demo/nested/x/") => match parse(form, key) {
                Some(deposit) => (self.on_deposit)(&self.ledger, &deposit),
                None => problem(400, &json!({"title": "Not a deposit"})),
            },
            _ => problem(
                404,
                &json!({"title": "Not found", "detail": "no such thing here"}),
            ),
        }
    }
}

/// What of a request the bank looks at.
struct Arrived {
    method: String,
    path: String,
    key: Option<String>,
    form: String,
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Arrived> {
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
    Some(Arrived {
        method,
        path,
        key: headers.get("idempotency-key").cloned(),
        form: String::from_utf8(body).unwrap(),
    })
}

fn parse(form: &str, key: Option<String>) -> Option<Deposit> {
    let amount = form.strip_prefix("account=1&amount=")?.parse().ok()?;
    Some(Deposit { amount, key })
}

/// Sends the reply, and says whether the connection goes on.
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
        // The next read ends when the client has given up.
        Reply::Silence => true,
    }
}

/// What the bank knows about its only account.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    balance: i64,
    transactions: Vec<i64>,
    entered: usize,
}

impl Ledger {
    pub(crate) fn balance(&self) -> i64 {
        self.0.lock().unwrap().balance
    }

    /// Inserts the transaction and writes the balance that was read plus the amount. The receipt
    /// tells of a short read, and of a think that is longer with each write.
    pub(crate) fn write(&self, balance_read: i64, deposit: &Deposit) -> Reply {
        let mut entries = self.0.lock().unwrap();
        entries.transactions.push(deposit.amount);
        entries.balance = balance_read + deposit.amount;
        let n = entries.transactions.len();
        receipt(
            n,
            balance_read,
            deposit.amount,
            80,
            5_000 * i64::try_from(n).unwrap(),
        )
    }

    /// Reads and writes without letting anybody in between. The receipt tells of a read that
    /// waited for everybody who came before.
    pub(crate) fn deposit(&self, deposit: &Deposit) -> Reply {
        let mut entries = self.0.lock().unwrap();
        let balance_read = entries.balance;
        let waited = 10_000 * i64::try_from(entries.transactions.len()).unwrap();
        entries.transactions.push(deposit.amount);
        entries.balance += deposit.amount;
        let n = entries.transactions.len();
        receipt(n, balance_read, deposit.amount, 80 + waited, 5_000)
    }

    /// Inserts the transaction, and fails before the balance is written.
    pub(crate) fn insert_only(&self, deposit: &Deposit) {
        self.0.lock().unwrap().transactions.push(deposit.amount);
    }

    /// Counts the deposits that have come in, this one included.
    pub(crate) fn enter(&self) -> usize {
        let mut entries = self.0.lock().unwrap();
        entries.entered += 1;
        entries.entered
    }

    pub(crate) fn transactions(&self) -> usize {
        self.0.lock().unwrap().transactions.len()
    }

    pub(crate) fn audit(&self) -> Reply {
        let entries = self.0.lock().unwrap();
        let sum: i64 = entries.transactions.iter().sum();
        ok(&json!({
            "id": 1, "balance": entries.balance, "opening_balance": 0, "version": 0,
            "transactions": entries.transactions.len(), "transactions_sum": sum,
            "expected": sum, "lost": sum - entries.balance,
        }))
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

/// The receipt of the n-th write. Its times follow from n alone, so that they can be pinned: all
/// arrive in the first millisecond.
fn receipt(n: usize, balance_read: i64, amount: i64, read_us: i64, think_us: i64) -> Reply {
    let arrived_at_us = 1_763_804_000_000_000 + 10 * i64::try_from(n).unwrap();
    let balance_written = balance_read + amount;
    let (read_end, think_end) = (110 + read_us, 130 + read_us + think_us);
    let step = |action: &str, label: &str, start_us: i64, duration_us: i64| {
        json!({
            "action": action, "label": label, "start_us": start_us, "duration_us": duration_us,
        })
    };
    let mut read = step("read", "read balance", 110, read_us);
    read["value"] = balance_read.into();
    let mut write = step("write", "write balance", think_end + 250, 150);
    write["value"] = balance_written.into();
    ok(&json!({
        "strategy": "atomic_long_delay", "account": 1, "amount": amount,
        "balance_read": balance_read, "balance_written": balance_written, "attempts": 1,
        "arrived_at_us": arrived_at_us,
        "timeline": [
            step("begin", "begin", 12, 90),
            read,
            step("think", "think", read_end + 10, think_us),
            step("write", "insert transaction", think_end + 40, 200),
            write,
            step("commit", "commit", think_end + 410, 1_200),
        ],
    }))
}
