//! Two deposits of which one overwrote the other's balance.

use super::receipt::Deposit;
use crate::pair::{Pair, TimeSpan};
use crate::receipt::{Action, Receipt, Step};

/// Finds two receipts of which the second overwrote the first's balance without having seen it.
///
/// Of several such pairs it takes the plainest: first one whose clients read the same balance, then
/// the one with the fewest other writes between the two, then the earliest. The choice depends on
/// the order of events only, not on durations.
pub(super) fn find<'a>(receipts: &[&'a Receipt]) -> Option<Pair<'a>> {
    let updates = in_order_of_write(receipts);
    let (_, lost, by) = pairs(&updates)
        .filter(|(_, first, second)| first.is_overwritten_by(second))
        // Pairs come in the order of their writes, and of equals this takes the first.
        .min_by_key(|(between, first, second)| (first.read.value != second.read.value, *between))?;
    Some(marked(lost, by))
}

/// Finds two deposits that were in the server at the same time. It prefers those with the fewest
/// other writes between them, then the earliest.
pub(super) fn overlap<'a>(receipts: &[&'a Receipt]) -> Option<Pair<'a>> {
    let updates = in_order_of_write(receipts);
    let (_, first, second) = pairs(&updates)
        .filter(|(_, first, second)| {
            first.stay.start < second.stay.end && second.stay.start < first.stay.end
        })
        .min_by_key(|(between, ..)| *between)?;
    Some(Pair::new(first.receipt, second.receipt))
}

/// The pair, with a mark at the moment when the second write ended.
fn marked<'a>(lost: &Update<'a>, by: &Update<'a>) -> Pair<'a> {
    let pair = Pair::new(lost.receipt, by.receipt);
    let (loser, winner) = if std::ptr::eq(pair.a, lost.receipt) {
        ("A", "B")
    } else {
        ("B", "A")
    };
    let text = format!(
        "✗ {winner} overwrites {loser}'s {} unseen: {loser}'s deposit of {} is lost",
        lost.write.value, lost.amount
    );
    pair.with_mark(by.write.span.end, text)
}

/// A step that read or wrote a number.
#[derive(Debug, Clone, Copy)]
struct Access {
    span: TimeSpan,
    value: i64,
}

/// The read-modify-write inside a receipt.
#[derive(Debug)]
struct Update<'a> {
    receipt: &'a Receipt,
    amount: i64,
    /// The time in the server.
    stay: TimeSpan,
    read: Access,
    write: Access,
    /// The step that lets other clients see the write: the commit, or without a transaction the
    /// write itself.
    publication: TimeSpan,
}

impl<'a> Update<'a> {
    /// Finds the last write of a number, and the last read of one before it. If there were several
    /// attempts, both are from the one that was kept.
    fn of(receipt: &'a Receipt) -> Option<Self> {
        let arrived = receipt.arrived_at_us?;
        let steps = &receipt.timeline;
        let is_access = |step: &Step, action| step.action == action && step.value.is_some();
        let at_write = steps
            .iter()
            .rposition(|step| is_access(step, Action::Write))?;
        let (before, after) = steps.split_at_checked(at_write)?;
        let (write, after) = after.split_first()?;
        let read = before.iter().rfind(|step| is_access(step, Action::Read))?;
        let commit = after.iter().find(|step| step.action == Action::Commit);
        Some(Self {
            receipt,
            amount: receipt.product_as::<Deposit>()?.amount,
            stay: TimeSpan::of(receipt)?,
            read: Access::of(arrived, read)?,
            write: Access::of(arrived, write)?,
            publication: span(arrived, commit.unwrap_or(write)),
        })
    }

    fn is_overwritten_by(&self, other: &Self) -> bool {
        self.write.span.end < other.write.span.end
            && other.wrote_what_it_read()
            && other.did_not_see(self)
    }

    /// Whether the balance written is the balance read plus the deposit. If it is not, the database
    /// computed it from a balance that it read by itself.
    fn wrote_what_it_read(&self) -> bool {
        self.read.value.checked_add(self.amount) == Some(self.write.value)
    }

    /// Whether this read missed the other's write: it ended before the write was published, or it
    /// overlapped with that and found the same balance as the other.
    fn did_not_see(&self, other: &Self) -> bool {
        let ended_before = self.read.span.end <= other.publication.start;
        let found_the_same =
            self.read.value == other.read.value && self.read.span.start < other.publication.end;
        // Without isolation a write is seen before it is published.
        let saw_it_early = self.read.value == other.write.value;
        (ended_before || found_the_same) && !saw_it_early
    }
}

impl Access {
    fn of(arrived: i64, step: &Step) -> Option<Self> {
        Some(Self {
            span: span(arrived, step),
            value: step.value?,
        })
    }
}

fn span(arrived: i64, step: &Step) -> TimeSpan {
    TimeSpan {
        start: step.start(arrived),
        end: step.end(arrived),
    }
}

fn in_order_of_write<'a>(receipts: &[&'a Receipt]) -> Vec<Update<'a>> {
    let updates = receipts.iter().filter_map(|receipt| Update::of(receipt));
    let mut updates: Vec<_> = updates.collect();
    updates.sort_by_key(|update| update.write.span.end);
    updates
}

/// All pairs in the order of their writes, each with the number of other writes between the two.
fn pairs<'u, 'a>(
    updates: &'u [Update<'a>],
) -> impl Iterator<Item = (usize, &'u Update<'a>, &'u Update<'a>)> {
    updates.iter().enumerate().flat_map(move |(at, first)| {
        let later = updates.iter().skip(at + 1).enumerate();
        later.map(move |(between, second)| (between, first, second))
    })
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::receipt::samples::{receipt, step, with_value};
    use crate::timeline::draw;

    const READ: i64 = 10;
    const WRITE: i64 = 50;
    const COMMIT: i64 = 80;

    fn read(start: i64, value: i64) -> Step {
        with_value(step(Action::Read, "read balance", start, 10), value)
    }

    fn write(start: i64, value: i64) -> Step {
        with_value(step(Action::Write, "write balance", start, 10), value)
    }

    fn commit(start: i64) -> Step {
        step(Action::Commit, "commit", start, 10)
    }

    /// A deposit of 100 that arrives at the given time, reads at +10 and writes at +50.
    fn deposit(arrived: i64, balance_read: i64) -> Receipt {
        let product = Deposit {
            amount: 100,
            balance_read: Some(balance_read),
            balance_written: Some(balance_read + 100),
        };
        let timeline = vec![
            read(READ, balance_read),
            step(Action::Write, "insert transaction", 30, 10),
            write(WRITE, balance_read + 100),
        ];
        receipt(product, arrived, timeline)
    }

    /// The same inside a transaction that commits at +80.
    fn atomic(arrived: i64, balance_read: i64) -> Receipt {
        let mut receipt = deposit(arrived, balance_read);
        receipt.timeline.push(commit(COMMIT));
        receipt
    }

    fn overwrote(by: &Receipt, lost: &Receipt) -> bool {
        let (lost, by) = (Update::of(lost).unwrap(), Update::of(by).unwrap());
        lost.is_overwritten_by(&by)
    }

    #[track_caller]
    fn assert_pair(found: Option<Pair<'_>>, a: &Receipt, b: &Receipt) {
        let pair = found.expect("no pair was found");
        assert!(ptr::eq(pair.a, a) && ptr::eq(pair.b, b), "{pair:?}");
    }

    #[test]
    fn the_later_write_overwrites_what_it_did_not_read() {
        let (a, b) = (deposit(1000, 0), deposit(1005, 0));
        assert!(overwrote(&b, &a));
        assert!(!overwrote(&a, &b));
    }

    #[test]
    fn one_after_another_loses_nothing() {
        let (a, b) = (deposit(1000, 0), deposit(2000, 100));
        assert!(find(&[&a, &b]).is_none());
        assert!(overlap(&[&a, &b]).is_none());
    }

    #[test]
    fn a_read_that_waited_for_a_commit_saw_it() {
        let a = atomic(1000, 0);
        let mut b = atomic(1005, 100);
        b.timeline[0].duration_us = 200;
        b.timeline[2].start_us = 300;
        assert!(!overwrote(&b, &a));
        assert_pair(overlap(&[&b, &a]), &a, &b);
    }

    #[test]
    fn a_write_is_unseen_until_its_commit() {
        // B reads after A wrote, and before A commits.
        assert!(overwrote(&atomic(1060, 0), &atomic(1000, 0)));
        // Without isolation B finds what A has written.
        assert!(!overwrote(&atomic(1060, 100), &atomic(1000, 0)));
    }

    #[test]
    fn a_different_balance_can_be_lost_too() {
        // A third client deposited between the two reads.
        let (a, mut b) = (deposit(1000, 100), deposit(990, 0));
        b.timeline[2].start_us = 500;
        assert!(overwrote(&b, &a));
    }

    #[test]
    fn neighbours_that_read_the_same_are_preferred() {
        let other = deposit(1002, 50);
        let (a, b, late) = (deposit(1000, 0), deposit(1004, 0), deposit(1020, 0));
        assert_pair(find(&[&late, &other, &b, &a]), &b, &late);
    }

    #[test]
    fn of_equal_pairs_the_earliest_is_taken() {
        // Later, two of the same balance followed each other more closely.
        let (a, b) = (deposit(1000, 0), deposit(1030, 0));
        let (c, d) = (deposit(2000, 200), deposit(2001, 200));
        assert_pair(find(&[&d, &c, &b, &a]), &a, &b);
        assert_pair(find(&[&a, &b, &c, &d]), &a, &b);
    }

    #[test]
    fn the_attempt_that_was_kept_counts() {
        let a = atomic(1000, 0);
        let mut b = atomic(1005, 0);
        let second_attempt = [
            step(Action::Rollback, "rollback", 90, 10),
            read(100, 100),
            write(120, 200),
            commit(140),
        ];
        b.timeline.extend(second_attempt);
        assert!(!overwrote(&b, &a));
    }

    #[test]
    fn a_balance_that_the_database_computed_overwrites_nothing() {
        let (a, mut b) = (deposit(1000, 0), deposit(1005, 0));
        b.timeline[2].value = Some(200);
        assert!(!overwrote(&b, &a));
        assert_pair(overlap(&[&a, &b]), &a, &b);
    }

    #[test]
    fn incomplete_receipts_are_left_out() {
        let whole = deposit(1000, 0);
        let mut without_arrival = deposit(1005, 0);
        without_arrival.arrived_at_us = None;
        let mut without_write = deposit(1005, 0);
        without_write.timeline.truncate(2);
        let mut without_read = deposit(1005, 0);
        without_read.timeline.remove(0);
        for incomplete in [without_arrival, without_write, without_read] {
            assert!(find(&[&whole, &incomplete]).is_none(), "{incomplete:?}");
            assert!(overlap(&[&whole, &incomplete]).is_none(), "{incomplete:?}");
        }
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let mut extreme = deposit(i64::MAX, 0);
        extreme.timeline[0].start_us = i64::MIN;
        extreme.timeline[2].duration_us = i64::MAX;
        assert!(overwrote(&extreme, &deposit(1000, 0)));
    }

    #[test]
    fn the_mark_names_the_client_that_lost() {
        // B writes first, and A overwrites it.
        let mut a = deposit(1000, 0);
        a.timeline[2].start_us = 100;
        let b = deposit(1005, 0);
        let drawing = draw(&find(&[&a, &b]).unwrap());
        let mark = "✗ A overwrites B's 100 unseen: B's deposit of 100 is lost";
        assert!(drawing.trim_end().ends_with(mark), "{drawing}");
    }
}
