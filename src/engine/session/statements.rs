//! Reading and writing.
//!
//! Labels and statements are usually literals in a strategy, but need not be. Each method makes a
//! step of them at once and calls a function that does not depend on their types, so that the
//! larger part of the work is compiled only once.

use std::panic::Location;

use super::Session;
use super::steps::{Text, done, sql_of};
use crate::engine::connection::Row;
use crate::engine::{Fault, dialect};
use crate::step::{Action, Argument, Arguments, Effect, Ending, Step};

/// How many rows of an insert of many a step shows. Every answer of a batch has it in its timeline.
const SHOWN_ROWS: usize = 4;

impl Session<'_> {
    /// Reads one integer. None if there is no such row, or if it is NULL.
    #[track_caller]
    pub fn read(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<Option<i64>, Fault>> {
        let step = self.read_step(label.into(), sql.into(), args.into());
        async move {
            let rows = self.read_integers(step, first_value::<1>).await?;
            Ok(first_value(&rows))
        }
    }

    /// Reads one row of `N` integers, none of them NULL. None if there is no such row. The timeline
    /// shows the first integer.
    #[track_caller]
    pub fn row<const N: usize>(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<Option<[i64; N]>, Fault>> {
        let step = self.read_step(label.into(), sql.into(), args.into());
        async move {
            let rows = self.read_integers(step, first_value::<N>).await?;
            Ok(rows.first().map(|row| row.map(Option::unwrap_or_default)))
        }
    }

    /// Reads any number of rows of `N` integers each.
    #[track_caller]
    pub fn rows<const N: usize>(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<Vec<[Option<i64>; N]>, Fault>> {
        let step = self.read_step(label.into(), sql.into(), args.into());
        self.read_integers(step, |_| None)
    }

    /// Reads any number of rows of integers and texts.
    #[track_caller]
    pub fn records(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<Vec<Row>, Fault>> {
        let step = self.read_step(label.into(), sql.into(), args.into());
        self.read_records(step)
    }

    /// Runs a statement that changes rows. Returns how many rows it matched.
    #[track_caller]
    pub fn run(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<u64, Fault>> {
        let step = self.write_step(label.into(), sql.into(), args.into());
        self.change(step, None)
    }

    /// As [`run`](Self::run), for the statement that writes the value that the clients race for.
    /// The timeline shows `value`, or that no row matched.
    #[track_caller]
    pub fn write(
        &mut self,
        label: impl Into<Text>,
        value: i64,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<u64, Fault>> {
        let step = self.write_step(label.into(), sql.into(), args.into());
        self.change(step, Some(value))
    }

    /// Inserts one row. Returns the number that the engine gave it.
    #[track_caller]
    pub fn insert(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<i64, Fault>> {
        let step = Step {
            action: Action::Write,
            label: label.into(),
            sql: Some(self.flavour.spell_insert(sql)),
            args: args.into().0,
            effect: Effect::Conflicts,
            footprint: None,
            at: self.place_of(Location::caller()),
        };
        self.insert_one(step)
    }

    /// Inserts rows of `N` integers each by one statement. `sql` is the statement for a single row.
    /// If there are no rows, it is no step. The step shows only the first rows of many. If the
    /// engine refuses one row, none is inserted.
    #[track_caller]
    pub fn insert_rows<const N: usize>(
        &mut self,
        label: impl Into<Text>,
        sql: impl Into<Text>,
        rows: &[[i64; N]],
    ) -> impl Future<Output = Result<(), Fault>> {
        let sql = sql.into();
        let shown = rows.get(..SHOWN_ROWS).unwrap_or(rows);
        let mut shown_sql = self.flavour.spell_rows(&sql, shown.len().max(1));
        if shown.len() < rows.len() {
            shown_sql.push_str(&format!(", …: {} rows", rows.len()));
        }
        let step = Step {
            action: Action::Write,
            label: label.into(),
            sql: Some(shown_sql.into()),
            args: shown
                .as_flattened()
                .iter()
                .copied()
                .map(Argument::from)
                .collect(),
            effect: Effect::Conflicts,
            footprint: None,
            at: self.place_of(Location::caller()),
        };
        // As text, because each number of rows would be another statement to prepare, in a round
        // trip of its own.
        let text = dialect::rows_as_text(&sql, rows);
        let is_empty = rows.is_empty();
        async move {
            if is_empty {
                return Ok(());
            }
            self.insert_as_text(step, text).await
        }
    }

    #[track_caller]
    fn read_step(&self, label: Text, sql: Text, args: Arguments) -> Step {
        let effect = self.effect_of_read(&sql);
        self.statement(Action::Read, label, sql, args, effect)
    }

    #[track_caller]
    fn write_step(&self, label: Text, sql: Text, args: Arguments) -> Step {
        self.statement(Action::Write, label, sql, args, Effect::Conflicts)
    }

    /// A read may concern other clients if it locks what it reads. So it may in a transaction that
    /// has done something already: the strategy may give up after the read, and release its locks.
    pub(super) fn effect_of_read(&self, sql: &str) -> Effect {
        let level = self.transaction.as_ref().map_or(self.level, |it| it.level);
        let locks = self.flavour.reads_lock_at(level) || sql.ends_with(" FOR UPDATE");
        if locks || self.named_lock.is_some() || self.has_snapshot() {
            Effect::Conflicts
        } else {
            Effect::Reads
        }
    }

    async fn read_integers<const N: usize>(
        &mut self,
        step: Step,
        value: fn(&[[Option<i64>; N]]) -> Option<i64>,
    ) -> Result<Vec<[Option<i64>; N]>, Fault> {
        perform_step!(
            self,
            step,
            self.connection.integers(sql_of(&step), &step.args),
            |rows: &Vec<_>| Ending::Done(value(rows))
        )
    }

    async fn read_records(&mut self, step: Step) -> Result<Vec<Row>, Fault> {
        perform_step!(
            self,
            step,
            self.connection.rows(sql_of(&step), &step.args),
            done
        )
    }

    async fn change(&mut self, step: Step, value: Option<i64>) -> Result<u64, Fault> {
        perform_step!(
            self,
            step,
            self.connection.execute(sql_of(&step), &step.args),
            |matched| match *matched {
                0 => Ending::MatchedNoRow,
                _ => Ending::Done(value),
            }
        )
    }

    async fn insert_one(&mut self, step: Step) -> Result<i64, Fault> {
        perform_step!(
            self,
            step,
            self.connection.insert(sql_of(&step), &step.args),
            done
        )
    }

    async fn insert_as_text(&mut self, step: Step, text: String) -> Result<(), Fault> {
        perform_step!(self, step, self.connection.command(&text), done)
    }
}

fn first_value<const N: usize>(rows: &[[Option<i64>; N]]) -> Option<i64> {
    rows.first().and_then(|row| row[0])
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;

    use crate::engine::{Address, Database, Settings};
    use crate::step::Unobserved;

    #[tokio::test]
    async fn a_label_and_a_statement_need_not_be_literals() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("test.sqlite"));
        let address = Address::Sqlite(Box::new(options));
        let settings = Settings::default();
        let database = Database::connect(&address, &settings).await.unwrap();
        let mut session = database.session(&Unobserved).await.unwrap();
        let label = format!("read {}", 7);
        let read = session.read(label, "SELECT ?".to_owned(), &[7]).await;
        assert_eq!(read, Ok(Some(7)));
        session.end().await;
    }
}
