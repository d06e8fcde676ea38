//! Locks that are on no row: by name, in this process, and on a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{sleep, timeout};

use super::Session;
use super::steps::{done, sql_of};
use super::waiting::pause_before;
use crate::engine::file_lock::FileLock;
use crate::engine::{Fault, Flavour, named_lock};
use crate::step::{Action, Effect, Step};

impl Session<'_> {
    /// Takes the lock with this key, in a transaction. What the key stands for is an agreement
    /// among the clients. It waits as long as for the lock of a row.
    ///
    /// On PostgreSQL the lock ends with the transaction. On the other engines
    /// [`unlock_by_name`](Self::unlock_by_name) releases it, or the end of the session.
    #[track_caller]
    pub fn lock_by_name(&mut self, key: i64) -> impl Future<Output = Result<(), Fault>> {
        let values = self.flavour.lock_values(key, self.lock_wait.as_secs());
        let args = values.as_slice();
        let step = Step {
            sql: self
                .flavour
                .lock_by_name()
                .map(|sql| self.flavour.spell(sql)),
            ..self.statement(Action::Lock, "lock by name", "", args, Effect::Conflicts)
        };
        self.take_by_name(step, values)
    }

    async fn take_by_name(&mut self, step: Step, values: Vec<i64>) -> Result<(), Fault> {
        let taken = match self.flavour {
            Flavour::Sqlite => perform_step!(
                self,
                step,
                named_lock::take_file(self.lock_file.as_deref()),
                done
            ),
            Flavour::MySql | Flavour::MariaDb | Flavour::Postgres => perform_step!(
                self,
                step,
                named_lock::take(&mut self.connection, self.flavour, sql_of(&step), &values),
                done
            ),
        };
        self.named_lock = taken?;
        // PostgreSQL takes the snapshot with the first statement, whatever it is about.
        if let (Flavour::Postgres, Some(transaction)) = (self.flavour, &mut self.transaction) {
            transaction.has_snapshot = true;
        }
        Ok(())
    }

    /// Releases the lock that [`lock_by_name`](Self::lock_by_name) has taken. It is no step if the
    /// lock ended with the transaction. If it cannot be released, the connection is closed, and the
    /// lock ends with it.
    #[track_caller]
    pub fn unlock_by_name(&mut self) -> impl Future<Output = ()> {
        let step = self.unlock_step();
        async move {
            if let Some(step) = step {
                self.before(&step).await;
                self.unlock(step).await;
            }
        }
    }

    /// The step that releases the named lock. None if none is held.
    #[track_caller]
    pub(super) fn unlock_step(&self) -> Option<Step> {
        let release = self.named_lock.as_ref()?.release();
        let key = release.map(|(_, key)| key);
        let args = key.as_slice();
        Some(Step {
            sql: release.map(|(sql, _)| self.flavour.spell(sql)),
            ..self.statement(Action::Unlock, "unlock", "", args, Effect::Conflicts)
        })
    }

    pub(super) async fn unlock(&mut self, step: Step) {
        let started = Instant::now();
        let result = match step.sql.as_deref() {
            Some(sql) => self.connection.execute(sql, &step.args).await.map(|_| ()),
            None => Ok(()),
        };
        self.is_broken |= result.is_err();
        self.named_lock = None;
        self.after(step, started, &result, done);
    }

    /// Takes a lock in the memory of this process, of which the engine knows nothing. It waits as
    /// long as for the lock of a row. Dropping the guard releases the lock.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`](crate::engine::FaultKind::LockTimeout) if another client holds it
    /// for too long.
    #[track_caller]
    pub fn lock_in_process(
        &mut self,
        mutex: &Arc<Mutex<()>>,
    ) -> impl Future<Output = Result<OwnedMutexGuard<()>, Fault>> {
        let step = self.lock_step("lock in process");
        let at_once = || Ok(Arc::clone(mutex).try_lock_owned().ok());
        let queue = async { Ok(Arc::clone(mutex).lock_owned().await) };
        let timed_out = "another client in this process has the lock";
        self.lock_outside(step, at_once, queue, timed_out)
    }

    /// Releases what [`lock_in_process`](Self::lock_in_process) has taken.
    #[track_caller]
    pub fn unlock_in_process(&mut self, guard: OwnedMutexGuard<()>) -> impl Future<Output = ()> {
        self.unlock_outside("unlock in process", guard)
    }

    /// Takes the exclusive lock on a lock file, which holds between processes. It waits as long as
    /// for the lock of a row. Dropping it releases the lock.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`](crate::engine::FaultKind::LockTimeout) if another client holds it
    /// for too long.
    #[track_caller]
    pub fn lock_file(&mut self, path: &Path) -> impl Future<Output = Result<FileLock, Fault>> {
        let step = self.lock_step("lock file");
        let at_once = move || {
            let taken = FileLock::try_take(path);
            taken.map_err(|error| Fault::of_file("the lock file", &error))
        };
        let queue = async move {
            // The operating system has a queue, but a client could leave it only by a signal.
            let mut tries = 0;
            loop {
                if let Some(lock) = at_once()? {
                    return Ok(lock);
                }
                sleep(pause_before(tries)).await;
                tries += 1;
            }
        };
        let timed_out = "another client has the lock file";
        self.lock_outside(step, at_once, queue, timed_out)
    }

    /// Releases what [`lock_file`](Self::lock_file) has taken.
    #[track_caller]
    pub fn unlock_file(&mut self, lock: FileLock) -> impl Future<Output = ()> {
        self.unlock_outside("unlock file", lock)
    }

    #[track_caller]
    fn lock_step(&self, label: &'static str) -> Step {
        self.step_without_sql(Action::Lock, label, Effect::Conflicts, Vec::new())
    }

    /// Takes a lock outside the engine. If the observer does not say when to try again, it waits in
    /// `queue` until the lock wait times out.
    async fn lock_outside<T>(
        &mut self,
        step: Step,
        at_once: impl Fn() -> Result<Option<T>, Fault>,
        queue: impl Future<Output = Result<T, Fault>>,
        timed_out: &'static str,
    ) -> Result<T, Fault> {
        self.observer.before(&step).await;
        let started = Instant::now();
        let taken = self.wait_outside(&step, at_once, queue, timed_out).await;
        self.show(step, started, &taken);
        taken
    }

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
            let Some(turn) = self.observer.held_up(step) else {
                let taken = timeout(self.lock_wait, queue).await;
                return taken.unwrap_or_else(|_elapsed| Err(Fault::lock_timeout(timed_out)));
            };
            if !turn.await {
                return Err(Fault::lock_timeout(timed_out));
            }
        }
    }

    #[track_caller]
    fn unlock_outside<T>(&mut self, label: &'static str, lock: T) -> impl Future<Output = ()> {
        let step = self.step_without_sql(Action::Unlock, label, Effect::Conflicts, Vec::new());
        async move {
            self.observer.before(&step).await;
            let started = Instant::now();
            drop(lock);
            self.show(step, started, &Ok(()));
        }
    }
}
