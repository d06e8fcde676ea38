//! What one instance of the service keeps in its memory: locks and writers, by account.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::Mutex;

use super::writer::Writer;
use crate::engine::Database;
use crate::step::{Observer, Unobserved};

/// What one instance of the service keeps in memory for its strategies, and shares with no other
/// instance. A process may contain several instances.
#[derive(Debug)]
pub struct Memory {
    /// The locks, by account. A lock that is neither held nor waited for is dropped, because there
    /// may be any number of accounts.
    locks: std::sync::Mutex<HashMap<i64, Weak<Mutex<()>>>>,
    /// The writers of deposits that are committed together, by account. A writer without a client
    /// is dropped.
    writers: std::sync::Mutex<HashMap<i64, Weak<Writer>>>,
    /// Sees the writers' steps.
    observer: Arc<dyn Observer>,
}

impl Default for Memory {
    /// The memory of an instance whose writers are not observed.
    fn default() -> Self {
        Self::observed_by(Arc::new(Unobserved))
    }
}

impl Memory {
    /// The memory of an instance whose writers' steps are seen, and may be held up, by this
    /// observer.
    pub fn observed_by(observer: Arc<dyn Observer>) -> Self {
        Self {
            locks: std::sync::Mutex::default(),
            writers: std::sync::Mutex::default(),
            observer,
        }
    }

    /// This instance's writer for the account. All clients with a deposit at the same time share
    /// it.
    pub(super) fn writer(&self, database: &Database, account: i64) -> Arc<Writer> {
        shared(&self.writers, account, || {
            Writer::start(database.clone(), Arc::clone(&self.observer))
        })
    }

    /// This instance's lock for the account. All clients that ask while one holds it share it.
    pub(crate) fn lock_of(&self, account: i64) -> Arc<Mutex<()>> {
        shared(&self.locks, account, Mutex::default)
    }
}

/// The value of the account if a client still uses it, or a new one.
fn shared<T>(
    kept: &std::sync::Mutex<HashMap<i64, Weak<T>>>,
    account: i64,
    new: impl FnOnce() -> T,
) -> Arc<T> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(&account).and_then(Weak::upgrade) {
        return known;
    }
    kept.retain(|_, it| it.strong_count() > 0);
    let new = Arc::new(new());
    kept.insert(account, Arc::downgrade(&new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_lock_in_each_instance_while_it_is_used() {
        let (one, other) = (Memory::default(), Memory::default());
        let lock = one.lock_of(1);
        assert!(Arc::ptr_eq(&lock, &one.lock_of(1)));
        assert!(!Arc::ptr_eq(&lock, &one.lock_of(2)));
        assert!(!Arc::ptr_eq(&lock, &other.lock_of(1)));
        drop(lock);
        let _third = one.lock_of(3);
        assert_eq!(one.locks.lock().unwrap().len(), 1);
    }
}
