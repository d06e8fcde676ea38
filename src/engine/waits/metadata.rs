//! Which of MySQL's metadata locks are in each other's way.
//!
//! `metadata_locks` says PENDING of a lock until the thread that wants it has seen that it has it:
//! also while it asks for a lock that is free, and after another thread has handed it over. On a
//! busy machine both take a while. So a wanted lock is waited for only if another one explains the
//! wait: one that is granted and in its way, or one that is ahead in the queue and waited for.

use super::Wait;
use crate::engine::ConnectionId;

/// A lock that is wanted, and one of another thread on the same object: who wants it and what; who
/// has or wants the other one, what it is, and `GRANTED` or `PENDING`. A thread of the server's own
/// has no connection.
pub(super) type Pair = (Option<i64>, String, Option<i64>, String, String);

/// Whether the other lock is in the way, now that these waits are known.
fn explains((_, wanted, other, lock, status): &Pair, waits: &[Wait]) -> bool {
    if status == "GRANTED" {
        return excludes(lock, wanted);
    }
    let other = other.map(ConnectionId);
    goes_first(lock, wanted) && waits.iter().any(|wait| Some(wait.waiting) == other)
}

fn wait((waiting, _, holder, ..): &Pair) -> Option<Wait> {
    Some(Wait {
        waiting: ConnectionId((*waiting)?),
        holder: holder.map(ConnectionId),
        may_be_over: false,
    })
}

/// The waits that another lock explains.
pub(super) fn waits_among(mut pairs: Vec<Pair>) -> Vec<Wait> {
    let mut waits = Vec::new();
    loop {
        let (explained, open): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|pair| explains(pair, &waits));
        if explained.is_empty() {
            return waits;
        }
        waits.extend(explained.iter().filter_map(wait));
        pairs = open;
    }
}

/// Whether two clients cannot have these locks on the same object together. A lock that is not
/// known here excludes all others.
fn excludes(one: &str, other: &str) -> bool {
    !(is_compatible(one, other) || is_compatible(other, one))
}

fn is_compatible(one: &str, other: &str) -> bool {
    match one {
        // A statement that asks only how a table looks.
        "SHARED" | "SHARED_HIGH_PRIO" => matches!(
            other,
            "SHARED"
                | "SHARED_HIGH_PRIO"
                | "SHARED_READ"
                | "SHARED_WRITE"
                | "SHARED_WRITE_LOW_PRIO"
                | "SHARED_UPGRADABLE"
                | "SHARED_READ_ONLY"
                | "SHARED_NO_WRITE"
                | "SHARED_NO_READ_WRITE"
        ),
        // SELECT.
        "SHARED_READ" => matches!(
            other,
            "SHARED_READ"
                | "SHARED_WRITE"
                | "SHARED_WRITE_LOW_PRIO"
                | "SHARED_UPGRADABLE"
                | "SHARED_READ_ONLY"
                | "SHARED_NO_WRITE"
        ),
        // INSERT, UPDATE, DELETE and SELECT … FOR UPDATE.
        "SHARED_WRITE" | "SHARED_WRITE_LOW_PRIO" => matches!(
            other,
            "SHARED_WRITE" | "SHARED_WRITE_LOW_PRIO" | "SHARED_UPGRADABLE"
        ),
        // The first part of an ALTER TABLE.
        "SHARED_UPGRADABLE" => other == "SHARED_READ_ONLY",
        // LOCK TABLES … READ.
        "SHARED_READ_ONLY" => matches!(other, "SHARED_READ_ONLY" | "SHARED_NO_WRITE"),
        // Each statement that changes something has it on the whole server.
        "INTENTION_EXCLUSIVE" => other == "INTENTION_EXCLUSIVE",
        // LOCK TABLES … WRITE (SHARED_NO_READ_WRITE), a change of a table, GET_LOCK (EXCLUSIVE).
        _ => false,
    }
}

/// Whether a client that wants the second lock comes after one that waits for the first, even if it
/// could have it at once: otherwise the first would never get it.
fn goes_first(first: &str, second: &str) -> bool {
    match second {
        "EXCLUSIVE" | "SHARED_HIGH_PRIO" => false,
        "SHARED_READ" => matches!(first, "SHARED_NO_READ_WRITE" | "EXCLUSIVE"),
        "SHARED_WRITE" => matches!(
            first,
            "SHARED_NO_WRITE" | "SHARED_NO_READ_WRITE" | "EXCLUSIVE"
        ),
        "SHARED_WRITE_LOW_PRIO" => matches!(
            first,
            "SHARED_READ_ONLY" | "SHARED_NO_WRITE" | "SHARED_NO_READ_WRITE" | "EXCLUSIVE"
        ),
        "SHARED_READ_ONLY" => {
            matches!(first, "SHARED_WRITE" | "SHARED_NO_READ_WRITE" | "EXCLUSIVE")
        }
        "INTENTION_EXCLUSIVE" => matches!(first, "SHARED" | "EXCLUSIVE"),
        _ => first == "EXCLUSIVE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(waiting: i64, wanted: &str, other: i64, lock: &str, status: &str) -> Pair {
        let (wanted, lock) = (wanted.to_owned(), lock.to_owned());
        (Some(waiting), wanted, Some(other), lock, status.to_owned())
    }

    fn waiting(pairs: &[Pair]) -> Vec<(i64, i64)> {
        let waits = waits_among(pairs.to_vec());
        let numbers = waits.iter().map(|it| (it.waiting.0, it.holder.unwrap().0));
        numbers.collect()
    }

    #[test]
    fn a_lock_is_waited_for_if_another_client_has_it() {
        let named = [pair(2, "EXCLUSIVE", 1, "EXCLUSIVE", "GRANTED")];
        assert_eq!(waiting(&named), [(2, 1)]);
        let read = [pair(2, "SHARED_NO_READ_WRITE", 1, "SHARED_READ", "GRANTED")];
        assert_eq!(waiting(&read), [(2, 1)]);
        let whole_server = [pair(2, "INTENTION_EXCLUSIVE", 1, "SHARED", "GRANTED")];
        assert_eq!(waiting(&whole_server), [(2, 1)]);
    }

    #[test]
    fn a_lock_that_was_just_handed_over_is_not_waited_for() {
        // Nobody else has it: 2 and 3 are in the queue, and one of them is about to wake up.
        let queue = [
            pair(2, "EXCLUSIVE", 3, "EXCLUSIVE", "PENDING"),
            pair(3, "EXCLUSIVE", 2, "EXCLUSIVE", "PENDING"),
        ];
        assert_eq!(waiting(&queue), []);
        // 2 and 3 write to a table, and both may.
        let writers = [pair(2, "SHARED_WRITE", 3, "SHARED_WRITE", "GRANTED")];
        assert_eq!(waiting(&writers), []);
    }

    #[test]
    fn a_queue_is_waited_for_if_its_head_waits() {
        // 1 reads, 2 wants to change the table, and 3 could read beside 1.
        let queue = [
            pair(3, "SHARED_READ", 1, "SHARED_READ", "GRANTED"),
            pair(3, "SHARED_READ", 2, "EXCLUSIVE", "PENDING"),
            pair(2, "EXCLUSIVE", 3, "SHARED_READ", "PENDING"),
            pair(2, "EXCLUSIVE", 1, "SHARED_READ", "GRANTED"),
        ];
        assert_eq!(waiting(&queue), [(2, 1), (3, 2)]);
    }

    #[test]
    fn locks_exclude_each_other_both_ways() {
        for (one, other, excluded) in [
            ("SHARED_READ", "SHARED_WRITE", false),
            ("SHARED_READ_ONLY", "SHARED_READ", false),
            ("SHARED_READ_ONLY", "SHARED_WRITE", true),
            ("SHARED_UPGRADABLE", "SHARED_WRITE", false),
            ("SHARED_UPGRADABLE", "SHARED_READ_ONLY", false),
            ("SHARED_UPGRADABLE", "SHARED_UPGRADABLE", true),
            ("SHARED_NO_WRITE", "SHARED_READ_ONLY", false),
            ("SHARED_NO_WRITE", "SHARED_READ", false),
            ("SHARED_NO_READ_WRITE", "SHARED", false),
            ("SHARED_NO_READ_WRITE", "SHARED_READ", true),
            ("EXCLUSIVE", "SHARED_HIGH_PRIO", true),
            ("SHARED", "INTENTION_EXCLUSIVE", true),
            ("SHARED", "A_LOCK_OF_TOMORROW", true),
        ] {
            assert_eq!(excludes(one, other), excluded, "{one}, {other}");
            assert_eq!(excludes(other, one), excluded, "{other}, {one}");
        }
    }
}
