//! What is tried before any schedule: the set-up, and one client after the other. What goes wrong
//! there is no race.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::anomalies::{FAILED, NOT_SERIAL};
use super::clients::ScenarioClients;
use super::file::When;
use super::prepared::Prepared;
use super::scenario::Does;
use super::serial::{MOST_CLIENTS, permutations};
use crate::engine::{Database, FaultKind};
use crate::explore::{
    Broken, Client, ClientResult, Clients, Divergence, Fixture, Pending, Policy, Rehearsal, Run,
    RunError, Standing, Subject, run_schedule,
};
use crate::step::{Action, Ending};
use crate::verdict::{Outcome, Verdict};

/// Runs a scenario without a race.
#[derive(Debug)]
pub(super) struct SerialRuns {
    pub(super) prepared: Arc<Prepared>,
}

/// The largest number of orders that are tried. Those of five clients that differ are 120.
const MOST_ORDERS: usize = 24;

/// How often each order is run before that if an application takes part, to learn whose statements
/// are whose.
const WARM_UPS: usize = 2;

/// The number of tries for a run that something from outside disturbs.
const TRIES: u32 = 5;

impl Rehearsal for SerialRuns {
    fn rehearse<'a>(
        &'a self,
        subject: &'a Subject,
        database: &'a Database,
    ) -> Pending<'a, Result<(), Broken>> {
        Box::pin(async move {
            self.prepared.must_stay_inside(database).await?;
            self.must_have_few_orders()?;
            self.prepared.serial.begin(database.engine()).await;
            self.after_the_set_up(database).await?;
            let scenario = &self.prepared.scenario;
            let clients: Vec<_> = Client::first(scenario.clients.len()).collect();
            let orders = if scenario.clients_are_alike {
                vec![clients]
            } else {
                permutations(&clients)
            };
            let orders = &orders[..orders.len().min(MOST_ORDERS)];
            let application = scenario.application.as_ref();
            if application.is_some_and(|it| it.is_there()) {
                self.learn_from(orders, database).await?;
            }
            let mut silent = None;
            for order in orders {
                let silent_here = self.run_in(order.clone(), subject, database).await?;
                silent = Some(silent_in_both(silent.take(), silent_here));
            }
            let silent = silent.unwrap_or_default();
            let others_are_like_it =
                scenario.clients_are_alike && silent.len() < scenario.clients.len();
            match silent.into_values().next() {
                Some(why) if !others_are_like_it => Err(why.into()),
                _ => Ok(()),
            }
        })
    }
}

/// Clients whose requests or commands send no statement that another client could notice, each with
/// the words for it.
type Silent = BTreeMap<Client, String>;

/// The clients that are silent in this run as well. One that is refused early because another came
/// before it races all the same.
fn silent_in_both(before: Option<Silent>, here: Silent) -> Silent {
    match before {
        None => here,
        Some(mut before) => {
            before.retain(|client, _| here.contains_key(client));
            before
        }
    }
}

impl SerialRuns {
    /// All serial orders must be run before it can be said that a run ends like none of them.
    fn must_have_few_orders(&self) -> Result<(), String> {
        let scenario = &self.prepared.scenario;
        let count = scenario.clients.len();
        if scenario.serial && !scenario.clients_are_alike && count > MOST_CLIENTS {
            return Err(format!(
                "{count} clients that differ have too many serial orders to compare with: take at most \
                 {MOST_CLIENTS}, or `serial = false` and an invariant"
            ));
        }
        Ok(())
    }

    /// A request that is never acknowledged, or that changes nothing, races for nothing.
    async fn must_race(&self, run: &Run, database: &Database, names: &str) -> Result<(), String> {
        let sending = self.clients_that(|does| matches!(does, Does::Request(_)));
        if let Some(first) = sending.first() {
            let has_failed = has_failed(&run.results[first.index()]);
            let applications = &self.prepared.applications;
            let why_nothing_comes = applications.why_nothing_comes(database, has_failed);
            if let Some(why) = why_nothing_comes.await {
                return Err(format!("{why}{}", what_was_answered(run, *first)));
            }
        }
        let proxied = self.clients_that(|does| !matches!(does, Does::Script(_)));
        let Some(first) = proxied.first() else {
            return Ok(());
        };
        let is_served = |it: &Client| run.results[it.index()].outcome == Outcome::Applied;
        // What a script has done first may have left nothing to do.
        let mut scripts = self
            .clients_that(|does| matches!(does, Does::Script(_)))
            .into_iter();
        if !proxied.iter().any(is_served) && !scripts.any(|it| is_served(&it)) {
            let what = match sending.is_empty() {
                true => "command",
                false => "request",
            };
            let hint = self.hint_for(*first, &run.results[first.index()]);
            let no_one = format!(
                "without any race ({names}) no {what} is acknowledged{}",
                what_was_answered(run, *first)
            );
            return Err(with_hint(&no_one, hint));
        }
        let is_there = |it: &&ClientResult| it.outcome != Outcome::Refused || it.fault.is_some();
        let mut there = run.results.iter().filter(is_there);
        if there.all(|it| it.changed_nothing && !it.tries_locks) {
            if sending.is_empty()
                && let Some(why) = self.silent(run, database, names).await.into_values().next()
            {
                return Err(why);
            }
            let nothing = format!(
                "without any race ({names}) no client changes anything{}",
                what_was_answered(run, *first)
            );
            return Err(match sending.is_empty() {
                true => nothing,
                false => with_hint(
                    &nothing,
                    "Is something missing in `before`, such as a login?",
                ),
            });
        }
        Ok(())
    }

    /// What may be wrong with a client that ends like this.
    fn hint_for(&self, client: Client, result: &ClientResult) -> &'static str {
        let Does::Command(plan) = &self.prepared.scenario.clients[client.index()].does else {
            return hint_for_request(result);
        };
        let status = status_of(result).and_then(|it| it.parse().ok());
        if status.is_some_and(|it| plan.has_crashed(it)) {
            "That is how a program ends that has crashed: does its database have the tables that \
             it needs (`setup`, `prepare`), and has it all the arguments and variables (`run`, \
             `env`)?"
        } else {
            "Say in `acknowledged` of [client.command] which exit statuses mean that it was done"
        }
    }

    /// The clients that do such a thing.
    fn clients_that(&self, do_it: impl Fn(&Does) -> bool) -> Vec<Client> {
        let clients = &self.prepared.scenario.clients;
        let all = Client::first(clients.len());
        all.filter(|it| do_it(&clients[it.index()].does)).collect()
    }

    /// The clients whose requests or commands have sent nothing in this run.
    async fn silent(&self, run: &Run, database: &Database, names: &str) -> Silent {
        let has_a_step = |it: &Client| {
            let mut rows = run.trace.rows.iter();
            rows.any(|row| row.client == *it && row.number().is_some())
        };
        let mut silent = Silent::new();
        for (what, clients) in [
            (
                "request",
                self.clients_that(|it| matches!(it, Does::Request(_))),
            ),
            (
                "command",
                self.clients_that(|it| matches!(it, Does::Command(_))),
            ),
        ] {
            for client in clients.into_iter().filter(|it| !has_a_step(it)) {
                let applications = &self.prepared.applications;
                let why = format!(
                    "without any race ({names}) the {what} of client {client} sends no statement that \
                     another client could notice{}",
                    what_was_answered(run, client)
                );
                let hint = match what {
                    "command" => {
                        let silent = applications.why_a_command_is_silent(database, client, &why);
                        silent.await
                    }
                    _ => String::new(),
                };
                silent.insert(client, with_hint(&why, &hint));
            }
        }
        silent
    }

    async fn after_the_set_up(&self, database: &Database) -> Result<(), Broken> {
        let restored = self.prepared.restore(database).await;
        restored.map_err(|error| Broken {
            place: error.place,
            why: match error.place {
                Some(_) => error.fault.to_string(),
                None => error.to_string(),
            },
        })?;
        self.prepared.forget_reader(database.engine());
        let reader = self.prepared.reader(database).await;
        reader.map_err(|fault| fault.message)?;
        // What must hold at the end need not hold before the clients have done anything.
        let invariants = self.prepared.scenario.invariants.iter();
        let always = invariants.filter(|it| it.when == When::EveryCommit);
        for invariant in always.filter(|it| !it.is_about_clients()) {
            let holds = invariant.holds(database, &[]).await;
            if !holds.map_err(|fault| fault.message)? {
                let why = format!(
                    "false without any race: {:?} does not hold after the set-up",
                    invariant.name
                );
                return Err(why.into());
            }
        }
        Ok(())
    }

    /// Runs each order slowly, to learn whose statements are whose. How the runs end is judged
    /// later, in runs that are quick.
    async fn learn_from(&self, orders: &[Vec<Client>], database: &Database) -> Result<(), String> {
        let known = self.prepared.applications.known();
        known.learn_from_runs(true);
        for _ in 0..WARM_UPS {
            for order in orders {
                let names = in_words(order);
                if let Some(run) = self.one_run(order.clone(), database).await? {
                    self.must_race(&run, database, &names).await?;
                    must_be_sql(&run, &names)?;
                }
            }
        }
        known.learn_from_runs(false);
        Ok(())
    }

    /// A run in this order. It is made again if something from outside has got between.
    async fn one_run(
        &self,
        order: Vec<Client>,
        database: &Database,
    ) -> Result<Option<Run>, String> {
        let names = in_words(&order);
        let fixture = Fixture::WholeDatabase;
        let count = order.len();
        let mut tries = 0;
        loop {
            let restored = self.prepared.restore(database).await;
            restored.map_err(|error| error.to_string())?;
            let clients = ScenarioClients::in_order(&self.prepared, order.clone());
            let clients: Arc<dyn Clients> = Arc::new(clients);
            let mut policy = OneAfterTheOther {
                order: order.clone(),
            };
            tries += 1;
            let run = run_schedule(database, &clients, fixture, count, &mut policy).await;
            match run {
                Err(RunError::Disturbed | RunError::Hasty) if tries < TRIES => {}
                ran => {
                    return ran.map_err(|error| format!("without any race ({names}): {error}"));
                }
            }
        }
    }

    async fn run_in(
        &self,
        order: Vec<Client>,
        subject: &Subject,
        database: &Database,
    ) -> Result<Silent, String> {
        let names = in_words(&order);
        let Some(run) = self.one_run(order, database).await? else {
            return Ok(Silent::new());
        };
        self.must_race(&run, database, &names).await?;
        must_be_sql(&run, &names)?;
        let fixture = Fixture::WholeDatabase;
        let verdict = subject.judge.judge(database, fixture, &run.results).await;
        let verdict =
            verdict.map_err(|fault| format!("without any race ({names}): {}", fault.message))?;
        match verdict.verdict {
            Verdict::Anomaly(anomaly) if anomaly == &NOT_SERIAL => Err(format!(
                "two runs without any race ({names}) end differently: {}. There is chance in it, which \
                 the serial orders cannot judge; `serial = false` and an invariant can",
                verdict.because.unwrap_or_default()
            )),
            Verdict::Anomaly(anomaly) => Err(format!(
                "false without any race ({names}): {}{}",
                anomaly.title,
                match what_failed(&run, |kind, _| kind == FAILED.name) {
                    // An answer such as 500 is no step that failed.
                    none if none.is_empty() && anomaly == &FAILED => what_has_failed(&run),
                    failed => failed,
                }
            )),
            Verdict::Refused(_) | Verdict::Declined | Verdict::Safe => {
                Ok(self.silent(&run, database, &names).await)
            }
        }
    }
}

/// An order, for a message.
fn in_words(order: &[Client]) -> String {
    let names: Vec<_> = order.iter().map(Client::to_string).collect();
    names.join(", then ")
}

/// A message with another sentence. What a program has written may end in a mark of its own.
fn with_hint(message: &str, hint: &str) -> String {
    let has_an_end = message.ends_with(['.', '?', '!']);
    match (hint, has_an_end) {
        ("", _) => message.to_owned(),
        (hint, true) => format!("{message} {hint}"),
        (hint, false) => format!("{message}. {hint}"),
    }
}

/// The status of the answer to a client's request, or that of its command's exit.
fn status_of(result: &ClientResult) -> Option<String> {
    let mut captured = result.captured.iter();
    let status = captured.find(|(name, _)| name == "status");
    status.map(|(_, value)| value.to_string())
}

/// Whether an answer with this status says that the application has failed.
fn is_a_failure(status: impl AsRef<str>) -> bool {
    let status = status.as_ref();
    status.len() == "500".len() && status.starts_with('5')
}

/// Whether a request was answered such a status, or not at all.
fn has_failed(result: &ClientResult) -> bool {
    match status_of(result) {
        Some(status) => is_a_failure(status),
        None => result.saw == Some(&FAILED),
    }
}

/// What may be wrong with a request that is answered like this.
fn hint_for_request(result: &ClientResult) -> &'static str {
    match status_of(result).as_deref() {
        Some("404" | "405") => "Are `path` and `method` right?",
        _ if has_failed(result) => {
            "The application has failed: does its database have the tables that it needs (`setup`, \
             `prepare`), and does the request have all that it needs?"
        }
        _ => {
            "Is something missing in `before`, such as a login or a CSRF token? Or say in \
             `acknowledged` which answers mean that it was done"
        }
    }
}

/// A statement that the engine does not understand is a mistake in the script, and no refusal.
fn must_be_sql(run: &Run, names: &str) -> Result<(), String> {
    let faults = run.results.iter().filter_map(|it| it.fault.as_ref());
    let mistakes = [
        FaultKind::Other,
        FaultKind::SchemaMissing,
        FaultKind::NotAllowed,
    ];
    match faults.into_iter().find(|it| mistakes.contains(&it.kind)) {
        Some(fault) => {
            let fault = fault.to_string();
            let what = match what_failed(run, |_, refusal| refusal == fault) {
                none if none.is_empty() => format!(": {fault}"),
                // It ends with the fault.
                what => what,
            };
            Err(format!("refused without any race ({names}){what}"))
        }
        None => Ok(()),
    }
}

/// What a client's request was answered, or how its command has ended, for a message.
fn what_was_answered(run: &Run, client: Client) -> String {
    let rows = run.trace.rows.iter().rev();
    let answer = rows.filter(|row| row.client == client).find_map(|row| {
        let ending = row.ending()?;
        let label = &row.step.label;
        (row.step.action == Action::Answer).then(|| {
            let body = match ending {
                Ending::Answered(answer) => {
                    let body = answer.rows.first().and_then(|it| it.first());
                    body.map(|it| format!(": {it}")).unwrap_or_default()
                }
                Ending::Failed { refusal, .. } => format!(": {refusal}"),
                _ => String::new(),
            };
            let is = if label.starts_with("answered") {
                " is"
            } else {
                ":"
            };
            format!("; client {client}{is} {label}{body}")
        })
    });
    answer.unwrap_or_default()
}

/// What the first client that has failed was answered, for a message.
fn what_has_failed(run: &Run) -> String {
    let mut clients = Client::first(run.results.len());
    let failed = clients.find(|it| run.results[it.index()].saw == Some(&FAILED));
    failed.map_or_else(String::new, |it| what_was_answered(run, it))
}

/// The first step that failed in this way, by the kind and the words of its refusal.
fn what_failed(run: &Run, is_it: impl Fn(&str, &str) -> bool) -> String {
    let failed = run.trace.rows.iter().find_map(|row| match row.ending() {
        Some(Ending::Failed { kind, refusal, .. }) if is_it(kind, refusal) => Some((row, refusal)),
        _ => None,
    });
    match failed {
        Some((row, refusal)) => {
            // A command is named with its words, because only its exit has failed.
            let mut rows = run.trace.rows.iter().filter(|it| it.client == row.client);
            let command = rows.find(|it| it.step.action == Action::Request);
            let command = command.and_then(|it| it.step.label.strip_prefix("$ "));
            let command = command.map(|it| format!(", `{it}`")).unwrap_or_default();
            let (client, label) = (row.client, &row.step.label);
            format!("; client {client}{command}, {label}: {refusal}")
        }
        None => String::new(),
    }
}

/// One client after the other, in this order. A client that waits makes way for the next.
#[derive(Debug, Clone)]
pub(super) struct OneAfterTheOther {
    pub(super) order: Vec<Client>,
}

impl Policy for OneAfterTheOther {
    fn choose(&mut self, standing: &Standing<'_>) -> Result<Option<Client>, Divergence> {
        let is_parked = |client: &&Client| standing.parked.iter().any(|it| it.client == **client);
        Ok(self.order.iter().find(is_parked).copied())
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        Vec::new()
    }

    fn share(&self) -> f64 {
        1.0
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}
