//! The audit for those who ask often: what was lost, without the service being busy with looking.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::accounts::{self, Account, Page};
use crate::engine::{Database, Fault};

/// At most so many accounts are looked at, the first by number.
const MOST_ACCOUNTS: usize = 1000;

/// As many at a time.
const PAGE: i64 = 100;

/// Whoever asks is not kept waiting for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// An audit reads every transaction. After it, the service rests for so many times as long as it took: it
/// costs no more than a twentieth of the time, however often somebody asks.
const REST: u32 = 19;

/// Audits the accounts, one audit at a time, and answers from the last one while it rests.
#[derive(Debug, Default)]
pub struct Auditor {
    last: Mutex<Option<Audit>>,
}

#[derive(Debug)]
struct Audit {
    /// None where the database did not tell.
    accounts: Option<Vec<Account>>,
    next_after: Instant,
}

impl Auditor {
    /// The accounts, or none where they could not be read in time.
    pub async fn accounts(&self, database: &Database) -> Option<Vec<Account>> {
        let mut last = self.last.lock().await;
        let audit = match last.take() {
            Some(audit) if Instant::now() < audit.next_after => audit,
            _ => Audit::of(database).await,
        };
        last.insert(audit).accounts.clone()
    }
}

impl Audit {
    async fn of(database: &Database) -> Self {
        let started = Instant::now();
        let read = timeout(PATIENCE, read(database)).await;
        let rest = started.elapsed() * REST;
        Self {
            accounts: read.ok().and_then(Result::ok),
            next_after: Instant::now() + rest,
        }
    }
}

async fn read(database: &Database) -> Result<Vec<Account>, Fault> {
    let mut accounts = Vec::new();
    let mut page = Page {
        after: 0,
        limit: PAGE,
    };
    while accounts.len() < MOST_ACCOUNTS {
        let found = accounts::list(database, page).await?;
        let Some(last) = found.last() else {
            break;
        };
        page.after = last.id;
        accounts.extend(found);
    }
    Ok(accounts)
}
