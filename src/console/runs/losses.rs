//! Which deposits were lost, and by whom, from the steps of a run.
//!
//! Each deposit reads a balance and writes one. From the balance that is left, the chain of those
//! that saw each other leads back to the beginning. What is not on it is lost. So the number of
//! losses follows from the values, and agrees with the audit.

use crate::console::record::{Lane, LaneStep, Loss, StepPlace};

/// What the account holds in the end, and what a deposit adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Balances {
    pub(super) actual: i64,
    pub(super) amount: i64,
}

/// The read and the write of one deposit.
#[derive(Debug)]
struct Update<'l> {
    lane: usize,
    read: (usize, &'l LaneStep),
    write: (usize, &'l LaneStep),
    /// The step that lets other clients see the write: the commit, or the write itself.
    published: &'l LaneStep,
    /// The place among the updates of the one whose balance it has read.
    parent: Option<usize>,
}

impl<'l> Update<'l> {
    /// The last write of a balance, and the last read before it. None unless the client computed
    /// what it wrote from what it had read.
    fn of(lane: usize, steps: &'l [LaneStep], amount: i64) -> Option<Self> {
        let is_access = |step: &LaneStep, kind: &str| step.kind == kind && step.value.is_some();
        let write = steps.iter().rposition(|step| is_access(step, "write"))?;
        let read = steps[..write]
            .iter()
            .rposition(|step| is_access(step, "read"))?;
        let commit = steps[write + 1..].iter().find(|step| step.kind == "commit");
        let update = Self {
            lane,
            read: (read, &steps[read]),
            write: (write, &steps[write]),
            published: commit.unwrap_or(&steps[write]),
            parent: None,
        };
        (update.has_read().checked_add(amount) == Some(update.has_written())).then_some(update)
    }

    fn has_read(&self) -> i64 {
        self.read.1.value.unwrap_or_default()
    }

    fn has_written(&self) -> i64 {
        self.write.1.value.unwrap_or_default()
    }
}

/// The deposits that are missing in the end, each with the one that overwrote it.
pub(super) fn of_deposits(lanes: &[Lane], balances: Balances) -> Vec<Loss> {
    let updates = in_order_of_write(lanes, balances.amount);
    let Some(last) = last_writer(&updates, balances.actual) else {
        return Vec::new();
    };
    let kept = ancestry(&updates, last);
    let lost = (0..updates.len()).filter(|one| !kept.contains(one));
    lost.map(|one| loss(&updates, one, last)).collect()
}

fn in_order_of_write(lanes: &[Lane], amount: i64) -> Vec<Update<'_>> {
    let may_have_written = |lane: &Lane| matches!(lane.outcome.as_str(), "applied" | "unknown");
    let mut updates: Vec<_> = lanes
        .iter()
        .enumerate()
        .filter(|(_, lane)| may_have_written(lane))
        .filter_map(|(at, lane)| Update::of(at, &lane.steps, amount))
        .collect();
    updates.sort_by_key(|update| (update.write.1.end_us, update.published.end_us));
    for one in 0..updates.len() {
        updates[one].parent = parent(&updates, one);
    }
    updates
}

/// The latest write that this update's read can have seen: it has the value, and was published
/// before the read ended.
fn parent(updates: &[Update<'_>], one: usize) -> Option<usize> {
    let update = &updates[one];
    updates[..one].iter().rposition(|earlier| {
        earlier.has_written() == update.has_read()
            && earlier.write.1.start_us <= update.read.1.end_us
    })
}

/// The update that wrote the balance that is left.
fn last_writer(updates: &[Update<'_>], actual: i64) -> Option<usize> {
    let wrote_it = updates.iter().rposition(|it| it.has_written() == actual);
    wrote_it.or(updates.len().checked_sub(1))
}

/// An update, and those that it builds on.
fn ancestry(updates: &[Update<'_>], one: usize) -> Vec<usize> {
    std::iter::successors(Some(one), |one| updates[*one].parent).collect()
}

fn loss(updates: &[Update<'_>], one: usize, last: usize) -> Loss {
    let mut later = one + 1..updates.len();
    let by = later.find(|other| !ancestry(updates, *other).contains(&one));
    let (lost, by) = (&updates[one], &updates[by.unwrap_or(last)]);
    let place = |update: &Update<'_>, step| {
        let lane = update.lane;
        Some(StepPlace { lane, step })
    };
    Loss {
        lost: lost.lane,
        by: by.lane,
        read: place(by, by.read.0),
        written: place(lost, lost.write.0),
        overwrite: place(by, by.write.0),
        sentence: sentence(lost, by),
    }
}

/// `Request 7 read 0 before request 1 wrote 100, then wrote 100: request 1's 100 is gone.`
fn sentence(lost: &Update<'_>, by: &Update<'_>) -> String {
    let (loser, winner) = (lost.lane + 1, by.lane + 1);
    let written = lost.has_written();
    let unseen = if by.read.1.end_us <= lost.write.1.end_us {
        format!("before request {loser} wrote {written}")
    } else {
        format!("before request {loser}'s {written} could be seen")
    };
    format!(
        "Request {winner} read {} {unseen}, then wrote {}: request {loser}'s {} is gone.",
        by.has_read(),
        by.has_written(),
        lost.has_written() - lost.has_read(),
    )
}
