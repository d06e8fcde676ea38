//! What one instance of the service keeps in its memory.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

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
    /// Who makes the deposits that are committed together; there once there is one to make.
    writer: OnceLock<Writer>,
    /// Stands around the writer's steps.
    observer: Arc<dyn Observer>,
}

impl Default for Memory {
    /// That of an instance in which nobody watches the writer.
    fn default() -> Self {
        Self::observed_by(Arc::new(Unobserved))
    }
}

impl Memory {
    /// That of an instance whose writer's steps are seen, and may be held up, by this observer.
    pub fn observed_by(observer: Arc<dyn Observer>) -> Self {
        Self {
            locks: std::sync::Mutex::default(),
            writer: OnceLock::new(),
            observer,
        }
    }

    /// This instance's writer. It works on the database that it was first asked for.
    pub(super) fn writer(&self, database: &Database) -> &Writer {
        self.writer
            .get_or_init(|| Writer::start(database.clone(), Arc::clone(&self.observer)))
    }

    /// This instance's lock for that account, the same for all who ask while somebody has it.
    pub fn lock_of(&self, account: i64) -> Arc<Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = locks.get(&account).and_then(Weak::upgrade) {
            return known;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(account, Arc::downgrade(&lock));
        lock
    }
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
