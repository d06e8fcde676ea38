//! Runs a client's script behind the gate, statement by statement.

use std::sync::Arc;

use super::anomalies::FAILED;
use super::held::Held;
use super::options::Options;
use super::prepared::Prepared;
use super::scenario::{ClientScript, Does};
use super::script::{InstructionKind, Script, Statement, UnsetVariable, truth};
use crate::answer::Answer;
use crate::engine::{
    ConnectionId, Database, Fault, Flavour, Session, StatementKind, UserStatement,
};
use crate::explore::{Client, ClientResult, Clients, Fixture, Gate, Pending};
use crate::step::{Action, Ending, Observer as _, Record, Step};
use crate::verdict::{Anomaly, Outcome};

/// The clients of one run.
#[derive(Debug)]
pub(super) struct ScriptClients {
    pub(super) prepared: Arc<Prepared>,
}

impl Clients for ScriptClients {
    fn start<'a>(
        &'a self,
        client: Client,
        gate: Gate,
        database: &'a Database,
        _fixture: Fixture,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            match self.run(client, &gate, database).await {
                Ok(result) => gate.ended(result),
                Err(fault) => gate.broke_off(fault),
            }
        })
    }
}

impl ScriptClients {
    async fn run(
        &self,
        client: Client,
        gate: &Gate,
        database: &Database,
    ) -> Result<ClientResult, Fault> {
        let mut run = self.connect(client, gate, database).await?;
        let result = run.run_script().await;
        run.leave().await;
        let result = result?;
        let concerns_all = |it: &&Fault| it.concerns_the_whole_database();
        match result.fault.as_ref().filter(concerns_all) {
            Some(fault) => Err(fault.clone()),
            None => Ok(result),
        }
    }

    async fn connect<'r>(
        &'r self,
        client: Client,
        gate: &'r Gate,
        database: &'r Database,
    ) -> Result<ClientRun<'r>, Fault> {
        let flavour = database.engine().flavour;
        let prepared = &*self.prepared;
        let script = &prepared.scenario.clients[client.index()];
        // Before the client has a connection, because it is asked on another one.
        let reader = prepared.reader(database).await?;
        let mut session = database.session(gate).await?;
        let connection = session.connection_id().await?;
        gate.connected(connection);
        if let Some(level) = script.level {
            session.set_level(level).await?;
        }
        if let Some(reader) = reader {
            session.track(reader, prepared.scenario.has_invariants_for_every_commit());
        }
        let instructions = match &script.does {
            Does::Script(scripts) => scripts.on(flavour),
            Does::Request(_) | Does::Command(_) => None,
        };
        let instructions = instructions
            .ok_or_else(|| Fault::other(format!("the scenario makes no sense on {flavour}")))?;
        Ok(ClientRun {
            client: script,
            script: instructions,
            options: prepared.options,
            keeps_connections: prepared.keeps_connections(flavour),
            flavour,
            prepared,
            gate,
            database,
            session,
            connection,
            held: Held::default(),
            has_changed: false,
            has_changed_for_good: false,
            tries_locks: false,
            attempt: 1,
            saw: None,
            last_word: LastWord::Nothing,
        })
    }
}

/// A client on its way through its script.
struct ClientRun<'r> {
    client: &'r ClientScript,
    script: &'r Script,
    options: Options,
    /// Whether its connection can serve another run.
    keeps_connections: bool,
    flavour: Flavour,
    prepared: &'r Prepared,
    gate: &'r Gate,
    database: &'r Database,
    session: Session<'r>,
    connection: Option<ConnectionId>,
    held: Held,
    /// Whether a statement may have changed something.
    has_changed: bool,
    /// Whether it may have done so for good: outside a transaction, or in one that is over.
    has_changed_for_good: bool,
    /// Whether it has asked for a lock without waiting for it.
    tries_locks: bool,
    /// The number of this attempt, from 1.
    attempt: u64,
    /// An invariant that was false after one of its commits.
    saw: Option<&'static Anomaly>,
    last_word: LastWord,
}

/// The last thing that a client has said about its work.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LastWord {
    /// Nothing: its statements commit by themselves.
    Nothing,
    /// It has committed.
    Commit,
    /// It has rolled back, without an error.
    Rollback,
    /// It has committed a transaction that the engine had given up.
    CommitOfNothing(Fault),
}

/// Why an attempt came to its end before the script's end.
enum End {
    /// The application stops by its own decision.
    Quit,
    /// The engine has refused a statement.
    Refused(Fault),
    /// The script itself is wrong.
    Failed { line: usize, message: String },
    /// The lab could not ask what it had to ask.
    BrokeOff(Fault),
}

impl ClientRun<'_> {
    /// Runs the script, and again as often as its retries allow.
    ///
    /// # Errors
    /// If the lab could not ask what it had to ask.
    async fn run_script(&mut self) -> Result<ClientResult, Fault> {
        loop {
            match self.attempt().await {
                Err(End::BrokeOff(fault)) => return Err(fault),
                Err(End::Refused(fault)) if self.may_try_again(&fault) => {
                    let label = format!("rollback before attempt {}", self.attempt + 1);
                    if let Err(fault) = self.session.disconnect(label).await {
                        return Ok(self.result(Err(End::Refused(fault))));
                    }
                    self.attempt += 1;
                    self.held.clear();
                    self.has_changed = self.has_changed_for_good;
                    self.last_word = LastWord::Nothing;
                }
                ended => {
                    let was_open = self.session.is_in_transaction();
                    // A connection that is broken has ended by itself.
                    let _ = self.session.disconnect("disconnect").await;
                    if let Err(late) = self.wait_until_gone().await {
                        // The reason for the loss says more.
                        return Err(match ended {
                            Err(End::Refused(fault)) => fault,
                            _ => late,
                        });
                    }
                    if ended.is_ok() && was_open {
                        self.last_word = LastWord::Rollback;
                    }
                    return Ok(self.result(ended));
                }
            }
        }
    }

    /// What a lost connection held is free when the server has noticed.
    async fn wait_until_gone(&mut self) -> Result<(), Fault> {
        match self.connection {
            Some(connection) if self.session.is_lost() => {
                self.database.until_gone(connection).await
            }
            _ => Ok(()),
        }
    }

    fn may_try_again(&self, fault: &Fault) -> bool {
        let retry = self.client.retry.as_ref();
        retry.is_some_and(|it| it.on.contains(&fault.kind) && self.attempt < it.times)
    }

    /// Gives the connection back if it can serve another run, which may be of another scenario.
    async fn leave(mut self) {
        if self.keeps_connections && self.has_the_engines_level_again().await {
            self.session.end().await;
        } else {
            self.session.close().await;
        }
    }

    async fn has_the_engines_level_again(&mut self) -> bool {
        if self.client.level.is_none() {
            return true;
        }
        // A level that is set in a transaction is undone with it.
        let can_be_set = !self.session.is_lost() && !self.session.is_in_transaction();
        let level = self.database.engine().isolation;
        can_be_set && self.session.set_level(level).await.is_ok()
    }

    fn result(&mut self, ended: Result<(), End>) -> ClientResult {
        let kept = Outcome::of_what_was_kept(self.session.kept());
        let result = match (ended, self.last_word.clone()) {
            (Err(End::Refused(fault) | End::BrokeOff(fault)), _)
            | (Ok(()), LastWord::CommitOfNothing(fault)) => ClientResult::failed(kept, Some(fault)),
            (Err(End::Failed { line, message }), _) => {
                self.show_failure(line, &message);
                ClientResult {
                    saw: Some(&FAILED),
                    ..ClientResult::failed(kept, None)
                }
            }
            (Err(End::Quit), _) | (Ok(()), LastWord::Rollback) => ClientResult::failed(kept, None),
            (Ok(()), LastWord::Nothing | LastWord::Commit) => ClientResult::APPLIED,
        };
        ClientResult {
            captured: self.held.captured(),
            incidental: self.held.incidental().to_vec(),
            // The end of the session has rolled back what was open.
            changed_nothing: !self.has_changed_for_good,
            tries_locks: self.tries_locks,
            saw: result.saw.or(self.saw),
            ..result
        }
    }

    /// Shows in the timeline that the script itself is wrong.
    fn show_failure(&self, line: usize, message: &str) {
        let now = std::time::Instant::now();
        self.gate.after(&Record {
            step: Step::beside(Action::Read, format!("line {line} fails")),
            started: now,
            ended: now,
            ending: Ending::Failed {
                kind: FAILED.name,
                code: None,
                refusal: message.to_owned(),
            },
        });
    }

    /// Runs the script once, from its first instruction.
    async fn attempt(&mut self) -> Result<(), End> {
        let script = self.script;
        let mut at = 0;
        while let Some(instruction) = script.instructions().get(at) {
            let line = instruction.line;
            at = match &instruction.kind {
                InstructionKind::Statement(statement) => {
                    self.statement(line, statement).await?;
                    at + 1
                }
                InstructionKind::Set { name, value } => {
                    let value = value.value(&self.held.variables).map_err(failed(line))?;
                    self.held.capture(name.clone(), value, true);
                    at + 1
                }
                InstructionKind::Unset { name } => {
                    self.held.variables.unset(name);
                    at + 1
                }
                InstructionKind::Branch {
                    condition,
                    otherwise,
                } => {
                    let filled = condition.fill(&self.held.variables, self.flavour);
                    let filled = filled.map_err(failed(line))?;
                    match truth(&filled) {
                        Some(true) => at + 1,
                        Some(false) => *otherwise,
                        None => return Err(not_a_boolean(line, condition.text(), &filled)),
                    }
                }
                InstructionKind::Jump(target) => *target,
                InstructionKind::Quit => return Err(End::Quit),
            };
        }
        Ok(())
    }

    async fn statement(&mut self, line: usize, statement: &Statement) -> Result<(), End> {
        let sql = statement.sql.fill(&self.held.variables, self.flavour);
        let sql = UserStatement::new(sql.map_err(failed(line))?, self.flavour);
        let label = format!("{}, line {line}", sql.keyword(self.flavour));
        let doomed_by = self.session.doomed_by().cloned();
        let is_commit = self.session.is_going_to_commit(&sql);
        let answer = if self.splits(&sql) {
            self.in_two_steps(line, label, &sql).await
        } else {
            self.session.verbatim(label, &sql).await
        };
        self.held.note_ending(&answer);
        self.tries_locks |= sql.does_not_wait(self.flavour);
        match answer {
            Ok(answer) => {
                self.note_last_word(sql.kind, doomed_by);
                self.has_changed |= sql.may_have_changed(answer.row_count, self.flavour);
                if !self.session.is_in_transaction() {
                    self.has_changed_for_good = self.has_changed;
                }
                if let Some(prefix) = &statement.capture {
                    self.capture_row(line, prefix, &sql, &answer).await?;
                }
                if is_commit {
                    self.check_after_commit().await?;
                }
                Ok(())
            }
            Err(_) if statement.handles_errors => Ok(()),
            Err(fault) => Err(End::Refused(fault)),
        }
    }

    /// Whether the commit of this statement is a step of its own.
    fn splits(&self, statement: &UserStatement) -> bool {
        self.options.split_commits
            && !self.session.is_in_transaction()
            && statement.changes_rows(self.flavour)
    }

    /// Runs a statement in autocommit in a transaction that the lab adds around it.
    async fn in_two_steps(
        &mut self,
        line: usize,
        label: String,
        statement: &UserStatement,
    ) -> Result<Answer, Fault> {
        self.session.unseen("BEGIN").await?;
        let answer = self.session.verbatim(label, statement).await;
        if answer.is_err() {
            self.session.unseen("ROLLBACK").await?;
            return answer;
        }
        let commit = UserStatement::new("COMMIT", self.flavour);
        let label = format!("commit of line {line}");
        let committed = self.session.verbatim(label, &commit).await;
        if committed.is_err() && self.session.is_in_transaction() {
            self.session.unseen("ROLLBACK").await?;
        }
        committed?;
        answer
    }

    fn note_last_word(&mut self, kind: StatementKind, doomed_by: Option<Fault>) {
        match (kind, doomed_by) {
            // PostgreSQL answers ROLLBACK.
            (StatementKind::Commit, Some(fault)) => {
                self.last_word = LastWord::CommitOfNothing(fault);
            }
            (StatementKind::Commit, None) => self.last_word = LastWord::Commit,
            // After a refusal, the rollback is what the refusal leads to.
            (StatementKind::Rollback, Some(fault)) => {
                self.last_word = LastWord::CommitOfNothing(fault);
            }
            (StatementKind::Rollback, None) => self.last_word = LastWord::Rollback,
            (StatementKind::Write | StatementKind::Schema, _)
                if !self.session.is_in_transaction() =>
            {
                self.last_word = LastWord::Nothing;
            }
            _ => {}
        }
    }

    /// Captures the columns of the one row that a statement has returned.
    async fn capture_row(
        &mut self,
        line: usize,
        prefix: &str,
        statement: &UserStatement,
        answer: &Answer,
    ) -> Result<(), End> {
        match &answer.rows[..] {
            [row] => {
                let is_a_try = statement.does_not_wait(self.flavour);
                for (column, value) in answer.columns.iter().zip(row) {
                    self.held
                        .capture(format!("{prefix}{column}"), value.clone(), is_a_try);
                }
                Ok(())
            }
            [] => self.forget_row(prefix, statement).await,
            _ => Err(End::Failed {
                line,
                message: format!(
                    "\\gset captures one row, and the statement returned {}; LIMIT 1 or an aggregate \
                     makes it one",
                    answer.row_count
                ),
            }),
        }
    }

    /// Unsets the variables that a statement without a row would have set.
    async fn forget_row(&mut self, prefix: &str, statement: &UserStatement) -> Result<(), End> {
        if !self.held.has_captured() {
            return Ok(());
        }
        let columns = self.session.columns_of(&statement.text).await;
        for column in columns.map_err(End::BrokeOff)? {
            self.held.variables.unset(&format!("{prefix}{column}"));
        }
        Ok(())
    }

    /// Asks the invariants that must hold after every commit.
    async fn check_after_commit(&mut self) -> Result<(), End> {
        let scenario = &self.prepared.scenario;
        if self.saw.is_some() || !scenario.has_invariants_for_every_commit() {
            return Ok(());
        }
        self.gate.hold_answer().await;
        let broken = self.prepared.broken_after_a_commit(self.database).await;
        self.saw = broken.map_err(End::BrokeOff)?;
        Ok(())
    }
}

/// The end of a script that uses a variable which is not set, in the instruction in this line.
fn failed(line: usize) -> impl FnOnce(UnsetVariable) -> End {
    move |unset| End::Failed {
        line: line + unset.lines_below,
        message: unset.to_string(),
    }
}

fn not_a_boolean(line: usize, condition: &str, value: &str) -> End {
    let hint = if value == "NULL" {
        "NULL is neither true nor false; COALESCE in SQL says what it means"
    } else {
        "it must be true or false, as SQL computes it"
    };
    End::Failed {
        line,
        message: format!("\\if {condition}: {value:?} is no boolean; {hint}"),
    }
}
