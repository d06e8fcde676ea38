//! The session: one client's connection, on which every begin, statement and commit runs as a
//! labelled, observed [`Step`].
//!
//! A session that is dropped in the middle of something closes its connection instead of returning
//! it to the pool: an open transaction or half an answer must never meet the next client.
//!
//! SQLite is the one engine whose waiting is done here. It keeps no queue: its own busy handler
//! sleeps and tries again, unseen. The session does the same in its stead, so that an
//! [`Observer`] learns of the wait and may say when to try again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::connection::{Connection, ConnectionId, Row};
use super::file_lock::FileLock;
use super::named_lock::{self, NamedLock};
use super::{Engine, Fault, FaultKind, Flavour, Isolation, dialect};
use crate::step::{Action, Argument, Arguments, Effect, Ending, Observer, Record, Step};

/// So many rows of a statement with many are enough to see what it does. Every answer of a batch shows it.
const SHOWN_ROWS: usize = 4;

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
    pub(super) flavour: Flavour,
    /// The isolation level of a transaction that asks for none.
    level: Isolation,
    /// That of the open transaction.
    pub(super) level_now: Isolation,
    /// A lock wait that times out ends the transaction and not the statement alone.
    rolls_back_on_timeout: bool,
    observer: &'s dyn Observer,
    /// How long to think; none where thinking is no step at all.
    think: Option<Duration>,
    /// How long to pause before each further attempt.
    pauses: std::vec::IntoIter<Duration>,
    /// What [`draw`](Self::draw) draws; at random where it is none.
    drawn: Option<i64>,
    /// How long to wait for a lock where the engine leaves the waiting to its clients.
    lock_wait: Duration,
    /// SQLite: the file whose lock stands for every named one.
    lock_file: Option<PathBuf>,
    /// A named lock that does not end with its transaction.
    held: Option<NamedLock>,
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
    ($session:ident, $step:ident, $work:expr, $ending:expr) => {{
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
        $session.after($step, started, &result, $ending);
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
            level: engine.isolation,
            level_now: engine.isolation,
            rolls_back_on_timeout: engine.rolls_back_on_timeout,
            observer,
            think: None,
            pauses: Vec::new().into_iter(),
            drawn: None,
            lock_wait,
            lock_file: None,
            held: None,
            in_transaction: false,
            rolled_back: false,
            in_snapshot: false,
            in_flight: false,
            broken: false,
            kept: Kept::Nothing,
            doomed: None,
        }
    }

    /// Sets the file whose lock stands for every named one.
    pub(super) fn with_lock_file(mut self, lock_file: PathBuf) -> Self {
        self.lock_file = Some(lock_file);
        self
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

    /// Sets how long each [`pause`](Self::pause) takes, and with that how many there may be: none unless
    /// this is called.
    pub fn pausing(mut self, pauses: Vec<Duration>) -> Self {
        self.pauses = pauses.into_iter();
        self
    }

    /// Makes [`draw`](Self::draw) draw the first each time: for an observer that wants its clients to meet.
    pub fn drawing_the_first(mut self) -> Self {
        self.drawn = Some(0);
        self
    }

    /// Lets somebody else observe from here on, and returns who did so far: for what is to be done before a client's
    /// first step.
    pub fn swap_observer(&mut self, observer: &'s dyn Observer) -> &'s dyn Observer {
        std::mem::replace(&mut self.observer, observer)
    }

    /// Draws one of so many that are as good as each other, numbered from 0. Not a step.
    pub fn draw(&self, among: i64) -> i64 {
        self.drawn.unwrap_or_else(|| fastrand::i64(0..among))
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn begin(&mut self) -> Result<(), Fault> {
        self.begin_with(self.flavour.begin(), Effect::Local).await
    }

    /// Begins a transaction at this isolation level, whatever the session's is. SQLite has but one.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn begin_at(&mut self, level: Isolation) -> Result<(), Fault> {
        self.begin_with(self.flavour.begin_at(level), Effect::Local)
            .await?;
        self.level_now = level;
        Ok(())
    }

    /// Begins a transaction that only reads, and all of it in one snapshot, whatever the session's level is.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn begin_snapshot(&mut self) -> Result<(), Fault> {
        self.begin_with(self.flavour.begin_snapshot(), Effect::Local)
            .await?;
        self.level_now = Isolation::RepeatableRead;
        Ok(())
    }

    /// Begins a transaction whose reads will be locking ones: row by row where the engine can, the
    /// whole database at once where it cannot (SQLite).
    ///
    /// # Errors
    /// As the engine refuses; SQLite may be busy for longer than the lock wait timeout.
    pub async fn begin_for_update(&mut self) -> Result<(), Fault> {
        let sql = self.flavour.begin_for_update();
        // A plain begin takes no lock and no snapshot on any engine.
        let effect = match sql == self.flavour.begin() {
            true => Effect::Local,
            false => Effect::Conflicts,
        };
        self.begin_with(sql, effect).await
    }

    pub(super) async fn begin_with(
        &mut self,
        sql: &'static str,
        effect: Effect,
    ) -> Result<(), Fault> {
        self.command(Action::Begin, "begin", sql, effect).await?;
        self.in_transaction = true;
        self.rolled_back = false;
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
        self.command(Action::Commit, "commit", "COMMIT", Effect::Conflicts)
            .await?;
        if !self.rolled_back {
            self.kept = Kept::Something;
        }
        self.leave_transaction();
        Ok(())
    }

    /// Rolls the open transaction back, after which the session is as good as new: a refusal that had
    /// [doomed](Self::commit) the transaction is forgotten, the next one gets a snapshot of its own, and
    /// nothing is kept of this one. Does nothing where none is open.
    ///
    /// It is recorded as a step but is no point at which an observer may park the client: it belongs
    /// to the refusal that made it necessary. It is needed although a deadlock's victim is rolled back
    /// by the engine itself, because after a lock timeout only the statement is.
    ///
    /// # Errors
    /// As the engine refuses. The session is of no further use then.
    pub async fn rollback(&mut self) -> Result<(), Fault> {
        if !self.in_transaction {
            return Ok(());
        }
        let step = self.statement(
            Action::Rollback,
            "rollback",
            "ROLLBACK",
            &[],
            Effect::Conflicts,
        );
        self.in_flight = true;
        let started = Instant::now();
        let result = self.connection.command(step_sql(&step)).await;
        self.after(step, started, &result, done);
        match &result {
            Ok(()) => self.leave_transaction(),
            Err(_) => self.broken = true,
        }
        result
    }

    /// Takes the lock that stands for this account by agreement, in a transaction, and waits for it as long
    /// as for a row's. On PostgreSQL it is given up with the transaction, elsewhere by
    /// [`unlock_by_name`](Self::unlock_by_name), or at the session's end, or with its connection.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn lock_by_name(&mut self, account: i64) -> Result<(), Fault> {
        let values = self.flavour.lock_values(account, self.lock_wait.as_secs());
        let step = Step {
            sql: self
                .flavour
                .lock_by_name()
                .map(|sql| self.flavour.spell(sql)),
            ..self.statement(
                Action::Lock,
                "lock by name",
                "",
                values.as_slice(),
                Effect::Conflicts,
            )
        };
        let taken = match self.flavour {
            Flavour::Sqlite => perform!(
                self,
                step,
                named_lock::take_file(self.lock_file.as_deref()),
                done
            ),
            _ => perform!(
                self,
                step,
                named_lock::take(&mut self.connection, self.flavour, step_sql(&step), &values),
                done
            ),
        };
        self.held = taken?;
        // PostgreSQL takes the snapshot with the first statement, whatever it is about.
        self.in_snapshot |= self.in_transaction && self.flavour == Flavour::Postgres;
        Ok(())
    }

    /// Gives up the lock that [`lock_by_name`](Self::lock_by_name) has taken; no step where it was given up with
    /// the transaction. A connection that cannot give it up is closed, and the lock goes with it.
    pub async fn unlock_by_name(&mut self) {
        if let Some(step) = self.unlocking() {
            self.before(&step).await;
            self.unlock(step).await;
        }
    }

    fn unlocking(&self) -> Option<Step> {
        let release = self.held.as_ref()?.release();
        let account = release.map(|(_, account)| account);
        Some(Step {
            sql: release.map(|(sql, _)| self.flavour.spell(sql)),
            ..self.statement(
                Action::Unlock,
                "unlock",
                "",
                account.as_slice(),
                Effect::Conflicts,
            )
        })
    }

    async fn unlock(&mut self, step: Step) {
        let started = Instant::now();
        let result = match step.sql.as_deref() {
            Some(sql) => self.connection.execute(sql, &step.args).await.map(|_| ()),
            None => Ok(()),
        };
        self.broken |= result.is_err();
        self.held = None;
        self.after(step, started, &result, done);
    }

    /// Reads one integer; none if there is no such row.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn read(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: impl Into<Arguments>,
    ) -> Result<Option<i64>, Fault> {
        let first = |rows: &Vec<[_; 1]>| rows.first().and_then(|[value]| *value);
        let rows = self.look(label, sql, args, first).await?;
        Ok(first(&rows))
    }

    /// Reads one row of `N` integers, none of them NULL; none if there is no such row. The first of them is what
    /// the timeline shows.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn row<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: impl Into<Arguments>,
    ) -> Result<Option<[i64; N]>, Fault> {
        let first = |rows: &Vec<[Option<i64>; N]>| rows.first().and_then(|row| row[0]);
        let rows = self.look(label, sql, args, first).await?;
        Ok(rows.first().map(|row| row.map(Option::unwrap_or_default)))
    }

    /// Reads any number of rows of `N` integers each.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn rows<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: impl Into<Arguments>,
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        self.look(label, sql, args, |_| None).await
    }

    /// Reads any number of rows of integers and texts.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn records(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: impl Into<Arguments>,
    ) -> Result<Vec<Row>, Fault> {
        let step = self.statement(Action::Read, label, sql, args, self.reach_of_read(sql));
        perform!(
            self,
            step,
            self.connection.rows(step_sql(&step), &step.args),
            |_| Ending::Done(None)
        )
    }

    /// Runs a statement that changes rows, and says how many it matched.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn run(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: impl Into<Arguments>,
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
        args: impl Into<Arguments>,
    ) -> Result<i64, Fault> {
        let step = Step {
            sql: Some(self.flavour.spell_insert(sql)),
            ..self.statement(Action::Write, label, sql, args, Effect::Conflicts)
        };
        perform!(
            self,
            step,
            self.connection.insert(step_sql(&step), &step.args),
            done
        )
    }

    /// Inserts rows of `N` integers each by one statement, of which `sql` is the one for a single row. No step
    /// where there are none, and of many only the first are in the step.
    ///
    /// # Errors
    /// As the engine refuses. None of them is inserted then.
    pub async fn insert_rows<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        rows: &[[i64; N]],
    ) -> Result<(), Fault> {
        let shown = rows.get(..SHOWN_ROWS).unwrap_or(rows);
        if shown.is_empty() {
            return Ok(());
        }
        let mut shown_sql = self.flavour.spell_rows(sql, shown.len());
        if shown.len() < rows.len() {
            shown_sql.push_str(&format!(", …: {} rows", rows.len()));
        }
        let step = Step {
            sql: Some(shown_sql.into()),
            ..self.statement(
                Action::Write,
                label,
                sql,
                shown.as_flattened(),
                Effect::Conflicts,
            )
        };
        // As text: every number of rows would be another statement to prepare, in a round trip of its own.
        let whole = dialect::rows_as_text(sql, rows);
        perform!(self, step, self.connection.command(&whole), |()| {
            Ending::Done(None)
        })
    }

    /// As [`run`](Self::run), for the statement that writes the value the clients race for; `value`
    /// is what the timeline shows, unless no row matched: then it shows that.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn write(
        &mut self,
        label: &'static str,
        value: i64,
        sql: &'static str,
        args: impl Into<Arguments>,
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
        let step = outside(
            Action::Lock,
            "lock in process",
            Effect::Conflicts,
            Vec::new(),
        );
        let timed_out = "somebody else in this process has the lock";
        self.observer.before(&step).await;
        let started = Instant::now();
        let at_once = || Ok(Arc::clone(mutex).try_lock_owned().ok());
        let queue = async { Ok(Arc::clone(mutex).lock_owned().await) };
        let taken = self.wait_outside(&step, at_once, queue, timed_out).await;
        self.show(step, started, &taken);
        taken
    }

    /// Gives up what [`lock_in_process`](Self::lock_in_process) has taken.
    pub async fn unlock_in_process(&mut self, guard: OwnedMutexGuard<()>) {
        self.give_up("unlock in process", guard).await;
    }

    /// Takes the exclusive lock on a lock file, and waits for it as long as for one of the engine's. It holds
    /// between processes. Whoever drops it gives it up.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`] where somebody else keeps it for too long; or the file cannot be locked.
    pub async fn lock_file(&mut self, path: &Path) -> Result<FileLock, Fault> {
        let step = outside(Action::Lock, "lock file", Effect::Conflicts, Vec::new());
        self.observer.before(&step).await;
        let started = Instant::now();
        let at_once = || {
            let taken = FileLock::try_take(path);
            taken.map_err(|error| Fault::of_file("the lock file", &error))
        };
        let queue = async {
            // The operating system would queue, but its queue cannot be left without a signal.
            for tries in 0.. {
                if let Some(lock) = at_once()? {
                    return Ok(lock);
                }
                tokio::time::sleep(pause_before(tries)).await;
            }
            Err(Fault::other("the tries have come to an end"))
        };
        let timed_out = "somebody else keeps the lock file";
        let taken = self.wait_outside(&step, at_once, queue, timed_out).await;
        self.show(step, started, &taken);
        taken
    }

    /// Gives up what [`lock_file`](Self::lock_file) has taken.
    pub async fn unlock_file(&mut self, lock: FileLock) {
        self.give_up("unlock file", lock).await;
    }

    async fn give_up<T>(&mut self, label: &'static str, lock: T) {
        let step = outside(Action::Unlock, label, Effect::Conflicts, Vec::new());
        self.observer.before(&step).await;
        let started = Instant::now();
        drop(lock);
        self.show(step, started, &Ok(()));
    }

    /// Makes a step that is no statement, such as one on a file: `work` does it as soon as the observer allows. It
    /// says nothing about the session's connection or its transaction.
    ///
    /// # Errors
    /// As the work fails.
    pub async fn outside<T>(
        &mut self,
        (action, label, effect): (Action, &'static str, Effect),
        args: impl Into<Arguments>,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let step = outside(action, label, effect, args.into().0);
        self.observer.before(&step).await;
        let started = Instant::now();
        let done = work.await;
        self.show(step, started, &done);
        done
    }

    /// Waits for a lock outside the engine: as the observer says where it has an opinion, and else in `queue`,
    /// until the lock wait times out.
    async fn wait_outside<T>(
        &self,
        step: &Step,
        at_once: impl Fn() -> Result<Option<T>, Fault>,
        queue: impl Future<Output = Result<T, Fault>>,
        timed_out: &'static str,
    ) -> Result<T, Fault> {
        loop {
            if let Some(taken) = at_once()? {
                return Ok(taken);
            }
            match self.observer.held_up(step) {
                Some(turn) => {
                    if !turn.await {
                        return Err(Fault::lock_timeout(timed_out));
                    }
                }
                None => {
                    let taken = timeout(self.lock_wait, queue).await;
                    return taken.unwrap_or_else(|_elapsed| Err(Fault::lock_timeout(timed_out)));
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
                Err(fault) => failed(fault),
            },
        });
    }

    /// Counts rows again and again until there are none, as long as it would wait for a lock. To the engine no one
    /// waits here: it is asked.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`] where there still are some; or as the engine refuses.
    pub async fn wait_until_none(
        &mut self,
        label: &'static str,
        count: &'static str,
        args: impl Into<Arguments>,
    ) -> Result<(), Fault> {
        let step = self.statement(Action::Lock, label, count, args, Effect::Conflicts);
        perform!(self, step, none_left(&mut self.connection, &step), |()| {
            Ending::Done(None)
        })
        .map_err(|fault| match fault.kind {
            FaultKind::Busy => Fault::lock_timeout("somebody else did not make way in time"),
            _ => fault,
        })
    }

    /// Lets time pass between two statements: the delay of the lesson, in which others get their
    /// chance. No step at all where the delay is zero.
    pub async fn think(&mut self) {
        let Some(think) = self.think else {
            return;
        };
        self.let_pass(Action::Think, "think", think).await;
    }

    /// Lets time pass between a lost attempt and the next one, and says true. Says false at once where
    /// that was the last one.
    pub async fn pause(&mut self) -> bool {
        let Some(pause) = self.pauses.next() else {
            return false;
        };
        self.let_pass(Action::Pause, "pause", pause).await;
        true
    }

    async fn let_pass(&mut self, action: Action, label: &'static str, time: Duration) {
        let step = outside(action, label, Effect::Local, Vec::new());
        self.observer.before(&step).await;
        let started = Instant::now();
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        self.after(step, started, &Ok(()), done);
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
        let rows = self.connection.integers::<1>(&sql, [0_i64; 0]).await;
        self.in_flight = false;
        match rows?.first() {
            Some([Some(id)]) => {
                self.connection.set_number(*id);
                Ok(Some(ConnectionId(*id)))
            }
            _ => Err(Fault::other("the engine did not number this connection")),
        }
    }

    /// What it has left behind so far, if what is still open is rolled back.
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// Counts what is kept from here on, and no more what was kept so far: that was about something else.
    pub fn count_anew(&mut self) {
        self.kept = Kept::Nothing;
    }

    /// Ends the session: rolls back what is still open, gives the connection back (or closes it
    /// where it is of no further use), and says what was kept.
    pub async fn end(mut self) -> Kept {
        if !self.broken {
            // One that cannot even be rolled back is closed, which does the same.
            let _ = self.rollback().await;
        }
        // No earlier: who gets the lock next is to see what was decided.
        if let Some(step) = self.unlocking().filter(|_| !self.broken) {
            self.in_flight = true;
            self.unlock(step).await;
        }
        self.kept
    }

    fn leave_transaction(&mut self) {
        self.in_transaction = false;
        self.in_snapshot = false;
        self.level_now = self.level;
        self.doomed = None;
    }

    async fn command(
        &mut self,
        action: Action,
        label: &'static str,
        sql: &'static str,
        effect: Effect,
    ) -> Result<(), Fault> {
        let step = self.statement(action, label, sql, &[], effect);
        perform!(self, step, self.connection.command(step_sql(&step)), done)
    }

    async fn look<const N: usize>(
        &mut self,
        label: &'static str,
        sql: &'static str,
        args: impl Into<Arguments>,
        value: impl FnOnce(&Vec<[Option<i64>; N]>) -> Option<i64>,
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        let step = self.statement(Action::Read, label, sql, args, self.reach_of_read(sql));
        perform!(
            self,
            step,
            self.connection.integers(step_sql(&step), &step.args),
            |rows| Ending::Done(value(rows))
        )
    }

    async fn change(
        &mut self,
        label: &'static str,
        value: Option<i64>,
        sql: &'static str,
        args: impl Into<Arguments>,
    ) -> Result<u64, Fault> {
        let step = self.statement(Action::Write, label, sql, args, Effect::Conflicts);
        perform!(
            self,
            step,
            self.connection.execute(step_sql(&step), &step.args),
            |matched| match *matched {
                0 => Ending::MatchedNoRow,
                _ => Ending::Done(value),
            }
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
        args: impl Into<Arguments>,
        effect: Effect,
    ) -> Step {
        Step {
            action,
            label: label.into(),
            sql: Some(self.flavour.spell(sql)),
            args: args.into().0,
            effect,
        }
    }

    /// A read reaches further where it locks what it reads; and within a transaction that has done
    /// something already, because a strategy may give up after it, and give up its locks with it.
    fn reach_of_read(&self, sql: &str) -> Effect {
        let locks = self.flavour.reads_lock_at(self.level_now);
        match locks || self.held.is_some() || self.in_snapshot || sql.ends_with(" FOR UPDATE") {
            true => Effect::Conflicts,
            false => Effect::Reads,
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
        done: impl FnOnce(&T) -> Ending,
    ) {
        let ended = Instant::now();
        self.in_flight = false;
        let ending = match result {
            Ok(answer) => {
                self.in_snapshot |=
                    self.in_transaction && matches!(step.action, Action::Read | Action::Write);
                if step.action == Action::Write && self.commits_by_itself() {
                    self.kept = Kept::Something;
                }
                done(answer)
            }
            Err(fault) => {
                self.learn_from(fault, step.action);
                failed(fault)
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
        self.broken |= !answered || fault.spoils_the_connection();
        let commits = match action {
            Action::Commit => !self.rolled_back,
            Action::Write => self.commits_by_itself(),
            _ => false,
        };
        let in_doubt = match action {
            Action::Commit => fault.leaves_a_commit_in_doubt(),
            _ => !answered,
        };
        if commits && in_doubt {
            self.kept = Kept::Unknown;
        }
        self.rolled_back |= answered && self.in_transaction && self.ends_the_transaction(fault);
        if answered && self.in_transaction && self.flavour.gives_up_transactions_whole() {
            // A commit that is refused has rolled back; after any other step that is still to do.
            match action {
                Action::Commit => self.leave_transaction(),
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
        match self.flavour {
            Flavour::MySql | Flavour::MariaDb => {
                let timed_out = fault.kind == FaultKind::LockTimeout;
                fault.rolls_innodb_back() || (timed_out && self.rolls_back_on_timeout)
            }
            Flavour::Postgres | Flavour::Sqlite => false,
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let holds = self.held.is_some();
        if !(self.in_transaction || self.in_flight || self.broken || holds) {
            self.connection.give_back();
        }
    }
}

/// Refuses, as somebody who waits in vain is refused, where a count is not zero.
async fn none_left(connection: &mut Connection, step: &Step) -> Result<(), Fault> {
    let counted = connection.integers::<1>(step_sql(step), &step.args).await?;
    match counted.first() {
        Some([Some(0)]) => Ok(()),
        _ => Err(Fault {
            kind: FaultKind::Busy,
            code: None,
            message: "somebody else is in the way".to_owned(),
        }),
    }
}

/// The pauses that SQLite's own busy handler makes, from short to long.
pub(super) fn pause_before(try_number: usize) -> Duration {
    const MILLISECONDS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
    let longest = MILLISECONDS.len() - 1;
    Duration::from_millis(MILLISECONDS[try_number.min(longest)])
}

/// A step that no statement belongs to.
fn outside(action: Action, label: &'static str, effect: Effect, args: Vec<Argument>) -> Step {
    Step {
        action,
        label: label.into(),
        sql: None,
        args,
        effect,
    }
}

/// How a step ended that went well and has nothing to show.
fn done<T>(_answer: &T) -> Ending {
    Ending::Done(None)
}

fn failed(fault: &Fault) -> Ending {
    Ending::Failed {
        kind: fault.kind.name(),
        code: fault.code.clone(),
        refusal: fault.public(),
    }
}

fn step_sql(step: &Step) -> &str {
    step.sql.as_deref().unwrap_or_default()
}
