//! An audit of the accounts for clients that ask often: it tells what was lost, and keeps the
//! database free for other work.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::metrics::AccountLoss;
use crate::accounts::{self, Account, Page};
use crate::engine::{Database, Fault};

/// The most accounts that are audited: the first ones by number.
const MOST_ACCOUNTS: usize = 1000;

/// The number of accounts that one statement reads.
const PAGE: i64 = 100;

/// How long an audit may take, so that nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the auditor rests after an audit, as a multiple of the time that the audit took. An
/// audit reads every transaction. With this rest it takes at most a twentieth of the time, however
/// often clients ask.
const REST: u32 = 19;

/// Audits the accounts, one audit at a time. While it rests, it answers from the last audit.
#[derive(Debug, Default)]
pub(crate) struct Auditor {
    last: Mutex<Option<Audit>>,
}

#[derive(Debug)]
struct Audit {
    /// None if the database did not answer.
    losses: Option<Vec<AccountLoss>>,
    next_after: Instant,
}

impl Auditor {
    /// What was lost in each account. None if the accounts could not be read in time.
    pub(crate) async fn losses(&self, database: &Database) -> Option<Vec<AccountLoss>> {
        let mut last = self.last.lock().await;
        let audit = match last.take() {
            Some(audit) if Instant::now() < audit.next_after => audit,
            _ => Audit::of(database).await,
        };
        last.insert(audit).losses.clone()
    }
}

impl Audit {
    async fn of(database: &Database) -> Self {
        let started = Instant::now();
        let read = timeout(PATIENCE, read_losses(database)).await;
        let rest = started.elapsed() * REST;
        Self {
            losses: read.ok().and_then(Result::ok),
            next_after: Instant::now() + rest,
        }
    }
}

async fn read_losses(database: &Database) -> Result<Vec<AccountLoss>, Fault> {
    let mut losses = Vec::new();
    let mut page = Page {
        after: 0,
        limit: PAGE,
    };
    while losses.len() < MOST_ACCOUNTS {
        let accounts = accounts::list(database, page).await?;
        let Some(last) = accounts.last() else {
            break;
        };
        page.after = last.id;
        losses.extend(accounts.iter().map(loss));
    }
    Ok(losses)
}

fn loss(account: &Account) -> AccountLoss {
    AccountLoss {
        account: account.id,
        amount: account.lost,
        updates: account.lost_updates(),
    }
}
