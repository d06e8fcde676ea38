//! `racy explore FILE.spec`: PostgreSQL's isolation test files, printed as isolationtester prints
//! them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::terminal::{complain, print};
use super::{CommandResult, FAILED};
use crate::engine::choice::{self, DatabaseUrl, Lifetime, OpenDatabase};
use crate::engine::local::ServerKind;
use crate::engine::{Flavour, Settings};
use crate::explore::Stop;
use crate::scenarios::spec::{Spec, SpecReport, SpecRunError, TestError};

/// Files, and where they are run.
#[derive(Debug)]
pub(super) struct IsolationTests {
    files: Vec<IsolationTest>,
    urls: Vec<DatabaseUrl>,
    settings: Settings,
    /// Whether the report is for programs.
    is_json: bool,
}

/// One file.
#[derive(Debug)]
struct IsolationTest {
    name: String,
    spec: Spec,
}

/// How the runs of all files on all engines have ended.
#[derive(Debug, Default)]
struct Ended {
    reports: Vec<Value>,
    /// Something was run.
    has_run: bool,
    /// A permutation that a file names is not possible.
    is_impossible: bool,
    /// An engine failed, or PostgreSQL has refused a set-up.
    has_failed: bool,
}

impl IsolationTests {
    /// Reads the files. They are run on each of these databases or, if none is named, on a private
    /// PostgreSQL.
    ///
    /// # Errors
    /// Every mistake in the files, with its place.
    pub(super) fn read(
        files: &[PathBuf],
        urls: Vec<DatabaseUrl>,
        settings: Settings,
        is_json: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let mut read = Vec::new();
        let mut mistakes = Vec::new();
        for file in files {
            match isolation_test(file) {
                Ok(test) => read.push(test),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n").into());
        }
        let private = || vec![DatabaseUrl::Local(ServerKind::Postgres)];
        Ok(Self {
            files: read,
            urls: if urls.is_empty() { private() } else { urls },
            settings,
            is_json,
        })
    }

    /// Runs each file on each database, and prints what isolationtester prints.
    pub(super) async fn run(&self, stop: &Stop) -> CommandResult {
        let mut ended = Ended::default();
        for url in &self.urls {
            if stop.is_stopped() {
                break;
            }
            self.run_on(url, stop, &mut ended).await?;
        }
        if self.is_json {
            let report = json!({"version": 1, "isolation_tests": &ended.reports});
            print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        }
        Ok(match ended {
            Ended { has_run: false, .. } if stop.is_stopped() => ExitCode::SUCCESS,
            Ended { has_run: false, .. }
            | Ended {
                has_failed: true, ..
            } => ExitCode::from(FAILED),
            Ended { is_impossible, .. } if is_impossible => ExitCode::FAILURE,
            Ended { .. } => ExitCode::SUCCESS,
        })
    }

    async fn run_on(
        &self,
        url: &DatabaseUrl,
        stop: &Stop,
        ended: &mut Ended,
    ) -> Result<(), Box<dyn Error>> {
        let opened =
            choice::open_as_it_is(Some(url), Lifetime::Temporary, &self.settings, &complain).await;
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) if self.urls.len() > 1 => {
                complain(&format!("not run: {url}: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for file in &self.files {
            if !stop.is_stopped() {
                self.run_file(file, &opened, stop, ended).await?;
            }
        }
        opened.close().await?;
        Ok(())
    }

    async fn run_file(
        &self,
        file: &IsolationTest,
        opened: &OpenDatabase,
        stop: &Stop,
        ended: &mut Ended,
    ) -> Result<(), Box<dyn Error>> {
        let engine = opened.database.engine();
        let spec = &file.spec;
        let title = format!("{} on {engine}", file.name);
        if !self.is_json {
            if self.files.len() * self.urls.len() > 1 {
                print(&format!("== {title}\n"))?;
            }
            print(&format!(
                "Parsed test spec with {} sessions\n",
                spec.sessions.len()
            ))?;
        }
        let mut printed = Ok(());
        let mut tell = |permutation: &dyn std::fmt::Display| {
            if !self.is_json && printed.is_ok() {
                printed = print(&permutation.to_string());
            }
        };
        let ran = spec.run_beside(opened, stop, &mut |it| tell(it)).await;
        printed?;
        match ran {
            Ok(report) => ended.take_in(
                &title,
                &report,
                || json!({"file": file.name, "database": engine, "report": report.json()}),
            ),
            // What only PostgreSQL has need not be a mistake.
            Err(SpecRunError::Test(TestError::NotSetUp(not_here))) => {
                complain(&format!("not run: {title}: {not_here}"));
                ended.has_failed |= engine.flavour == Flavour::Postgres;
            }
            Err(error) => {
                complain(&format!("racy: {title}: {error}"));
                ended.has_failed = true;
            }
        }
        Ok(())
    }
}

/// Every engine that Racy can start by itself.
pub(super) fn every_engine() -> Vec<DatabaseUrl> {
    let servers = [ServerKind::Postgres, ServerKind::MySql, ServerKind::MariaDb];
    let servers = servers.map(DatabaseUrl::Local).into_iter();
    servers.chain([DatabaseUrl::SqliteTemporary]).collect()
}

impl Ended {
    fn take_in(&mut self, title: &str, report: &SpecReport, json: impl FnOnce() -> Value) {
        for not_here in &report.not_here {
            complain(&format!("not run: {title}: {not_here}"));
        }
        if report.left_out > 0 {
            let count = report.left_out;
            complain(&format!(
                "not run: {title}: {count} permutations with these steps"
            ));
        }
        if report.impossible > 0 {
            let (impossible, possible) = (report.impossible, report.permutations.len());
            complain(&format!(
                "{title}: {possible} interleavings are possible. In {impossible} more a session would \
                 move while it waits"
            ));
        }
        self.has_run |= !report.permutations.is_empty();
        self.is_impossible |= report.permutations.iter().any(|it| it.broken_off.is_some());
        self.reports.push(json());
    }
}

fn isolation_test(file: &Path) -> Result<IsolationTest, String> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let spec = Spec::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    for step in spec.unused_steps() {
        let line = step.sql.line;
        complain(&format!(
            "{name}: line {line}: no permutation uses step {}",
            step.name
        ));
    }
    Ok(IsolationTest { name, spec })
}
