//! The session: one client's connection, on which every begin, statement and commit runs as a
//! labelled, observed [`Step`].
//!
//! A session that is dropped in the middle of something closes its connection instead of returning
//! it to the pool: an open transaction or half an answer must never meet the next client.
//!
//! SQLite is the one engine whose waiting is done here. It keeps no queue: its own busy handler
//! sleeps and tries again, unseen. The session does the same in its stead, so that an
//! [`Observer`] learns of the wait and may say when to try again.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::connection::{Connection, ConnectionId};
use super::{Engine, Fault, FaultKind, Flavour, Isolation};
use crate::step::{Action, Ending, Observer, Reach, Record, Step};

/// What a session left behind in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing was written, or all of it was rolled back.
    Nothing,
    /// Something was committed, by a commit or by a statement in autocommit.
    Something,
    /// The connection broke before the answer to a commit came: nobody here can know.
    Unknown,
}

/// One client's connection. See the module's documentation.
#[derive(Debug)]
pub struct Session<'s> {
    connection: Connection,
    flavour: Flavour,
    /// The level of a transaction that names none.
    isolation: Isolation,
    /// A lock wait that times out ends the transaction and not the statement alone.
    rolls_back_on_timeout: bool,
    /// A plain read may take a lock.
    reads_lock: bool,
    observer: &'s dyn Observer,
    /// How long to think; none where thinking is no step at all.
    think: Option<Duration>,
    /// How long to wait for a lock where the engine leaves the waiting to its clients.
    lock_wait: Duration,
    in_transaction: bool,
    /// The engine has rolled the transaction back by itself: what is sent from here on is in autocommit,
    /// whether whoever sends it knows or not.
    rolled_back: bool,
    /// The transaction has read or written, and sees the database as it was then.
    in_snapshot: bool,
    /// A statement is under way: its answer has not been read to the end.
    in_flight: bool,
    /// The connection is of no further use.
    broken: bool,
    kept: Kept,
    /// The refusal for which the engine is going to undo the open transaction, whatever is sent.
    doomed: Option<Fault>,
}

/// Does a step's work as soon as the observer allows, and again as long as the session waits in
/// SQLite's stead; then notes what came of it.
macro_rules! perform {
    ($session:ident, $step:ident, $work:expr, $value:expr) => {{
        $session.before(&$step).await;
        let started = Instant::now();
        let mut tries = 0;
        let result = loop {
            let result = $work.await;
            if !$session
                .tries_again(&$step, started, &mut tries, &result)
                .await
            {
                break result;
            }
        };
        $session.after($step, started, &result, $value);
        result
    }};
}

impl<'s> Session<'s> {
    pub(super) fn new(
        connection: Connection,
        engine: &Engine,
        lock_wait: Duration,
        observer: &'s dyn Observer,
    ) -> Self {
        Self {
            connection,
            flavour: engine.flavour,
            isolation: engine.isolation,
            rolls_back_on_timeout: engine.rolls_back_on_timeout,
            reads_lock: engine.flavour.reads_lock_at(engine.isolation),
            observer,
            think: None,
            lock_wait,
            in_transaction: false,
            rolled_back: false,
            in_snapshot: false,
            in_flight: false,
            broken: false,
            kept: Kept::Nothing,
            doomed: None,
        }
    }

    /// Sets how long [`think`](Self::think) takes. Thinking for no time is no step.
    pub fn thinking(mut self, think: Duration) -> Self {
        self.think = (!think.is_zero()).then_some(think);
        self
    }

    /// Makes [`think`](Self::think) a step that takes no time: for an observer that decides what
    /// happens meanwhile.
    pub fn thinking_in_no_time(mut self) -> Self {
        self.think = Some(Duration::ZERO);
        self
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn begin(&mut self) -> Result<(), Fault> {
        let begin = self.flavour.begin().into();
        // It takes no lock and no snapshot on any engine.
        self.begin_with(begin, self.isolation, Reach::Own).await
    }

    /// Begins a transaction at this isolation level instead of the session's, in the same round trip.
    /// SQLite has but one level, and begins as ever.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn begin_at(&mut self, level: Isolation) -> Result<(), Fault> {
        let begin = self.flavour.begin_at(level);
        self.begin_with(begin, level, Reach::Own).await
    }

    /// Begins a transaction whose reads will be locking ones: row by row where the engine can, the
    /// whole database at once where it cannot (SQLite).
    ///
    /// # Errors
    /// As the engine refuses; SQLite may be busy for longer than the lock wait timeout.
    pub async fn begin_for_update(&mut self) -> Result<(), Fault> {
        let begin = self.flavour.begin_for_update();
        let reach = match begin == self.flavour.begin() {
            true => Reach::Own,
            false => Reach::Meets,
        };
        self.begin_with(begin.into(), self.isolation, reach).await
    }

    async fn begin_with(
        &mut self,
        sql: Cow<'static, str>,
        level: Isolation,
        reach: Reach,
    ) -> Result<(), Fault> {
        self.command(Action::Begin, "begin", sql, reach).await?;
        self.in_transaction = true;
        self.rolled_back = false;
        self.reads_lock = self.flavour.reads_lock_at(level);
        Ok(())
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// As the engine refuses. If the connection broke, whether it was kept is
    /// [unknown](Kept::Unknown). After a deadlock InnoDB has rolled the transaction back, and commits
    /// nothing without a word. PostgreSQL would answer the COMMIT of a transaction in which it has
    /// refused something with a mere "ROLLBACK", which reads like success: there it is that earlier
    /// refusal, and nothing is sent.
    pub async fn commit(&mut self) -> Result<(), Fault> {
        if let Some(refusal) = &self.doomed {
            return Err(refusal.clone());
        }
        self.command(Action::Commit, "commit", "COMMIT".into(), Reach::Meets)
            .await?;
        if !self.rolled_back {
            self.kept = Kept::Something;
        }
        self.in_transaction = false;
        self.in_snapshot = false;
        self.rolled_back = false;
        Ok(())
    }

    /// Reads one integer; none if there is no such row.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn read(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
    ) -> Result<Option<i64>, Fault> {
        let first = |rows: &Vec<[_; 1]>| rows.first().and_then(|[value]| *value);
        let rows = self.look(label, sql, args, first).await?;
        Ok(first(&rows))
    }

    /// Reads one row of `N` integers, the first of which is the value the clients race for; none if there
    /// is no such row, or a NULL in it.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn read_row<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
    ) -> Result<Option<[i64; N]>, Fault> {
        let value = |rows: &Vec<[Option<i64>; N]>| *rows.first()?.first()?;
        let rows = self.look(label, sql, args, value).await?;
        Ok(rows.first().and_then(without_null))
    }

    /// Reads any number of rows of `N` integers each.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn rows<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        self.look(label, sql, args, |_| None).await
    }

    /// Runs a statement that changes rows, and says how many it matched.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn run(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
    ) -> Result<u64, Fault> {
        self.change(label, None, sql, args).await
    }

    /// Inserts one row, and says which number the engine gave it.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn insert(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
    ) -> Result<i64, Fault> {
        let step = Step {
            sql: Some(self.flavour.spell_insert(sql)),
            ..self.statement(Action::Write, label, sql, args, Reach::Meets)
        };
        perform!(
            self,
            step,
            self.connection.insert(step_sql(&step), args),
            |_| None
        )
    }

    /// As [`run`](Self::run), for the statement that writes the value the clients race for; `value`
    /// is what the timeline shows, unless no row matched.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn write(
        &mut self,
        label: &'static str,
        value: i64,
        sql: &'static str,
        args: &[i64],
    ) -> Result<u64, Fault> {
        self.change(label, Some(value), sql, args).await
    }

    /// Takes a lock that this process keeps in its memory, and waits for it as long as for one of the
    /// engine's. The engine knows nothing of it. Whoever drops the guard gives it up.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`] where somebody else keeps it for too long.
    pub async fn lock_in_process(
        &mut self,
        mutex: &Arc<Mutex<()>>,
    ) -> Result<OwnedMutexGuard<()>, Fault> {
        let step = in_process(Action::Lock, "lock in process");
        self.observer.before(&step).await;
        let started = Instant::now();
        let taken = self.wait_in_process(&step, mutex).await;
        self.show(step, started, &taken);
        taken
    }

    /// Gives up what [`lock_in_process`](Self::lock_in_process) has taken.
    pub async fn unlock_in_process(&mut self, guard: OwnedMutexGuard<()>) {
        let step = in_process(Action::Unlock, "unlock in process");
        self.observer.before(&step).await;
        let started = Instant::now();
        drop(guard);
        self.show(step, started, &Ok(()));
    }

    async fn wait_in_process(
        &self,
        step: &Step,
        mutex: &Arc<Mutex<()>>,
    ) -> Result<OwnedMutexGuard<()>, Fault> {
        let took_too_long = || Fault::lock_timeout("somebody else in this process has the lock");
        loop {
            if let Ok(guard) = Arc::clone(mutex).try_lock_owned() {
                return Ok(guard);
            }
            match self.observer.held_up(step) {
                Some(turn) => {
                    if !turn.await {
                        return Err(took_too_long());
                    }
                }
                None => {
                    let waiting = Arc::clone(mutex).lock_owned();
                    let taken = timeout(self.lock_wait, waiting).await;
                    return taken.map_err(|_elapsed| took_too_long());
                }
            }
        }
    }

    /// Shows a step to the observer that says nothing about this session's connection.
    fn show<T>(&self, step: Step, started: Instant, result: &Result<T, Fault>) {
        self.observer.after(&Record {
            step,
            started,
            ended: Instant::now(),
            ending: match result {
                Ok(_) => Ending::Done(None),
                Err(fault) => Ending::Failed(fault.to_string()),
            },
        });
    }

    /// Lets time pass between two statements: the delay of the lesson, in which others get their
    /// chance. No step at all where the delay is zero.
    pub async fn think(&mut self) {
        let Some(think) = self.think else {
            return;
        };
        let step = Step {
            action: Action::Think,
            label: "think",
            sql: None,
            args: Vec::new(),
            reach: Reach::Own,
        };
        self.observer.before(&step).await;
        let started = Instant::now();
        if !think.is_zero() {
            tokio::time::sleep(think).await;
        }
        self.after(step, started, &Ok(()), |()| None);
    }

    /// The number by which the engine's lock tables know this connection; none on SQLite, which has
    /// no such tables. Not a step.
    ///
    /// # Errors
    /// The engine's fault.
    pub async fn connection_id(&mut self) -> Result<Option<ConnectionId>, Fault> {
        if self.flavour == Flavour::Sqlite {
            return Ok(None);
        }
        if let Some(known) = self.connection.number() {
            return Ok(Some(ConnectionId(known)));
        }
        let sql = self.flavour.spell("SELECT CAST(CONNECTION_ID() AS SIGNED)");
        self.in_flight = true;
        let rows = self.connection.integers::<1>(&sql, &[]).await;
        self.in_flight = false;
        match rows?.first() {
            Some([Some(id)]) => {
                self.connection.set_number(*id);
                Ok(Some(ConnectionId(*id)))
            }
            _ => Err(Fault::other("the engine did not number this connection")),
        }
    }

    /// Ends the session: rolls back what is still open, gives the connection back (or closes it
    /// where it is of no further use), and says what was kept.
    ///
    /// The rollback is recorded as a step but is no point at which an observer may park the client:
    /// it belongs to the refusal that made it necessary. It is needed although a deadlock victim is
    /// rolled back by the engine itself, because after a lock timeout only the statement is.
    pub async fn end(mut self) -> Kept {
        if self.in_transaction && !self.broken {
            let step = self.statement(Action::Rollback, "rollback", "ROLLBACK", &[], Reach::Meets);
            self.in_flight = true;
            let started = Instant::now();
            let result = self.connection.command(step_sql(&step)).await;
            self.after(step, started, &result, |()| None);
            self.in_transaction = result.is_err();
        }
        self.kept
    }

    async fn command(
        &mut self,
        action: Action,
        label: &'static str,
        sql: Cow<'static, str>,
        reach: Reach,
    ) -> Result<(), Fault> {
        let step = Step {
            action,
            label,
            sql: Some(sql),
            args: Vec::new(),
            reach,
        };
        perform!(self, step, self.connection.command(step_sql(&step)), |()| {
            None
        })
    }

    async fn look<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
        value: impl FnOnce(&Vec<[Option<i64>; N]>) -> Option<i64>,
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        let step = self.statement(Action::Read, label, sql, args, self.reach_of_read(sql));
        perform!(
            self,
            step,
            self.connection.integers(step_sql(&step), args),
            value
        )
    }

    async fn change(
        &mut self,
        label: &'static str,
        value: Option<i64>,
        sql: &'static str,
        args: &[i64],
    ) -> Result<u64, Fault> {
        let step = self.statement(Action::Write, label, sql, args, Reach::Meets);
        perform!(
            self,
            step,
            self.connection.execute(step_sql(&step), args),
            |matched| value.filter(|_| *matched > 0)
        )
    }

    /// Waits in SQLite's stead, where SQLite itself would: for a statement whose transaction has
    /// seen nothing yet, and for a commit. Somebody who has read and then wants to write is refused
    /// at once, because its snapshot would grow old while it
    /// waited.
    async fn tries_again<T>(
        &self,
        step: &Step,
        started: Instant,
        tries: &mut usize,
        result: &Result<T, Fault>,
    ) -> bool {
        let held_up = matches!(result, Err(fault) if fault.kind == FaultKind::Busy)
            && (step.action == Action::Commit || !self.in_snapshot);
        if !held_up {
            return false;
        }
        if let Some(turn) = self.observer.held_up(step) {
            return turn.await;
        }
        if started.elapsed() >= self.lock_wait {
            return false;
        }
        tokio::time::sleep(pause_before(*tries)).await;
        *tries += 1;
        true
    }

    fn statement(
        &self,
        action: Action,
        label: &'static str,
        sql: &'static str,
        args: &[i64],
        reach: Reach,
    ) -> Step {
        Step {
            action,
            label,
            sql: Some(self.flavour.spell(sql)),
            args: args.to_vec(),
            reach,
        }
    }

    /// A read reaches further where it locks what it reads; and within a transaction that has done
    /// something already, because a strategy may give up after it, and give up its locks with it.
    fn reach_of_read(&self, sql: &str) -> Reach {
        match self.reads_lock || self.in_snapshot || sql.ends_with(" FOR UPDATE") {
            true => Reach::Meets,
            false => Reach::Looks,
        }
    }

    async fn before(&mut self, step: &Step) {
        self.observer.before(step).await;
        self.in_flight = true;
    }

    /// Notes what the answer to a step means for this session, and shows it to the observer.
    fn after<T>(
        &mut self,
        step: Step,
        started: Instant,
        result: &Result<T, Fault>,
        value: impl FnOnce(&T) -> Option<i64>,
    ) {
        let ended = Instant::now();
        self.in_flight = false;
        let ending = match result {
            Ok(done) => {
                self.in_snapshot |=
                    self.in_transaction && matches!(step.action, Action::Read | Action::Write);
                if step.action == Action::Write && self.commits_by_itself() {
                    self.kept = Kept::Something;
                }
                Ending::Done(value(done))
            }
            Err(fault) => {
                self.learn_from(fault, step.action);
                Ending::Failed(fault.to_string())
            }
        };
        self.observer.after(&Record {
            step,
            started,
            ended,
            ending,
        });
    }

    /// A refusal leaves a connection that can be used, unless it says that the database is going.
    /// Without an answer an open transaction dies with its connection, but what commits by itself
    /// may have been committed before the answer got lost.
    fn learn_from(&mut self, fault: &Fault, action: Action) {
        let answered = fault.is_an_answer();
        self.broken |= !answered || fault.kind == FaultKind::Unavailable;
        let commits = match action {
            Action::Commit => !self.rolled_back,
            Action::Write => self.commits_by_itself(),
            _ => false,
        };
        if commits && !answered {
            self.kept = Kept::Unknown;
        }
        self.rolled_back |= answered && self.in_transaction && self.ends_the_transaction(fault);
        if answered && self.in_transaction && self.flavour.gives_up_transactions_whole() {
            // A commit that is refused has rolled back; after any other step that is still to do.
            match action {
                Action::Commit => self.in_transaction = false,
                _ => self.doomed = Some(fault.clone()),
            }
        }
    }

    /// Whether a write is kept as soon as it is done.
    fn commits_by_itself(&self) -> bool {
        !self.in_transaction || self.rolled_back
    }

    /// Whether InnoDB has rolled the whole transaction back with this refusal, and not only the statement.
    fn ends_the_transaction(&self, fault: &Fault) -> bool {
        match (self.flavour, fault.kind) {
            (
                Flavour::MySql | Flavour::MariaDb,
                FaultKind::Deadlock | FaultKind::SnapshotConflict,
            ) => true,
            (Flavour::MySql | Flavour::MariaDb, FaultKind::LockTimeout) => {
                self.rolls_back_on_timeout
            }
            _ => false,
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !(self.in_transaction || self.in_flight || self.broken) {
            self.connection.give_back();
        }
    }
}

/// The pauses that SQLite's own busy handler makes, from short to long.
pub(super) fn pause_before(try_number: usize) -> Duration {
    const MILLISECONDS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
    let longest = MILLISECONDS.len() - 1;
    Duration::from_millis(MILLISECONDS[try_number.min(longest)])
}

/// A step that no statement belongs to, and that others wait for.
fn in_process(action: Action, label: &'static str) -> Step {
    Step {
        action,
        label,
        sql: None,
        args: Vec::new(),
        reach: Reach::Meets,
    }
}

fn without_null<const N: usize>(row: &[Option<i64>; N]) -> Option<[i64; N]> {
    let mut values = [0; N];
    for (value, column) in values.iter_mut().zip(row) {
        *value = (*column)?;
    }
    Some(values)
}

fn step_sql(step: &Step) -> &str {
    step.sql.as_deref().unwrap_or_default()
}
