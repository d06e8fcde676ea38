//! A schedule with fewer preemptions that must end like another one.
//!
//! Of the schedules that must end alike, a reduced search runs the one that it comes to
//! first, which need not be the simplest. For a person the same steps are put in a simpler order.

use super::trace::{Row, What};
use super::{Client, Reduction, Schedule, Trace};

/// The steps of a run in an order that goes on with one client as long as the independence of steps
/// allows it.
///
/// While a client waits nothing is independent, so there the order stays.
pub(super) fn simpler(trace: &Trace, reduction: Reduction) -> Schedule {
    let mut steps: Vec<_> = trace
        .rows
        .iter()
        .filter(|it| it.number().is_some())
        .collect();
    steps.sort_by_key(|it| it.after);
    let waits = waits(trace);
    let is_bound = |step: &Row| {
        waits
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&step.after))
    };
    let must_precede = |one: &Row, other: &Row| {
        one.client == other.client
            || is_bound(one)
            || is_bound(other)
            || !reduction.between(&one.step, &other.step).is_independent()
    };
    let mut order: Vec<Client> = Vec::new();
    while !steps.is_empty() {
        let is_ready = |at: &usize| {
            let mut earlier = steps[..*at].iter();
            !earlier.any(|it| must_precede(it, steps[*at]))
        };
        let ready: Vec<_> = (0..steps.len()).filter(is_ready).collect();
        let goes_on = ready
            .iter()
            .find(|at| Some(&steps[**at].client) == order.last());
        // The first step that is left is ready.
        let next = goes_on.or(ready.first()).copied().unwrap_or_default();
        order.push(steps.remove(next).client);
    }
    Schedule(order)
}

/// From which step to which one a client waits.
fn waits(trace: &Trace) -> Vec<(usize, usize)> {
    let waiting = trace.rows.iter().filter(|it| it.what == What::Waits);
    waiting
        .map(|row| {
            let end = trace.resumed(row).map_or(usize::MAX, |it| it.after);
            (row.after, end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footprint::{Access, Footprint, Rule, Touch};
    use crate::step::{Action, Effect, Ending, Step};

    const DONE: What = What::Happened(Ending::Done(None));

    /// The rows of a run, each with the client's letter and the table that it writes. A begin
    /// writes none.
    fn trace(rows: &[(char, &str, What)]) -> Trace {
        let mut number = 0;
        let rows = rows.iter().map(|(letter, table, what)| {
            number += usize::from(!matches!(what, What::Resumed(..)));
            let mut clients = Client::first(3);
            Row {
                client: clients
                    .find(|it| it.to_string() == letter.to_string())
                    .unwrap(),
                after: number,
                step: writes(table),
                what: what.clone(),
            }
        });
        Trace {
            rows: rows.collect(),
        }
    }

    fn writes(table: &str) -> Step {
        let touch = Touch::table(table, Access::Writes, Rule::Named);
        let footprint: Footprint = [touch].into_iter().collect();
        Step {
            action: Action::Write,
            label: table.to_owned().into(),
            sql: None,
            args: Vec::new(),
            effect: match table {
                "" => Effect::Local,
                _ => Effect::Conflicts,
            },
            footprint: Some(footprint.into()),
            at: None,
        }
    }

    fn simplified(rows: &[(char, &str, What)]) -> String {
        simpler(&trace(rows), Reduction::default()).to_string()
    }

    #[test]
    fn independent_steps_come_together() {
        let begins_first = [
            ('A', "", DONE),
            ('B', "", DONE),
            ('A', "x", DONE),
            ('B', "x", DONE),
            ('B', "y", DONE),
            ('A', "x", DONE),
        ];
        assert_eq!(simplified(&begins_first), "A A B B B A");
        let apart = [
            ('A', "x", DONE),
            ('B', "y", DONE),
            ('A', "x", DONE),
            ('B', "y", DONE),
        ];
        assert_eq!(simplified(&apart), "A A B B");
    }

    #[test]
    fn steps_that_meet_keep_their_order() {
        let meeting = [
            ('A', "x", DONE),
            ('B', "x", DONE),
            ('A', "x", DONE),
            ('B', "x", DONE),
        ];
        assert_eq!(simplified(&meeting), "A B A B");
    }

    #[test]
    fn while_a_client_waits_the_order_stays() {
        let resumed = What::Resumed(2, Ending::Done(None));
        let waiting = [
            ('A', "x", DONE),
            ('B', "x", What::Waits),
            ('C', "z", DONE),
            ('A', "y", DONE),
            ('B', "x", resumed),
            ('C', "z", DONE),
            ('A', "y", DONE),
        ];
        assert_eq!(simplified(&waiting), "A B C A A C");
    }
}
