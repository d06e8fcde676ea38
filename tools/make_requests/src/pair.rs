//! Which two receipts show best what happened.

use crate::answer::{Action, Made, Receipt, Step};

/// Finds two receipts of which the second overwrote the first's balance without having seen it.
///
/// Of several such pairs it takes the plainest: first one whose clients read the same balance, then
/// the one with the fewest other writes between the two, then the earliest. That depends on the
/// order of events alone, never on how long one took.
pub(crate) fn lost_update<'a>(receipts: &[&'a Receipt]) -> Option<(&'a Receipt, &'a Receipt)> {
    let updates = in_order_of_write(receipts);
    pairs(&updates)
        .filter(|(_, first, second)| first.is_overwritten_by(second))
        // The first of the smallest, and pairs come in the order of their writes.
        .min_by_key(|(between, first, second)| (first.read.value != second.read.value, *between))
        .map(|(_, first, second)| (first.receipt, second.receipt))
}

/// Finds two deposits that were in the server at the same time without either losing the other;
/// neighbours if possible, and the earliest.
pub(crate) fn overlap<'a>(receipts: &[&'a Receipt]) -> Option<(&'a Receipt, &'a Receipt)> {
    let updates = in_order_of_write(receipts);
    pairs(&updates)
        .filter(|(_, first, second)| first.arrived < second.end && second.arrived < first.end)
        .min_by_key(|(between, ..)| *between)
        .map(|(_, first, second)| (first.receipt, second.receipt))
}

/// Whether `by` wrote its balance over the one that `lost` had written, without having seen it.
pub(crate) fn overwrote(by: &Receipt, lost: &Receipt) -> bool {
    match (Update::of(lost), Update::of(by)) {
        (Some(lost), Some(by)) => lost.is_overwritten_by(&by),
        _ => false,
    }
}

/// Finds two receipts that claim what only one may have, a number or a file; the two that took least
/// time together.
pub(crate) fn collision<'a>(receipts: &[&'a Receipt]) -> Option<(&'a Receipt, &'a Receipt)> {
    shortest_meeting(receipts, collide)
}

/// Finds two receipts of any kind whose requests were in the server at the same time; the two that took
/// least time together.
pub(crate) fn meeting<'a>(receipts: &[&'a Receipt]) -> Option<(&'a Receipt, &'a Receipt)> {
    shortest_meeting(receipts, |_, _| true)
}

/// Whether the two claim what only one may have.
fn collide(a: &Receipt, b: &Receipt) -> bool {
    match (&a.made, &b.made) {
        (Made::Order(a), Made::Order(b)) => a.order.is_some() && a.order == b.order,
        (Made::Export(one), Made::Export(other)) => {
            let meet = |(a, b): (Stretch, Stretch)| a.start < b.end && b.start < a.end;
            one.file == other.file && writing(a).zip(writing(b)).is_some_and(meet)
        }
        _ => false,
    }
}

/// From a request's first write to its last.
fn writing(receipt: &Receipt) -> Option<Stretch> {
    let arrived = receipt.arrived_at_us?;
    let writes = receipt.timeline.iter();
    let writes = writes.filter(|step| step.action == Action::Write);
    Some(Stretch {
        start: writes.clone().map(|step| start(arrived, step)).min()?,
        end: writes.map(|step| end(arrived, step)).max()?,
    })
}

/// A stretch of time, in µs since 1970.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: i64,
    end: i64,
}

fn shortest_meeting<'a>(
    receipts: &[&'a Receipt],
    wanted: impl Fn(&Receipt, &Receipt) -> bool,
) -> Option<(&'a Receipt, &'a Receipt)> {
    let mut stays: Vec<_> = receipts.iter().filter_map(|it| Stay::of(it)).collect();
    stays.sort_by_key(|stay| stay.arrived);
    let met = stays.iter().enumerate().flat_map(|(at, first)| {
        // In the order of arrival: those that come after the first has left did not meet it.
        let later = stays.iter().skip(at + 1);
        later
            .take_while(|second| second.arrived < first.end)
            .map(move |second| (first, second))
    });
    met.filter(|(first, second)| wanted(first.receipt, second.receipt))
        .min_by_key(|(first, second)| first.end.max(second.end).saturating_sub(first.arrived))
        .map(|(first, second)| (first.receipt, second.receipt))
}

/// How long a request was in the server, in µs since 1970.
#[derive(Debug)]
struct Stay<'a> {
    receipt: &'a Receipt,
    arrived: i64,
    end: i64,
}

impl<'a> Stay<'a> {
    fn of(receipt: &'a Receipt) -> Option<Self> {
        let arrived = receipt.arrived_at_us?;
        let end = receipt
            .timeline
            .iter()
            .map(|step| end(arrived, step))
            .max()?;
        Some(Self {
            receipt,
            arrived,
            end,
        })
    }
}

/// When a step runs, in µs since 1970, and the value it read or wrote.
#[derive(Debug, Clone, Copy)]
struct Access {
    start: i64,
    end: i64,
    value: i64,
}

/// The read-modify-write inside a receipt.
#[derive(Debug)]
struct Update<'a> {
    receipt: &'a Receipt,
    amount: i64,
    arrived: i64,
    end: i64,
    read: Access,
    write: Access,
    /// From when on other clients may see the write: with a transaction that is its commit.
    published: (i64, i64),
}

impl<'a> Update<'a> {
    /// Finds the last write of a value, and the last read of one before it: with several
    /// attempts, those of the attempt that was kept.
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
        let publishing = after
            .iter()
            .find(|step| step.action == Action::Commit)
            .unwrap_or(write);
        Some(Self {
            receipt,
            amount: receipt.deposit()?.amount,
            arrived,
            end: steps.iter().map(|step| end(arrived, step)).max()?,
            read: Access::of(arrived, read)?,
            write: Access::of(arrived, write)?,
            published: (start(arrived, publishing), end(arrived, publishing)),
        })
    }

    fn is_overwritten_by(&self, other: &Self) -> bool {
        self.write.end < other.write.end && other.wrote_what_it_read() && other.did_not_see(self)
    }

    /// Whether the balance written is the balance read plus the deposit. Where it is not, the
    /// database computed it, from a balance that it read by itself.
    fn wrote_what_it_read(&self) -> bool {
        self.read.value.checked_add(self.amount) == Some(self.write.value)
    }

    /// Whether this one's read missed the other's write: because it was over before the write
    /// was published or, where the two overlapped, because it found what the other had found.
    fn did_not_see(&self, other: &Self) -> bool {
        let before = self.read.end <= other.published.0;
        let found_the_same =
            self.read.value == other.read.value && self.read.start < other.published.1;
        // Without isolation a write is seen before it is published.
        let saw_it_early = self.read.value == other.write.value;
        (before || found_the_same) && !saw_it_early
    }
}

impl Access {
    fn of(arrived: i64, step: &Step) -> Option<Self> {
        let value = step.value?;
        Some(Self {
            start: start(arrived, step),
            end: end(arrived, step),
            value,
        })
    }
}

fn start(arrived: i64, step: &Step) -> i64 {
    arrived.saturating_add(step.start_us)
}

fn end(arrived: i64, step: &Step) -> i64 {
    start(arrived, step).saturating_add(step.duration_us)
}

fn in_order_of_write<'a>(receipts: &[&'a Receipt]) -> Vec<Update<'a>> {
    let mut updates: Vec<_> = receipts
        .iter()
        .filter_map(|receipt| Update::of(receipt))
        .collect();
    updates.sort_by_key(|update| update.write.end);
    updates
}

/// All pairs in the order of their writes, with the number of other writes between the two.
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
    use super::*;
    use crate::answer::{Deposited, Exported, Ordered};
    use crate::audit::Id;

    const READ: i64 = 10;
    const WRITE: i64 = 50;
    const COMMIT: i64 = 80;

    fn step(action: Action, start_us: i64, value: Option<i64>) -> Step {
        Step {
            action,
            label: String::new(),
            start_us,
            duration_us: 10,
            value,
            matched_no_row: false,
        }
    }

    /// A deposit of 100 that arrives at the given time, reads at +10, writes at +50.
    fn deposit(arrived: i64, balance_read: i64) -> Receipt {
        Receipt {
            made: Made::Deposit(Deposited {
                amount: 100,
                balance_read: Some(balance_read),
                balance_written: Some(balance_read + 100),
            }),
            attempts: Some(1),
            arrived_at_us: Some(arrived),
            timeline: vec![
                step(Action::Read, READ, Some(balance_read)),
                step(Action::Write, 30, None),
                step(Action::Write, WRITE, Some(balance_read + 100)),
            ],
        }
    }

    /// The same inside a transaction that commits at +80.
    fn atomic(arrived: i64, balance_read: i64) -> Receipt {
        let mut receipt = deposit(arrived, balance_read);
        receipt.timeline.push(step(Action::Commit, COMMIT, None));
        receipt
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
        assert!(!overwrote(&b, &a));
        assert!(!overwrote(&a, &b));
        assert_eq!(lost_update(&[&a, &b]), None);
        assert_eq!(overlap(&[&a, &b]), None);
    }

    #[test]
    fn a_read_that_waited_for_a_commit_saw_it() {
        let a = atomic(1000, 0);
        let mut b = atomic(1005, 100);
        b.timeline[0].duration_us = 200;
        b.timeline[2].start_us = 300;
        assert!(!overwrote(&b, &a));
        assert_eq!(overlap(&[&b, &a]), Some((&a, &b)));
    }

    #[test]
    fn a_write_is_unseen_until_its_commit() {
        // B reads after A wrote, and before A commits.
        let (a, b) = (atomic(1000, 0), atomic(1060, 0));
        assert!(overwrote(&b, &a));
        // The same without isolation: B finds what A has written.
        assert!(!overwrote(&atomic(1060, 100), &a));
    }

    #[test]
    fn a_different_balance_can_be_lost_too() {
        // A third client deposited between the two reads.
        let (a, b) = (deposit(1000, 100), deposit(990, 0));
        let mut b = b;
        b.timeline[2].start_us = 500;
        assert!(overwrote(&b, &a));
    }

    #[test]
    fn neighbours_that_read_the_same_are_preferred() {
        let other = deposit(1002, 50);
        let (a, b, late) = (deposit(1000, 0), deposit(1004, 0), deposit(1020, 0));
        assert_eq!(lost_update(&[&late, &other, &b, &a]), Some((&b, &late)));
    }

    #[test]
    fn of_pairs_that_are_alike_the_earliest_is_taken() {
        // Later, two of the same balance followed each other more closely.
        let (a, b) = (deposit(1000, 0), deposit(1030, 0));
        let (c, d) = (deposit(2000, 200), deposit(2001, 200));
        assert_eq!(lost_update(&[&d, &c, &b, &a]), Some((&a, &b)));
        assert_eq!(lost_update(&[&a, &b, &c, &d]), Some((&a, &b)));
    }

    #[test]
    fn the_attempt_that_was_kept_counts() {
        let a = atomic(1000, 0);
        let mut b = atomic(1005, 0);
        b.timeline.push(step(Action::Rollback, 90, None));
        b.timeline.push(step(Action::Read, 100, Some(100)));
        b.timeline.push(step(Action::Write, 120, Some(200)));
        b.timeline.push(step(Action::Commit, 140, None));
        assert!(!overwrote(&b, &a));
    }

    #[test]
    fn a_balance_that_the_database_computed_overwrites_nothing() {
        let a = deposit(1000, 0);
        let mut b = deposit(1005, 0);
        b.timeline[2].value = Some(200);
        assert!(!overwrote(&b, &a));
        assert_eq!(overlap(&[&a, &b]), Some((&a, &b)));
    }

    #[test]
    fn odd_receipts_are_left_out() {
        let whole = deposit(1000, 0);
        let mut unclocked = deposit(1005, 0);
        unclocked.arrived_at_us = None;
        let mut writeless = deposit(1005, 0);
        writeless.timeline.truncate(2);
        let mut readless = deposit(1005, 0);
        readless.timeline.remove(0);
        let mut empty = deposit(1005, 0);
        empty.timeline.clear();
        let mut extreme = deposit(i64::MAX, 0);
        extreme.timeline[0].start_us = i64::MIN;
        extreme.timeline[2].duration_us = i64::MAX;
        for odd in [unclocked, writeless, readless, empty] {
            assert_eq!(lost_update(&[&whole, &odd]), None);
            assert_eq!(overlap(&[&whole, &odd]), None);
        }
        assert!(overwrote(&extreme, &whole));
        assert_eq!(lost_update(&[]), None);
    }

    /// An order that arrives at the given time and takes 60 µs.
    fn order(arrived: i64, number: Option<i64>) -> Receipt {
        Receipt {
            made: Made::Order(Ordered {
                order: number.map(|number| Id::Number(number.into())),
                customer_no: arrived,
            }),
            ..deposit(arrived, 0)
        }
    }

    #[test]
    fn orders_collide_over_one_number() {
        let (a, b, c) = (
            order(1000, Some(1)),
            order(1005, Some(2)),
            order(1030, Some(1)),
        );
        assert_eq!(collision(&[&c, &b, &a]), Some((&a, &c)));
        assert_eq!(collision(&[&a, &b]), None);
        assert_eq!(meeting(&[&c, &b, &a]), Some((&a, &b)));
        // Nobody knows which numbers these have.
        assert_eq!(collision(&[&order(1000, None), &order(1001, None)]), None);
        // One number, but one after the other.
        assert_eq!(collision(&[&a, &order(2000, Some(1))]), None);
    }

    #[test]
    fn exports_that_wait_for_each_other_do_not_collide() {
        let export = |arrived: i64, first_write| Receipt {
            made: Made::Export(Exported {
                export: Id::Number(arrived.into()),
                file: "t.csv".to_owned(),
                url: "/exports/t.csv".to_owned(),
                rows: 2,
            }),
            timeline: vec![
                step(Action::Other, 5, None),
                step(Action::Write, first_write, None),
                step(Action::Write, first_write + 30, None),
            ],
            ..deposit(arrived, 0)
        };
        let (a, at_once, afterwards) = (export(1000, 20), export(1005, 20), export(1007, 60));
        assert_eq!(collision(&[&a, &at_once]), Some((&a, &at_once)));
        assert_eq!(collision(&[&a, &afterwards]), None);
        assert_eq!(meeting(&[&a, &afterwards]), Some((&a, &afterwards)));
    }
}
