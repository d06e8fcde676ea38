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

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &str, start_us: i64, end_us: i64, value: Option<i64>) -> LaneStep {
        LaneStep {
            kind: kind.to_owned(),
            label: String::new(),
            sql: None,
            args: Vec::new(),
            start_us,
            end_us,
            value,
            matched_no_row: false,
            refusal: None,
            waits: Vec::new(),
        }
    }

    /// Deposits of 100 in transactions: what each read and when, and when it wrote and committed.
    fn lanes(deposits: &[(i64, i64, i64)]) -> Vec<Lane> {
        let lane = |(request, &(balance, read, write)): (u32, &(i64, i64, i64))| Lane {
            request,
            outcome: "applied".to_owned(),
            status: Some(200),
            sent_us: 0,
            answered_us: write + 20,
            arrived_us: Some(0),
            lost: false,
            title: "deposits 100".to_owned(),
            problem: None,
            steps: vec![
                step("read", read, read + 1, Some(balance)),
                step("write", write - 5, write - 4, None),
                step("write", write, write + 2, Some(balance + 100)),
                step("commit", write + 3, write + 5, None),
            ],
        };
        (1..).zip(deposits).map(lane).collect()
    }

    /// The pairs of the lost deposits and those that overwrote them.
    fn lost(deposits: &[(i64, i64, i64)], actual: i64) -> Vec<(usize, usize)> {
        let balances = Balances {
            actual,
            amount: 100,
        };
        let losses = of_deposits(&lanes(deposits), balances);
        losses.iter().map(|loss| (loss.lost, loss.by)).collect()
    }

    #[test]
    fn of_deposits_that_all_read_the_same_the_last_one_is_kept() {
        let deposits = [(0, 1, 100), (0, 2, 120), (0, 3, 110)];
        assert_eq!(lost(&deposits, 100), [(0, 2), (2, 1)]);
    }

    #[test]
    fn deposits_that_saw_each_other_are_all_kept() {
        assert_eq!(lost(&[(0, 1, 10), (100, 20, 30), (200, 40, 50)], 300), []);
    }

    #[test]
    fn a_late_overwrite_loses_what_was_built_on_each_other() {
        let deposits = [(0, 1, 10), (100, 20, 30), (0, 2, 40)];
        assert_eq!(lost(&deposits, 100), [(0, 2), (1, 2)]);
    }

    #[test]
    fn of_two_that_wrote_the_same_balance_the_later_one_was_seen() {
        let deposits = [(0, 1, 10), (0, 2, 20), (100, 30, 40)];
        assert_eq!(lost(&deposits, 200), [(0, 1)]);
    }

    #[test]
    fn an_overwrite_is_overwritten_in_turn() {
        // The third saw the first, and wrote over the second.
        let deposits = [(0, 1, 10), (0, 2, 30), (100, 20, 40)];
        assert_eq!(lost(&deposits, 200), [(1, 2)]);
    }

    #[test]
    fn a_sentence_has_both_requests_and_both_numbers() {
        let balances = Balances {
            actual: 100,
            amount: 100,
        };
        let losses = of_deposits(&lanes(&[(0, 1, 10), (0, 2, 20)]), balances);
        assert_eq!(
            losses[0].sentence,
            "Request 2 read 0 before request 1 wrote 100, then wrote 100: request 1's 100 is gone."
        );
        let place = |lane, step| Some(StepPlace { lane, step });
        assert_eq!(losses[0].read, place(1, 0));
        assert_eq!(
            (losses[0].written, losses[0].overwrite),
            (place(0, 2), place(1, 2))
        );
    }

    #[test]
    fn refused_deposits_and_increments_are_not_blamed() {
        let mut lanes = lanes(&[(0, 1, 10), (0, 2, 20), (0, 3, 30)]);
        lanes[0].outcome = "refused".to_owned();
        lanes[1].steps[2].value = Some(777);
        let balances = Balances {
            actual: 100,
            amount: 100,
        };
        assert_eq!(of_deposits(&lanes, balances), []);
    }
}
