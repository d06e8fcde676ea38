//! The corpus: every file finds what it expects, at the engine's own level. `tools/test --all`
//! explores them at every level.

use std::fs;
use std::path::{Path, PathBuf};

use racy::engine::Settings;
use racy::explore::{self, Exploration};
use racy::scenarios::{Options, Scenario};

use super::explored_on;
use crate::support::TestEngine;

on_engines!(
    every: every_file_of_the_corpus_finds_what_it_expects;
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

async fn every_file_of_the_corpus_finds_what_it_expects(engine: TestEngine) {
    let files = corpus();
    assert!(files.len() >= 40, "{files:?}");
    let subjects = files.iter().map(|file| {
        let name = file.display().to_string();
        let scenario = Scenario::parse(&name, &fs::read_to_string(file).unwrap());
        let subject = scenario.and_then(|it| it.into_subject(Options::default()));
        subject.unwrap_or_else(|error| panic!("{error}")).into()
    });
    let settings = Settings {
        connections: 20,
        ..Settings::default()
    };
    let lab = engine.lab_with(explore::settings(&settings)).await;
    let explored = explored_on(&lab.database, subjects.collect()).await;
    assert_eq!(surprises(&explored), Vec::<String>::new());
    let explored_or_left_out = explored.findings.len() + explored.missing.len();
    assert_eq!(explored_or_left_out, files.len());
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
