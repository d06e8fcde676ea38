//! Clients that race as commands: one run of them.

use std::sync::Arc;

use super::capture::Capture;
use super::command::CommandClient;
use super::exit::{Exit, in_words};
use super::lane::LaneApplication;
use super::output::{last_line, last_lines};
use super::racing::{ProxiedRun, note};
use super::running::{Ended, Printed, RunningCommand};
use super::start::{Places, Start};
use crate::answer::{Answer, Datum};
use crate::engine::{Fault, Kept};
use crate::explore::{Client, ClientResult, Gate};
use crate::proxy::{ClientListener, Seen};
use crate::scenarios::anomalies::FAILED;
use crate::step::{Action, Ending};
use crate::verdict::Outcome;

impl LaneApplication {
    /// What starts the command of the client with this index.
    fn command(
        &self,
        plan: &CommandClient,
        index: usize,
        listener: &ClientListener,
    ) -> Result<Start, String> {
        let places = Places {
            port: self.port,
            proxy: listener.address(),
            upstream: &self.upstream,
        };
        let visit = self.visits.get(index).and_then(Option::as_ref);
        let values = |name: &str| match visit {
            Some(visit) => visit.value(name),
            None => (name == "n").then(|| (index + 1).to_string()),
        };
        let flavour = self.proxy.turns().settings().flavour;
        Start::of_command(plan, self.launch.as_ref(), places, flavour, &values)
    }

    /// Why a command sends nothing. `said` is what was said before: the command itself may have
    /// written what it was refused for.
    pub(super) fn why_a_command_is_silent(&self, client: Client, said: &str) -> String {
        const TURNED_AWAY: &str = "Its connection to the database was turned away";
        let (tries, refusals) = self.proxy.entries_of(client);
        if let Some(why) = refusals.first() {
            return match said.contains(why.as_str()) {
                true => TURNED_AWAY.to_owned(),
                false => format!("{TURNED_AWAY}: {why}"),
            };
        }
        if tries == 0 {
            return "It is not pointed at the proxy: nothing has connected there. DATABASE_URL, \
                    DB_HOST and DB_PORT in its environment say where its database is, and so do \
                    {db_host} and {db_port} in `run` and `env`. Or it has found nothing to do"
                .to_owned();
        }
        String::new()
    }
}

impl ProxiedRun {
    /// Starts a client's command when its turn has come, and tells its gate how it ended.
    pub(in crate::scenarios) async fn run_command(
        &self,
        client: Client,
        gate: Gate,
        plan: &Arc<CommandClient>,
    ) {
        let gate = Arc::new(gate);
        if self.is_unseen(&gate) {
            return;
        }
        let under_way = self.turns.under_way();
        self.turns.begin(client, Arc::clone(&gate)).await;
        match self.run_to_its_end(client, &gate, plan).await {
            Ok(result) => {
                self.turns.end(client, &gate, result);
                under_way.done();
            }
            Err(why) => gate.broke_off(Fault::other(format!("client {client}: {why}"))),
        }
    }

    /// # Errors
    /// Why nothing can be said of it.
    async fn run_to_its_end(
        &self,
        client: Client,
        gate: &Gate,
        plan: &CommandClient,
    ) -> Result<ClientResult, String> {
        let listener = self.lane.proxy.listen_for(client, &self.turns).await;
        let listener = listener.map_err(|error| format!("no port is free: {error}"))?;
        let start = self.lane.command(plan, client.index(), &listener)?;
        let hides = self.lane.proxy.turns().settings().hides_values;
        let words = if hides {
            plan.as_written()
        } else {
            start.words.join(" ")
        };
        note(
            gate,
            Action::Request,
            format!("$ {words}"),
            Ending::Done(None),
        );
        let under_way = self.lane.under_way.begin();
        let mut running = RunningCommand::start(&start, listener, plan.ends_within, under_way)?;
        let seconds = plan.ends_within.as_secs();
        let (why, printed) = match running.ended().await? {
            Ended::Exited { status, printed } => {
                let seen = self.turns.has_ended(client);
                let (label, ending) = shown(status, &printed, plan, hides);
                note(gate, Action::Answer, label, ending);
                return Ok(result_of(status, &printed, seen, plan));
            }
            Ended::RunsOn { printed } => {
                let why = format!(
                    "`{words}` has not ended within {seconds} s. A worker that waits for work for ever \
                     needs a limit, such as --once or a number of jobs"
                );
                (why, printed)
            }
            Ended::LeavesSomething { printed } => {
                let why = format!(
                    "`{words}` has ended, and something that it has started is still connected to the \
                     database after {seconds} s"
                );
                (why, printed)
            }
        };
        let said = if hides { String::new() } else { said(&printed) };
        if self.turns.is_at_a_step(client) {
            // To cut its connection off would change what the others find.
            return Err(format!("{why}{said}"));
        }
        running.end().await;
        let seen = self.turns.has_ended(client);
        let ending = failed(format!("{why}{said}"));
        note(gate, Action::Answer, "did not end".to_owned(), ending);
        Ok(ClientResult {
            saw: Some(&FAILED),
            ..result_of_what_was_kept(&seen, None)
        })
    }
}

fn failed(refusal: String) -> Ending {
    Ending::Failed {
        kind: FAILED.name,
        code: None,
        refusal,
    }
}

/// The last lines that a program has printed, as the end of a message.
fn said(printed: &Printed) -> String {
    match [&printed.err, &printed.out].map(|it| last_lines(it)) {
        [err, _] if !err.is_empty() => format!("; it has written: {err}"),
        [_, out] if !out.is_empty() => format!("; it has written: {out}"),
        _ => "; it has written nothing".to_owned(),
    }
}

fn shortened(line: &str) -> String {
    const MOST: usize = 200;
    line.chars().take(MOST).collect()
}

/// What a report shows of a program's exit.
fn shown(status: u8, printed: &Printed, plan: &CommandClient, hides: bool) -> (String, Ending) {
    let words = in_words(status);
    let has_failed = plan.exits.of(status) == Exit::Failed;
    if hides {
        return (words, Ending::Done(None));
    }
    if has_failed {
        let ending = failed(said(printed).trim_start_matches("; ").to_owned());
        return (words, ending);
    }
    let line = match last_line(&printed.out) {
        "" => last_line(&printed.err),
        line => line,
    };
    if line.is_empty() {
        return (words, Ending::Done(None));
    }
    let answer = Answer {
        columns: vec!["output".to_owned()],
        rows: vec![vec![Datum::text(shortened(line))]],
        row_count: 1,
    };
    (words, Ending::Answered(answer))
}

/// How the client ended, by its exit status and by what its statements have shown.
fn result_of(status: u8, printed: &Printed, seen: Seen, plan: &CommandClient) -> ClientResult {
    let fault = seen.fault.clone();
    let result = match plan.exits.of(status) {
        Exit::Acknowledged => ClientResult {
            changed_nothing: !seen.has_changed_for_good,
            tries_locks: seen.tries_locks,
            ..ClientResult::APPLIED
        },
        Exit::Failed if fault.is_none() => ClientResult {
            saw: Some(&FAILED),
            ..result_of_what_was_kept(&seen, None)
        },
        // Its own decision, or the engine's refusal.
        Exit::Failed | Exit::Declined => result_of_what_was_kept(&seen, fault),
    };
    let value = |capture: &Capture| {
        // What is not there is NULL, as in an invariant.
        let found = capture.of_text(&printed.out);
        found.map_or(Datum::Null, Datum::text)
    };
    let captured = plan.capture.iter();
    let captured = captured.map(|(name, capture)| (name.clone(), value(capture)));
    ClientResult {
        captured: std::iter::once(("status".to_owned(), Datum::number(status)))
            .chain(captured)
            .collect(),
        ..result
    }
}

/// The end of a client that was not done.
fn result_of_what_was_kept(seen: &Seen, fault: Option<Fault>) -> ClientResult {
    let kept = Outcome::of_what_was_kept(if seen.has_changed_for_good {
        Kept::Something
    } else {
        Kept::Nothing
    });
    ClientResult {
        changed_nothing: !seen.has_changed_for_good,
        tries_locks: seen.tries_locks,
        ..ClientResult::failed(kept, fault)
    }
}
