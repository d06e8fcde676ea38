//! What clients capture: the names that a file has for it, and which of them have had a value.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::scenario::{ClientScript, Does, Scenario};
use super::script::{InstructionKind, Script};
use crate::answer::Datum;
use crate::engine::Engine;
use crate::explore::{Client, ClientResult};

impl ClientScript {
    /// The names under which it can capture something. None if they are not known before it runs: a
    /// `\gset` takes the names of the columns.
    pub(super) fn captured_names(&self) -> Option<BTreeSet<&str>> {
        match &self.does {
            Does::Script(scripts) => {
                let names = scripts.iter().map(|(_, script)| names_in(script));
                let names: Option<Vec<_>> = names.collect();
                Some(names?.into_iter().flatten().collect())
            }
            Does::Request(_) | Does::Command(_) => {
                Some(self.captures().chain(std::iter::once("status")).collect())
            }
        }
    }

    /// The names in the `capture` of its request or its command.
    fn captures(&self) -> impl Iterator<Item = &str> {
        let (request, command) = match &self.does {
            Does::Script(_) => (None, None),
            Does::Request(plan) => (Some(plan.captured_names()), None),
            Does::Command(plan) => (None, Some(plan.captured_names())),
        };
        let request = request.into_iter().flatten();
        request.chain(command.into_iter().flatten())
    }
}

/// The names that a script sets. None if it has a `\gset`.
fn names_in(script: &Script) -> Option<Vec<&str>> {
    let names = script.instructions().iter().map(|it| match &it.kind {
        InstructionKind::Statement(statement) if statement.capture.is_some() => None,
        InstructionKind::Set { name, .. } => Some(Some(name.as_str())),
        InstructionKind::Statement(_)
        | InstructionKind::Unset { .. }
        | InstructionKind::Branch { .. }
        | InstructionKind::Jump(_)
        | InstructionKind::Quit => Some(None),
    });
    let names: Option<Vec<_>> = names.collect();
    Some(names?.into_iter().flatten().collect())
}

/// Which captures have had a value, on each engine and at each level.
#[derive(Debug, Default)]
pub(super) struct Matched(Mutex<Vec<OnOneEngine>>);

/// The place of a client and the name of its capture, for each that has had a value.
type OnOneEngine = (Engine, BTreeSet<(usize, String)>);

impl Matched {
    /// Notes what the clients of a run have captured.
    pub(super) fn note(&self, engine: &Engine, results: &[ClientResult]) {
        let mut all = self.all();
        let at = all.iter().position(|(it, _)| it == engine);
        let at = at.unwrap_or_else(|| {
            all.push((engine.clone(), BTreeSet::new()));
            all.len() - 1
        });
        let matched = &mut all[at].1;
        for (index, result) in results.iter().enumerate() {
            for (name, value) in &result.captured {
                if *value != Datum::Null {
                    matched.insert((index, name.clone()));
                }
            }
        }
    }

    /// The captures of requests and commands that have had no value in any run, in words.
    pub(super) fn never(&self, engine: &Engine, scenario: &Scenario) -> Vec<String> {
        let all = self.all();
        let matched = all.iter().find(|(it, _)| it == engine);
        let has_matched = |index: usize, name: &str| {
            matched.is_some_and(|(_, it)| it.contains(&(index, name.to_owned())))
        };
        let clients = Client::first(scenario.clients.len()).zip(&scenario.clients);
        let never = clients.flat_map(|(client, does)| {
            let names = does.captures();
            let never = names.filter(move |name| !has_matched(client.index(), name));
            never.map(move |name| {
                format!("capture `{name}` of client {client} matched in no run, so it is NULL")
            })
        });
        never.collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<OnOneEngine>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Flavour, Isolation};

    const TEXT: &str = r#"
title = "A shop"
[application]
base_url = "http://127.0.0.1:1"
listen = "127.0.0.1:2"
[[client]]
count = 2
[client.request]
path = "/"
capture = { yes = "json:/yes", no = "regex:no=(.)" }
[[client]]
script = "SELECT 1 AS one; \\gset"
"#;

    fn engine() -> Engine {
        Engine {
            flavour: Flavour::MySql,
            version: String::new(),
            isolation: Isolation::Serializable,
            snapshot_isolation: false,
            rolls_back_on_timeout: false,
            can_switch_snapshot_isolation: false,
            journal: None,
        }
    }

    fn captured(values: [(&str, Datum); 2]) -> ClientResult {
        ClientResult {
            captured: values.map(|(name, it)| (name.to_owned(), it)).into(),
            ..ClientResult::APPLIED
        }
    }

    #[test]
    fn a_capture_without_a_value_in_any_run_is_told_of() {
        let scenario = Scenario::parse("test.toml", TEXT).unwrap();
        let matched = Matched::default();
        let value = || Datum::text("1");
        let first = [("yes", value()), ("no", Datum::Null)];
        let second = [("yes", value()), ("no", value())];
        let script = ClientResult::APPLIED;
        let results = [first.clone(), first.clone()].map(captured);
        matched.note(
            &engine(),
            &[&results[..], std::slice::from_ref(&script)].concat(),
        );
        let results = [second, first].map(captured);
        matched.note(&engine(), &[&results[..], &[script]].concat());
        assert_eq!(
            matched.never(&engine(), &scenario),
            ["capture `no` of client B matched in no run, so it is NULL"]
        );
    }
}
