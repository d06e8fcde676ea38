//! What one instance of the service keeps in its memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::Mutex;

/// What one instance of the service keeps in its memory for its strategies, and shares with no other
/// instance. A process may hold several.
#[derive(Debug, Default)]
pub struct Memory {
    /// By account. A lock that nobody has or waits for is forgotten: there may be any number of accounts.
    locks: std::sync::Mutex<HashMap<i64, Weak<Mutex<()>>>>,
}

impl Memory {
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
