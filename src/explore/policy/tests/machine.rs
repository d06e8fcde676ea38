//! A made-up engine: tables of one number, transactions that publish at their commit, locks on
//! whole tables, waits and deadlocks.

use std::collections::BTreeSet;

use super::{ParkedClient, Policy, Runs, Standing, all_runs, step};
use crate::explore::{Client, Schedule};
use crate::footprint::{Access, Footprint, Rule, Touch};
use crate::step::{Effect, Step};

pub(super) const TABLES: usize = 3;

/// A statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    /// Remembers the number in the table, although another client may have locked it.
    Read(usize),
    /// Locks the table until the client commits, and makes a new number of what is in it and of
    /// what the client remembers.
    Write(usize),
    /// Locks the table until the client commits, and remembers the number in it.
    Lock(usize),
    /// Publishes what the client has written, and ends it.
    Commit,
}

impl Statement {
    fn needs_a_lock(self) -> Option<usize> {
        match self {
            Self::Write(table) | Self::Lock(table) => Some(table),
            Self::Read(_) | Self::Commit => None,
        }
    }
}

/// What each client does. All end with a commit.
pub(super) type Programs = Vec<Vec<Statement>>;

/// How a run can end: what is in the tables, and what each client remembers, and whether it was
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    tables: [u64; TABLES],
    pub(super) clients: Vec<(u64, bool)>,
}

/// How one client is on its way.
#[derive(Debug, Clone, Default)]
struct Progress {
    next: usize,
    remembers: u64,
    /// What it has written and not yet published.
    written: [Option<u64>; TABLES],
    waits: bool,
    refused: bool,
}

struct Machine<'p> {
    programs: &'p Programs,
    tables: [u64; TABLES],
    locked_by: [Option<usize>; TABLES],
    clients: Vec<Progress>,
    /// The clients that wait, the longest waiting first.
    queue: Vec<usize>,
}

impl<'p> Machine<'p> {
    fn new(programs: &'p Programs, alike: bool) -> Self {
        let client = |(number, _)| Progress {
            remembers: if alike { 0 } else { number },
            ..Progress::default()
        };
        Self {
            programs,
            tables: [0; TABLES],
            locked_by: [None; TABLES],
            clients: (1..).zip(programs).map(client).collect(),
            queue: Vec::new(),
        }
    }

    fn is_parked(&self, client: usize) -> bool {
        let it = &self.clients[client];
        !it.waits && !it.refused && it.next < self.programs[client].len()
    }

    fn statement(&self, client: usize) -> Statement {
        self.programs[client][self.clients[client].next]
    }

    /// The client that has the lock that this one needs.
    fn blocked_by(&self, client: usize) -> Option<usize> {
        let table = self.statement(client).needs_a_lock()?;
        self.locked_by[table].filter(|it| *it != client)
    }

    /// Lets the client carry out its statement, or wait. If that closes a circle, it is refused.
    fn let_go(&mut self, client: usize) {
        if self.blocked_by(client).is_none() {
            return self.carry_out(client);
        }
        self.clients[client].waits = true;
        self.queue.push(client);
        let mut other = client;
        while let Some(blocking) = self.blocked_by(other).filter(|_| self.clients[other].waits) {
            if blocking == client {
                self.clients[client].refused = true;
                self.clients[client].waits = false;
                self.queue.retain(|it| *it != client);
                return self.unlock_all(client);
            }
            other = blocking;
        }
    }

    fn carry_out(&mut self, client: usize) {
        let statement = self.statement(client);
        if let Some(table) = statement.needs_a_lock() {
            self.locked_by[table] = Some(client);
        }
        let it = &mut self.clients[client];
        it.next += 1;
        let read = |table: usize| it.written[table].unwrap_or(self.tables[table]);
        match statement {
            Statement::Read(table) | Statement::Lock(table) => {
                it.remembers = mixed(it.remembers, read(table));
            }
            Statement::Write(table) => {
                it.written[table] = Some(mixed(read(table), it.remembers));
            }
            Statement::Commit => {
                for (table, written) in self.tables.iter_mut().zip(it.written) {
                    *table = written.unwrap_or(*table);
                }
                self.unlock_all(client);
            }
        }
    }

    fn unlock_all(&mut self, client: usize) {
        for locked_by in &mut self.locked_by {
            if *locked_by == Some(client) {
                *locked_by = None;
            }
        }
        while let Some(at) = self
            .queue
            .iter()
            .position(|it| self.blocked_by(*it).is_none())
        {
            let goes_on = self.queue.remove(at);
            self.clients[goes_on].waits = false;
            self.carry_out(goes_on);
        }
    }
}

fn mixed(one: u64, other: u64) -> u64 {
    (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1
}

/// The step of a statement. A commit touches all that its client has locked.
fn step_of(statement: Statement, program: &[Statement]) -> Step {
    let touch = |table: usize, access, rule| Touch::table(table.to_string(), access, rule);
    let footprint: Footprint = match statement {
        Statement::Read(table) => [touch(table, Access::Reads, Rule::Named)]
            .into_iter()
            .collect(),
        Statement::Write(table) => [touch(table, Access::Writes, Rule::Named)]
            .into_iter()
            .collect(),
        Statement::Lock(table) => [
            touch(table, Access::Reads, Rule::Named),
            touch(table, Access::Writes, Rule::LockingRead),
        ]
        .into_iter()
        .collect(),
        Statement::Commit => {
            let locked = program.iter().filter_map(|it| it.needs_a_lock());
            locked
                .map(|table| touch(table, Access::Writes, Rule::TransactionEnd))
                .collect()
        }
    };
    step(Effect::Conflicts, Some(footprint))
}

/// Runs the programs in every way that the policy asks for.
pub(super) fn explored(
    first: impl Policy + 'static,
    programs: &Programs,
    alike: bool,
) -> Runs<(Schedule, End)> {
    let steps: Vec<Vec<Step>> = programs
        .iter()
        .map(|program| program.iter().map(|it| step_of(*it, program)).collect())
        .collect();
    let clients: Vec<_> = Client::first(programs.len()).collect();
    all_runs(first, |policy| {
        let mut machine = Machine::new(programs, alike);
        let mut schedule = Schedule::default();
        loop {
            let parked = clients.iter().filter(|it| machine.is_parked(it.index()));
            let parked = parked.map(|client| ParkedClient {
                client: *client,
                step: &steps[client.index()][machine.clients[client.index()].next],
            });
            let standing = Standing {
                parked: parked.collect(),
                has_waiting_client: !machine.queue.is_empty(),
            };
            if standing.parked.is_empty() {
                policy.end().unwrap();
                let clients = machine.clients.iter();
                let clients = clients.map(|it| (it.remembers, it.refused)).collect();
                let tables = machine.tables;
                return Some((schedule, End { tables, clients }));
            }
            let client = policy.choose(&standing).unwrap()?;
            machine.let_go(client.index());
            schedule.0.push(client);
        }
    })
}

/// The ends that runs have led to.
pub(super) fn ends(runs: &Runs<(Schedule, End)>) -> BTreeSet<End> {
    runs.ended.iter().map(|(_, (_, end))| end.clone()).collect()
}
