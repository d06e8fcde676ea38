//! What one instance of the service keeps in its memory: locks and writers, by account.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::Mutex;

use super::writer::Writer;
use crate::engine::Database;
use crate::step::{Observer, Unobserved};

/// What one instance of the service keeps in its memory for its strategies, and shares with no other
/// instance. A process may hold several.
#[derive(Debug)]
pub struct Memory {
    /// By account. A lock that nobody has or waits for is forgotten: there may be any number of accounts.
    locks: std::sync::Mutex<HashMap<i64, Weak<Mutex<()>>>>,
    /// By account: who makes the deposits that are committed together. One that nobody has a deposit for is
    /// forgotten.
    writers: std::sync::Mutex<HashMap<i64, Weak<Writer>>>,
    /// Stands around the writers' steps.
    observer: Arc<dyn Observer>,
}

impl Default for Memory {
    /// That of an instance in which nobody watches the writers.
    fn default() -> Self {
        Self::observed_by(Arc::new(Unobserved))
    }
}

impl Memory {
    /// That of an instance whose writers' steps are seen, and may be held up, by this observer.
    pub fn observed_by(observer: Arc<dyn Observer>) -> Self {
        Self {
            locks: std::sync::Mutex::default(),
            writers: std::sync::Mutex::default(),
            observer,
        }
    }

    /// This instance's writer for that account, the same for all who have a deposit for it at the same time.
    pub(super) fn writer(&self, database: &Database, account: i64) -> Arc<Writer> {
        wanted(&self.writers, account, || {
            Writer::start(database.clone(), Arc::clone(&self.observer))
        })
    }

    /// This instance's lock for that account, the same for all who ask while somebody has it.
    pub fn lock_of(&self, account: i64) -> Arc<Mutex<()>> {
        wanted(&self.locks, account, Mutex::default)
    }
}

/// What is kept for that account as long as somebody wants it, or a new one.
fn wanted<T>(
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
    fn an_account_has_one_lock_in_each_instance_as_long_as_it_is_wanted() {
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
