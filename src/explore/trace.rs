//! The trace: what happened in one run, row by row.

use std::borrow::Cow;

use super::Client;
use crate::step::{Action, Ending, Step};

/// What happened in one run, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// One row for each thing that happened.
    pub rows: Vec<Row>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The client to which it happened.
    pub client: Client,
    /// The number of steps that had been let go by then, this one included.
    pub after: usize,
    /// The step.
    pub step: Step,
    /// What happened to it.
    pub what: What,
}

/// What happened to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was let go, and happened.
    Happened(Ending),
    /// It was let go, and waits for a lock.
    Waits,
    /// Its wait is over, and it happened. It had been let go as the step of this number.
    Resumed(usize, Ending),
    /// It happened without having been let go: a think, the rollback after a refusal, or the giving
    /// up of a lock in the process.
    Besides(Ending),
}

impl Row {
    /// How the step ended. None if it waits.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.what {
            What::Happened(ending) | What::Resumed(_, ending) | What::Besides(ending) => {
                Some(ending)
            }
            What::Waits => None,
        }
    }

    /// The step's number in the schedule. None if it has no place there.
    pub fn number(&self) -> Option<usize> {
        match self.what {
            What::Happened(_) | What::Waits => Some(self.after),
            What::Resumed(..) | What::Besides(_) => None,
        }
    }

    /// Whether the engine said no.
    fn is_refusal(&self) -> bool {
        matches!(self.ending(), Some(Ending::Failed { .. }))
    }

    /// The value that was read or written, if it is the one that the clients race for.
    pub fn value(&self) -> Option<i64> {
        match self.ending() {
            Some(Ending::Done(value)) => *value,
            _ => None,
        }
    }

    /// Whether this is a read of the value that the clients race for.
    pub fn is_read(&self) -> bool {
        self.step.action == Action::Read && self.value().is_some()
    }

    /// Whether this is a write of the value that the clients race for.
    pub fn is_write(&self) -> bool {
        self.step.action == Action::Write && self.value().is_some()
    }
}

/// What happened to which client in a run, without the values.
pub(super) type Shape = Vec<(Client, usize, Cow<'static, str>, bool)>;

impl Trace {
    /// The same for two runs that went alike.
    pub(super) fn shape(&self) -> Shape {
        let rows = self.rows.iter();
        rows.map(|row| {
            (
                row.client,
                row.after,
                row.step.label.clone(),
                row.is_refusal(),
            )
        })
        .collect()
    }

    /// What several clients do after one step happens at the same time. It is written down in an
    /// order that is the same in every run, causes first: the step, what its client did besides,
    /// the clients that were refused, the clients that could go on.
    pub(super) fn put_in_order(&mut self, first_row: usize, mover: Option<Client>) {
        let rows = &mut self.rows[first_row..];
        let gives_way = |row: &Row| matches!(row.what, What::Resumed(_, Ending::Failed { .. }));
        let giving_way: Vec<_> = rows
            .iter()
            .filter(|row| gives_way(row))
            .map(|row| row.client)
            .collect();
        rows.sort_by_key(|row| {
            let is_mover = Some(row.client) == mover;
            (
                row.number().is_none(),
                !is_mover,
                !giving_way.contains(&row.client),
                row.client,
            )
        });
    }

    /// Whether a client that was refused after this number of steps has taken another step.
    pub(super) fn goes_on_after_a_refusal(&self, steps: usize) -> bool {
        let rows = self.rows.iter().enumerate();
        let mut refusals = rows.filter(|(_, row)| row.after > steps && row.is_refusal());
        refusals.any(|(at, refusal)| {
            let mut later = self.rows[at..].iter();
            later.any(|row| row.client == refusal.client && row.after > refusal.after)
        })
    }

    /// Whether a client has a transaction open after the row with this index.
    pub(super) fn is_in_transaction(&self, client: Client, index: usize) -> bool {
        let rows = self.rows.get(..=index).unwrap_or(&self.rows);
        let mut theirs = rows.iter().rev().filter(|row| row.client == client);
        let last = theirs.find_map(|row| match (row.step.action, row.ending()?) {
            (_, Ending::Failed { .. }) => None,
            (Action::Begin, _) => Some(true),
            (Action::Commit | Action::Rollback, _) => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }

    /// Whether a client had to wait for a lock.
    pub fn has_waits(&self) -> bool {
        self.rows.iter().any(|row| row.what == What::Waits)
    }

    /// The row in which the wait that began in this row ended.
    pub fn resumed(&self, waiting: &Row) -> Option<&Row> {
        self.rows.iter().find(|row| {
            row.client == waiting.client
                && matches!(row.what, What::Resumed(number, _) if number == waiting.after)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Effect;

    fn row(client: Client, after: usize, what: What) -> Row {
        let step = Step {
            action: Action::Write,
            label: "write".into(),
            sql: None,
            args: Vec::new(),
            effect: Effect::Conflicts,
            footprint: None,
            at: None,
        };
        Row {
            client,
            after,
            step,
            what,
        }
    }

    #[test]
    fn a_refused_client_goes_on_if_it_takes_another_step() {
        let clients: Vec<_> = Client::first(2).collect();
        let (a, b) = (clients[0], clients[1]);
        let done = || What::Happened(Ending::Done(None));
        let deadlock = Ending::Failed {
            kind: "deadlock",
            code: None,
            refusal: "deadlock".to_owned(),
        };
        let refused = || What::Resumed(1, deadlock.clone());
        let goes_on = |rows: Vec<Row>, known| Trace { rows }.goes_on_after_a_refusal(known);

        let victim_ends = vec![
            row(a, 1, What::Waits),
            row(a, 2, refused()),
            row(b, 3, done()),
        ];
        assert!(!goes_on(victim_ends, 0));
        let victim_goes_on = vec![
            row(a, 1, What::Waits),
            row(a, 2, refused()),
            row(a, 3, done()),
        ];
        assert!(goes_on(victim_goes_on.clone(), 1));
        // An earlier run has shown the refusal already.
        assert!(!goes_on(victim_goes_on, 2));
    }
}
