//! Runs the permutations of a `.spec` file, one after the other, on the same connections.

use std::time::Duration;

use tokio::sync::mpsc;

use super::attempt::{Attempt, Stopped};
use super::columns::Columns;
use super::seat::{News, Seat};
use super::{
    BrokenOff, NotHere, Permutation, PermutationReport, PermutationStep, Spec, SpecEvent, Sql,
};
use crate::answer::Answer;
use crate::engine::{BlockSession, Database, Fault};

/// Why the permutations were not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestError {
    /// The engine has refused a block that sets up, so that there is nothing to run.
    NotSetUp(NotHere),
    /// The engine failed, in a way that says nothing about the file.
    Engine(Fault),
}

impl std::fmt::Display for TestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSetUp(not_here) => not_here.fmt(f),
            Self::Engine(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for TestError {}

impl From<Fault> for TestError {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

/// The sessions of a file on one database, which must be empty at first.
#[derive(Debug)]
pub struct Tester<'t> {
    pub(super) spec: &'t Spec,
    pub(super) database: &'t Database,
    pub(super) seats: Vec<Seat>,
    /// None until the first set-up is done.
    columns: Option<Columns>,
    /// Sets up and tidies up.
    control: BlockSession,
}

impl<'t> Tester<'t> {
    /// Connects each session of the file, and one more to set up and tidy up.
    pub async fn open(spec: &'t Spec, database: &'t Database) -> Result<Self, TestError> {
        let mut tester = Self {
            spec,
            database,
            seats: Vec::new(),
            columns: None,
            control: database.block_session().await?,
        };
        tester.open_seats().await?;
        Ok(tester)
    }

    /// Runs a permutation from its set-up to its teardown.
    ///
    /// # Errors
    /// [`TestError`] if it could not begin, or if the engine failed.
    pub async fn run(&mut self, permutation: &Permutation) -> Result<PermutationReport, TestError> {
        let names = permutation.steps.iter();
        let mut report = PermutationReport {
            steps: names.map(|it| self.spec.step(it).name.clone()).collect(),
            events: Vec::new(),
            sent: 0,
            broken_off: None,
        };
        self.set_up(&mut report.events).await?;
        match Attempt::run(self, permutation, &mut report).await {
            Ok(()) => self.tear_sessions_down(&mut report.events).await?,
            Err(Stopped::Engine(fault)) => return Err(fault.into()),
            Err(Stopped::BrokenOff(why)) => {
                report.broken_off = Some(why);
                self.clear_seats().await?;
            }
        }
        self.tear_down(&mut report.events).await;
        Ok(report)
    }

    /// Disconnects everything.
    pub async fn close(self) {
        for seat in self.seats {
            seat.close().await;
        }
        self.control.close().await;
    }

    /// The columns of an answer without rows.
    pub(super) fn name_columns(&self, block: &str, statement: usize, answer: &mut Answer) {
        if let Some(columns) = &self.columns {
            columns.name(block, statement, answer);
        }
    }

    async fn open_seats(&mut self) -> Result<(), Fault> {
        while self.seats.len() < self.spec.sessions.len() {
            self.seats.push(Seat::open(self.database).await?);
        }
        Ok(())
    }

    async fn set_up(&mut self, events: &mut Vec<SpecEvent>) -> Result<(), TestError> {
        let spec = self.spec;
        for block in &spec.setup {
            let last = self.on_control(block).await;
            let last = last.map_err(|fault| not_set_up("setup", block, fault))?;
            events.extend(last.filter(Answer::has_rows).map(SpecEvent::Returned));
        }
        if self.columns.is_none() {
            self.columns = Some(Columns::ask(self.database, spec).await?);
        }
        for (session, it) in spec.sessions.iter().enumerate() {
            let Some(block) = &it.setup else { continue };
            if let Err(fault) = self.on_seat(session, block, events).await? {
                let name = format!("setup of session {}", it.name);
                return Err(not_set_up(&name, block, fault));
            }
        }
        Ok(())
    }

    async fn tear_sessions_down(&mut self, events: &mut Vec<SpecEvent>) -> Result<(), Fault> {
        let spec = self.spec;
        for (session, it) in spec.sessions.iter().enumerate() {
            let Some(block) = &it.teardown else { continue };
            if let Err(fault) = self.on_seat(session, block, events).await? {
                let session = Some(it.name.clone());
                events.push(SpecEvent::TeardownRefused { session, fault });
            }
        }
        Ok(())
    }

    async fn tear_down(&mut self, events: &mut Vec<SpecEvent>) {
        let spec = self.spec;
        if let Some(block) = &spec.teardown {
            events.extend(match self.on_control(block).await {
                Ok(last) => last.filter(Answer::has_rows).map(SpecEvent::Returned),
                Err(fault) => Some(SpecEvent::TeardownRefused {
                    session: None,
                    fault,
                }),
            });
        }
    }

    /// Runs a block beside the sessions. Returns the last answer.
    async fn on_control(&mut self, block: &Sql) -> Result<Option<Answer>, Fault> {
        let (tell, mut news) = mpsc::unbounded_channel();
        self.control.run(&block.text, &tell).await?;
        drop(tell);
        let mut answers = Vec::new();
        while let Some(news) = news.recv().await {
            if let News::Answer(answer) = news {
                answers.push(answer);
            }
        }
        Ok(self.last_of(block, answers))
    }

    /// Runs a block of a session that sets up or tidies up, and tells its last answer.
    async fn on_seat(
        &mut self,
        session: usize,
        block: &Sql,
        events: &mut Vec<SpecEvent>,
    ) -> Result<Result<(), Fault>, Fault> {
        self.seats[session].send(&block.text);
        let mut answers = Vec::new();
        let ended = loop {
            match self.seats[session].news_within(LONGEST_STEP).await? {
                Some(News::Answer(answer)) => answers.push(answer),
                Some(News::Notice(notice)) => {
                    let session = self.spec.sessions[session].name.clone();
                    events.push(SpecEvent::Told { session, notice });
                }
                // Between permutations nobody is there that could give way.
                Some(News::HeldUp(_)) => self.seats[session].answer_held_up(false),
                Some(News::Ended(ended)) => break ended,
                None => return Err(silent(&format!("line {}", block.line))),
            }
        };
        if ended.is_ok() {
            let last = self.last_of(block, answers).filter(Answer::has_rows);
            events.extend(last.map(SpecEvent::Returned));
        }
        Ok(ended)
    }

    fn last_of(&self, block: &Sql, mut answers: Vec<Answer>) -> Option<Answer> {
        let mut last = answers.pop()?;
        self.name_columns(&block.text, answers.len(), &mut last);
        Some(last)
    }

    /// Ends all sessions and opens new ones. Those that wait get through when the others are gone.
    async fn clear_seats(&mut self) -> Result<(), Fault> {
        let closing: Vec<_> = self.seats.drain(..).map(Seat::close).collect();
        let closed = tokio::time::timeout(LONGEST_STEP, futures_util::future::join_all(closing));
        closed
            .await
            .map_err(|_elapsed| silent("a session that was given up"))?;
        self.open_seats().await
    }
}

/// How long a block may take. isolationtester cancels it then.
pub(super) const LONGEST_STEP: Duration = Duration::from_secs(300);

pub(super) fn silent(what: &str) -> Fault {
    let seconds = LONGEST_STEP.as_secs();
    Fault::unavailable(format!("{what} has not ended within {seconds} seconds"))
}

fn not_set_up(block: &str, sql: &Sql, fault: Fault) -> TestError {
    TestError::NotSetUp(NotHere {
        block: block.to_owned(),
        line: sql.line,
        step: None,
        fault,
    })
}

impl Spec {
    /// A step that this engine does not understand.
    pub(super) fn not_here(&self, at: &PermutationStep, fault: Fault) -> BrokenOff {
        let step = self.step(at);
        BrokenOff::NotHere(NotHere {
            block: format!("step {}", step.name),
            line: step.sql.line,
            step: Some((at.session, at.step)),
            fault,
        })
    }
}
