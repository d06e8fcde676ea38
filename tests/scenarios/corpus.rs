//! The corpus: every file finds what it expects, at the engine's own level, and what it loses is
//! found without its invariants. `tools/test --all` explores the files at every level.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use racy::engine::Settings;
use racy::explore::{self, Exploration, Schedules, Subject};
use racy::scenarios::{Options, Scenario};

use super::explored_on;
use crate::support::explored::plan;
use crate::support::{self, TestEngine};

on_engines!(
    every: every_file_of_the_corpus_finds_what_it_expects_and_what_it_loses_without_invariants;
);

/// The corpus, in the order of its names.
fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Losing files in which every run ends like a serial order, and why.
const SERIAL: [(&str, &str); 2] = [
    (
        "skip-locked/lost.toml",
        "the rule is about a moment, and nothing is to be seen at the end",
    ),
    (
        "skip-locked/first-cure.toml",
        "the rule is about a moment, as in lost.toml",
    ),
];

async fn every_file_of_the_corpus_finds_what_it_expects_and_what_it_loses_without_invariants(
    engine: TestEngine,
) {
    let files = corpus();
    assert!(files.len() >= 40, "{files:?}");
    let files = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        (file.display().to_string(), text)
    });
    let files: BTreeMap<_, _> = files.collect();
    let settings = Settings {
        connections: 20,
        ..Settings::default()
    };
    let lab = engine.lab_with(explore::settings(&settings)).await;
    let subjects = files.iter().map(|(name, text)| subject(name, text));
    let explored = explored_on(&lab.database, subjects.collect()).await;
    assert_eq!(surprises(&explored), Vec::<String>::new());
    let explored_or_left_out = explored.findings.len() + explored.missing.len();
    assert_eq!(explored_or_left_out, files.len());

    let losing = names_of_losing(&explored);
    assert!(losing.len() > 5, "{losing:?}");
    let subjects = losing
        .iter()
        .map(|name| subject(name, &without_invariants(&files[name])));
    // All these races need two preemptions at most.
    let bound = Schedules::All {
        preemptions: Some(2),
    };
    let explored =
        support::explored::explored(&lab.database, subjects.collect(), plan(bound, 2)).await;
    assert_eq!(explored.broken, Vec::<String>::new());
    assert_eq!(explored.findings.len(), losing.len());
    let found = names_of_losing(&explored);
    let missed = losing.difference(&found).filter(|name| {
        let is_known = |(file, _): &(&str, _)| name.ends_with(file);
        !SERIAL.iter().any(is_known)
    });
    assert_eq!(missed.collect::<Vec<_>>(), Vec::<&String>::new());
}

fn subject(name: &str, text: &str) -> Arc<Subject> {
    let scenario = Scenario::parse(name, text);
    let subject = scenario.and_then(|it| it.into_subject(Options::default()));
    Arc::new(subject.unwrap_or_else(|error| panic!("{error}")))
}

fn names_of_losing(explored: &Exploration) -> BTreeSet<String> {
    let losing = explored
        .findings
        .iter()
        .filter(|it| it.tally.anomalies() > 0);
    losing.map(|it| it.about.name.to_string()).collect()
}

/// The file without what must hold and what is expected.
fn without_invariants(text: &str) -> String {
    let mut is_left_out = false;
    let lines = text.lines().filter(|line| {
        if line.starts_with('[') {
            is_left_out = line.starts_with("[[invariant]]") || line.starts_with("[expect");
        }
        !is_left_out
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// What is not as the files say.
fn surprises(explored: &Exploration) -> Vec<String> {
    let unexpected = explored.findings.iter().flat_map(|finding| {
        let (name, engine) = (&finding.about.name, &finding.engine);
        let said = finding.unexpected.iter();
        said.map(move |it| format!("{name} on {engine}: {it}"))
    });
    let error = explored.error.iter().map(ToString::to_string);
    unexpected
        .chain(explored.broken.iter().cloned())
        .chain(error)
        .collect()
}
