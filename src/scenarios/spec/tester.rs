//! Runs the permutations of a `.spec` file, one after the other, on the same connections.

use tokio::sync::mpsc;

use super::attempt::{Attempt, Stopped};
use super::seat::News;
use super::sessions::{LONGEST_BLOCK, Sessions, silent};
use super::{NotHere, Permutation, PermutationReport, Spec, SpecEvent, Sql};
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
    sessions: Sessions<'t>,
    /// Sets up and tidies up.
    control: BlockSession,
    /// The teardown that was refused, so that something is left in the database.
    refused_teardown: Option<NotHere>,
}

impl<'t> Tester<'t> {
    /// Connects each session of the file, and one more to set up and tidy up.
    pub async fn open(spec: &'t Spec, database: &'t Database) -> Result<Self, TestError> {
        Ok(Self {
            sessions: Sessions::open(spec, database).await?,
            control: database.block_session().await?,
            refused_teardown: None,
        })
    }

    /// Runs a permutation from its set-up to its teardown.
    ///
    /// # Errors
    /// [`TestError`] if it could not begin, or if the engine failed.
    pub async fn run(&mut self, permutation: &Permutation) -> Result<PermutationReport, TestError> {
        let names = permutation.steps.iter();
        let mut report = PermutationReport {
            steps: names
                .map(|it| self.sessions.spec.step(it).name.clone())
                .collect(),
            events: Vec::new(),
            sent: 0,
            broken_off: None,
        };
        self.set_up(&mut report.events).await?;
        match Attempt::run(&mut self.sessions, permutation, &mut report).await {
            Ok(()) => self.tear_sessions_down(&mut report.events).await?,
            Err(Stopped::Engine(fault)) => return Err(fault.into()),
            Err(Stopped::BrokenOff(why)) => {
                report.broken_off = Some(why);
                self.sessions.renew().await?;
            }
        }
        self.tear_down(&mut report.events).await;
        Ok(report)
    }

    /// Disconnects everything.
    pub async fn close(self) {
        self.sessions.close().await;
        self.control.close().await;
    }

    async fn set_up(&mut self, events: &mut Vec<SpecEvent>) -> Result<(), TestError> {
        let spec = self.sessions.spec;
        for block in &spec.setup {
            let last = self.on_control(block).await;
            let last = last.map_err(|fault| {
                let refused = NotHere::block("setup", block, fault);
                TestError::NotSetUp(self.refused_teardown.take().unwrap_or(refused))
            })?;
            events.extend(last.filter(Answer::has_rows).map(SpecEvent::Returned));
        }
        self.sessions.learn_columns().await?;
        for (session, it) in spec.sessions.iter().enumerate() {
            let Some(block) = &it.setup else { continue };
            if let Err(fault) = self.on_seat(session, block, events).await? {
                let name = format!("setup of session {}", it.name);
                return Err(TestError::NotSetUp(NotHere::block(&name, block, fault)));
            }
        }
        Ok(())
    }

    async fn tear_sessions_down(&mut self, events: &mut Vec<SpecEvent>) -> Result<(), Fault> {
        let spec = self.sessions.spec;
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
        let spec = self.sessions.spec;
        if let Some(block) = &spec.teardown {
            events.extend(match self.on_control(block).await {
                Ok(last) => last.filter(Answer::has_rows).map(SpecEvent::Returned),
                Err(fault) => {
                    self.refused_teardown = Some(NotHere::block("teardown", block, fault.clone()));
                    let session = None;
                    Some(SpecEvent::TeardownRefused { session, fault })
                }
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
        self.sessions.seats[session].send(&block.text);
        let mut answers = Vec::new();
        let ended = loop {
            match self.sessions.seats[session]
                .news_within(LONGEST_BLOCK)
                .await?
            {
                Some(News::Answer(answer)) => answers.push(answer),
                Some(News::Notice(notice)) => {
                    let session = self.sessions.spec.sessions[session].name.clone();
                    events.push(SpecEvent::Told { session, notice });
                }
                // Between permutations nobody is there that could give way.
                Some(News::HeldUp(_)) => self.sessions.seats[session].answer_held_up(false),
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
        self.sessions
            .name_columns(&block.text, answers.len(), &mut last);
        Some(last)
    }
}
