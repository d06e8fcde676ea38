//! A bank that behaves as a test wants.

use std::sync::{Barrier, Mutex};
use std::time::Duration;

use make_requests::{Deposits, Pace, Plan};
use serde_json::json;

use crate::stand_in::{LogEntry, Reply, Request, StandIn, ok, problem};

/// A bank with one account.
pub(crate) struct Bank(StandIn);

/// A deposit as the bank received it.
pub(crate) struct Deposit {
    pub(crate) amount: i64,
    pub(crate) key: Option<String>,
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
        let ledger = Ledger::default();
        let answer = move |request: &Request| match (&*request.method, &*request.path) {
            ("GET", "/accounts/1") => on_account(&ledger),
            ("POST", "/demo/atomic_long_delay/" | "/demo/nested/x/") => match parse(request) {
                Some(deposit) => on_deposit(&ledger, &deposit),
                None => problem(400, &json!({"title": "Not a deposit"})),
            },
            _ => problem(
                404,
                &json!({"title": "Not found", "detail": "no such thing here"}),
            ),
        };
        Self(StandIn::start(prefix, answer))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<LogEntry> {
        self.0.requests()
    }
}

/// A bank whose clients all meet after they have read, and write one after another.
pub(crate) fn racing_bank(clients: usize) -> Bank {
    let all_have_read = Barrier::new(clients);
    Bank::new(move |ledger, deposit| {
        let balance = ledger.balance();
        all_have_read.wait();
        ledger.write(balance, deposit)
    })
}

/// A bank that waits for `clients` deposits, and makes each correctly.
pub(crate) fn correct_bank(clients: usize) -> Bank {
    let all_have_arrived = Barrier::new(clients);
    Bank::new(move |ledger, deposit| {
        all_have_arrived.wait();
        ledger.deposit(deposit)
    })
}

/// A bank that makes the first deposits correctly, and treats the later ones differently.
pub(crate) fn bank_that_keeps(
    kept: usize,
    otherwise: impl Fn(&Ledger, &Deposit) -> Reply + Send + Sync + 'static,
) -> Bank {
    Bank::new(move |ledger, deposit| {
        if ledger.enter() <= kept {
            ledger.deposit(deposit)
        } else {
            otherwise(ledger, deposit)
        }
    })
}

/// A plan of deposits of 100.
pub(crate) fn plan(bank: &Bank, pace: Pace, requests: u32) -> Plan {
    Plan {
        base_url: bank.url().parse().unwrap(),
        target: deposits().into(),
        pace,
        requests: requests.try_into().unwrap(),
        timeout: Duration::from_secs(20),
    }
}

/// Deposits of 100 that are sent once.
pub(crate) fn deposits() -> Deposits {
    Deposits {
        strategy: "atomic_long_delay".parse().unwrap(),
        account: 1,
        amount: 100.try_into().unwrap(),
        retry_timeouts: false,
        idempotency: false,
    }
}

fn parse(request: &Request) -> Option<Deposit> {
    let form = request.body.strip_prefix("account=1&amount=")?;
    Some(Deposit {
        amount: form.parse().ok()?,
        key: request.key.clone(),
    })
}

/// The bank's only account.
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

    /// Inserts the transaction, and writes the balance that was read plus the amount. The receipt
    /// has a short read, and a think that is longer with each write.
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

    /// Reads and writes in one step. The receipt has a read that waited for all deposits before it.
    pub(crate) fn deposit(&self, deposit: &Deposit) -> Reply {
        let mut entries = self.0.lock().unwrap();
        let balance_read = entries.balance;
        let waited = 10_000 * i64::try_from(entries.transactions.len()).unwrap();
        entries.transactions.push(deposit.amount);
        entries.balance += deposit.amount;
        let n = entries.transactions.len();
        receipt(n, balance_read, deposit.amount, 80 + waited, 5_000)
    }

    /// Inserts the transaction and does not write the balance.
    pub(crate) fn insert_only(&self, deposit: &Deposit) {
        self.0.lock().unwrap().transactions.push(deposit.amount);
    }

    /// Counts the deposits that have arrived, with this one.
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

/// The receipt of the n-th write. Its times follow from n alone, so that a test can pin them. All
/// deposits arrive in the first millisecond.
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
