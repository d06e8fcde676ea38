//! What a client's transaction has touched so far, and so what its next statement touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::evidence::Evidence;
use super::reader::StatementReader;
use super::understood::Understood;
use crate::answer::{Answer, Datum};
use crate::engine::statement::tokens;
use crate::engine::{Flavour, Isolation, StatementKind, UserStatement};
use crate::footprint::{Access, Footprint, Rule, Thing, Touch};

/// What is known of a session before or after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFacts {
    /// The level of the open transaction, or of the next one. SERIALIZABLE if it is not certain.
    pub level: Isolation,
    /// Whether a transaction is open, or the next statement opens one.
    pub is_open: bool,
    /// Whether statements open transactions by themselves. Then nobody says where one begins.
    pub autocommit_is_off: bool,
    /// Whether locks are held that do not end with the transaction.
    pub holds_locks: bool,
}

/// What one client has touched.
#[derive(Debug)]
pub struct Tracker {
    reader: Arc<StatementReader>,
    /// Whether an invariant is asked after each commit.
    commits_are_watched: bool,
    /// What the open transaction has touched.
    open: BTreeSet<(Thing, Access)>,
    /// Whether the open transaction may have written something.
    has_written: bool,
    /// Whether the open transaction is certain to have its snapshot.
    has_snapshot: bool,
    /// What the client has touched at all.
    history: BTreeSet<(Thing, Access)>,
    /// The start of the statement after which nothing can be said of the others. None if there was
    /// none.
    lost_by: Option<String>,
}

impl Tracker {
    /// The tracker of a client that has touched nothing yet.
    pub fn new(reader: Arc<StatementReader>, commits_are_watched: bool) -> Self {
        Self {
            reader,
            commits_are_watched,
            open: BTreeSet::new(),
            has_written: false,
            has_snapshot: false,
            history: BTreeSet::new(),
            lost_by: None,
        }
    }

    /// What this statement is going to touch.
    pub fn before(&mut self, statement: &UserStatement, now: SessionFacts) -> Footprint {
        let lost = self.lost();
        let mut footprint = match statement.kind {
            StatementKind::Begin(_) => self.begin(statement, now),
            StatementKind::Commit => self.end(true, now),
            StatementKind::Rollback => self.end(false, now),
            StatementKind::Savepoint => self.savepoint(statement, now),
            StatementKind::Read
            | StatementKind::LockingRead
            | StatementKind::Write
            | StatementKind::Schema
            | StatementKind::LockTables
            | StatementKind::UnlockTables
            | StatementKind::Compute
            | StatementKind::Setting => self.work(statement, now),
        };
        if let Some(lost) = lost.filter(|_| !statement.kind.is_local()) {
            footprint.add(lost);
        }
        let is_commit = statement.kind.ends_in_a_commit(self.flavour(), now.is_open);
        if self.commits_are_watched && is_commit {
            footprint.add(Touch::everything(Rule::WatchedCommit, ""));
        }
        footprint
    }

    /// Whether nothing can be said of its statements any more: not even whether a transaction is
    /// open.
    pub fn is_lost(&self) -> bool {
        self.lost_by.is_some()
    }

    /// What every statement touches after one that may have changed the session. None if there was
    /// none.
    fn lost(&self) -> Option<Touch> {
        let because = |it: &String| format!("what its session is like after {it:?}");
        let lost = self.lost_by.as_ref().map(because);
        lost.map(|it| Touch::everything(Rule::NotUnderstood, it))
    }

    /// Follows what has become of the statement. The answer is None if it was refused.
    pub fn after(&mut self, statement: &UserStatement, answer: Option<&Answer>, now: SessionFacts) {
        let is_innodb = self.flavour().is_innodb();
        let is_another = match statement.kind {
            StatementKind::Commit | StatementKind::Rollback => true,
            StatementKind::Begin(_) => is_innodb,
            _ => false,
        };
        if !now.is_open || is_another {
            self.open.clear();
            self.has_written = false;
            self.has_snapshot = false;
        }
        if let Some(answer) = answer.filter(|_| now.is_open) {
            self.has_snapshot |= self.takes_a_snapshot(statement, answer);
        }
        if now.autocommit_is_off {
            // Another transaction may have begun, and its snapshot may still be to come.
            self.has_snapshot = false;
        }
    }

    /// What the end of the session touches, which rolls back and gives all locks free.
    pub fn at_the_end(&mut self, now: SessionFacts) -> Footprint {
        let mut footprint = self.end(false, now);
        if let Some(lost) = self.lost() {
            footprint.add(lost);
        }
        // What may have done anything may have taken such a lock.
        let everything = (Thing::Everything, Access::Writes);
        if now.holds_locks || self.history.contains(&everything) {
            footprint.add(Touch::everything(
                Rule::TransactionEnd,
                "locks of the session",
            ));
        }
        self.open.clear();
        self.has_written = false;
        self.has_snapshot = false;
        footprint
    }

    fn flavour(&self) -> Flavour {
        self.reader.flavour()
    }

    fn is_serializable_postgres(&self, now: SessionFacts) -> bool {
        self.flavour() == Flavour::Postgres && now.level == Isolation::Serializable
    }

    fn begin(&mut self, statement: &UserStatement, now: SessionFacts) -> Footprint {
        let is_innodb = self.flavour().is_innodb();
        // InnoDB commits what is open.
        let mut footprint = if is_innodb && now.is_open {
            self.end(true, now)
        } else {
            Footprint::default()
        };
        if is_innodb && now.holds_locks {
            footprint.add(Touch::everything(Rule::TransactionEnd, "LOCK TABLES"));
        }
        if !statement.is_plain_begin(self.flavour()) {
            if is_innodb {
                footprint.add(published(Access::Reads));
            } else {
                // It waits for the others to end.
                footprint.add(Touch::everything(Rule::Snapshot, "DEFERRABLE"));
            }
        }
        footprint
    }

    /// What the end of the transaction touches.
    fn end(&self, commits: bool, now: SessionFacts) -> Footprint {
        let mut footprint = touched(&self.open, Rule::TransactionEnd);
        if now.is_open && self.is_serializable_postgres(now) {
            footprint.add(Touch::everything(Rule::SerializableEnd, ""));
        }
        if commits && self.has_written {
            footprint.add(published(Access::Writes));
        }
        footprint
    }

    /// A savepoint is a mark in the transaction itself, and to release it removes the mark: no
    /// other client sees or waits for either. To go back to it undoes and, in part, unlocks.
    fn savepoint(&self, statement: &UserStatement, now: SessionFacts) -> Footprint {
        let words = tokens(&statement.text, self.flavour());
        let goes_back =
            words.iter().any(|it| it.is("TO")) && words.first().is_some_and(|it| it.is("ROLLBACK"));
        if goes_back {
            // The transaction goes on.
            self.end(false, now).without(Rule::SerializableEnd)
        } else {
            Footprint::default()
        }
    }

    /// What any other statement touches.
    fn work(&mut self, statement: &UserStatement, now: SessionFacts) -> Footprint {
        let understood = self.reader.understood(statement);
        let mut footprint = understood.touches.clone();
        if understood.loses_track && self.lost_by.is_none() {
            self.lost_by = Some(start_of(&statement.text));
        }
        self.lock_what_is_read(&mut footprint, now);
        let is_unlimited = footprint.touches().any(|it| it.thing == Thing::Everything);
        let writes = understood.writes || is_unlimited;
        let own: BTreeSet<_> = footprint
            .touches()
            .map(|it| (it.thing.clone(), it.access))
            .collect();
        self.add_conflicts(&mut footprint, &understood, now);
        if now.is_open {
            self.add_snapshot(&mut footprint, &understood, statement, now);
            self.open.extend(own.iter().cloned());
            self.has_written |= writes;
        } else {
            if writes {
                footprint.add(published(Access::Writes));
            }
            if self.is_serializable_postgres(now) && !own.is_empty() {
                footprint.add(Touch::everything(Rule::SerializableEnd, ""));
            }
        }
        self.history.extend(own);
        footprint
    }

    /// At SERIALIZABLE, InnoDB locks what it reads.
    fn lock_what_is_read(&self, footprint: &mut Footprint, now: SessionFacts) {
        if !self.flavour().reads_lock_at(now.level) {
            return;
        }
        let reads: Vec<_> = footprint
            .touches()
            .filter(|it| it.access == Access::Reads)
            .map(|it| Touch {
                thing: it.thing.clone(),
                access: Access::Writes,
                rule: Rule::SerializableRead,
                because: String::new(),
            })
            .collect();
        for touch in reads {
            footprint.add(touch);
        }
    }

    /// Adds what was touched before. On PostgreSQL a refusal of this statement can be about that.
    /// On MariaDB a refusal can undo it at once.
    fn add_conflicts(&self, footprint: &mut Footprint, understood: &Understood, now: SessionFacts) {
        if self.is_serializable_postgres(now) && !footprint.is_empty() {
            for touch in touched(&self.history, Rule::SerializableConflict).touches() {
                footprint.add(touch.clone());
            }
        }
        let locks = understood.evidence == Evidence::Nothing && !understood.touches.is_empty();
        let ends = self.reader.refusals_end_transactions() && now.level.keeps_its_snapshot();
        if ends && locks && now.is_open {
            for touch in touched(&self.open, Rule::TransactionEnd).touches() {
                footprint.add(touch.clone());
            }
        }
    }

    fn add_snapshot(
        &self,
        footprint: &mut Footprint,
        understood: &Understood,
        statement: &UserStatement,
        now: SessionFacts,
    ) {
        let may_take = match self.flavour() {
            Flavour::Postgres => statement.kind != StatementKind::Setting,
            _ => !understood.touches.is_empty(),
        };
        if may_take && !self.has_snapshot && now.level.keeps_its_snapshot() {
            footprint.add(published(Access::Reads));
        }
    }

    /// Whether the open transaction has its snapshot for certain after this answer.
    fn takes_a_snapshot(&self, statement: &UserStatement, answer: &Answer) -> bool {
        match (self.flavour(), statement.kind) {
            (Flavour::MySql | Flavour::MariaDb, StatementKind::Begin(_)) => {
                !statement.is_plain_begin(self.flavour())
            }
            (Flavour::MySql | Flavour::MariaDb, StatementKind::Read) => {
                let first = answer.rows.first().into_iter().flatten();
                let mut values = first.filter(|it| **it != Datum::Null);
                match self.reader.understood(statement).evidence {
                    Evidence::Nothing => false,
                    Evidence::AnyRow => answer.row_count > 0,
                    Evidence::AnyValue => values.any(|it| it.to_string() != "0"),
                    Evidence::AnyAnswer => true,
                }
            }
            (Flavour::Postgres, kind) if !matches!(kind, StatementKind::Setting) => {
                self.reader.understood(statement).is_query
            }
            _ => false,
        }
    }
}

/// These things, touched for one reason.
fn touched(things: &BTreeSet<(Thing, Access)>, rule: Rule) -> Footprint {
    let touches = things.iter().map(|(thing, access)| Touch {
        thing: thing.clone(),
        access: *access,
        rule,
        because: String::new(),
    });
    touches.collect()
}

/// The start of a statement's text, to name it by.
fn start_of(text: &str) -> String {
    const LENGTH: usize = 40;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A touch of what others have committed: a snapshot reads it, and a commit writes it.
fn published(access: Access) -> Touch {
    Touch {
        thing: Thing::Published,
        access,
        rule: match access {
            Access::Reads => Rule::Snapshot,
            Access::Writes => Rule::Publication,
        },
        because: String::new(),
    }
}
