//! "Does this connection wait for a lock?" The engine is asked, and the answer is never guessed by
//! a timeout. No engine says whether it is going to break a circle of waits: see [`Standstill`].

mod ask;
mod metadata;
mod report;
pub(super) mod trial;

pub(super) use report::WaitReports;

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::answered;
use super::{ConnectionId, Database, Fault, Flavour, Pools};
use report::SharedReport;

/// One connection that waits for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    waiting: ConnectionId,
    /// The connection that has the lock, or is ahead in the queue. None if the engine was not asked
    /// for it, or if it is no client's, like that of an InnoDB thread.
    holder: Option<ConnectionId>,
    /// Whether it is shown a little longer than it lasts.
    may_be_over: bool,
}

/// A client that waits for a lock, as another one sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockWaiter {
    /// Its connection.
    pub waiting: ConnectionId,
    /// The connection that has the lock. If several are in the way, one that does not wait itself.
    /// None if the engine does not name it.
    pub holder: Option<ConnectionId>,
}

/// All clients that wait for a lock at this moment. None on SQLite, which does not tell.
pub(super) async fn lock_waiters(database: &Database) -> Result<Option<Vec<LockWaiter>>, Fault> {
    let asked = Instant::now();
    let reports = &database.wait_reports;
    let waits = match (&database.pools, database.engine.flavour) {
        (Pools::MySql(pool), Flavour::MySql) => {
            report(database, &reports.fast, asked, ask::mysql(pool)).await?
        }
        (Pools::MySql(pool), _) => {
            let slow = ask::mariadb_with_holders(pool);
            report(database, &reports.slow, asked, slow).await?
        }
        (Pools::Postgres(pool), _) => ask::every_postgres(pool).await?.into(),
        (Pools::Sqlite(_), _) => return Ok(None),
    };
    Ok(Some(one_for_each(&waits)))
}

/// One wait for each waiting client.
fn one_for_each(waits: &[Wait]) -> Vec<LockWaiter> {
    let waits_itself = |one: ConnectionId| waits.iter().any(|wait| wait.waiting == one);
    let mut waiters: Vec<LockWaiter> = Vec::new();
    for wait in waits {
        let known = waiters.iter_mut().find(|it| it.waiting == wait.waiting);
        match known {
            None => waiters.push(LockWaiter {
                waiting: wait.waiting,
                holder: wait.holder,
            }),
            Some(known) if known.holder.is_none_or(waits_itself) => {
                known.holder = wait.holder.or(known.holder);
            }
            Some(_) => {}
        }
    }
    waiters
}

/// What the engine says of several connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standstill {
    /// At least one of them does not wait.
    No,
    /// All wait, in the end for a client that is not among them.
    Queue,
    /// The same on MariaDB, as the threads that wait say themselves. One of them may just have got
    /// its lock and not have woken up.
    MayBeOver,
    /// The same on PostgreSQL, but some of them for a connection of which nothing is known, or that
    /// the server does not name. It may be a helper of the engine's, which lets go by itself.
    BehindAStranger,
    /// The same on MySQL: another lane has the lock. It changes a table, or its rows are in the
    /// same database, and a lock on a gap reaches too far. It says nothing about this run.
    BehindAnotherLane,
    /// All wait, and some of them for each other: a deadlock, which the engine breaks when it sees
    /// it. InnoDB does not always see it. Its detector follows one blocker of each client. If a
    /// third client blocks it as well, that may be the wrong one. Then the circle stays until the
    /// third client moves.
    Circle,
}

impl Standstill {
    fn of(connections: &[ConnectionId], waits: &[Wait]) -> Self {
        let waits_of = |one| waits.iter().filter(move |wait| wait.waiting == one);
        if !connections
            .iter()
            .all(|one| waits_of(*one).next().is_some())
        {
            return Self::No;
        }
        let mut surely = connections.iter();
        let is_sure = surely.all(|one| waits_of(*one).any(|wait| !wait.may_be_over));
        // A client that waits for no other in the circle is not in it. What is left is a circle.
        let mut circle = connections.to_vec();
        loop {
            let within = circle.clone();
            let is_within = |one: Option<_>| one.is_some_and(|it| within.contains(&it));
            circle.retain(|one| {
                waits
                    .iter()
                    .any(|wait| wait.waiting == *one && is_within(wait.holder))
            });
            if circle.is_empty() && is_sure {
                return Self::Queue;
            }
            if circle.is_empty() {
                return Self::MayBeOver;
            }
            if circle.len() == within.len() {
                return Self::Circle;
            }
        }
    }
}

/// Whether all of these connections wait for locks. If those at rest are given, a wait for another
/// one is told apart.
pub(super) async fn standstill(
    database: &Database,
    connections: &[ConnectionId],
    at_rest: Option<&[ConnectionId]>,
) -> Result<Standstill, Fault> {
    let asked = Instant::now();
    let Some(waits) = fast_report(database, connections, asked).await? else {
        return Ok(Standstill::No);
    };
    let seen = Standstill::of(connections, &waits);
    match (database.engine.flavour, &database.pools, seen) {
        // PostgreSQL breaks every circle: a client that has waited for a while looks for one.
        (Flavour::Postgres, _, Standstill::Circle) => Ok(Standstill::No),
        (flavour @ (Flavour::Postgres | Flavour::MySql), _, Standstill::Queue)
            if at_rest.is_some_and(|it| !wait_for(connections, it, &waits)) =>
        {
            Ok(match flavour {
                Flavour::MySql => Standstill::BehindAnotherLane,
                _ => Standstill::BehindAStranger,
            })
        }
        (Flavour::Postgres, _, Standstill::MayBeOver) => Ok(Standstill::BehindAStranger),
        // The fast report does not say for whom they wait. A single client cannot be in a circle.
        (Flavour::MariaDb, Pools::MySql(pool), Standstill::Queue | Standstill::MayBeOver)
            if connections.len() > 1 =>
        {
            let slow = &database.wait_reports.slow;
            let waits = report(database, slow, asked, ask::mariadb_with_holders(pool)).await?;
            Ok(Standstill::of(connections, &waits))
        }
        _ => Ok(seen),
    }
}

/// Whether each of these connections waits for one that is among them or at rest. If there is no
/// circle, all wait for those at rest then.
fn wait_for(connections: &[ConnectionId], at_rest: &[ConnectionId], waits: &[Wait]) -> bool {
    let is_known = |one: &_| connections.contains(one) || at_rest.contains(one);
    connections.iter().all(|one| {
        let mut own = waits.iter().filter(|wait| wait.waiting == *one);
        // A lock whose holder MySQL does not name may be a client's.
        own.any(|wait| wait.holder.as_ref().map_or(!wait.may_be_over, is_known))
    })
}

/// Whether each of these connections waits for a lock, held by any client.
async fn all_wait(database: &Database, connections: &[ConnectionId]) -> Result<bool, Fault> {
    let waits = fast_report(database, connections, Instant::now()).await?;
    Ok(waits.is_some_and(|waits| {
        let mut connections = connections.iter();
        connections.all(|one| waits.iter().any(|wait| wait.waiting == *one))
    }))
}

/// A report that was begun after `asked`. It has at least the waits of these connections. None on
/// SQLite.
async fn fast_report(
    database: &Database,
    connections: &[ConnectionId],
    asked: Instant,
) -> Result<Option<Arc<[Wait]>>, Fault> {
    let fast = &database.wait_reports.fast;
    Ok(Some(match (&database.pools, database.engine.flavour) {
        (Pools::MySql(pool), Flavour::MySql) => {
            report(database, fast, asked, ask::mysql(pool)).await?
        }
        (Pools::MySql(pool), _) => report(database, fast, asked, ask::mariadb(pool)).await?,
        (Pools::Postgres(pool), _) => {
            let waits = Box::pin(ask::postgres(pool, connections));
            answered(database.settings.answer_within, waits)
                .await?
                .into()
        }
        (Pools::Sqlite(_), _) => return Ok(None),
    }))
}

/// A report that was begun after `asked`. The answer of the database may take as long as that to a
/// statement.
async fn report(
    database: &Database,
    shared: &SharedReport,
    asked: Instant,
    ask: impl Future<Output = Result<Vec<Wait>, Fault>>,
) -> Result<Arc<[Wait]>, Fault> {
    // On the heap, because the futures that wait for it are large already.
    let report = Box::pin(shared.since(asked, ask));
    answered(database.settings.answer_within, report).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(waiting: i64, holder: i64) -> Wait {
        Wait {
            waiting: ConnectionId(waiting),
            holder: Some(ConnectionId(holder)),
            may_be_over: false,
        }
    }

    fn of(connections: &[i64], waits: &[Wait]) -> Standstill {
        let connections: Vec<_> = connections.iter().copied().map(ConnectionId).collect();
        Standstill::of(&connections, waits)
    }

    #[test]
    fn a_client_in_a_queue_waits_for_the_one_that_has_the_lock() {
        let queue = [wait(3, 2), wait(3, 1), wait(2, 1), wait(4, 2)];
        let waiters = one_for_each(&queue);
        let pairs: Vec<_> = waiters
            .iter()
            .map(|it| (it.waiting.0, it.holder.unwrap().0))
            .collect();
        assert_eq!(pairs, [(3, 1), (2, 1), (4, 2)]);
    }

    #[test]
    fn a_queue_is_told_from_a_circle() {
        let queue = [wait(2, 1), wait(3, 1), wait(3, 2)];
        assert_eq!(of(&[2, 3], &queue), Standstill::Queue);
        assert_eq!(of(&[1, 2, 3], &queue), Standstill::No);
        let circle = [wait(1, 2), wait(2, 1), wait(3, 1)];
        assert_eq!(of(&[1, 2], &circle), Standstill::Circle);
        assert_eq!(of(&[1, 2, 3], &circle), Standstill::Circle);
        assert_eq!(of(&[3], &circle), Standstill::Queue);
    }

    #[test]
    fn a_wait_for_a_stranger_is_told_from_one_for_a_client_at_rest() {
        let known = |connections: &[i64], at_rest: &[i64], waits: &[Wait]| {
            let ids = |numbers: &[i64]| {
                numbers
                    .iter()
                    .copied()
                    .map(ConnectionId)
                    .collect::<Vec<_>>()
            };
            wait_for(&ids(connections), &ids(at_rest), waits)
        };
        let queue = [wait(2, 1), wait(3, 2)];
        assert!(known(&[2, 3], &[1], &queue));
        assert!(!known(&[2, 3], &[], &queue));
        assert!(!known(&[2, 3], &[4], &queue));
        // A lock that a stranger holds as well.
        assert!(known(&[2], &[1], &[wait(2, 9), wait(2, 1)]));
    }
}
